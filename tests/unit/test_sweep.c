/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a sweep does with entries and records, and with the pairs that it keeps from settling
 * (bpf/sweep.h), as rows; and what two sweeps do. What the controller does after one:
 * test_slots.c.
 */
#include "../../bpf/sweep.h"

#include "client_fixture.h"

enum fate { KEPT, DOOMED, DELETED };

struct row {
	const char *name;
	enum kind packet; /* for its protocol */
	struct scene scene;
	struct record record;
	enum fate fate;
	uint32_t counted; /* the backend whose tally it is in; NONE: in none */
	bool marked;      /* the slot's or the client's times say `kept` now */
};

/* clang-format off */
#define TCP              ACK
#define UDP              DATAGRAM
#define SLOT(o, f)       .scene.owner = o, .scene.fallback = f
#define CHANGED(o, f)    SLOT(o, f), .scene.changed = true, .scene.flags = LB_POOL_UNSETTLED
#define BIRTH(b, s, ...) .scene.birth = {.backend = b, .state = LB_FLOW_##s, ##__VA_ARGS__}
#define FLOW(b, s, ...)  .scene.flow = {.backend = b, .state = LB_FLOW_##s, ##__VA_ARGS__}
#define KNOWN(o, f, ...) .record = {.owner = o, .fallback = f, .changed = (o) != (f), .known = true, ##__VA_ARGS__}
#define SAME_CHANGED(o, ...) .record = {.owner = o, .fallback = o, .changed = true, .known = true, ##__VA_ARGS__}
#define SEEN_ONCE(o, ...) .record = {.owner = o, .fallback = o, ##__VA_ARGS__}
#define IS(what)         .fate = what
#define QUIET            .age = BIRTH_QUIET_TICKS + 1
#define LATE(limit)      .age = (limit) + DEAD_TICKS
#define TOO_LATE(limit)  .age = (limit) + DEAD_TICKS + 1

static const struct row births[] = {
	{"live", TCP, SLOT(A, A), BIRTH(C, OPEN), IS(KEPT), .counted = C},
	{"unconfirmed", TCP, SLOT(A, A), BIRTH(C, OPENING), IS(KEPT), .counted = C},
	{"closing", TCP, SLOT(A, A), BIRTH(C, CLOSING), IS(KEPT)},
	{"last tick", TCP, SLOT(A, A), BIRTH(C, OPEN, LATE(IDLE_TCP)), IS(KEPT), .counted = C},
	{"dead", TCP, SLOT(A, A), BIRTH(C, OPEN, TOO_LATE(IDLE_TCP)), IS(DOOMED)},
	{"last tick, unconfirmed", TCP, SLOT(A, A), BIRTH(C, OPENING, LATE(IDLE_CLOSING)), IS(KEPT), .counted = C},
	{"dead, unconfirmed", TCP, SLOT(A, A), BIRTH(C, OPENING, TOO_LATE(IDLE_CLOSING)), IS(DOOMED)},
	{"dead, closing", TCP, SLOT(A, A), BIRTH(C, CLOSING, TOO_LATE(IDLE_CLOSING)), IS(DOOMED)},
	{"last tick, UDP", UDP, SLOT(A, A), BIRTH(C, OPEN, LATE(IDLE_UDP)), IS(KEPT), .counted = C},
	{"dead, UDP", UDP, SLOT(A, A), BIRTH(C, OPEN, TOO_LATE(IDLE_UDP)), IS(DOOMED)},
	{"its backend cannot be used", TCP, SLOT(A, A), BIRTH(GONE, OPEN), IS(DOOMED)},
	{"nor could it for a while", TCP, SLOT(A, A), BIRTH(C, OPEN, .outlived = true), IS(DOOMED)},
	{"it names no backend", TCP, SLOT(A, A), BIRTH(BEYOND, OPEN), IS(DOOMED)},
	{"seen in a tick to come", TCP, SLOT(A, A), BIRTH(C, OPEN, .age = -1), IS(KEPT), .counted = C},
	{"doomed", TCP, SLOT(A, A), BIRTH(C, OPEN, .doomed = true), IS(DELETED)},
	{"doomed, UDP", UDP, SLOT(A, A), BIRTH(C, OPEN, .doomed = true), IS(DELETED)},

	{"needless", TCP, SLOT(A, A), BIRTH(C, OPEN, QUIET), FLOW(C, OPEN), IS(DOOMED)},
	{"needless, closing", TCP, SLOT(A, A), BIRTH(C, CLOSING, QUIET), FLOW(C, OPEN), IS(DOOMED)},
	{"needless, UDP", UDP, SLOT(A, A), BIRTH(C, OPEN, QUIET), FLOW(C, OPEN), IS(DOOMED)},
	{"copied: counted with its copy", TCP, SLOT(A, A), BIRTH(C, OPEN, .age = BIRTH_QUIET_TICKS), FLOW(C, OPEN), IS(KEPT)},
	{"copied: but unconfirmed again", TCP, SLOT(A, A), BIRTH(C, OPENING, QUIET), FLOW(C, OPEN), IS(KEPT)},
	{"copied: but another's backend", TCP, SLOT(A, A), BIRTH(C, OPEN, QUIET), FLOW(D, OPEN), IS(KEPT)},
	{"not copied: the entry is dead", TCP, SLOT(A, A), BIRTH(C, OPEN, QUIET), FLOW(C, OPEN, .age = IDLE_TCP + 1), IS(KEPT), .counted = C},
	{"not copied: doomed", TCP, SLOT(A, A), BIRTH(C, OPEN, QUIET), FLOW(C, OPEN, .doomed = true), IS(KEPT), .counted = C},
	{"not copied: quiet alone is no reason", TCP, SLOT(A, A), BIRTH(C, OPEN, QUIET), IS(KEPT), .counted = C},

	{"foreign: its slot does not settle", TCP, CHANGED(B, A), BIRTH(A, OPEN), IS(KEPT), .counted = A, .marked = true},
	{"foreign: to both", TCP, CHANGED(A, A), BIRTH(C, OPENING), IS(KEPT), .counted = C, .marked = true},
	{"foreign: closing too", TCP, CHANGED(A, A), BIRTH(C, CLOSING), IS(KEPT), .marked = true},
	{"foreign: copied too", TCP, CHANGED(A, A), BIRTH(C, OPEN), FLOW(C, OPEN), IS(KEPT), .marked = true},
	{"foreign: but dead", TCP, CHANGED(A, A), BIRTH(C, OPEN, .outlived = true), IS(DOOMED)},
	{"foreign: but doomed", TCP, CHANGED(A, A), BIRTH(C, OPEN, .doomed = true), IS(DELETED)},
	{"of the owner", TCP, CHANGED(B, A), BIRTH(B, OPEN), IS(KEPT), .counted = B},
	{"foreign, but no slot is changed", TCP, SLOT(A, A), BIRTH(C, OPEN), IS(KEPT), .counted = C},
};

