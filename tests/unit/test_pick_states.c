/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What holds in every state that a slot and a flow's entries can be in, with every packet
 * (bpf/pick.h). The rules one by one: test_pick.c.
 */
#include "pick_fixture.h"

typedef void (*each_state)(const struct scene *scene, enum kind kind);

static const struct entry births[] = {
	{.backend = NONE},
	{.backend = C, .state = LB_FLOW_OPENING},
	{.backend = C, .state = LB_FLOW_OPEN},
	{.backend = C, .state = LB_FLOW_CLOSING},
	{.backend = C, .state = LB_FLOW_RESET},
	{.backend = C, .state = LB_FLOW_OPENING, .age = IDLE_CLOSING + 1},
	{.backend = C, .state = LB_FLOW_OPEN, .outlived = true},
	{.backend = C, .state = LB_FLOW_OPEN, .doomed = true},
	{.backend = GONE, .state = LB_FLOW_OPEN},
};

static const struct entry flows[] = {
	{.backend = NONE},
	{.backend = D, .state = LB_FLOW_OPEN},
	{.backend = D, .state = LB_FLOW_OPEN, .flags = REBORN},
	{.backend = D, .state = LB_FLOW_CLOSING, .flags = RECORDED},
	{.backend = C, .state = LB_FLOW_OPEN, .flags = RECORDED | REBORN},
	{.backend = D, .state = LB_FLOW_OPEN, .of_other_pool = true},
	{.backend = D, .state = LB_FLOW_OPEN, .age = IDLE_TCP + 1, .flags = RECORDED},
	{.backend = D, .state = LB_FLOW_OPEN, .doomed = true},
	{.backend = GONE, .state = LB_FLOW_OPEN},
};

static const uint32_t rooms[] = {0, ALL_QUOTAS, QUOTA(TCP_BIRTHS) | QUOTA(UDP_BIRTHS),
				 QUOTA(TCP_RECORDED)};

static const struct {
	int since, full;
} ages[] = {{0, 0}, {1, 0}, {IDLE_UDP + 1, 1}};

/* Takes the next digit off a number, whose digits have different bases. */
static uint32_t digit(uint32_t *number, uint32_t base)
{
	uint32_t value = *number % base;

	*number /= base;
	return value;
}

/* What confirms a birth leaves a copy that no birth contradicts, or finds none to mark. */
static bool can_be(const struct scene *scene)
{
	bool confirmed = scene->birth.backend == C && scene->birth.state != LB_FLOW_OPENING &&
			 !scene->birth.outlived && !scene->birth.doomed;

	return !(confirmed && scene->flow.flags & REBORN);
}

static void in_every_state(each_state check)
{
	static const uint32_t named[] = {NONE, A, B, GONE};
	const uint32_t count = COUNT(named) * COUNT(named) * 2 * 2 * COUNT(rooms) * COUNT(ages) *
			       COUNT(births) * COUNT(flows) * PLAIN_KINDS;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t left = i, age = digit(&left, COUNT(ages));
		struct scene scene = {
			.since = ages[age].since,
			.full = ages[age].full,
			.owner = named[digit(&left, COUNT(named))],
			.fallback = named[digit(&left, COUNT(named))],
			.changed = digit(&left, 2),
			.flags = digit(&left, 2) ? ALWAYS : 0,
			.no_room = rooms[digit(&left, COUNT(rooms))],
			.birth = births[digit(&left, COUNT(births))],
			.flow = flows[digit(&left, COUNT(flows))],
		};

		/* Only datagrams ask for times. */
		if (can_be(&scene) && (!age || packets[left].udp))
			check(&scene, left);
	}
}

