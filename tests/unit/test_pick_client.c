/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which backend a packet of a pool that remembers its clients goes to, and what becomes of the
 * client's record (bpf/client_table.h, bpf/pick.h): the rules as rows. What entries do in a changed
 * pair is the same for slots and records: test_pick.c.
 * Histories, and what holds in every state: test_pick_client_states.c.
 */
#include "client_fixture.h"

/* What happened to the record. */
enum fate { UNTOUCHED, MADE, REFRESHED, MOVED, MOVED_SINCE, RENEWED };

struct row {
	const char *name;
	enum kind packet;
	struct scene scene;
	struct record record;
	uint32_t backend; /* NONE: LB_DROP_NO_BACKEND */
	enum lb_decided_by by;
	enum fate fate;
	struct record after; /* its pair and whether it is known, unless it is untouched */
	struct entry birth, flow;
	bool used, full;  /* noted in the record */
	uint32_t counted; /* bits of enum lb_note */
};

/* clang-format off */
#define SLOT(o, f)       .scene.owner = o, .scene.fallback = f
#define CHANGED(o, f)    SLOT(o, f), .scene.changed = true
#define BIRTH(b, s, ...) .scene.birth = {.backend = b, .state = LB_FLOW_##s, ##__VA_ARGS__}
#define FLOW(b, s, ...)  .scene.flow = {.backend = b, .state = LB_FLOW_##s, ##__VA_ARGS__}
#define NO_ROOM(what)    .scene.no_room = QUOTA(what)
#define PAIR(o, f, ...)  {.owner = o, .fallback = f, .changed = (o) != (f), ##__VA_ARGS__}
#define KNOWN(o, f, ...) .record = PAIR(o, f, .known = true, ##__VA_ARGS__)
#define SEEN_ONCE(o, f, ...) .record = PAIR(o, f, ##__VA_ARGS__)
#define SAME_CHANGED(o, ...) .record = {.owner = o, .fallback = o, .changed = true, .known = true, ##__VA_ARGS__}
#define TO(b, why)       .backend = b, .by = LB_BY_##why
#define MAKES(o, f)      .fate = MADE, .after = PAIR(o, f)
#define KEEPS(o, f, ...) .fate = REFRESHED, .after = PAIR(o, f, .known = true, ##__VA_ARGS__)
#define MOVES(o, f, ...) .fate = MOVED, .after = PAIR(o, f, .known = true, ##__VA_ARGS__)
#define LEAVES(o, f)     .fate = MOVED_SINCE, .after = PAIR(o, f, .known = true)
#define RENEWS(o, f)     .fate = RENEWED, .after = {.owner = o, .fallback = f, .changed = true, .known = true}
#define BORN(b)          .birth = {.backend = b, .state = LB_FLOW_OPENING, .newborn = true}
#define BORN_OPEN(b)     .birth = {.backend = b, .state = LB_FLOW_OPEN}
#define LIVES(b)         .birth = {.backend = b, .state = LB_FLOW_OPEN}
#define GOES_ON(b)       .flow = {.backend = b, .state = LB_FLOW_OPEN}
#define RECORD(b)        .flow = {.backend = b, .state = LB_FLOW_OPEN, .flags = RECORDED}
#define NOT_KEPT         .counted = 1 << LB_NOTE_CLIENT_UNTRACKED