static const struct row flows[] = {
	{"live", TCP, SLOT(A, A), FLOW(C, OPEN), IS(KEPT), .counted = C},
	{"closing", TCP, SLOT(A, A), FLOW(C, CLOSING), IS(KEPT)},
	{"beside its birth", TCP, SLOT(A, A), BIRTH(C, OPEN, QUIET), FLOW(C, OPEN), IS(KEPT), .counted = C},
	{"last tick", TCP, SLOT(A, A), FLOW(C, OPEN, LATE(IDLE_TCP)), IS(KEPT), .counted = C},
	{"dead", TCP, SLOT(A, A), FLOW(C, OPEN, TOO_LATE(IDLE_TCP)), IS(DOOMED)},
	{"last tick, closing", TCP, SLOT(A, A), FLOW(C, CLOSING, LATE(IDLE_CLOSING)), IS(KEPT)},
	{"dead, closing", TCP, SLOT(A, A), FLOW(C, CLOSING, TOO_LATE(IDLE_CLOSING)), IS(DOOMED)},
	{"dead, UDP", UDP, SLOT(A, A), FLOW(C, OPEN, TOO_LATE(IDLE_UDP)), IS(DOOMED)},
	{"last tick, UDP", UDP, SLOT(A, A), FLOW(C, OPEN, LATE(IDLE_UDP)), IS(KEPT), .counted = C},
	{"its backend cannot be used", TCP, SLOT(A, A), FLOW(GONE, OPEN), IS(DOOMED)},
	{"nor could it for a while", TCP, SLOT(A, A), FLOW(C, OPEN, .outlived = true), IS(DOOMED)},
	{"doomed", TCP, SLOT(A, A), FLOW(C, OPEN, .doomed = true), IS(DELETED)},
	{"doomed, recorded", TCP, SLOT(A, A), FLOW(C, OPEN, .doomed = true, .flags = RECORDED), IS(DELETED)},
	{"doomed, UDP", UDP, SLOT(A, A), FLOW(C, OPEN, .doomed = true), IS(DELETED)},
	{"foreign: its slot does not settle", TCP, CHANGED(B, A), FLOW(A, OPEN, .flags = RECORDED), IS(KEPT), .counted = A, .marked = true},
	{"foreign: to both", UDP, CHANGED(A, A), FLOW(C, OPEN), IS(KEPT), .counted = C, .marked = true},
	{"foreign: but dead", TCP, CHANGED(A, A), FLOW(GONE, OPEN), IS(DOOMED)},
	{"of the owner", TCP, CHANGED(B, A), FLOW(B, OPEN), IS(KEPT), .counted = B},
};