static void fail_in(const struct scene *scene, enum kind kind, const char *what)
{
	const struct entry *birth = &scene->birth, *flow = &scene->flow;

	fail_msg("%s: packet %d, owner %u, fallback %u%s%s, since %d, full %d, no room %x, "
		 "birth {backend %u, state %u, age %d%s%s}, "
		 "flow {backend %u, state %u, flags %u, age %d%s%s}",
		 what, kind, scene->owner, scene->fallback, scene->changed ? ", changed" : "",
		 scene->flags ? ", tracked" : "", scene->since, scene->full, scene->no_room,
		 birth->backend, birth->state, birth->age, birth->outlived ? ", outlived" : "",
		 birth->doomed ? ", doomed" : "", flow->backend, flow->state, flow->flags,
		 flow->age, flow->of_other_pool ? ", of another pool" : "",
		 flow->doomed ? ", doomed" : "");
}

/* ---- one packet ---- */

static void check_choice(const struct scene *scene, enum kind kind)
{
	struct packet packet = packet_of(kind, 4);
	bool settled = !scene->changed && !scene->flags;
	struct choice choice;
	enum lb_verdict verdict;
	uint64_t before;

	scene_set(scene, &packet);
	before = maps_digest();
	verdict = pick_once(&packet, &choice);
	if (verdict == LB_CONTINUE && !is_usable(choice.index))
		fail_in(scene, kind, "sent to who cannot take it");
	if (verdict != LB_CONTINUE &&
	    (is_usable(scene->owner) || (!settled && is_usable(scene->fallback))))
		fail_in(scene, kind, "dropped, though there is a backend");
	if ((settled || verdict != LB_CONTINUE) && maps_digest() != before)
		fail_in(scene, kind, "something was written for nothing");
	if (!usage_is_right())
		fail_in(scene, kind, "usage is not what the tables hold");
}

/* Nothing is put in place of an entry that a sweep is about to delete. */
/* What a sweep has claimed is being deleted. */
static void check_claimed(const struct scene *scene, enum kind kind)
{
	struct packet packet = packet_of(kind, 4);
	struct lb_birth birth = {};
	struct lb_flow flow = {};
	struct choice choice;

	if (!scene->birth.doomed && !scene->flow.doomed)
		return;
	scene_set(scene, &packet);
	if (scene->birth.doomed) {
		birth_find(&packet)->flow.seen |= LB_CLAIMED;
		birth = *birth_find(&packet);
	}
	if (scene->flow.doomed) {
		flow_find(&packet)->seen |= LB_CLAIMED;
		flow = *flow_find(&packet);
	}
	pick_once(&packet, &choice);
	if (scene->birth.doomed && memcmp(&birth, birth_find(&packet), sizeof(birth)))
		fail_in(scene, kind, "a claimed birth was written");
	if (scene->flow.doomed && memcmp(&flow, flow_find(&packet), sizeof(flow)))
		fail_in(scene, kind, "a claimed flow entry was written");
}

/* The copy that explains says the same, and writes nothing. */
static void check_read_only(const struct scene *scene, enum kind kind)
{
	struct packet packet = packet_of(kind, 4);
	struct choice said, done;
	enum lb_verdict verdict;
	uint64_t before;

	scene_set(scene, &packet);
	before = maps_digest();
	read_only = true;
	verdict = pick_once(&packet, &said);
	read_only = false;
	if (maps_digest() != before)
		fail_in(scene, kind, "explaining wrote something");
	if (pick_once(&packet, &done) != verdict ||
	    (verdict == LB_CONTINUE && memcmp(&said, &done, sizeof(said))))
		fail_in(scene, kind, "explained wrongly");
}

/* ---- the packet after that ---- */

static struct packet packet_after(enum kind kind, struct packet first)
{
	struct packet second = first;

	if (packets[kind].syn) {
		second.syn = false;
		second.sequence++;
	}
	return second;
}