static const struct row made[] = {
	{"by a SYN: a copy of the slot", SYN, SLOT(B, B), TO(B, SLOT), MAKES(B, B)},
	{"with times and all", SYN, CHANGED(B, A), .scene.since = 9, .scene.full = 8, TO(B, SLOT), MAKES(B, A), BORN(B)},
	{"by a datagram", DATAGRAM, SLOT(B, B), TO(B, SLOT), MAKES(B, B)},
	{"by a datagram, of a changed slot", DATAGRAM, CHANGED(B, A), .scene.since = 9, TO(A, FALLBACK), MAKES(B, A), BORN_OPEN(A)},
	{"not by what is of an older flow", ACK, CHANGED(B, A), TO(A, FALLBACK), RECORD(A)},
	{"nor by its end", FIN, SLOT(B, B), TO(B, SLOT)},
	{"no room", SYN, SLOT(B, B), NO_ROOM(CLIENTS), TO(B, SLOT), NOT_KEPT},
	{"no room for unknown ones", SYN, SLOT(B, B), NO_ROOM(CLIENTS_NEW), TO(B, SLOT), NOT_KEPT},
	{"no room for flows", SYN, SLOT(B, B), NO_ROOM(TCP), TO(B, SLOT), MAKES(B, B)},
	{"no room, datagram", DATAGRAM, CHANGED(B, A), NO_ROOM(CLIENTS), TO(B, SLOT), BORN_OPEN(B), NOT_KEPT},
	{"no room at all", SYN, SLOT(B, B), .scene.no_room = ALL_QUOTAS, TO(B, SLOT), NOT_KEPT},
	{"nobody can be used", SYN, SLOT(GONE, GONE), NOT_KEPT},
	{"the owner cannot be used", DATAGRAM, CHANGED(GONE, A), TO(A, FALLBACK), BORN_OPEN(A), NOT_KEPT},
	{"the fallback cannot be used: it is not named", SYN, CHANGED(B, GONE), TO(B, SLOT), .fate = MADE, .after = {.owner = B, .fallback = B, .changed = true}},
	{"what the packet meets is noted in it", SYN, CHANGED(B, A), NO_ROOM(TCP), TO(A, FALLBACK), MAKES(B, A), .used = true, .full = true, .counted = 1 << LB_NOTE_NEW_FLOW_UNTRACKED},

	{"in place of a dead one", SYN, SLOT(B, B), KNOWN(A, A, .age = CLIENT_LIFE + 1), TO(B, SLOT), MAKES(B, B)},
	{"which needs room among unknown ones", SYN, SLOT(B, B), KNOWN(A, A, .age = CLIENT_LIFE + 1), NO_ROOM(CLIENTS_NEW), TO(B, SLOT), NOT_KEPT},
	{"but not among all", SYN, SLOT(B, B), KNOWN(A, A, .age = CLIENT_LIFE + 1), NO_ROOM(CLIENTS), TO(B, SLOT), MAKES(B, B)},
	{"in place of a dead unknown one", SYN, SLOT(B, B), SEEN_ONCE(A, A, .age = IDLE_CLOSING + 1), .scene.no_room = ALL_QUOTAS, TO(B, SLOT), MAKES(B, B)},
	{"in place of a doomed one", SYN, SLOT(B, B), KNOWN(A, A, .doomed = true), TO(B, SLOT), MAKES(B, B)},
	{"a dead one says nothing to an older flow", ACK, SLOT(B, B), KNOWN(A, A, .age = CLIENT_LIFE + 1), TO(B, SLOT)},
	{"nor does a doomed one", ACK, SLOT(B, B), KNOWN(A, A, .doomed = true), TO(B, SLOT)},
};

