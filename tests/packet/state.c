/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* state: see state.h. */
#include "state.h"

#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <string.h>

/* Strangers are of both families, for those share the quotas. */
#define STRANGERS4 "203.0.113.1"
#define STRANGERS6 "2001:db8:dead::1"

enum { CLIENT_PREFIX_V4_BYTES = 3, CLIENT_PREFIX_V6_BYTES = 8 };

/* ---- from words to values ---- */

static uint32_t time_value(const struct state *state, int when)
{
	return when == 0 ? 0 : when == NOW ? state->tick : state->tick - (uint32_t)when;
}

static struct lb_times times_value(const struct state *state, const struct case_times *times)
{
	return (struct lb_times){.since = time_value(state, times->since),
				 .used = time_value(state, times->used),
				 .full = time_value(state, times->full),
				 .kept = time_value(state, times->kept)};
}

static uint32_t seen_value(const struct state *state, int age, bool doomed)
{
	return (state->tick - (uint32_t)age) | (doomed ? LB_DOOMED : 0);
}

static uint32_t incarnation(bool outlived)
{
	return outlived ? WORLD_INCARNATION - 1 : WORLD_INCARNATION;
}

static uint16_t pool_value(const struct state *state, enum world_service pool)
{
	return (uint16_t)(pool ? pool : state->subject->service);
}

static struct lb_flow flow_value(const struct state *state, const struct case_flow *flow)
{
	return (struct lb_flow){.seen = seen_value(state, flow->age, flow->doomed),
				.incarnation = incarnation(flow->outlived),
				.backend = (uint16_t)flow->backend,
				.pool = pool_value(state, flow->pool),
				.state = (uint8_t)flow->state,
				.flags = flow->flags};
}

static struct lb_client client_value(const struct state *state, const struct case_client *client)
{
	uint32_t word = LB_SLOT(client->owner, client->fallback, client->changed);

	return (struct lb_client){
		.pair = LB_CLIENT_PAIR(word, incarnation(client->owner_outlived),
				       incarnation(client->fallback_outlived)),
		.times = times_value(state, &client->times),
		.seen = seen_value(state, client->age, client->doomed),
		.known = client->known,
	};
}

/* ---- from words to keys; they return whether it is IPv6 ---- */

static bool flow_key(const struct state *state, const struct case_flow *flow, union map_key *key)
{
	const struct subject *subject = state->subject;
	const char *src = flow->src ? flow->src : subject->src;
	uint16_t sport = htons((uint16_t)(flow->sport ? flow->sport : subject->sport));
	uint16_t dport = htons((uint16_t)subject->dport);
	uint8_t proto = (uint8_t)(flow->proto ? flow->proto : subject->proto);

	memset(key, 0, sizeof(*key));
	if (inet_pton(AF_INET, src, &key->flow_v4.source) == 1 &&
	    inet_pton(AF_INET, subject->dst, &key->flow_v4.destination) == 1) {
		key->flow_v4.source_port = sport;
		key->flow_v4.destination_port = dport;
		key->flow_v4.proto = proto;
		return false;
	}
	if (inet_pton(AF_INET6, src, &key->flow_v6.source) != 1 ||
	    inet_pton(AF_INET6, subject->dst, &key->flow_v6.destination) != 1)
		errx(1, "packet case %s: bad addresses in a flow", state->name);
	key->flow_v6.source_port = sport;
	key->flow_v6.destination_port = dport;
	key->flow_v6.proto = proto;
	return true;
}

static bool client_key(const struct state *state, const char *src, enum world_service pool,
		       union map_key *key)
{
	struct in6_addr address;

	memset(key, 0, sizeof(*key));
	key->client_v4.pool = pool_value(state, pool); /* the same place in both */
	if (inet_pton(AF_INET, src, &address) == 1) {
		memcpy(&key->client_v4.address, &address, CLIENT_PREFIX_V4_BYTES);
		return false;
	}
	if (inet_pton(AF_INET6, src, &address) != 1)
		errx(1, "packet case %s: bad address of a client", state->name);
	memcpy(&key->client_v6.address, &address, CLIENT_PREFIX_V6_BYTES);
	return true;
}

