/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which backend a packet goes to (bpf/pick.h with slot.h and flow_table.h): the rules as rows, and
 * what must hold in every state there is. The same code on real packets: tests/packet/cases_pick.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bpf/pick.h"

/* Backends. GONE is not usable; the rest are. */
enum { NONE, A, B, C, GONE, BEYOND = HOST_BACKENDS };

enum kind { SYN_PACKET, ACK_PACKET, FIN_PACKET, UDP_PACKET, KINDS };

enum {
	POOL = 2,
	TABLE_SIZE = 16,
	INCARNATION = 9,
	IDLE_TCP = 300,
	IDLE_UDP = 30,
	IDLE_CLOSING = 60,
	ALWAYS = LB_POOL_TRACK_ALWAYS,
};

/* An entry before or after the packet; backend NONE: there is none. */
struct entry {
	uint16_t backend;
	uint8_t state;
	int age; /* ticks since it was seen */
	bool outlived, of_other_pool;
};

struct row {
	const char *name;
	enum kind packet;
	uint32_t owner, fallback;
	bool changed;
	uint32_t flags;
	struct entry before;
	bool full;
	uint32_t backend; /* NONE: LB_DROP_NO_BACKEND */
	enum lb_decided_by by;
	struct entry after;
};

/* clang-format off */
#define SLOT(o, f)    .owner = o, .fallback = f
#define CHANGED(o, f) .owner = o, .fallback = f, .changed = true
#define TRACKED(o, f) .owner = o, .fallback = f, .changed = (o) != (f), .flags = ALWAYS
#define BEFORE(b, s, ...) .before = {.backend = b, .state = LB_FLOW_##s, ##__VA_ARGS__}
#define AFTER(b, s, ...)  .after = {.backend = b, .state = LB_FLOW_##s, ##__VA_ARGS__}
#define TO(b, why)    .backend = b, .by = LB_BY_##why