static const struct row kept[] = {
	{"the record and not the slot", ACK, SLOT(B, B), KNOWN(A, A), TO(A, CLIENT), KEEPS(A, A)},
	{"also new flows", SYN, SLOT(B, B), KNOWN(A, A), TO(A, CLIENT), KEEPS(A, A)},
	{"also datagrams", DATAGRAM, SLOT(B, B), KNOWN(A, A), TO(A, CLIENT), KEEPS(A, A)},
	{"a changed slot does not matter", ACK, CHANGED(C, B), KNOWN(A, A), TO(A, CLIENT), KEEPS(A, A)},
	{"nor do entries, if it is settled", ACK, CHANGED(C, B), KNOWN(A, A), BIRTH(C, OPEN), FLOW(D, OPEN), TO(A, CLIENT), KEEPS(A, A)},
	{"nor does room", SYN, SLOT(B, B), KNOWN(A, A), .scene.no_room = ALL_QUOTAS, TO(A, CLIENT), KEEPS(A, A)},
	{"the second packet makes it known", ACK, SLOT(B, B), SEEN_ONCE(A, A), TO(A, CLIENT), KEEPS(A, A)},
	{"the second datagram too", DATAGRAM, SLOT(B, B), SEEN_ONCE(A, A), TO(A, CLIENT), KEEPS(A, A)},
	{"but no second SYN", SYN, SLOT(B, B), SEEN_ONCE(A, A), TO(A, CLIENT), .fate = REFRESHED, .after = PAIR(A, A)},
	{"last tick of a known one", ACK, SLOT(B, B), KNOWN(A, A, .age = CLIENT_LIFE), TO(A, CLIENT), KEEPS(A, A)},
	{"last tick of an unknown one", ACK, SLOT(B, B), SEEN_ONCE(A, A, .age = IDLE_CLOSING), TO(A, CLIENT), KEEPS(A, A)},
	{"a tick late for an unknown one", ACK, SLOT(B, B), SEEN_ONCE(A, A, .age = IDLE_CLOSING + 1), TO(B, SLOT)},

	{"changed: to its client what a slot is", SYN, SLOT(C, C), KNOWN(B, A), TO(B, CLIENT), KEEPS(B, A), BORN(B)},
	{"changed: an older flow", ACK, SLOT(C, C), KNOWN(B, A), TO(A, FALLBACK), KEEPS(B, A), RECORD(A)},
	{"changed: a flow that was born", ACK, SLOT(C, C), KNOWN(B, A), BIRTH(B, OPENING), TO(B, FLOW), KEEPS(B, A), LIVES(B), GOES_ON(B)},
	{"changed: a flow with an entry", ACK, SLOT(C, C), KNOWN(B, A), FLOW(C, OPEN), TO(C, FLOW), KEEPS(B, A), GOES_ON(C)},
	{"changed: the record's times and not the slot's", DATAGRAM, CHANGED(C, D), .scene.since = 1, KNOWN(B, A, .since = IDLE_UDP + 1), TO(B, CLIENT), KEEPS(B, A), BORN_OPEN(B)},
	{"changed: its own", DATAGRAM, SLOT(C, C), KNOWN(B, A, .since = IDLE_UDP), TO(A, FALLBACK), KEEPS(B, A), BORN_OPEN(A)},
	{"changed: full was its own", DATAGRAM, SLOT(C, C), KNOWN(B, A, .full = IDLE_UDP), TO(A, FALLBACK), KEEPS(B, A), BORN_OPEN(A)},
	{"changed: no room for an older flow", ACK, SLOT(C, C), KNOWN(B, A), NO_ROOM(TCP), TO(A, FALLBACK), KEEPS(B, A), .used = true, .counted = 1 << LB_NOTE_OLD_FLOW_UNTRACKED},
	{"changed: no room for a birth", SYN, SLOT(C, C), KNOWN(B, A), NO_ROOM(TCP), TO(A, FALLBACK), KEEPS(B, A), .used = true, .full = true, .counted = 1 << LB_NOTE_NEW_FLOW_UNTRACKED},
	{"changed: the fallback cannot be used", ACK, SLOT(C, C), KNOWN(B, GONE), TO(B, CLIENT), KEEPS(B, GONE)},
	{"changed: nor could it for a while", ACK, SLOT(C, C), KNOWN(B, A, .fallback_outlived = true), TO(B, CLIENT), KEEPS(B, A, .fallback_outlived = true)},
	{"changed: which is no use of it", SYN, SLOT(C, C), KNOWN(B, A, .fallback_outlived = true), TO(B, CLIENT), KEEPS(B, A, .fallback_outlived = true)},
};