/* Entries of a flow whose client has a record: `marked` is the record. */
static const struct row entries_of_clients[] = {
	{"foreign: the record does not settle", TCP, SLOT(D, D), KNOWN(B, A), FLOW(A, OPEN), IS(KEPT), .counted = A, .marked = true},
	{"foreign: also if they are the same", TCP, SLOT(D, D), SAME_CHANGED(A), FLOW(C, OPEN), IS(KEPT), .counted = C, .marked = true},
	{"of the owner", TCP, SLOT(D, D), KNOWN(B, A), FLOW(B, OPEN), IS(KEPT), .counted = B},
	{"foreign, but dead", TCP, SLOT(D, D), KNOWN(B, A), FLOW(A, OPEN, .outlived = true), IS(DOOMED)},
};

/* ---- clients ---- */

#define OLD .since = IDLE_TCP + 1, .used = IDLE_TCP + 1
#define BECOMES(o, f, c) .after = {.owner = o, .fallback = f, .changed = c}

static const struct {
	const char *name;
	struct record record;
	enum fate fate;
	struct record after; /* its pair, if that changes: owner NONE, it does not */
} clients[] = {
	{"settled", KNOWN(A, A), IS(KEPT)},
	{"old flows may still come to the fallback", KNOWN(B, A, .since = IDLE_TCP, .used = 999), IS(KEPT)},
	{"one did", KNOWN(B, A, .since = 999, .used = IDLE_TCP), IS(KEPT)},
	{"none can, none did", KNOWN(B, A, OLD), IS(KEPT), BECOMES(B, B, true)},
	{"none was ever seen", KNOWN(B, A, .used = IDLE_TCP + 1), IS(KEPT), BECOMES(B, B, true)},
	{"a recent word does not matter to that", KNOWN(B, A, OLD, .kept = 1), IS(KEPT), BECOMES(B, B, true)},
	{"nor does full", KNOWN(B, A, OLD, .full = 1), IS(KEPT), BECOMES(B, B, true)},
	{"the same, and nothing names another", SAME_CHANGED(A, .kept = LB_SETTLED_TICKS + 1), IS(KEPT), BECOMES(A, A, false)},
	{"whatever the times", SAME_CHANGED(A, .since = 1, .used = 1), IS(KEPT), BECOMES(A, A, false)},
	{"an entry names another", SAME_CHANGED(A, .kept = LB_SETTLED_TICKS), IS(KEPT)},
	{"the fallback was another life of the owner", SAME_CHANGED(A, .fallback_outlived = true, .since = IDLE_TCP), IS(KEPT)},
	{"and is forgotten", SAME_CHANGED(A, .fallback_outlived = true, OLD), IS(KEPT), BECOMES(A, A, true)},
	{"an owner that died is for its next packet", KNOWN(GONE, A, OLD), IS(KEPT)},
	{"also if they are the same", SAME_CHANGED(GONE, .kept = 99), IS(KEPT)},
	{"and if it came back", SAME_CHANGED(A, .kept = 99, .owner_outlived = true, .fallback_outlived = true), IS(KEPT)},
	{"last tick", KNOWN(A, A, LATE(CLIENT_LIFE)), IS(KEPT)},
	{"dead", KNOWN(A, A, TOO_LATE(CLIENT_LIFE)), IS(DOOMED)},
	{"last tick, seen once", SEEN_ONCE(A, LATE(IDLE_CLOSING)), IS(KEPT)},
	{"dead, seen once", SEEN_ONCE(A, TOO_LATE(IDLE_CLOSING)), IS(DOOMED)},
	{"doomed", KNOWN(A, A, .doomed = true), IS(DELETED)},
	{"doomed, seen once", SEEN_ONCE(A, .doomed = true), IS(DELETED)},
};
/* clang-format on */

/* ---- a sweep of one table ---- */

static struct lb_sweep sweep_now(enum lb_sweep_table table)
{
	struct lb_sweep sweep = {.table = table, .now = now};

	memset(backend_tallies_host, 0, sizeof(backend_tallies_host));
	memset(pool_tallies_host, 0, sizeof(pool_tallies_host));
	sweep_table(&sweep);
	return sweep;
}