/* A flow that was answered stays: the next packet goes where this one went. */
static void check_flow_stays(const struct scene *scene, enum kind kind)
{
	struct packet first = packet_of(kind, 4), second = packet_after(kind, first);
	struct choice one, two;

	scene_set(scene, &first);
	if (pick_once(&first, &one) != LB_CONTINUE)
		return;
	for (int i = 0; i < 2; i++) {
		if (pick_once(&second, &two) != LB_CONTINUE || two.index != one.index)
			fail_in(scene, kind, "the flow's second packet went elsewhere");
		if (!usage_is_right())
			fail_in(scene, kind, "usage is not what the tables hold then");
	}
}

/* A SYN that is sent again goes where it went. */
static void check_syn_stays(const struct scene *scene, enum kind kind)
{
	struct packet packet = packet_of(kind, 4), ack = packet_after(kind, packet);
	struct choice one, two;

	if (!packet.syn)
		return;
	scene_set(scene, &packet);
	if (pick_once(&packet, &one) != LB_CONTINUE)
		return;
	if (pick_once(&packet, &two) != LB_CONTINUE || two.index != one.index)
		fail_in(scene, kind, "the repeated SYN went elsewhere");
	if (pick_once(&ack, &two) != LB_CONTINUE || two.index != one.index)
		fail_in(scene, kind, "what came after the repeated SYN went elsewhere");
}

/*
 * A flow that has an entry stays whatever the slot becomes, as long as it is not settled. Its last
 * packet is the second, for a first that finds a birth unconfirmed proves nothing.
 */
static void check_entry_holds(const struct scene *scene, enum kind kind)
{
	struct packet first = packet_of(kind, 4), second = packet_after(kind, first);
	struct choice one, two;

	scene_set(scene, &first);
	if (pick_once(&first, &one) != LB_CONTINUE || pick_once(&second, &two) != LB_CONTINUE ||
	    two.decided_by != LB_BY_FLOW || (second.reset && packets[kind].ahead != 1))
		return;
	for (uint32_t i = 0; i < TABLE_SIZE; i++)
		slots_host[1].slot[i] = LB_SLOT(one.index == A ? B : A, GONE, true);
	if (pick_once(&second, &two) != LB_CONTINUE || two.index != one.index)
		fail_in(scene, kind, "an entry did not hold its flow");
}

/* A stranger's SYN, of whatever number, does not take a flow with it that has a live flow entry:
 * its packets' numbers are nowhere near. */
static void check_forged(const struct scene *scene, enum kind kind)
{
	struct packet packet = packet_of(kind, 4), forged = packet;
	struct choice one, two;

	if (packet.syn || packet.reset || packet.proto == IPPROTO_UDP)
		return;
	scene_set(scene, &packet);
	if (pick_once(&packet, &one) != LB_CONTINUE || !(scene->changed || scene->flags))
		return;
	forged.syn = true;
	forged.closing = false;
	forged.sequence = packet.sequence + (1U << 30);
	pick_once(&forged, &two);
	if (pick_once(&packet, &two) != LB_CONTINUE || two.index != one.index)
		fail_in(scene, kind, "a forged SYN took the flow");
}

#define IN_EVERY_STATE(name)                                                                       \
	static void in_every_state_##name(void **state)                                            \
	{                                                                                          \
		(void)state;                                                                       \
		in_every_state(check_##name);                                                      \
	}

IN_EVERY_STATE(choice)
IN_EVERY_STATE(claimed)
IN_EVERY_STATE(read_only)
IN_EVERY_STATE(flow_stays)
IN_EVERY_STATE(syn_stays)
IN_EVERY_STATE(entry_holds)
IN_EVERY_STATE(forged)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_every_state_choice),
		cmocka_unit_test(in_every_state_claimed),
		cmocka_unit_test(in_every_state_read_only),
		cmocka_unit_test(in_every_state_flow_stays),
		cmocka_unit_test(in_every_state_syn_stays),
		cmocka_unit_test(in_every_state_entry_holds),
		cmocka_unit_test(in_every_state_forged),
	};

	return cmocka_run_group_tests_name("pick_states", tests, NULL, group_done);
}