static const struct row moved[] = {
	/* At once if the owner died. */
	{"died: the fallback stays", ACK, SLOT(C, C), KNOWN(GONE, A), TO(A, FALLBACK), MOVES(C, A), RECORD(A)},
	{"died: a flow with an entry elsewhere", ACK, SLOT(C, C), KNOWN(GONE, A), FLOW(D, OPEN), TO(D, FLOW), MOVES(C, A), GOES_ON(D)},
	{"died: but the slot has nobody better", ACK, SLOT(GONE, GONE), KNOWN(GONE, A), TO(A, FALLBACK), KEEPS(GONE, A), RECORD(A)},
	/* As a new client's, if its fallback died too. */
	{"died: nothing is left there", ACK, SLOT(B, B), KNOWN(GONE, GONE), TO(B, FALLBACK), RENEWS(B, B)},
	{"died: at a SYN", SYN, SLOT(B, B), KNOWN(GONE, GONE), TO(B, CLIENT), RENEWS(B, B)},
	{"died: times and all", ACK, CHANGED(B, A), .scene.since = 9, KNOWN(GONE, GONE), TO(A, FALLBACK), RENEWS(B, A), RECORD(A)},
	{"died: the slot's fallback cannot be used", ACK, CHANGED(B, GONE), KNOWN(GONE, GONE), TO(B, FALLBACK), RENEWS(B, B)},
	{"died: a flow with an entry", ACK, SLOT(B, B), KNOWN(GONE, GONE), FLOW(D, OPEN), TO(D, FLOW), RENEWS(B, B), GOES_ON(D)},
	{"died and came back since", ACK, SLOT(B, B), KNOWN(A, A, .owner_outlived = true, .fallback_outlived = true), TO(B, FALLBACK), RENEWS(B, B)},
	{"died and came back as the slot's owner", ACK, SLOT(A, A), KNOWN(A, A, .owner_outlived = true, .fallback_outlived = true), TO(A, FALLBACK), RENEWS(A, A)},
	{"died, and the fallback too", ACK, SLOT(C, C), KNOWN(GONE, A, .fallback_outlived = true), TO(C, FALLBACK), RENEWS(C, C)},
	{"died: the slot has nobody either", ACK, SLOT(GONE, GONE), KNOWN(GONE, GONE), KEEPS(GONE, GONE)},
	{"died: the slot has nobody either, new", SYN, SLOT(GONE, GONE), KNOWN(GONE, GONE), KEEPS(GONE, GONE), NOT_KEPT},
	{"died: by the slot's fallback until it has", ACK, CHANGED(GONE, A), KNOWN(C, C, .owner_outlived = true, .fallback_outlived = true), TO(A, FALLBACK), KEEPS(C, C, .owner_outlived = true, .fallback_outlived = true), RECORD(A)},
	{"died: by an entry until then", ACK, SLOT(GONE, GONE), KNOWN(GONE, GONE), FLOW(D, OPEN), TO(D, FLOW), KEEPS(GONE, GONE), GOES_ON(D)},

	/* At a new flow if the owner takes none. */
	{"draining: at a SYN", SYN, SLOT(B, B), KNOWN(DRAINING, DRAINING), TO(B, CLIENT), LEAVES(B, DRAINING), BORN(B)},
	{"draining: no older flow moves, but it is counted", ACK, SLOT(B, B), KNOWN(DRAINING, DRAINING), TO(DRAINING, FALLBACK), KEEPS(DRAINING, DRAINING), RECORD(DRAINING)},
	{"draining: nor does it where it finds no room", ACK, SLOT(B, B), KNOWN(DRAINING, DRAINING), NO_ROOM(TCP), TO(DRAINING, FALLBACK), KEEPS(DRAINING, DRAINING), .used = true, .counted = 1 << LB_NOTE_OLD_FLOW_UNTRACKED},
	{"draining: nor does one with an entry", ACK, SLOT(B, B), KNOWN(B, DRAINING), FLOW(DRAINING, OPEN), TO(DRAINING, FLOW), KEEPS(B, DRAINING), GOES_ON(DRAINING)},
	{"draining: a datagram may be of an older flow", DATAGRAM, SLOT(B, B), KNOWN(DRAINING, DRAINING), TO(DRAINING, FALLBACK), LEAVES(B, DRAINING), BORN_OPEN(DRAINING)},
	{"draining: last tick that it may", DATAGRAM, SLOT(B, B), KNOWN(DRAINING, DRAINING, .age = IDLE_UDP), TO(DRAINING, FALLBACK), LEAVES(B, DRAINING), BORN_OPEN(DRAINING)},
	{"draining: a tick later", DATAGRAM, SLOT(B, B), KNOWN(DRAINING, DRAINING, .age = IDLE_UDP + 1), TO(B, CLIENT), LEAVES(B, DRAINING), BORN_OPEN(B)},
	{"draining: the slot has it still", SYN, SLOT(DRAINING, DRAINING), KNOWN(DRAINING, DRAINING), TO(DRAINING, CLIENT), KEEPS(DRAINING, DRAINING)},
	{"draining: the slot has nobody better", SYN, SLOT(GONE, GONE), KNOWN(DRAINING, DRAINING), TO(DRAINING, CLIENT), KEEPS(DRAINING, DRAINING)},
	{"draining: an older fallback stays, since when too", SYN, SLOT(B, B), KNOWN(DRAINING, A, .since = 77), TO(B, CLIENT), MOVES(B, A), BORN(B)},
	{"draining: unless it is gone", SYN, SLOT(B, B), KNOWN(DRAINING, GONE), TO(B, CLIENT), LEAVES(B, DRAINING), BORN(B)},
	{"draining: or was", SYN, SLOT(B, B), KNOWN(DRAINING, A, .fallback_outlived = true), TO(B, CLIENT), LEAVES(B, DRAINING), BORN(B)},
	{"draining: back at the fallback", SYN, SLOT(A, A), KNOWN(DRAINING, A), TO(A, CLIENT), .fate = MOVED, .after = {.owner = A, .fallback = A, .changed = true, .known = true}},
	{"draining: away from a changed pair of equals", SYN, SLOT(B, B), SAME_CHANGED(DRAINING), TO(B, CLIENT), LEAVES(B, DRAINING), BORN(B)},
	{"draining: the changed slot's fallback is not asked", SYN, CHANGED(B, A), KNOWN(DRAINING, DRAINING), TO(B, CLIENT), LEAVES(B, DRAINING), BORN(B)},
	{"draining: no room for the birth", SYN, SLOT(B, B), KNOWN(DRAINING, DRAINING), NO_ROOM(TCP), TO(DRAINING, FALLBACK), LEAVES(B, DRAINING), .used = true, .full = true, .counted = 1 << LB_NOTE_NEW_FLOW_UNTRACKED},

	/* Or if the client was silent for longer than the affinity lasts. */
	{"silent: last tick", SYN, SLOT(B, B), KNOWN(A, A, .age = CLIENT_TIMEOUT), TO(A, CLIENT), KEEPS(A, A)},
	{"silent: a tick longer", SYN, SLOT(B, B), KNOWN(A, A, .age = CLIENT_TIMEOUT + 1), TO(B, CLIENT), LEAVES(B, A), BORN(B)},
	{"silent: datagrams need an idle flow", DATAGRAM, SLOT(B, B), KNOWN(A, A, .age = CLIENT_TIMEOUT + 1), TO(B, CLIENT), LEAVES(B, A), BORN_OPEN(B)},
	{"silent: no older flow moves", ACK, SLOT(B, B), KNOWN(A, A, .age = CLIENT_TIMEOUT + 1), TO(A, CLIENT), KEEPS(A, A)},
	{"silent: the slot has it still", SYN, SLOT(A, A), KNOWN(A, A, .age = CLIENT_TIMEOUT + 1), TO(A, CLIENT), KEEPS(A, A)},
	{"silent: an entry stays with its flow", ACK, SLOT(C, C), KNOWN(B, A, .age = CLIENT_TIMEOUT + 1), FLOW(A, OPEN), TO(A, FLOW), KEEPS(B, A), GOES_ON(A)},
};
/* clang-format on */