/* Strangers would be counted, too. */
static void strangers_leave(void)
{
	host_map_clear(&births_v4);
	host_map_clear(&births_v6);
	host_map_clear(&flows_v4);
	host_map_clear(&flows_v6);
	host_map_clear(&clients_v4);
	host_map_clear(&clients_v6);
}

static void prepare(const struct row *row, const struct packet *packet)
{
	scene_set(&row->scene, packet);
	strangers_leave();
	entries_put(packet, &row->scene.birth, &row->scene.flow);
	if (row->record.owner) {
		remember_clients();
		client_put(&row->record, packet);
	}
	usage_set(0);
}

static bool sweep_says(const struct lb_sweep *sweep, enum fate fate)
{
	return sweep->read == 1 && sweep->doomed == (fate == DOOMED) &&
	       sweep->deleted == (fate == DELETED);
}

static const char *tally_problem(uint32_t backend, uint32_t flow_count, uint32_t client_count)
{
	for (uint32_t i = 0; i < HOST_BACKENDS; i++)
		if (backend_tallies_host[i].flows != (i == backend ? flow_count : 0) ||
		    backend_tallies_host[i].clients != (i == backend ? client_count : 0))
			return "wrong tally of a backend";
	for (uint32_t i = 0; i < HOST_POOLS; i++)
		if (pool_tallies_host[i].flows != (i == POOL ? flow_count : 0) ||
		    pool_tallies_host[i].clients != (i == POOL ? client_count : 0))
			return "wrong tally of a pool";
	return NULL;
}

/* `kept` of the flow's slot and client; nothing else of them changes. */
static const char *marks_problem(const struct row *row, const struct packet *packet)
{
	uint32_t entropy,
		slot = hash_reduce(pick_hash(packet, &pools_host[POOL], &entropy), TABLE_SIZE);
	const struct lb_client *client = row->record.owner ? client_for(packet) : NULL;
	struct lb_client record = client_of(&row->record);

	for (uint32_t i = 0; i < TABLE_SIZE; i++) {
		struct lb_times times = scene_times(&row->scene);

		if (i == slot && row->marked && !client)
			times.kept = now;
		if (memcmp(&slot_times_host[TIMES_BASE + i], &times, sizeof(times)))
			return i == slot ? "wrong times of the slot" : "another slot's times";
	}
	if (row->marked)
		record.times.kept = now;
	return client && memcmp(client, &record, sizeof(record)) ? "the record differs" : NULL;
}

/* What is doomed differs from what was there by that alone. */
static const char *entry_problem(const struct entry *before, enum fate fate, bool birth,
				 const struct packet *packet)
{
	struct entry after = *before;

	after.doomed = fate == DOOMED;
	after.age = birth ? birth_age(before) : flow_age(before);
	if (fate == DELETED)
		return birth ? birth_problem(&(struct entry){}, &(struct entry){}, packet)
			     : flow_problem(&(struct entry){}, &(struct entry){}, packet);
	return birth ? birth_problem(before, &after, packet) : flow_problem(before, &after, packet);
}

static bool row_holds(const char *table, const struct row *row, uint8_t family, bool birth)
{
	struct packet packet = packet_of(row->packet, family);
	struct lb_sweep sweep;
	const char *problem;

	prepare(row, &packet);
	sweep = sweep_now(birth ? LB_SWEEP_BIRTHS : LB_SWEEP_FLOWS);
	problem = sweep_says(&sweep, row->fate) ? NULL : "another fate";
	if (!problem)
		problem = entry_problem(birth ? &row->scene.birth : &row->scene.flow, row->fate,
					birth, &packet);
	if (!problem)
		problem = tally_problem(row->counted, row->counted != NONE, 0);
	if (!problem)
		problem = marks_problem(row, &packet);
	if (!problem && !usage_is_right())
		problem = "wrong usage";
	if (problem)
		print_error("%s: %s (IPv%u): %s\n", table, row->name, family, problem);
	return !problem;
}

static void check_rows(const char *table, const struct row *rows, size_t count, bool birth)
{
	size_t wrong = 0;

	for (size_t i = 0; i < count; i++) {
		wrong += !row_holds(table, &rows[i], 4, birth);
		wrong += !row_holds(table, &rows[i], 6, birth);
	}
	assert_int_equal(wrong, 0);
}

static void sweep_of_births(void **state)
{
	(void)state;
	check_rows("births", births, COUNT(births), true);
}

static void sweep_of_flows(void **state)
{
	(void)state;
	check_rows("flows", flows, COUNT(flows), false);
}

static void sweep_of_clients_entries(void **state)
{
	(void)state;
	check_rows("entries of clients", entries_of_clients, COUNT(entries_of_clients), false);
}

/* ---- clients ---- */

