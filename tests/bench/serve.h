/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * serve: rows by the round, for who compares two builds of the balancer and wants their rounds in
 * turn (tests/bench/compare.py).
 */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H

#include "measure.h"

/*
 * Says the names of the rows that `wanted` takes, one a line, and an empty line. For each line of
 * stdin that has such a name then runs one round and says what a packet cost above the floor and
 * the floor itself, in ns. Ends with stdin.
 */
void serve(const struct measure *measure, bool (*wanted)(const char *name));

#endif
