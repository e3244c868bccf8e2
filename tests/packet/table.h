/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * table: the flow table as cases describe it: brought into a state before a packet, compared with
 * one after it. Writes entries through the pinned maps, because nothing but the program ever makes
 * one. Neighbours: run.c calls it; case.h says what a case_flow is.
 */
#ifndef PACKET_TABLE_H
#define PACKET_TABLE_H

#include "case.h"

/* Empties the table and makes the entries of `row` (with strangers, if it is to be full). Ends the
 * process with a message if that fails. */
void table_prepare(struct dataplane *dp, const char *pin_dir, const struct packet_case *row);

/* Whether the table holds `expected` and nothing else but strangers; prints what differs, as TAP
 * comments. `tick`: when the packet was processed, at the earliest; `what` names the check. */
bool table_check(struct dataplane *dp, const struct packet_case *row,
		 const struct case_flow expected[CASE_FLOWS_MAX], const char *what);

#endif