static const struct row rows[] = {
	/* rule 1: a settled slot */
	{"settled, new", SYN_PACKET, SLOT(A, A), TO(A, SLOT)},
	{"settled, old", ACK_PACKET, SLOT(A, A), TO(A, SLOT)},
	{"settled, UDP", UDP_PACKET, SLOT(A, A), TO(A, SLOT)},
	{"settled, the bit decides and not the pair", ACK_PACKET, SLOT(A, B), TO(A, SLOT)},
	{"settled, an entry is not asked", ACK_PACKET, SLOT(A, A), BEFORE(B, OPEN, .age = 5), TO(A, SLOT), AFTER(B, OPEN, .age = 5)},
	{"settled, the owner is gone", SYN_PACKET, SLOT(GONE, A)},
	{"settled, no owner", ACK_PACKET, SLOT(NONE, NONE)},
	{"settled, an owner beyond the map", ACK_PACKET, SLOT(BEYOND, A)},

	/* rule 2: a live entry */
	{"entry, old", ACK_PACKET, CHANGED(B, A), BEFORE(C, OPEN, .age = 5), TO(C, FLOW), AFTER(C, OPEN)},
	{"entry, half-open becomes open", ACK_PACKET, CHANGED(B, A), BEFORE(C, OPENING, .age = 5), TO(C, FLOW), AFTER(C, OPEN)},
	{"entry, SYN again", SYN_PACKET, CHANGED(B, A), BEFORE(C, OPENING, .age = 5), TO(C, FLOW), AFTER(C, OPENING)},
	{"entry, SYN into an open flow", SYN_PACKET, CHANGED(B, A), BEFORE(C, OPEN, .age = 5), TO(C, FLOW), AFTER(C, OPEN)},
	{"entry, FIN", FIN_PACKET, CHANGED(B, A), BEFORE(C, OPEN), TO(C, FLOW), AFTER(C, CLOSING)},
	{"entry, FIN while half-open", FIN_PACKET, CHANGED(B, A), BEFORE(C, OPENING), TO(C, FLOW), AFTER(C, CLOSING)},
	{"entry, after FIN", ACK_PACKET, CHANGED(B, A), BEFORE(C, CLOSING, .age = 5), TO(C, FLOW), AFTER(C, CLOSING)},
	{"entry, SYN after FIN", SYN_PACKET, CHANGED(B, A), BEFORE(C, CLOSING, .age = 5), TO(B, SLOT), AFTER(B, OPENING)},
	{"entry, UDP", UDP_PACKET, CHANGED(B, A), BEFORE(C, OPEN, .age = 5), TO(C, FLOW), AFTER(C, OPEN)},
	{"entry, slot settled, tracked", ACK_PACKET, TRACKED(A, A), BEFORE(C, OPEN, .age = 5), TO(C, FLOW), AFTER(C, OPEN)},
	{"entry, owner and fallback gone", ACK_PACKET, CHANGED(GONE, GONE), BEFORE(C, OPEN), TO(C, FLOW), AFTER(C, OPEN)},

	/* entries that are dead */
	{"dead, backend gone", ACK_PACKET, CHANGED(B, A), BEFORE(GONE, OPEN), TO(A, FALLBACK), AFTER(A, OPEN)},
	{"dead, backend was gone since", ACK_PACKET, CHANGED(B, A), BEFORE(C, OPEN, .outlived = true), TO(A, FALLBACK), AFTER(A, OPEN)},
	{"dead, of another pool", ACK_PACKET, CHANGED(B, A), BEFORE(C, OPEN, .of_other_pool = true), TO(A, FALLBACK), AFTER(A, OPEN)},
	{"dead, no backend", ACK_PACKET, CHANGED(B, A), BEFORE(BEYOND, OPEN), TO(A, FALLBACK), AFTER(A, OPEN)},
	{"last tick of TCP", ACK_PACKET, CHANGED(B, A), BEFORE(C, OPEN, .age = IDLE_TCP), TO(C, FLOW), AFTER(C, OPEN)},
	{"a tick late, TCP", ACK_PACKET, CHANGED(B, A), BEFORE(C, OPEN, .age = IDLE_TCP + 1), TO(A, FALLBACK), AFTER(A, OPEN)},
	{"last tick half-open", ACK_PACKET, CHANGED(B, A), BEFORE(C, OPENING, .age = IDLE_CLOSING), TO(C, FLOW), AFTER(C, OPEN)},
	{"a tick late, half-open", ACK_PACKET, CHANGED(B, A), BEFORE(C, OPENING, .age = IDLE_CLOSING + 1), TO(A, FALLBACK), AFTER(A, OPEN)},
	{"a tick late, closing", ACK_PACKET, CHANGED(B, A), BEFORE(C, CLOSING, .age = IDLE_CLOSING + 1), TO(A, FALLBACK), AFTER(A, OPEN)},
	{"last tick of UDP", UDP_PACKET, CHANGED(B, A), BEFORE(C, OPEN, .age = IDLE_UDP), TO(C, FLOW), AFTER(C, OPEN)},
	{"a tick late, UDP", UDP_PACKET, CHANGED(B, A), BEFORE(C, OPEN, .age = IDLE_UDP + 1), TO(B, SLOT), AFTER(B, OPEN)},
	{"seen a tick from now, by another CPU", ACK_PACKET, CHANGED(B, A), BEFORE(C, OPEN, .age = -1), TO(C, FLOW), AFTER(C, OPEN)},

	/* rule 3: a new flow */
	{"new", SYN_PACKET, CHANGED(B, A), TO(B, SLOT), AFTER(B, OPENING)},
	{"new, tracked", SYN_PACKET, TRACKED(A, A), TO(A, SLOT), AFTER(A, OPENING)},
	{"new, UDP, tracked", UDP_PACKET, TRACKED(B, A), TO(B, SLOT), AFTER(B, OPEN)},
	{"new, owner gone", SYN_PACKET, CHANGED(GONE, A), TO(A, FALLBACK), AFTER(A, OPENING)},
	{"new, no room", SYN_PACKET, CHANGED(B, A), .full = true, TO(A, FALLBACK)},
	{"new, no room, UDP, tracked", UDP_PACKET, TRACKED(B, A), .full = true, TO(A, FALLBACK)},
	{"new, no room, fallback gone", SYN_PACKET, CHANGED(B, GONE), .full = true, TO(B, SLOT)},
	{"new, no room but its own dead entry's", SYN_PACKET, CHANGED(B, A), BEFORE(GONE, OPEN), .full = true, TO(B, SLOT), AFTER(B, OPENING)},
	{"new, all gone", SYN_PACKET, CHANGED(GONE, GONE)},
	{"new, all gone, tracked", UDP_PACKET, TRACKED(GONE, GONE)},

	/* rule 4: an older flow */
	{"old", ACK_PACKET, CHANGED(B, A), TO(A, FALLBACK), AFTER(A, OPEN)},
	{"old, first seen by its FIN", FIN_PACKET, CHANGED(B, A), TO(A, FALLBACK), AFTER(A, CLOSING)},
	{"old, tracked", ACK_PACKET, TRACKED(A, A), TO(A, FALLBACK), AFTER(A, OPEN)},
	{"old, fallback gone", ACK_PACKET, CHANGED(B, GONE), TO(B, SLOT), AFTER(B, OPEN)},
	{"old, no fallback", ACK_PACKET, CHANGED(B, NONE), TO(B, SLOT), AFTER(B, OPEN)},
	{"old, no room", ACK_PACKET, CHANGED(B, A), .full = true, TO(A, FALLBACK)},
	{"old, no room, fallback gone", ACK_PACKET, CHANGED(B, GONE), .full = true, TO(B, SLOT)},
	{"old, all gone", ACK_PACKET, CHANGED(GONE, GONE)},
};
/* clang-format on */

