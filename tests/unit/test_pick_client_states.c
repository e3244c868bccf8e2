/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose record is whose, histories of clients, and what holds in every state that a client's record
 * and its slot can be in (bpf/client_table.h, bpf/pick.h). The rules one by one:
 * test_pick_client.c.
 */
#include "client_fixture.h"

/* ---- whose record it is ---- */

static uint32_t sent_to(const struct packet *packet)
{
	struct choice choice;

	assert_int_equal(pick_once(packet, &choice), LB_CONTINUE);
	return choice.index;
}

/* All slots get the same pair: who keeps another backend has a record. */
static void slots_say(uint32_t owner, uint32_t fallback, bool changed)
{
	for (uint32_t i = 0; i < TABLE_SIZE; i++)
		slots_host[TABLE_BASE / LB_SLOT_BLOCK].slot[i] = LB_SLOT(owner, fallback, changed);
}

static const struct scene settled_a = {.owner = A, .fallback = A};
static const struct record nobody;

static void a_network_is_one_client(void **state)
{
	struct packet first = packet_of(SYN, 4), same = first, other = first;
	struct packet first6 = packet_of(SYN, 6), same6 = first6, other6 = first6;

	(void)state;
	client_scene_set(&settled_a, &nobody, &first);
	usage_host[0] = (struct lb_usage){};
	quotas[LB_QUOTA_CLIENTS] = quotas[LB_QUOTA_CLIENTS_NEW] = 9;
	same.flow.v4.source ^= bpf_htonl(0xff); /* below the prefix */
	other.flow.v4.source ^= bpf_htonl(0x100);
	same6.flow.v6.source.bytes[8] = 0xff;
	other6.flow.v6.source.bytes[7] = 1;
	assert_int_equal(sent_to(&first), A);
	assert_int_equal(sent_to(&first6), A);
	slots_say(B, B, false);
	assert_int_equal(sent_to(&same), A);
	assert_int_equal(sent_to(&same6), A);
	assert_int_equal(sent_to(&other), B);
	assert_int_equal(sent_to(&other6), B);
	assert_int_equal(usage_host[0].count[LB_QUOTA_CLIENTS], 4);
}

/* Services share a pool, and so its clients; another pool has its own. */
static void services_share_clients(void **state)
{
	struct packet http = packet_of(SYN, 4), dns = packet_of(DATAGRAM, 4);
	struct choice choice = {};
	struct lb_backend *backend;

	(void)state;
	client_scene_set(&settled_a, &nobody, &http);
	assert_int_equal(sent_to(&http), A);
	slots_say(B, B, false);
	http.flow.v4.destination ^= bpf_htonl(1);
	http.flow.v4.destination_port = 443;
	http.flow.v4.source_port = 7;
	assert_int_equal(sent_to(&http), A);
	assert_int_equal(sent_to(&dns), A);
	pools_host[POOL + 1] = pools_host[POOL];
	assert_int_equal(pick(&http, POOL + 1, &choice, &backend), LB_CONTINUE);
	assert_int_equal(choice.index, B);
}

/* ---- histories ---- */

static struct packet packet_from(enum kind kind, __be16 port)
{
	struct packet packet = packet_of(kind, 4);

	packet.flow.v4.source_port = port;
	return packet;
}

static void quotas_open(void)
{
	for (uint32_t i = 0; i < LB_QUOTA_COUNT; i++)
		quotas[i] = 1000;
}

/* A client with a flow whose backend drains: new flows go elsewhere, and each flow stays. */
static void a_drain_moves_new_flows_only(void **state)
{
	struct packet old_syn = packet_from(SYN_AGAIN, 1), old = packet_from(ACK, 1);
	struct packet new_syn = packet_from(SYN_AGAIN, 2), later = packet_from(ACK, 2);

	(void)state;
	client_scene_set(&settled_a, &nobody, &old);
	quotas_open();
	assert_int_equal(sent_to(&old_syn), A);
	assert_int_equal(sent_to(&old), A);
	slots_say(B, A, true);
	assert_int_equal(sent_to(&new_syn), A); /* known clients keep it until the deadline */
	assert_int_equal(sent_to(&later), A);
	backends_host[A].status &= ~(uint64_t)LB_BACKEND_TAKES_CLIENTS;
	new_syn = packet_from(SYN_AGAIN, 3);
	later = packet_from(ACK, 3);
	assert_int_equal(sent_to(&old), A);
	assert_int_equal(sent_to(&new_syn), B);
	assert_int_equal(sent_to(&later), B);
	assert_int_equal(sent_to(&old), A);
	assert_int_equal(sent_to(&later), B);
	assert_true(usage_is_right());
}

/* A flow quiet for longer than the affinity lasts, but not idle, stays while its client's new flows
 * choose again. */
static void a_quiet_flow_stays(void **state)
{
	struct packet old_syn = packet_from(SYN_AGAIN, 1), old = packet_from(ACK, 1);
	struct packet new_syn = packet_from(SYN_AGAIN, 2);

	(void)state;
	client_scene_set(&settled_a, &nobody, &old);
	quotas_open();
	assert_int_equal(sent_to(&old_syn), A);
	assert_int_equal(sent_to(&old), A);
	slots_say(B, B, false);
	host_now_ns += (uint64_t)(CLIENT_TIMEOUT + 1) << 30;
	assert_int_equal(sent_to(&new_syn), B);
	host_now_ns += (uint64_t)(IDLE_TCP - CLIENT_TIMEOUT - 1) << 30;
	assert_int_equal(sent_to(&old), A);
	assert_true(usage_is_right());
}