static void fragment_key(const struct state *state, const struct case_fragment *fragment,
			 struct lb_fragment_key *key)
{
	const struct subject *subject = state->subject;

	memset(key, 0, sizeof(*key));
	if (inet_pton(AF_INET, subject->src, &key->source) == 1 &&
	    inet_pton(AF_INET, subject->dst, &key->destination) == 1) {
		key->family = 4;
		key->proto = (uint8_t)fragment->proto;
		key->identification = htons((uint16_t)fragment->id);
		return;
	}
	if (inet_pton(AF_INET6, subject->src, &key->source) != 1 ||
	    inet_pton(AF_INET6, subject->dst, &key->destination) != 1)
		errx(1, "packet case %s: bad addresses in a fragment", state->name);
	key->family = 6;
	key->identification = htonl(fragment->id);
}

static struct lb_fragment fragment_value(const struct state *state,
					 const struct case_fragment *fragment)
{
	return (struct lb_fragment){.seen = state->tick - (uint32_t)fragment->age,
				    .sequence = fragment->sequence,
				    .source_port = htons((uint16_t)fragment->sport),
				    .destination_port = htons((uint16_t)fragment->dport),
				    .proto = (uint8_t)fragment->proto};
}

/* ---- before ---- */

static void fragment_put(const struct state *state, const struct case_fragment *fragment)
{
	struct lb_fragment_key key;
	struct lb_fragment value = fragment_value(state, fragment);

	fragment_key(state, fragment, &key);
	maps_fragment_put(state->maps, &key, &value);
}

static void flow_put(const struct state *state, const struct case_flow *flow)
{
	union map_key key;
	union map_value value = {.birth = {.flow = flow_value(state, flow)}};
	bool six = flow_key(state, flow, &key);

	if (flow->table == IN_BIRTHS)
		value.birth.sequence = flow->sequence;
	maps_put(state->maps, flow->table == IN_BIRTHS ? MAP_BIRTHS : MAP_FLOWS, six, &key, &value);
}

static void client_put(const struct state *state, const struct case_client *client)
{
	union map_key key;
	union map_value value = {.client = client_value(state, client)};
	bool six = client_key(state, client->src ? client->src : state->subject->src, client->pool,
			      &key);

	maps_put(state->maps, MAP_CLIENTS, six, &key, &value);
}

/* One entry of a stranger that counts against the quota. */
static void stranger_put(struct state *state, enum lb_quota quota)
{
	bool six = state->stranger_count % 2,
	     udp = quota == LB_QUOTA_UDP || quota == LB_QUOTA_UDP_BIRTHS;
	const struct subject stranger = {.src = six ? STRANGERS6 : STRANGERS4,
					 .dst = six ? V6_S_TRACKED : V4_S_TRACKED,
					 .proto = udp ? IPPROTO_UDP : IPPROTO_TCP,
					 .sport = 1 + state->stranger_count,
					 .dport = 80,
					 .service = S_TRACKED};
	struct state theirs = *state;
	struct case_flow flow = BIRTH(A, OPEN, 1);
	char network[INET6_ADDRSTRLEN];
	struct case_client client = CLIENT(A, A, .src = network, .pool = S_CLIENTS);

	theirs.subject = &stranger;
	client.known = quota != LB_QUOTA_CLIENTS_NEW;
	snprintf(network, sizeof(network), six ? "2001:db8:dead:%d::" : "203.0.%d.0",
		 state->stranger_count);
	if (quota != LB_QUOTA_TCP_BIRTHS && quota != LB_QUOTA_UDP_BIRTHS)
		flow.table = IN_FLOWS;
	flow.flags = quota == LB_QUOTA_TCP_RECORDED ? LB_FLOW_RECORDED : 0;
	if (quota == LB_QUOTA_CLIENTS || quota == LB_QUOTA_CLIENTS_NEW)
		client_put(&theirs, &client);
	else
		flow_put(&theirs, &flow);
	state->stranger_count++;
}

