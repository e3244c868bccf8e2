/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour_verify: the phases of one neighbour. See neighbour_verify.h; neighbour.c feeds it with
 * the kernel's entries and carries out its requests. Knows no socket and no clock.
 */
#include "neighbour_verify.h"

#include <string.h>

static void enter(struct verify *verify, enum verify_phase phase, uint64_t due_us)
{
	verify->phase = phase;
	verify->due_us = due_us;
}

void verify_init(struct verify *verify, uint64_t now_us)
{
	memset(verify, 0, sizeof(*verify));
	enter(verify, VERIFY_LOST, now_us);
}

static void entry_lost(struct verify *verify, uint64_t now_us)
{
	/* While resolving, an entry without a MAC is what was asked for. */
	if (verify->phase == VERIFY_RESOLVING || verify->phase == VERIFY_RETRYING)
		return;
	enter(verify, VERIFY_LOST, now_us);
}

static void entry_stale(struct verify *verify, bool same, uint64_t now_us)
{
	/* The kernel echoes our own probe as a state of its own: no news. */
	if (same && (verify->phase == VERIFY_PROBING || verify->phase == VERIFY_CONFIRMED))
		return;
	enter(verify, VERIFY_CONFIRMED, now_us);
}

void verify_entry(struct verify *verify, enum verify_entry entry, const uint8_t mac[6],
		  uint64_t now_us, uint64_t interval_us)
{
	bool same;

	if (entry == VERIFY_ENTRY_NONE) {
		entry_lost(verify, now_us);
		return;
	}
	same = verify->verdict == VERIFY_ANSWERS && !memcmp(verify->mac, mac, sizeof(verify->mac));
	memcpy(verify->mac, mac, sizeof(verify->mac));
	verify->verdict = VERIFY_ANSWERS;
	switch (entry) {
	case VERIFY_ENTRY_FIXED:
		enter(verify, VERIFY_FIXED, UINT64_MAX);
		break;
	case VERIFY_ENTRY_CURRENT:
		enter(verify, VERIFY_CONFIRMED, now_us + interval_us);
		break;
	default:
		entry_stale(verify, same, now_us);
		break;
	}
}

static enum verify_action resolve(struct verify *verify, uint64_t now_us)
{
	verify->tries++;
	enter(verify, VERIFY_RESOLVING, now_us + VERIFY_RESOLVE_US);
	return VERIFY_RESOLVE;
}

enum verify_action verify_due(struct verify *verify, uint64_t now_us)
{
	switch (verify->phase) {
	case VERIFY_CONFIRMED:
		enter(verify, VERIFY_PROBING, now_us + VERIFY_PROBE_US);
		return VERIFY_PROBE;
	case VERIFY_LOST:
	case VERIFY_PROBING:
		verify->tries = 0;
		return resolve(verify, now_us);
	case VERIFY_RESOLVING:
		if (verify->tries < VERIFY_RESOLVE_TRIES)
			return resolve(verify, now_us);
		verify->verdict = VERIFY_SILENT;
		/* fall through */
	case VERIFY_RETRYING:
		enter(verify, VERIFY_RETRYING, now_us + VERIFY_RETRY_US);
		return VERIFY_REVIVE;
	case VERIFY_FIXED:
		break;
	}
	verify->due_us = UINT64_MAX;
	return VERIFY_NOTHING;
}