/* ---- the state a row speaks of ---- */

static uint32_t now = 1000;

static struct packet packet_of(enum kind kind, uint8_t family)
{
	struct packet packet = {.family = family,
				.proto = kind == UDP_PACKET ? 17 : 6,
				.syn = kind == SYN_PACKET,
				.closing = kind == FIN_PACKET};

	if (family == 4)
		packet.flow.v4 = (struct lb_flow_key_v4){.source = 1, .proto = packet.proto};
	else
		packet.flow.v6 =
			(struct lb_flow_key_v6){.source.bytes = {1}, .proto = packet.proto};
	return packet;
}

static struct lb_flow entry_of(const struct entry *entry)
{
	return (struct lb_flow){.seen = now - (uint32_t)entry->age,
				.incarnation = entry->outlived ? INCARNATION - 1 : INCARNATION,
				.backend = entry->backend,
				.pool = entry->of_other_pool ? POOL + 1 : POOL,
				.state = entry->state};
}

static void prepare(const struct row *row, const struct packet *packet)
{
	struct host_map *table = packet->family == 4 ? &flows_v4 : &flows_v6;
	struct lb_flow entry = entry_of(&row->before);

	host_now_ns = (uint64_t)now << 30;
	for (uint32_t i = A; i < HOST_BACKENDS; i++)
		backends_host[i].status =
			LB_STATUS(INCARNATION, LB_FORWARD_L2, i == GONE ? 0 : LB_BACKEND_USABLE);
	pools_host[POOL] = (struct lb_pool){.table = LB_TABLE(LB_SLOT_BLOCK, TABLE_SIZE),
					    .flags = row->flags,
					    .idle_tcp = IDLE_TCP,
					    .idle_udp = IDLE_UDP,
					    .idle_closing = IDLE_CLOSING};
	for (uint32_t i = 0; i < TABLE_SIZE; i++)
		slots_host[1].slot[i] = LB_SLOT(row->owner, row->fallback, row->changed);
	flows_v4.count = flows_v6.count = 0;
	if (row->before.backend)
		bpf_map_update_elem(table, &packet->flow, &entry, BPF_ANY);
	for (uint32_t i = 1; row->full && table->count < table->entries_max; i++) {
		/* As a key of either family: a source that is nobody else's. */
		struct lb_flow_key_v6 stranger = {.source.v4 = i << 8};

		bpf_map_update_elem(table, &stranger, &(struct lb_flow){}, BPF_ANY);
	}
}

static enum lb_verdict pick_once(const struct packet *packet, struct choice *choice)
{
	memset(choice, 0, sizeof(*choice));
	return pick(packet, POOL, choice);
}

/* NULL, or what the flow table should not hold. */
static const char *entry_problem(const struct row *row, const struct packet *packet)
{
	const struct lb_flow *found = flow_find(packet);
	struct lb_flow expected = entry_of(&row->after);

	/* What is dead and was not replaced stays, and is not compared. */
	if (!row->after.backend)
		return found && !row->before.backend ? "an entry was made" : NULL;
	if (!found)
		return "no entry was made";
	return memcmp(found, &expected, sizeof(expected)) ? "the entry differs" : NULL;
}

static const char *row_problem(const struct row *row, const struct packet *packet)
{
	enum lb_verdict expected = row->backend ? LB_CONTINUE : LB_DROP_NO_BACKEND;
	uint32_t age = row->by == LB_BY_FLOW ? (uint32_t)row->before.age : ~0U;
	struct choice choice;

	if (pick_once(packet, &choice) != expected)
		return "wrong verdict";
	if (!row->backend)
		return entry_problem(row, packet);
	if (choice.index != row->backend || choice.backend != &backends_host[row->backend] ||
	    choice.status != backends_host[row->backend].status)
		return "wrong backend";
	if (choice.decided_by != row->by)
		return "wrong reason";
	if (choice.entry_age != age)
		return "wrong age of the entry";
	return entry_problem(row, packet);
}