/* ---- the record a row speaks of ---- */

static struct lb_client expected_client(const struct row *row)
{
	struct lb_client before = client_of(&row->record), after;

	if (row->fate == UNTOUCHED)
		return before;
	after = client_of(&row->after);
	after.times =
		row->fate == MADE || row->fate == RENEWED ? scene_times(&row->scene) : before.times;
	after.seen = now;
	if (row->fate == MOVED_SINCE)
		after.times.since = before.seen;
	if (row->fate == MOVED_SINCE || row->fate == MOVED || row->fate == RENEWED)
		after.times.kept = now;
	if (row->used)
		after.times.used = now;
	if (row->full)
		after.times.full = now;
	return after;
}

/* ---- what a row says against what is there ---- */

static const char *client_problem(const struct row *row, const struct packet *packet)
{
	struct lb_client *found = client_for(packet), expected = expected_client(row);
	bool was_there = row->record.owner || row->record.fallback;

	if (!found)
		return was_there || row->fate != UNTOUCHED ? "there is no record" : NULL;
	if (!was_there && row->fate == UNTOUCHED)
		return "a record was made";
	if (found->pair != expected.pair)
		return "the record has another pair";
	if (memcmp(&found->times, &expected.times, sizeof(expected.times)))
		return "the record has other times";
	return memcmp(found, &expected, sizeof(expected)) ? "the record differs" : NULL;
}