/* Parts before the wholes that they count against, too. */
static void strangers_put(struct state *state, unsigned full)
{
	const uint32_t quotas[LB_QUOTA_COUNT] = LB_QUOTAS(&world_settings.limits);
	static const enum lb_quota order[] = {
		LB_QUOTA_TCP_BIRTHS, LB_QUOTA_TCP_RECORDED, LB_QUOTA_TCP,    LB_QUOTA_UDP_BIRTHS,
		LB_QUOTA_UDP,        LB_QUOTA_CLIENTS_NEW,  LB_QUOTA_CLIENTS};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		while (full & 1U << order[i] &&
		       maps_count(state->maps).count[order[i]] < quotas[order[i]])
			stranger_put(state, order[i]);
}

void state_prepare(struct state *state, unsigned full)
{
	struct lb_times *times = dataplane_slot_times(state->maps->dp);
	const struct case_state *before = state->before;
	struct lb_usage use;

	maps_clear(state->maps);
	state->tick = dataplane_tick();
	state->stranger_count = 0;
	for (int i = 0; i < CASE_FLOWS_MAX && before->flows[i].table; i++)
		flow_put(state, &before->flows[i]);
	for (int i = 0; i < CASE_CLIENTS_MAX && before->clients[i].owner; i++)
		client_put(state, &before->clients[i]);
	for (int i = 0; i < CASE_FRAGMENTS_MAX && before->fragments[i].proto; i++)
		fragment_put(state, &before->fragments[i]);
	strangers_put(state, full);
	use = maps_count(state->maps);
	maps_usage_put(state->maps, &use);

	memset(times, 0, WORLD_SLOTS * sizeof(*times));
	for (uint32_t i = 0; state->subject->service && i < world_table_size(); i++)
		times[world_times_base(state->subject->service) + i] =
			times_value(state, &before->times);
}

/* ---- after ---- */

/* The program's clock may be some ms behind ours, and the tick may have changed. */
static bool is_now(const struct state *state, uint32_t tick)
{
	return tick - (state->tick - 1) <= dataplane_tick() - (state->tick - 1);
}

static bool seen_matches(const struct state *state, uint32_t seen, int age, bool doomed)
{
	return seen == seen_value(state, age, doomed) ||
	       (age == 0 && !doomed && is_now(state, seen));
}

static bool time_matches(const struct state *state, uint32_t time, int when)
{
	return when == NOW ? is_now(state, time) : time == time_value(state, when);
}

static bool times_match(const struct state *state, const struct lb_times *times,
			const struct case_times *want)
{
	return time_matches(state, times->since, want->since) &&
	       time_matches(state, times->used, want->used) &&
	       time_matches(state, times->full, want->full) &&
	       time_matches(state, times->kept, want->kept);
}

static bool flow_matches(const struct state *state, const struct case_flow *want,
			 const union map_value *value)
{
	struct lb_flow flow = value->birth.flow, wanted = flow_value(state, want);

	if (!seen_matches(state, flow.seen, want->age, want->doomed) ||
	    (want->table == IN_BIRTHS && value->birth.sequence != want->sequence))
		return false;
	wanted.seen = flow.seen;
	return !memcmp(&flow, &wanted, sizeof(flow));
}

static bool client_matches(const struct state *state, const struct case_client *want,
			   const struct lb_client *client)
{
	return client->pair == client_value(state, want).pair && client->known == want->known &&
	       seen_matches(state, client->seen, want->age, want->doomed) &&
	       times_match(state, &client->times, &want->times);
}

struct check {
	const struct state *state;
	const struct case_state *expected;
	const char *what;
	bool flows_found[CASE_FLOWS_MAX], clients_found[CASE_CLIENTS_MAX],
		fragments_found[CASE_FRAGMENTS_MAX];
	int strangers;
	bool good;
};

static void print_flow(const struct check *check, const char *problem, enum map_table table,
		       bool six, const union map_key *key, const union map_value *value)
{
	const struct lb_flow *flow = &value->flow;
	char source[INET6_ADDRSTRLEN];

	inet_ntop(six ? AF_INET6 : AF_INET, key, source, sizeof(source));
	printf("#   %s: %s %s: %s %u, backend %u, pool %u, state %u, flags %u, incarnation %u, "
	       "age %d%s",
	       check->what, problem, table == MAP_BIRTHS ? "birth" : "flow", source,
	       ntohs(six ? key->flow_v6.source_port : key->flow_v4.source_port), flow->backend,
	       flow->pool, flow->state, flow->flags, flow->incarnation,
	       (int)(check->state->tick - (flow->seen & ~LB_DOOMED)),
	       flow->seen & LB_DOOMED ? ", doomed" : "");
	if (table == MAP_BIRTHS)
		printf(", sequence %u", value->birth.sequence);
	printf("\n");
}

