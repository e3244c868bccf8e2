/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sweep cases: what a sweep does with entries and records (bpf/sweep.h). A row is the state before,
 * and after `sweeps` sweeps of all tables; how to read it: rules.h and case.h.
 */
#include "rules.h"

/* How old is old enough, and what is just not: of clocks that are two ticks apart. */
enum {
	DEAD_TCP = WORLD_IDLE_TCP + 3,
	DYING_TCP = WORLD_IDLE_TCP + 2,
	DEAD_UDP = WORLD_IDLE_UDP + 3,
	DYING_UDP = WORLD_IDLE_UDP + 2,
	DEAD_CLOSING = WORLD_IDLE_CLOSING + 3,
	DYING_CLOSING = WORLD_IDLE_CLOSING + 2,
	QUIET = 29, /* more than 30 s */
	SETTLED_TICKS = 2,
};

/* Of a table with one entry, or two. */
#define LOST                                                                                       \
	{                                                                                          \
		.read = 1, .doomed = 1                                                             \
	}
#define GONE                                                                                       \
	{                                                                                          \
		.read = 1, .deleted = 1                                                            \
	}
#define KEPT                                                                                       \
	{                                                                                          \
		.read = 1                                                                          \
	}
#define TALLY(to, flow_count, client_count)                                                        \
	{                                                                                          \
		B_##to, flow_count, client_count                                                   \
	}

