/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packet cases: a data plane with `limits` of zero flows and zero clients. Nothing can be
 * remembered, so that every flow goes where flows without an entry go, and none moves.
 */
#include "rules.h"

/* clang-format off */
static const struct packet_case rows[] = {
	BOTH("settled: the owner", SETTLED, SEGMENT(SYN, ISN), NEW, TO(A, SLOT)),
	BOTH("changed: a SYN goes to the fallback", CHANGED, SEGMENT(SYN, ISN), NEW, TO(A, FALLBACK),
	     TIMES_AFTER(.used = NOW, .full = NOW), .notes = NOTE(NEW_FLOW_UNTRACKED)),
	BOTH("changed: so does what follows", CHANGED, SEGMENT(ACK, ISN + 1), TO(A, FALLBACK),
	     TIMES_AFTER(.used = NOW), .notes = NOTE(OLD_FLOW_UNTRACKED)),
	BOTH("changed: so does UDP", CHANGED, DATAGRAM, TO(A, FALLBACK), TIMES_AFTER(.used = NOW, .full = NOW),
	     .notes = NOTE(NEW_FLOW_UNTRACKED)),
	BOTH("changed: the fallback is down: the owner", FALLBACK_DOWN, SEGMENT(ACK, ISN + 1), TO(B, SLOT)),
	BOTH("tracked: the owner", TRACKED, SEGMENT(SYN, ISN), NEW, TO(A, FALLBACK), TIMES_AFTER(.full = NOW),
	     .notes = NOTE(NEW_FLOW_UNTRACKED)),
	BOTH("a new client: by its slot", CLIENTS, SEGMENT(SYN, ISN), NEW, TO(A, SLOT),
	     .notes = NOTE(CLIENT_UNTRACKED)),
	BOTH("a new client in a changed slot: its fallback", CLIENTS_CHANGED, SEGMENT(SYN, ISN), NEW, TO(A, FALLBACK),
	     TIMES_AFTER(.used = NOW, .full = NOW), .notes = NOTE(NEW_FLOW_UNTRACKED) | NOTE(CLIENT_UNTRACKED)),
};
/* clang-format on */

CASE_LIST(forgetful, rows, .forgetful = true);