static void print_times(const struct state *state, const struct lb_times *times)
{
	const uint32_t values[] = {times->since, times->used, times->full, times->kept};
	static const char *const names[] = {"since", "used", "full", "kept"};

	for (int i = 0; i < 4; i++)
		if (values[i])
			printf(", %s %d ago", names[i], (int)(state->tick - values[i]));
	printf("\n");
}

static void print_client(const struct check *check, const char *problem,
			 const struct lb_client *client)
{
	uint32_t word = LB_CLIENT_WORD(client->pair);

	printf("#   %s: %s client: owner %u (%u), fallback %u (%u)%s%s%s, age %d", check->what,
	       problem, LB_SLOT_OWNER(word), LB_CLIENT_OWNER_INCARNATION(client->pair),
	       LB_SLOT_FALLBACK(word), LB_CLIENT_FALLBACK_INCARNATION(client->pair),
	       word & LB_SLOT_CHANGED ? ", changed" : "", client->known ? ", known" : "",
	       client->seen & LB_DOOMED ? ", doomed" : "",
	       (int)(check->state->tick - (client->seen & ~LB_DOOMED)));
	print_times(check->state, &client->times);
}

static void check_flow(struct check *check, enum map_table table, bool six,
		       const union map_key *key, const union map_value *value)
{
	for (int i = 0; i < CASE_FLOWS_MAX; i++) {
		const struct case_flow *want = &check->expected->flows[i];
		union map_key wanted;

		if (want->table != (table == MAP_BIRTHS ? IN_BIRTHS : IN_FLOWS) ||
		    flow_key(check->state, want, &wanted) != six ||
		    memcmp(key, &wanted, six ? sizeof(key->flow_v6) : sizeof(key->flow_v4)) != 0)
			continue;
		check->flows_found[i] = true;
		if (flow_matches(check->state, want, value))
			return;
		print_flow(check, "different", table, six, key, value);
		check->good = false;
		return;
	}
	print_flow(check, "unexpected", table, six, key, value);
	check->good = false;
}

static void check_client(struct check *check, bool six, const union map_key *key,
			 const struct lb_client *client)
{
	for (int i = 0; i < CASE_CLIENTS_MAX; i++) {
		const struct case_client *want = &check->expected->clients[i];
		const char *src = want->src ? want->src : check->state->subject->src;
		union map_key wanted;

		if (!want->owner || client_key(check->state, src, want->pool, &wanted) != six ||
		    memcmp(key, &wanted, six ? sizeof(key->client_v6) : sizeof(key->client_v4)) !=
			    0)
			continue;
		check->clients_found[i] = true;
		if (client_matches(check->state, want, client))
			return;
		print_client(check, "different", client);
		check->good = false;
		return;
	}
	print_client(check, "unexpected", client);
	check->good = false;
}

/* By the first two bytes of their addresses, which no case has. */
static bool is_stranger(enum map_table table, bool six, const union map_key *key)
{
	const void *address = table != MAP_CLIENTS ? (const void *)key
			      : six                ? (const void *)&key->client_v6.address
						   : (const void *)&key->client_v4.address;
	uint8_t stranger[16];

	inet_pton(six ? AF_INET6 : AF_INET, six ? STRANGERS6 : STRANGERS4, stranger);
	return !memcmp(address, stranger, six ? 6 : 2);
}

static void check_entry(void *context, enum map_table table, bool six, const union map_key *key,
			const union map_value *value)
{
	struct check *check = context;

	if (is_stranger(table, six, key))
		check->strangers++;
	else if (table == MAP_CLIENTS)
		check_client(check, six, key, &value->client);
	else
		check_flow(check, table, six, key, value);
}

