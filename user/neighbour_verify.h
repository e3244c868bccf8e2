/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour_verify: judges whether one neighbour still answers under the MAC that is known, and
 * says what to ask the kernel for next. Pure: time is an argument, requests are return values.
 *
 * The kernel believes a REACHABLE entry for half a minute, so a MAC that changed unannounced would
 * stay wrong that long. So each neighbour is asked anew all the time: first a unicast probe to the
 * MAC that is known; if that stays unanswered, the entry is dropped and the kernel resolves the
 * address by broadcast. One lost packet changes nothing: what was known stands until several
 * attempts failed.
 */
#ifndef LIMPET_NEIGHBOUR_VERIFY_H
#define LIMPET_NEIGHBOUR_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	VERIFY_INTERVAL_US = 400 * 1000, /* between two checks of a neighbour that answers */
	VERIFY_PROBE_US = 250 * 1000,    /* how long a unicast probe may stay unanswered */
	VERIFY_RESOLVE_US = 300 * 1000,  /* the same of a broadcast */
	VERIFY_RESOLVE_TRIES = 3,        /* broadcasts before a neighbour counts as silent */
	VERIFY_RETRY_US = 1000 * 1000,   /* between attempts on a silent one */
};

enum verify_phase {
	VERIFY_CONFIRMED, /* answered, or not asked yet; the next probe is at due_us */
	VERIFY_PROBING,
	VERIFY_LOST, /* the kernel has no MAC: to be resolved at once */
	VERIFY_RESOLVING,
	VERIFY_RETRYING,
	VERIFY_FIXED, /* set by an operator or a routing daemon: never checked */
};

enum verify_verdict {
	VERIFY_UNKNOWN, /* nothing is known yet */
	VERIFY_ANSWERS, /* `mac` is right as far as is known */
	VERIFY_SILENT,
};

enum verify_action {
	VERIFY_NOTHING,
	VERIFY_PROBE,   /* probe the known MAC */
	VERIFY_RESOLVE, /* forget the MAC and resolve */
	VERIFY_REVIVE,  /* resolve, unless the kernel is at it already */
};

/* What the kernel's entry says. */
enum verify_entry {
	VERIFY_ENTRY_NONE,    /* there is none, or one without a MAC */
	VERIFY_ENTRY_STALE,   /* a MAC that was not confirmed lately */
	VERIFY_ENTRY_CURRENT, /* a MAC that was just confirmed */
	VERIFY_ENTRY_FIXED,   /* a MAC that is not the kernel's to check */
};

struct verify {
	enum verify_phase phase;
	enum verify_verdict verdict;
	uint8_t mac[6];
	uint8_t tries;
	uint64_t due_us; /* when verify_due is to be called; UINT64_MAX: never */
};

/* Nothing known; to be resolved at once. */
void verify_init(struct verify *verify, uint64_t now_us);

/* The entry as it is now. `mac` may be NULL for VERIFY_ENTRY_NONE. `interval_us`: until the next
 * check. */
void verify_entry(struct verify *verify, enum verify_entry entry, const uint8_t mac[6],
		  uint64_t now_us, uint64_t interval_us);

/* To be called when `due_us` has come. The caller does what is returned. */
enum verify_action verify_due(struct verify *verify, uint64_t now_us);

#endif