/* The datagram that makes a record finds no room for a birth: it goes to the fallback, and the
 * next one, judged by the record, follows it although there is room by then. */
static void a_record_knows_what_its_first_packet_met(void **state)
{
	const struct scene scene = {
		.owner = B, .fallback = A, .changed = true, .no_room = QUOTA(UDP_BIRTHS)};
	struct packet packet = packet_of(DATAGRAM, 4);

	(void)state;
	client_scene_set(&scene, &nobody, &packet);
	assert_int_equal(sent_to(&packet), A);
	quotas_open();
	assert_int_equal(sent_to(&packet), A);
}

/* What one datagram made lives as long as its flow does. */
static void seen_once_is_not_forgotten_sooner(void **state)
{
	static const struct record once = {.owner = A, .fallback = A, .age = IDLE_CLOSING + 5};
	static const struct scene settled_b = {.owner = B, .fallback = B};
	struct packet packet = packet_of(ACK, 4);

	(void)state;
	client_scene_set(&settled_b, &once, &packet);
	assert_int_equal(sent_to(&packet), B);
	pools_host[POOL].idle_udp = IDLE_CLOSING + 4;
	assert_int_equal(sent_to(&packet), B);
	pools_host[POOL].idle_udp = IDLE_CLOSING + 5;
	assert_int_equal(sent_to(&packet), A);
}

/* ---- what holds in every state ---- */

typedef void (*each_state)(const struct scene *scene, const struct record *record, enum kind kind);

static void in_every_state(each_state check)
{
	static const uint32_t named[] = {A, B, DRAINING, GONE};
	static const int ages[] = {SEEN_AGE, IDLE_UDP + 1, CLIENT_TIMEOUT + 1, CLIENT_LIFE + 1};

	for (uint32_t i = 0; i < 16 * 16 * 4 * 16 * 3; i++) {
		uint32_t pairs = i % 256, age = i / 256 % 4, bits = i / 1024 % 16;
		struct scene scene = {.owner = named[pairs % 4],
				      .fallback = named[pairs / 4 % 4],
				      .changed = pairs % 4 != pairs / 4 % 4,
				      .no_room = bits & 1 ? ALL_QUOTAS : 0};
		struct record record = {.owner = named[pairs / 16 % 4],
					.fallback = named[pairs / 64],
					.changed = pairs / 16 % 4 != pairs / 64,
					.known = bits & 2,
					.owner_outlived = bits & 4,
					.fallback_outlived = bits & 8,
					.age = ages[age]};

		check(&scene, &record, (enum kind[]){SYN, ACK, DATAGRAM}[i / (1024 * 16)]);
	}
}

static void fail_in(const struct scene *scene, const struct record *record, enum kind kind,
		    const char *what)
{
	fail_msg("%s: packet %d, slot %u %u%s, record %u%s %u%s%s%s, age %d", what, kind,
		 scene->owner, scene->fallback, scene->no_room ? ", no room" : "", record->owner,
		 record->owner_outlived ? " (outlived)" : "", record->fallback,
		 record->fallback_outlived ? " (outlived)" : "", record->changed ? ", changed" : "",
		 record->known ? ", known" : "", record->age);
}

static void check_read_only(const struct scene *scene, const struct record *record, enum kind kind)
{
	struct packet packet = packet_of(kind, 4);
	struct choice said, done;
	enum lb_verdict verdict;
	uint64_t before;

	client_scene_set(scene, record, &packet);
	before = maps_digest();
	read_only = true;
	verdict = pick_once(&packet, &said);
	read_only = false;
	if (maps_digest() != before)
		fail_in(scene, record, kind, "explaining wrote something");
	/* Which record it would be judged by is not known, if that is made or renewed. */
	if (pick_once(&packet, &done) != verdict || said.slot != done.slot ||
	    (verdict == LB_CONTINUE && said.index != done.index))
		fail_in(scene, record, kind, "explained wrongly");
}

static void check_flow_stays(const struct scene *scene, const struct record *record, enum kind kind)
{
	struct packet first = packet_of(kind, 4), second = first;
	struct choice one, two;

	second.syn = false;
	second.sequence += first.syn;
	client_scene_set(scene, record, &first);
	if (pick_once(&first, &one) == LB_CONTINUE) {
		if (pick_once(&second, &two) != LB_CONTINUE || two.index != one.index)
			fail_in(scene, record, kind, "the flow's second packet went elsewhere");
		if (!is_usable(one.index))
			fail_in(scene, record, kind, "sent to who cannot take it");
	} else if (is_usable(scene->owner)) {
		fail_in(scene, record, kind, "dropped, though there is a backend");
	}
	if (!usage_is_right())
		fail_in(scene, record, kind, "usage is not what the tables hold");
}

static void in_every_state_read_only(void **state)
{
	(void)state;
	in_every_state(check_read_only);
}

static void in_every_state_flow_stays(void **state)
{
	(void)state;
	in_every_state(check_flow_stays);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_is_one_client),
		cmocka_unit_test(services_share_clients),
		cmocka_unit_test(a_drain_moves_new_flows_only),
		cmocka_unit_test(a_quiet_flow_stays),
		cmocka_unit_test(a_record_knows_what_its_first_packet_met),
		cmocka_unit_test(seen_once_is_not_forgotten_sooner),
		cmocka_unit_test(in_every_state_read_only),
		cmocka_unit_test(in_every_state_flow_stays),
	};

	return cmocka_run_group_tests_name("pick_client_states", tests, NULL, group_done);
}