static void check_row(const struct row *row, uint8_t family)
{
	struct packet packet = packet_of(row->packet, family);
	const char *problem;

	prepare(row, &packet);
	problem = row_problem(row, &packet);
	if (problem)
		fail_msg("%s (IPv%u, tick %u): %s", row->name, family, now, problem);
}

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void rules(void **state)
{
	/* Ticks are 32 bits: they wrap, and an entry's age must not mind. */
	static const uint32_t times[] = {1000, 0, 5, UINT32_MAX};

	(void)state;
	for (size_t t = 0; t < sizeof(times) / sizeof(times[0]); t++) {
		now = times[t];
		for (size_t i = 0; i < ROWS; i++) {
			check_row(&rows[i], 4);
			check_row(&rows[i], 6);
		}
	}
	now = 1000;
}

/* ---- what holds in every state ---- */

static bool usable(uint32_t backend)
{
	return backend == A || backend == B || backend == C;
}

typedef void (*each_state)(const struct row *row);

/* Every slot, flag, entry and fill level with every packet. */
static void in_every_state(each_state check)
{
	static const uint32_t named[] = {NONE, A, B, GONE};
	static const struct entry entries[] = {
		{.backend = NONE},
		{.backend = C, .state = LB_FLOW_OPENING, .age = 1},
		{.backend = C, .state = LB_FLOW_OPEN, .age = 1},
		{.backend = C, .state = LB_FLOW_CLOSING, .age = 1},
		{.backend = C, .state = LB_FLOW_OPEN, .age = 1, .outlived = true},
		{.backend = C, .state = LB_FLOW_OPEN, .age = 1, .of_other_pool = true},
		{.backend = C, .state = LB_FLOW_OPEN, .age = IDLE_TCP + 1},
		{.backend = GONE, .state = LB_FLOW_OPEN, .age = 1},
	};

	for (uint32_t i = 0; i < 4 * 4 * 2 * 2 * 2 * 8 * KINDS; i++) {
		struct row row = {
			.name = "any",
			.owner = named[i % 4],
			.fallback = named[i / 4 % 4],
			.changed = i / 16 % 2,
			.flags = i / 32 % 2 ? ALWAYS : 0,
			.full = i / 64 % 2,
			.before = entries[i / 128 % 8],
			.packet = i / 1024,
		};

		check(&row);
	}
}

static void fail_in(const struct row *row, const char *what)
{
	fail_msg("%s: packet %d, owner %u, fallback %u%s%s%s, entry {backend %u, state %u, age "
		 "%d%s%s}",
		 what, row->packet, row->owner, row->fallback, row->changed ? ", changed" : "",
		 row->flags ? ", tracked" : "", row->full ? ", full" : "", row->before.backend,
		 row->before.state, row->before.age, row->before.outlived ? ", outlived" : "",
		 row->before.of_other_pool ? ", of another pool" : "");
}

static void check_choice(const struct row *row)
{
	struct packet packet = packet_of(row->packet, 4);
	bool settled = !row->changed && !row->flags;
	struct choice choice;
	enum lb_verdict verdict;

	prepare(row, &packet);
	verdict = pick_once(&packet, &choice);
	if (verdict == LB_CONTINUE && !usable(choice.index))
		fail_in(row, "sent to who cannot take it");
	if (verdict != LB_CONTINUE && (usable(row->owner) || (!settled && usable(row->fallback))))
		fail_in(row, "dropped, though there is a backend");
	if (settled && flow_find(&packet) &&
	    flow_find(&packet)->seen != now - (uint32_t)row->before.age)
		fail_in(row, "an entry was written for a settled slot");
}

/* A flow that was answered stays: the next packet goes where this one went. */
static void check_flow_stays(const struct row *row)
{
	enum kind later = row->packet == UDP_PACKET ? UDP_PACKET : ACK_PACKET;
	struct packet first = packet_of(row->packet, 4), second = packet_of(later, 4);
	struct choice one, two;

	prepare(row, &first);
	if (pick_once(&first, &one) != LB_CONTINUE)
		return;
	if (pick_once(&second, &two) != LB_CONTINUE || two.index != one.index)
		fail_in(row, "the flow's second packet went elsewhere");
}