static const char *record_problem(size_t row, const struct packet *packet)
{
	const struct lb_client *found = client_for(packet);
	struct lb_client expected = client_of(&clients[row].record);

	if (clients[row].fate == DELETED)
		return found ? "it is still there" : NULL;
	if (clients[row].after.owner) {
		expected.pair = client_of(&clients[row].after).pair;
		expected.times.kept = now;
	}
	if (clients[row].fate == DOOMED)
		expected.seen |= LB_DOOMED;
	return memcmp(found, &expected, sizeof(expected)) ? "the record differs" : NULL;
}

static void check_client(size_t row, uint8_t family)
{
	const struct row settled_slot = {SLOT(D, D), .record = clients[row].record};
	struct packet packet = packet_of(SYN, family);
	struct lb_sweep sweep;
	const char *problem;

	prepare(&settled_slot, &packet);
	sweep = sweep_now(LB_SWEEP_CLIENTS);
	problem = sweep_says(&sweep, clients[row].fate) ? NULL : "another fate";
	if (!problem)
		problem = record_problem(row, &packet);
	if (!problem)
		problem = clients[row].fate == KEPT ? tally_problem(clients[row].record.owner, 0, 1)
						    : tally_problem(NONE, 0, 0);
	if (!problem && !usage_is_right())
		problem = "wrong usage";
	if (problem)
		fail_msg("clients: %s (IPv%u): %s", clients[row].name, family, problem);
}

static void sweep_of_clients(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(clients); i++) {
		check_client(i, 4);
		check_client(i, 6);
	}
}

/* ---- what has no row ---- */

static const struct row dead = {.name = "dead",
				CHANGED(B, A),
				BIRTH(C, OPEN, .outlived = true),
				FLOW(C, OPEN, .outlived = true, .flags = RECORDED)};

/* Doomed by one sweep, deleted by the next; meanwhile nothing takes its place, and it counts. */
static void two_sweeps(void **state)
{
	struct packet packet = packet_of(ACK, 4);
	struct lb_usage before;
	struct choice choice;

	(void)state;
	prepare(&dead, &packet);
	before = usage_host[0];
	assert_int_equal(sweep_now(LB_SWEEP_BIRTHS).doomed, 1);
	assert_int_equal(sweep_now(LB_SWEEP_FLOWS).doomed, 1);
	assert_memory_equal(&usage_host[0], &before, sizeof(before));
	assert_true(flow_find(&packet)->seen & LB_DOOMED);
	assert_int_equal(sweep_now(LB_SWEEP_BIRTHS).deleted, 1);
	assert_int_equal(sweep_now(LB_SWEEP_FLOWS).deleted, 1);
	assert_int_equal(sweep_now(LB_SWEEP_FLOWS).read, 0);
	for (uint32_t i = 0; i < LB_QUOTA_COUNT; i++)
		assert_int_equal(usage_host[0].count[i], 0);
	assert_int_equal(pick_once(&packet, &choice), LB_CONTINUE);
	assert_int_equal(flow_find(&packet)->backend, A);
}

/* A packet that has written the entry since it was judged wins. */
static void a_packet_is_faster(void **state)
{
	uint32_t seen = now;
	struct lb_sweep sweep = {};

	(void)state;
	assert_false(sweep_carry_out(SWEEP_DOOM, &seen, now - 400, &sweep));
	assert_int_equal(seen, now);
	assert_int_equal(sweep.doomed, 0);
	assert_false(sweep_carry_out(SWEEP_DOOM, &seen, now, &sweep));
	assert_int_equal(seen, now | LB_DOOMED);
	assert_int_equal(sweep.doomed, 1);
}

/* A pool that is no more, and one that remembers no clients any more. */
static void of_no_pool(void **state)
{
	static const struct row row = {SLOT(A, A), FLOW(C, OPEN), KNOWN(A, A)};
	struct packet packet = packet_of(ACK, 4);

	(void)state;
	prepare(&row, &packet);
	pools_host[POOL].client_timeout = 0;
	assert_int_equal(sweep_now(LB_SWEEP_CLIENTS).doomed, 1);
	flow_find(&packet)->pool = HOST_POOLS;
	assert_int_equal(sweep_now(LB_SWEEP_FLOWS).doomed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sweep_of_births),
		cmocka_unit_test(sweep_of_flows),
		cmocka_unit_test(sweep_of_clients_entries),
		cmocka_unit_test(sweep_of_clients),
		cmocka_unit_test(two_sweeps),
		cmocka_unit_test(a_packet_is_faster),
		cmocka_unit_test(of_no_pool),
	};

	return cmocka_run_group_tests_name("sweep", tests, NULL, group_done);
}