static void check_missing(struct check *check)
{
	const struct case_state *expected = check->expected;

	for (int i = 0; i < CASE_FLOWS_MAX; i++) {
		if (!expected->flows[i].table || check->flows_found[i])
			continue;
		printf("#   %s: no %s to backend %d\n", check->what,
		       expected->flows[i].table == IN_BIRTHS ? "birth" : "flow",
		       expected->flows[i].backend);
		check->good = false;
	}
	for (int i = 0; i < CASE_CLIENTS_MAX; i++) {
		if (!expected->clients[i].owner || check->clients_found[i])
			continue;
		printf("#   %s: no record of a client of backend %d\n", check->what,
		       expected->clients[i].owner);
		check->good = false;
	}
	if (check->strangers != check->state->stranger_count) {
		printf("#   %s: %d of %d entries of strangers are left\n", check->what,
		       check->strangers, check->state->stranger_count);
		check->good = false;
	}
}

static const struct case_fragment *fragments_of(const struct check *check)
{
	const struct case_fragment *after = check->expected->fragments;

	return after->proto ? after : check->state->before->fragments;
}

static void check_fragment(void *context, const struct lb_fragment_key *key,
			   const struct lb_fragment *value)
{
	struct check *check = context;
	const struct case_fragment *want = fragments_of(check);

	for (int i = 0; i < CASE_FRAGMENTS_MAX && want[i].proto; i++) {
		struct lb_fragment wanted = fragment_value(check->state, &want[i]);
		struct lb_fragment_key wanted_key;

		fragment_key(check->state, &want[i], &wanted_key);
		if (memcmp(&wanted_key, key, sizeof(wanted_key)) != 0 ||
		    !seen_matches(check->state, value->seen, want[i].age, false))
			continue;
		wanted.seen = value->seen;
		if (memcmp(&wanted, value, sizeof(wanted)) != 0)
			continue;
		check->fragments_found[i] = true;
		return;
	}
	printf("#   %s: unexpected fragment: protocol %u, ports %u to %u, sequence %u\n",
	       check->what, value->proto, ntohs(value->source_port), ntohs(value->destination_port),
	       value->sequence);
	check->good = false;
}

static void check_fragments(struct check *check)
{
	const struct case_fragment *want = fragments_of(check);

	maps_fragments_walk(check->state->maps, check_fragment, check);
	for (int i = 0; i < CASE_FRAGMENTS_MAX && want[i].proto; i++) {
		if (check->fragments_found[i])
			continue;
		printf("#   %s: no fragment %u\n", check->what, want[i].id);
		check->good = false;
	}
}

static void check_usage(struct check *check)
{
	const struct lb_usage *said = dataplane_usage(check->state->maps->dp);
	struct lb_usage counted = maps_count(check->state->maps);

	for (int i = 0; i < LB_QUOTA_COUNT; i++) {
		if (said->count[i] == counted.count[i])
			continue;
		printf("#   %s: quota %d: the tables hold %u, usage says %u\n", check->what, i,
		       counted.count[i], said->count[i]);
		check->good = false;
	}
}

/* Of all slots there are. */
static void check_times(struct check *check, uint32_t slot)
{
	static const struct case_times never;
	const struct state *state = check->state;
	const struct lb_times *times = dataplane_slot_times(state->maps->dp);
	uint32_t base = world_times_base(state->subject->service);

	for (uint32_t i = 0; i < WORLD_SLOTS; i++) {
		bool ours = state->subject->service && i - base < world_table_size();
		const struct case_times *want = !ours              ? &never
						: i - base == slot ? &check->expected->times
								   : &state->before->times;

		if (times_match(state, &times[i], want))
			continue;
		printf("#   %s: times of slot %d%s differ", check->what, (int)(i - base),
		       i - base == slot ? "" : ", which is not the flow's,");
		print_times(state, &times[i]);
		check->good = false;
	}
}

bool state_check(const struct state *state, const struct case_state *expected, uint32_t slot,
		 const char *what)
{
	struct check check = {.state = state, .expected = expected, .what = what, .good = true};

	maps_walk(state->maps, check_entry, &check);
	check_missing(&check);
	check_fragments(&check);
	check_usage(&check);
	check_times(&check, slot);
	return check.good;
}
