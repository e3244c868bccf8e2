/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * siphash: SipHash-2-4 (Aumasson and Bernstein, 2012), the keyed hash behind table builds, table
 * digests and the data plane's hash keys. Pure.
 */
#ifndef LIMPET_SIPHASH_H
#define LIMPET_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#include "../bpf/lb_abi.h"

/* The same result on every machine: input is read as bytes, the key as two little-endian words. */
uint64_t siphash(const uint8_t key[LB_SEED_SIZE], const void *data, size_t size);

/* The data plane's hash keys from the installation's seed: keys[i] = siphash(seed, "lb" and i). */
void siphash_expand(const uint8_t seed[LB_SEED_SIZE], uint64_t keys[LB_HASH_KEYS]);

#endif