/* And without a change of its own, whatever the controller does to the slot: if it has an entry. */
static void check_entry_holds(const struct row *row)
{
	struct packet first = packet_of(row->packet, 4), second = packet_of(ACK_PACKET, 4);
	struct choice one, two;

	prepare(row, &first);
	if (row->packet == UDP_PACKET || pick_once(&first, &one) != LB_CONTINUE || one.word == 0 ||
	    !flow_find(&first) || flow_find(&first)->seen != now)
		return;
	for (uint32_t i = 0; i < TABLE_SIZE; i++)
		slots_host[1].slot[i] = LB_SLOT(one.index == A ? B : A, GONE, true);
	if (pick_once(&second, &two) != LB_CONTINUE || two.index != one.index)
		fail_in(row, "an entry did not hold its flow");
}

/* The copy that explains chooses the same, as far as a table that is full does not matter, and
 * writes nothing. */
static void check_read_only(const struct row *row)
{
	struct packet packet = packet_of(row->packet, 4);
	struct lb_flow before[HOST_FLOWS_MAX];
	struct choice said, done;
	enum lb_verdict verdict;
	uint32_t count;

	prepare(row, &packet);
	count = flows_v4.count;
	memcpy(before, flows_v4_host, sizeof(before));
	read_only = true;
	verdict = pick_once(&packet, &said);
	read_only = false;
	if (flows_v4.count != count || memcmp(before, flows_v4_host, sizeof(before)))
		fail_in(row, "explaining wrote an entry");
	if (row->full)
		return;
	if (pick_once(&packet, &done) != verdict ||
	    (verdict == LB_CONTINUE && memcmp(&said, &done, sizeof(said))))
		fail_in(row, "explained wrongly");
}

static void chosen_is_usable(void **state)
{
	(void)state;
	in_every_state(check_choice);
}

static void flow_stays(void **state)
{
	(void)state;
	in_every_state(check_flow_stays);
}

static void entry_holds(void **state)
{
	(void)state;
	in_every_state(check_entry_holds);
}

static void read_only_says_the_same(void **state)
{
	(void)state;
	in_every_state(check_read_only);
}

/* ---- keys ---- */

static uint32_t slot_of(struct packet packet, uint32_t source, __be16 port)
{
	struct choice choice;

	packet.flow.v4.source = source;
	packet.flow.v4.source_port = port;
	assert_int_equal(pick_once(&packet, &choice), LB_CONTINUE);
	return choice.slot;
}

static void affinity_key(void **state)
{
	const struct row any = {.owner = A, .fallback = A};
	struct packet packet = packet_of(SYN_PACKET, 4);
	const uint32_t mask = bpf_htonl(0xffffff00), host = bpf_htonl(7), net = bpf_htonl(0x700);
	int by_flow = 0, by_net = 0;

	(void)state;
	for (int i = 0; i < LB_HASH_KEYS; i++)
		hash_keys[i] = 0x9e3779b97f4a7c15ULL * (uint64_t)(i + 1);
	prepare(&any, &packet);
	for (__be16 port = 1; port < 100; port++)
		by_flow += slot_of(packet, host, port) != slot_of(packet, host, 0);
	assert_in_range(by_flow, 80, 99); /* of 99, one in 16 meets the same slot by chance */

	pools_host[POOL].flags = LB_POOL_SOURCE;
	pools_host[POOL].mask_v4 = mask;
	for (__be16 port = 1; port < 100; port++) {
		assert_int_equal(slot_of(packet, host, port), slot_of(packet, 0, 0));
		by_net += slot_of(packet, port * net, 1) != slot_of(packet, host, 1);
	}
	assert_in_range(by_net, 80, 99);
}

static void contradictions(void **state)
{
	const struct row any = {.owner = A, .fallback = A};
	struct packet packet = packet_of(SYN_PACKET, 4);
	struct choice choice = {};

	(void)state;
	prepare(&any, &packet);
	assert_int_equal(pick(&packet, HOST_POOLS, &choice), LB_DROP_INTERNAL);
	pools_host[POOL].table = LB_TABLE(HOST_SLOT_BLOCKS * LB_SLOT_BLOCK, TABLE_SIZE);
	assert_int_equal(pick(&packet, POOL, &choice), LB_DROP_INTERNAL);
	pools_host[POOL].table = 0;
	assert_int_equal(pick(&packet, POOL, &choice), LB_DROP_NO_BACKEND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(chosen_is_usable),
		cmocka_unit_test(flow_stays),
		cmocka_unit_test(entry_holds),
		cmocka_unit_test(read_only_says_the_same),
		cmocka_unit_test(affinity_key),
		cmocka_unit_test(contradictions),
	};
	return cmocka_run_group_tests_name("pick", tests, NULL, NULL);
}