static const char *choice_problem(const struct row *row, enum lb_verdict verdict,
				  const struct choice *choice)
{
	if (verdict != (row->backend ? LB_CONTINUE : LB_DROP_NO_BACKEND))
		return "wrong verdict";
	if (row->backend && choice->index != row->backend)
		return "wrong backend";
	if (row->backend && choice->decided_by != row->by)
		return "wrong reason";
	for (uint32_t i = 0; i < LB_NOTE_COUNT; i++)
		if (notes_host[i] != (row->counted >> i & 1))
			return "wrong notes";
	return usage_is_right() ? NULL : "wrong usage";
}

/* Says so if the row is not what is done. */
static bool row_holds(const char *table, const struct row *row, uint8_t family)
{
	struct packet packet = packet_of(row->packet, family);
	struct lb_times slot = scene_times(&row->scene);
	struct choice choice;
	enum lb_verdict verdict;
	const char *problem;

	client_scene_set(&row->scene, &row->record, &packet);
	verdict = pick_once(&packet, &choice);
	problem = choice_problem(row, verdict, &choice);
	if (!problem)
		problem = client_problem(row, &packet);
	if (!problem)
		problem = birth_problem(&row->scene.birth, &row->birth, &packet);
	if (!problem)
		problem = flow_problem(&row->scene.flow, &row->flow, &packet);
	if (!problem && memcmp(&slot_times_host[TIMES_BASE + choice.slot], &slot, sizeof(slot)))
		problem = "the slot's times were touched";
	if (problem)
		print_error("%s %s (IPv%u): %s\n", table, row->name, family, problem);
	return !problem;
}

static void check_rows(const char *table, const struct row *rows, size_t count)
{
	size_t wrong = 0;

	for (size_t i = 0; i < count; i++) {
		wrong += !row_holds(table, &rows[i], 4);
		wrong += !row_holds(table, &rows[i], 6);
	}
	assert_int_equal(wrong, 0);
}

#define RULES(table)                                                                               \
	static void rules_##table(void **state)                                                    \
	{                                                                                          \
		(void)state;                                                                       \
		check_rows(#table, table, COUNT(table));                                           \
	}

RULES(made)
RULES(kept)
RULES(moved)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules_made),
		cmocka_unit_test(rules_kept),
		cmocka_unit_test(rules_moved),
	};

	return cmocka_run_group_tests_name("pick_client", tests, NULL, group_done);
}