/* clang-format off */
const struct sweep_case sweep_cases[] = {
	/* ---- dead: doomed, and deleted by the next sweep ---- */
	BOTH_SWEPT("nothing there", CHANGED, TCP),
	BOTH_SWEPT("a flow that is idle for too long is doomed", CHANGED, TCP, .flows = LOST,
		   BEFORE(FLOW(B, OPEN, .age = DEAD_TCP)), AFTER(FLOW(B, OPEN, .age = DEAD_TCP, .doomed = true))),
	BOTH_SWEPT("one that is not quite is kept", CHANGED, TCP, .flows = KEPT, .tallies = {TALLY(B, 1, 0)},
		   UNTOUCHED(FLOW(B, OPEN, .age = DYING_TCP))),
	BOTH_SWEPT("what is doomed is deleted", CHANGED, TCP, .flows = GONE,
		   BEFORE(FLOW(B, OPEN, .age = 2, .doomed = true))),
	BOTH_SWEPT("a recorded one, which had a quota", CHANGED, TCP, .flows = GONE,
		   BEFORE(FLOW(A, OPEN, .age = 2, .doomed = true, RECORDED))),
	BOTH_SWEPT("two sweeps delete what is dead", CHANGED, TCP, .sweeps = 2, .births = GONE, .flows = GONE,
		   BEFORE(BIRTH(B, OPEN, ISN, .age = DEAD_TCP), FLOW(B, OPEN, .age = DEAD_TCP))),
	BOTH_SWEPT("a flow of UDP", CHANGED, UDP, .flows = LOST, BEFORE(FLOW(B, OPEN, .age = DEAD_UDP)),
		   AFTER(FLOW(B, OPEN, .age = DEAD_UDP, .doomed = true))),
	BOTH_SWEPT("a flow of UDP that is not quite dead", CHANGED, UDP, .flows = KEPT, .tallies = {TALLY(B, 1, 0)},
		   UNTOUCHED(FLOW(B, OPEN, .age = DYING_UDP))),
	BOTH_SWEPT("a birth of UDP, deleted from its quota", CHANGED, UDP, .births = GONE,
		   BEFORE(BIRTH(B, OPEN, 0, .age = 2, .doomed = true))),
	BOTH_SWEPT("a flow after FIN", CHANGED, TCP, .flows = LOST, BEFORE(FLOW(B, CLOSING, .age = DEAD_CLOSING)),
		   AFTER(FLOW(B, CLOSING, .age = DEAD_CLOSING, .doomed = true))),
	BOTH_SWEPT("not quite dead after FIN, and not counted as a flow", CHANGED, TCP, .flows = KEPT,
		   UNTOUCHED(FLOW(B, CLOSING, .age = DYING_CLOSING))),
	BOTH_SWEPT("a birth that nothing followed", CHANGED, TCP, .births = LOST,
		   BEFORE(BIRTH(B, OPENING, ISN, .age = DEAD_CLOSING)),
		   AFTER(BIRTH(B, OPENING, ISN, .age = DEAD_CLOSING, .doomed = true))),
	BOTH_SWEPT("a birth that something may follow", CHANGED, TCP, .births = KEPT, .tallies = {TALLY(B, 1, 0)},
		   UNTOUCHED(BIRTH(B, OPENING, ISN, .age = DYING_CLOSING))),
	BOTH_SWEPT("its backend is down", CHANGED, TCP, .births = LOST, .flows = LOST,
		   BEFORE(BIRTH(DOWN, OPEN, ISN, .age = 2), FLOW(DOWN, OPEN, .age = 2)),
		   AFTER(BIRTH(DOWN, OPEN, ISN, .age = 2, .doomed = true), FLOW(DOWN, OPEN, .age = 2, .doomed = true))),
	BOTH_SWEPT("its backend was down since", CHANGED, TCP, .births = LOST, .flows = LOST,
		   BEFORE(BIRTH(C, OPEN, ISN, .age = 2, .outlived = true), FLOW(C, OPEN, .age = 2, .outlived = true)),
		   AFTER(BIRTH(C, OPEN, ISN, .age = 2, .outlived = true, .doomed = true),
			 FLOW(C, OPEN, .age = 2, .outlived = true, .doomed = true))),

	/* ---- births that their copies make needless ---- */
	BOTH_SWEPT("a birth that is quiet beside its copy is doomed", CHANGED, TCP, .births = LOST, .flows = KEPT,
		   .tallies = {TALLY(B, 1, 0)}, BEFORE(BIRTH(B, OPEN, ISN, .age = QUIET), FLOW(B, OPEN, .age = 2)),
		   AFTER(BIRTH(B, OPEN, ISN, .age = QUIET, .doomed = true), FLOW(B, OPEN, .age = 2))),
	BOTH_SWEPT("not yet quiet, it is kept, and the flow counts once", CHANGED, TCP, .births = KEPT, .flows = KEPT,
		   .tallies = {TALLY(B, 1, 0)},
		   UNTOUCHED(BIRTH(B, OPEN, ISN, .age = QUIET - 1), FLOW(B, OPEN, .age = 2))),
	BOTH_SWEPT("quiet without a copy, it is kept and counts", CHANGED, TCP, .births = KEPT,
		   .tallies = {TALLY(B, 1, 0)}, UNTOUCHED(BIRTH(B, OPEN, ISN, .age = QUIET))),
	BOTH_SWEPT("quiet beside a dead copy, it is kept", CHANGED, TCP, .births = KEPT, .flows = LOST,
		   .tallies = {TALLY(B, 1, 0)},
		   BEFORE(BIRTH(B, OPEN, ISN, .age = QUIET), FLOW(B, OPEN, .age = 2, .outlived = true)),
		   AFTER(BIRTH(B, OPEN, ISN, .age = QUIET), FLOW(B, OPEN, .age = 2, .outlived = true, .doomed = true))),
	BOTH_SWEPT("quiet beside a doomed copy, it is kept", CHANGED, TCP, .births = KEPT, .flows = GONE,
		   .tallies = {TALLY(B, 1, 0)},
		   BEFORE(BIRTH(B, OPEN, ISN, .age = QUIET), FLOW(B, OPEN, .age = 2, .doomed = true)),
		   AFTER(BIRTH(B, OPEN, ISN, .age = QUIET))),
	BOTH_SWEPT("quiet beside an entry of another backend, it is kept", CHANGED, TCP, .births = KEPT,
		   .flows = KEPT, .tallies = {TALLY(C, 1, 0)}, TIMES_AFTER(.kept = NOW),
		   UNTOUCHED(BIRTH(B, OPEN, ISN, .age = QUIET), FLOW(C, OPEN, .age = 2, REBORN))),
	BOTH_SWEPT("an unconfirmed one is never needless", CHANGED, TCP, .births = KEPT, .flows = KEPT,
		   .tallies = {TALLY(B, 1, 0)},
		   UNTOUCHED(BIRTH(B, OPENING, ISN, .age = QUIET), FLOW(B, OPEN, .age = 2, REBORN))),

	/* ---- entries that keep a slot from settling ---- */
	BOTH_SWEPT("an entry that names the owner does not", CHANGED, TCP, .flows = KEPT,
		   .tallies = {TALLY(B, 1, 0)}, TIMES(.since = 9, .kept = 9), UNTOUCHED(FLOW(B, OPEN, .age = 2))),
	BOTH_SWEPT("one that names the fallback does", CHANGED, TCP, .flows = KEPT, .tallies = {TALLY(A, 1, 0)},
		   TIMES_BEFORE(.since = 9, .kept = 9), TIMES_AFTER(.since = 9, .kept = NOW),
		   UNTOUCHED(FLOW(A, OPEN, .age = 2, RECORDED))),
	BOTH_SWEPT("so does one that names a third", SAME, TCP, .flows = KEPT, .tallies = {TALLY(C, 1, 0)},
		   TIMES_AFTER(.kept = NOW), UNTOUCHED(FLOW(C, OPEN, .age = 2))),
	BOTH_SWEPT("so does a birth", SAME, UDP, .births = KEPT, .tallies = {TALLY(C, 1, 0)}, TIMES_AFTER(.kept = NOW),
		   UNTOUCHED(BIRTH(C, OPEN, 0, .age = 2))),
	BOTH_SWEPT("so does one that is closing, which does not count", SAME, TCP, .flows = KEPT,
		   TIMES_AFTER(.kept = NOW), UNTOUCHED(FLOW(C, CLOSING, .age = 2))),
	BOTH_SWEPT("a dead one does not", SAME, TCP, .flows = LOST, BEFORE(FLOW(C, OPEN, .age = DEAD_TCP)),
		   AFTER(FLOW(C, OPEN, .age = DEAD_TCP, .doomed = true))),
	BOTH_SWEPT("a doomed one does not", SAME, TCP, .flows = GONE, BEFORE(FLOW(C, OPEN, .age = 2, .doomed = true))),
	BOTH_SWEPT("pools without a changed slot need no mark", TRACKED, TCP, .flows = KEPT,
		   .tallies = {TALLY(C, 1, 0)}, UNTOUCHED(FLOW(C, OPEN, .age = 2))),

	/* ---- counted by backend ---- */
	BOTH_SWEPT("each flow counts with its backend", CHANGED, TCP, .births = {.read = 1}, .flows = {.read = 2},
		   .tallies = {TALLY(A, 1, 0), TALLY(B, 2, 0)},
		   TIMES_AFTER(.kept = NOW),
		   UNTOUCHED(BIRTH(B, OPEN, ISN, .age = 2, .sport = 4001), FLOW(B, OPEN, .age = 2, .sport = 4002),
			     FLOW(A, OPEN, .age = 2, RECORDED))),

	/* ---- clients ---- */
	BOTH_SWEPT("a settled record is kept and counted", CLIENTS, TCP, .clients = KEPT, .tallies = {TALLY(B, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(B, B, .known = true, .age = 5)),
		   CLIENTS_AFTER(CLIENT(B, B, .known = true, .age = 5))),
	BOTH_SWEPT("one that is idle for too long is doomed", CLIENTS, TCP, .clients = LOST,
		   CLIENTS_BEFORE(CLIENT(B, B, .known = true, .age = DEAD_TCP)),
		   CLIENTS_AFTER(CLIENT(B, B, .known = true, .age = DEAD_TCP, .doomed = true))),
	BOTH_SWEPT("one that is not quite is kept", CLIENTS, TCP, .clients = KEPT, .tallies = {TALLY(B, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(B, B, .known = true, .age = DYING_TCP)),
		   CLIENTS_AFTER(CLIENT(B, B, .known = true, .age = DYING_TCP))),
	BOTH_SWEPT("one that is not known goes sooner", CLIENTS, TCP, .clients = LOST,
		   CLIENTS_BEFORE(CLIENT(B, B, .age = DEAD_CLOSING)),
		   CLIENTS_AFTER(CLIENT(B, B, .age = DEAD_CLOSING, .doomed = true))),
	BOTH_SWEPT("not while a flow of UDP would last", CLIENTS_UDP, TCP, .clients = KEPT, .tallies = {TALLY(B, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(B, B, .age = WORLD_IDLE_UDP_LONG + 2)),
		   CLIENTS_AFTER(CLIENT(B, B, .age = WORLD_IDLE_UDP_LONG + 2))),
	BOTH_SWEPT("but then", CLIENTS_UDP, TCP, .clients = LOST,
		   CLIENTS_BEFORE(CLIENT(B, B, .age = WORLD_IDLE_UDP_LONG + 3)),
		   CLIENTS_AFTER(CLIENT(B, B, .age = WORLD_IDLE_UDP_LONG + 3, .doomed = true))),
	BOTH_SWEPT("a doomed record is deleted", CLIENTS, TCP, .clients = GONE,
		   CLIENTS_BEFORE(CLIENT(B, B, .known = true, .age = 2, .doomed = true))),
	BOTH_SWEPT("a doomed record of one that is not known, from both quotas", CLIENTS, TCP, .clients = GONE,
		   CLIENTS_BEFORE(CLIENT(B, B, .age = 2, .doomed = true))),
	BOTH_SWEPT("a record of a pool that remembers none", TRACKED, TCP, .clients = LOST,
		   CLIENTS_BEFORE(CLIENT(B, B, .known = true, .age = 2)),
		   CLIENTS_AFTER(CLIENT(B, B, .known = true, .age = 2, .doomed = true))),
	BOTH_SWEPT("a changed record: nothing is left at the fallback, the owner becomes it", CLIENTS, TCP,
		   .clients = KEPT, .tallies = {TALLY(C, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(C, B, .changed = true, .known = true, .age = 5,
					 .times = {.since = WORLD_IDLE_TCP + 1, .used = WORLD_IDLE_TCP + 1})),
		   CLIENTS_AFTER(CLIENT(C, C, .changed = true, .known = true, .age = 5,
					.times = {.since = WORLD_IDLE_TCP + 1, .used = WORLD_IDLE_TCP + 1, .kept = NOW}))),
	BOTH_SWEPT("a changed record: it was changed not long enough ago", CLIENTS, TCP, .clients = KEPT,
		   .tallies = {TALLY(C, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(C, B, .changed = true, .known = true, .age = 5, .times = {.since = WORLD_IDLE_TCP})),
		   CLIENTS_AFTER(CLIENT(C, B, .changed = true, .known = true, .age = 5, .times = {.since = WORLD_IDLE_TCP}))),
	BOTH_SWEPT("a changed record: its fallback was used not long enough ago", CLIENTS, TCP, .clients = KEPT,
		   .tallies = {TALLY(C, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(C, B, .changed = true, .known = true, .age = 5, .times = {.used = WORLD_IDLE_TCP})),
		   CLIENTS_AFTER(CLIENT(C, B, .changed = true, .known = true, .age = 5, .times = {.used = WORLD_IDLE_TCP}))),
	BOTH_SWEPT("a changed record of one backend is settled", CLIENTS, TCP, .clients = KEPT,
		   .tallies = {TALLY(C, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(C, C, .changed = true, .known = true, .age = 5, .times = {.kept = SETTLED_TICKS + 1})),
		   CLIENTS_AFTER(CLIENT(C, C, .known = true, .age = 5, .times = {.kept = NOW}))),
	BOTH_SWEPT("not if it was written just before the sweep", CLIENTS, TCP, .clients = KEPT,
		   .tallies = {TALLY(C, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(C, C, .changed = true, .known = true, .age = 5, .times = {.kept = SETTLED_TICKS})),
		   CLIENTS_AFTER(CLIENT(C, C, .changed = true, .known = true, .age = 5, .times = {.kept = SETTLED_TICKS}))),
	BOTH_SWEPT("not while an entry names another backend", CLIENTS, TCP, .clients = KEPT, .flows = KEPT,
		   .tallies = {TALLY(B, 1, 0), TALLY(C, 0, 1)}, UNTOUCHED(FLOW(B, OPEN, .age = 2)),
		   CLIENTS_BEFORE(CLIENT(C, C, .changed = true, .known = true, .age = 5, .times = {.kept = 9})),
		   CLIENTS_AFTER(CLIENT(C, C, .changed = true, .known = true, .age = 5, .times = {.kept = NOW}))),
	BOTH_SWEPT("an entry that names the owner does not matter", CLIENTS, UDP, .clients = KEPT, .births = KEPT,
		   .tallies = {TALLY(C, 1, 1)}, UNTOUCHED(BIRTH(C, OPEN, 0, .age = 2)),
		   CLIENTS_BEFORE(CLIENT(C, C, .changed = true, .known = true, .age = 5, .times = {.kept = 9})),
		   CLIENTS_AFTER(CLIENT(C, C, .known = true, .age = 5, .times = {.kept = NOW}))),
	BOTH_SWEPT("one backend in two lives is not the same", CLIENTS, TCP, .clients = KEPT,
		   .tallies = {TALLY(C, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(C, C, .changed = true, .known = true, .age = 5, .fallback_outlived = true,
					 .times = {.kept = 9})),
		   CLIENTS_AFTER(CLIENT(C, C, .changed = true, .known = true, .age = 5, .times = {.kept = NOW}))),
	BOTH_SWEPT("an owner that is down is not settled for, whatever is left at the fallback", CLIENTS, TCP,
		   .clients = KEPT, .tallies = {TALLY(DOWN, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(DOWN, B, .changed = true, .known = true, .age = 5,
					 .times = {.since = WORLD_IDLE_TCP + 1, .kept = 9})),
		   CLIENTS_AFTER(CLIENT(DOWN, B, .changed = true, .known = true, .age = 5,
					.times = {.since = WORLD_IDLE_TCP + 1, .kept = 9}))),
	BOTH_SWEPT("nor one that was down since", CLIENTS, TCP, .clients = KEPT, .tallies = {TALLY(C, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(C, B, .changed = true, .known = true, .age = 5, .owner_outlived = true)),
		   CLIENTS_AFTER(CLIENT(C, B, .changed = true, .known = true, .age = 5, .owner_outlived = true))),
	BOTH_SWEPT("nor if it is the fallback, too", CLIENTS, TCP, .clients = KEPT, .tallies = {TALLY(C, 0, 1)},
		   CLIENTS_BEFORE(CLIENT(C, C, .changed = true, .known = true, .age = 5, .owner_outlived = true,
					 .fallback_outlived = true, .times = {.kept = 9})),
		   CLIENTS_AFTER(CLIENT(C, C, .changed = true, .known = true, .age = 5, .owner_outlived = true,
					.fallback_outlived = true, .times = {.kept = 9}))),
	BOTH_SWEPT("an entry of a client without a record marks the slot alone", CLIENTS_CHANGED, TCP, .flows = KEPT,
		   .tallies = {TALLY(A, 1, 0)}, UNTOUCHED(FLOW(A, OPEN, .age = 2)), TIMES_AFTER(.kept = NOW)),
};
/* clang-format on */

const size_t sweep_case_count = sizeof(sweep_cases) / sizeof(sweep_cases[0]);
