/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* run_nat: see run_nat.h. The world of the conversations is here, too: it is nobody else's. */
#include "run_nat.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <err.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../user/dataplane.h"
#include "nat_case.h"

enum { TABLE_SIZE = LB_SLOT_BLOCK, INCARNATION = 5 };

static const struct lb_settings settings = {
	.limits = {.flows = 16,
		   .clients = 16,
		   .backends = NAT_BACKENDS,
		   .services = NAT_BACKENDS,
		   .slots = (NAT_BACKENDS + 1) * TABLE_SIZE,
		   .counters = (NAT_BACKENDS + 1) * 2,
		   .nat_flows = NAT_FLOWS_LIMIT},
	.hash_seed = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
};

struct backend_row {
	const char *address, *source;
	uint16_t port, mtu;
	bool host_source, far;
};

static const struct backend_row backend_rows[NAT_BACKENDS] = {
	[N_PLAIN4] = {.address = BE4(1)},
	[N_PLAIN6] = {.address = BE6(2)},
	[N_PORT4] = {.address = BE4(3), .port = 8080},
	[N_PORT6] = {.address = BE6(4), .port = 8080},
	[N_SNAT4] = {.address = BE4(5), .source = HOST4, .host_source = true},
	[N_SNAT6] = {.address = BE6(6), .source = HOST6, .host_source = true},
	[N_GIVEN4] = {.address = BE4(7), .source = GIVEN4},
	[N_FAR4] = {.address = BE4(8), .far = true},
	[N_TIGHT6] = {.address = BE6(9), .source = HOST6, .host_source = true, .mtu = 1280},
	[N_OTHER4] = {.address = BE4(10)},
};

struct nat_world {
	struct dataplane *dp;
	int flows[2], returns[2], usage_fd; /* IPv4, IPv6 */
};

/* ---- the world ---- */

static void address_put(const char *text, union lb_addr *out)
{
	if (inet_pton(AF_INET, text, out) != 1 && inet_pton(AF_INET6, text, out) != 1)
		errx(1, "nat cases: bad address %s", text);
}

static uint64_t status_of(int index, uint32_t incarnation, uint32_t usable)
{
	const struct backend_row *row = &backend_rows[index];
	uint32_t flags = usable | (row->source ? LB_BACKEND_SNAT : 0U) |
			 (row->host_source ? LB_BACKEND_HOST_SOURCE : 0U);

	return LB_STATUS(incarnation,
			 strchr(row->address, ':') ? LB_FORWARD_NAT_V6 : LB_FORWARD_NAT_V4, flags);
}

static void backend_create(struct dataplane *dp, int index)
{
	const struct backend_row *row = &backend_rows[index];
	struct lb_backend *backend = &dataplane_backends(dp)[index];
	const uint8_t next_hop[6] = {2, 0, 0, 0, 0xb0, (uint8_t)index};
	const uint8_t egress[6] = {2, 0, 0, 0, 0, row->far ? 0x0f : 0x01};

	memcpy(backend->destination_mac, next_hop, sizeof(next_hop));
	memcpy(backend->source_mac, egress, sizeof(egress));
	backend->counter = 1;
	backend->ifindex = row->far ? NAT_FAR_IFINDEX : NAT_NEAR_IFINDEX;
	backend->port = htons(row->port);
	backend->mtu = row->mtu;
	address_put(row->address, &backend->outer_destination);
	if (row->source)
		address_put(row->source, &backend->outer_source);
	backend->status = status_of(index, INCARNATION, LB_BACKEND_USABLE);
}

static void owner_set(struct dataplane *dp, int pool, int backend)
{
	uint32_t *slots = dataplane_slots(dp) + pool * TABLE_SIZE;

	for (int i = 0; i < TABLE_SIZE; i++)
		slots[i] = LB_SLOT(backend, backend, false);
}

static void pool_create(struct dataplane *dp, int index)
{
	struct lb_pool *pool = &dataplane_pools(dp)[index];

	owner_set(dp, index, index);
	pool->idle_tcp = NAT_IDLE_TCP;
	pool->idle_udp = NAT_IDLE_UDP;
	pool->idle_closing = NAT_IDLE_CLOSING;
	pool->idle_longest = NAT_IDLE_TCP;
	pool->table = LB_TABLE((uint32_t)index * TABLE_SIZE, TABLE_SIZE);
}

static void listener_create(struct dataplane *dp, int index, const char *vip, uint8_t proto)
{
	const struct lb_service service = {.index = (uint32_t)index,
					   .pool = (uint32_t)index,
					   .counter_base = (uint32_t)index * 2};
	const struct port_block block = {80, 0};
	const struct lb_vip no_port = {0};
	struct addr addr;

	if (addr_parse(vip, &addr, NULL) || dataplane_vip_put(dp, &addr, &no_port) ||
	    dataplane_listener_put(dp, &addr, proto, &block, &service))
		errx(1, "nat cases: cannot make a listener at %s", vip);
}

static void service_create(struct dataplane *dp, int index)
{
	char vip4[INET_ADDRSTRLEN], vip6[INET6_ADDRSTRLEN];

	snprintf(vip4, sizeof(vip4), "192.0.2.%d", index);
	snprintf(vip6, sizeof(vip6), "2001:db8::%d", index);
	listener_create(dp, index, vip4, IPPROTO_TCP);
	listener_create(dp, index, vip4, IPPROTO_UDP);
	listener_create(dp, index, vip6, IPPROTO_TCP);
	listener_create(dp, index, vip6, IPPROTO_UDP);
}

static int pin_open(const char *pin_dir, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pin_dir, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		err(1, "opening %s", path);
	return fd;
}

static void world_create(struct nat_world *world, const char *pin_dir)
{
	struct fault fault;
	struct lb_control *control;

	world->dp = dataplane_create(pin_dir, &settings, &fault);
	if (!world->dp || dataplane_sweep_prepare(world->dp, &fault))
		errx(1, "nat cases: %s", fault.message);
	for (int i = 1; i < NAT_BACKENDS; i++) {
		backend_create(world->dp, i);
		pool_create(world->dp, i);
		service_create(world->dp, i);
	}
	listener_create(world->dp, N_PORT4, VIP4_SECOND, IPPROTO_TCP);
	control = dataplane_control(world->dp);
	control->port_blocks = 1;
	control->flags = LB_CONTROL_NAT;
	world->flows[0] = pin_open(pin_dir, "nat_flows_v4");
	world->flows[1] = pin_open(pin_dir, "nat_flows_v6");
	world->returns[0] = pin_open(pin_dir, "nat_returns_v4");
	world->returns[1] = pin_open(pin_dir, "nat_returns_v6");
	world->usage_fd = pin_open(pin_dir, "usage");
}

/* ---- the tables ---- */

union key {
	struct lb_flow_key_v4 v4;
	struct lb_flow_key_v6 v6;
};

static void usage_put(const struct nat_world *world, const struct lb_usage *use)
{
	const uint32_t zero = 0;

	if (bpf_map_update_elem(world->usage_fd, &zero, use, BPF_ANY))
		err(1, "nat cases: writing usage");
}

static void tables_clear(const struct nat_world *world)
{
	static const struct lb_usage none;
	union key key;

	for (int six = 0; six < 2; six++) {
		while (!bpf_map_get_next_key(world->flows[six], NULL, &key))
			bpf_map_delete_elem(world->flows[six], &key);
		while (!bpf_map_get_next_key(world->returns[six], NULL, &key))
			bpf_map_delete_elem(world->returns[six], &key);
	}
	usage_put(world, &none);
}

static int entries_count(int fd, const struct nat_world *world, struct lb_usage *use)
{
	union key key, *last = NULL;
	int count = 0;

	for (; !bpf_map_get_next_key(fd, last, &key); last = &key) {
		uint8_t proto = fd == world->flows[1] || fd == world->returns[1] ? key.v6.proto
										 : key.v4.proto;

		count++;
		if (use)
			use->count[proto == IPPROTO_UDP ? LB_QUOTA_NAT_UDP : LB_QUOTA_NAT_TCP]++;
	}
	return count;
}

/* First all keys: an entry that is written comes to lie before the others of its bucket, and a walk
 * that writes would meet two of one bucket for ever. */
static union key *entries_keys(int fd, const struct nat_world *world, int *count)
{
	union key *keys, *last = NULL;
	int all = entries_count(fd, world, NULL);

	keys = calloc((size_t)all + 1, sizeof(*keys));
	if (!keys)
		err(1, "nat cases");
	for (*count = 0; *count < all && !bpf_map_get_next_key(fd, last, &keys[*count]); ++*count)
		last = &keys[*count];
	return keys;
}

static void entries_age(int fd, const struct nat_world *world, uint32_t ticks, bool flows)
{
	int count;
	union key *keys = entries_keys(fd, world, &count);
	union {
		struct lb_nat_flow flow;
		struct lb_nat_return back;
	} value;

	for (int i = 0; i < count; i++) {
		if (bpf_map_lookup_elem(fd, &keys[i], &value))
			err(1, "nat cases: reading an entry");
		if (flows)
			value.flow.seen -= ticks;
		else
			value.back.seen -= ticks;
		if (bpf_map_update_elem(fd, &keys[i], &value, BPF_EXIST))
			err(1, "nat cases: writing an entry");
	}
	free(keys);
}

/* What is counted is what is there. */
static bool check_usage(const struct nat_world *world)
{
	const struct lb_usage *said = dataplane_usage(world->dp);
	struct lb_usage counted = {0};

	entries_count(world->flows[0], world, &counted);
	entries_count(world->flows[1], world, &counted);
	if (!memcmp(said, &counted, sizeof(counted)))
		return true;
	printf("#   usage says %u flows of TCP and %u of UDP, there are %u and %u\n",
	       said->count[LB_QUOTA_NAT_TCP], said->count[LB_QUOTA_NAT_UDP],
	       counted.count[LB_QUOTA_NAT_TCP], counted.count[LB_QUOTA_NAT_UDP]);
	return false;
}

/* ---- steps ---- */

static void number_packet(struct packet *packet)
{
	uint8_t *ip = packet->bytes + 14;
	uint32_t total = 0;

	while (ip[-2] == 0x81)
		ip += 4;
	memcpy(ip + 4, ip + 20 + (ip[9] == IPPROTO_UDP ? 6 : 16), 2);
	ip[10] = ip[11] = 0;
	for (int i = 0; i < 20; i += 2)
		total += (uint32_t)ip[i] << 8 | ip[i + 1];
	total = (total & 0xffff) + (total >> 16);
	total = ~((total & 0xffff) + (total >> 16));
	ip[10] = (uint8_t)(total >> 8);
	ip[11] = (uint8_t)total;
}

static bool check_packet(const struct nat_step *step, const struct packet *in,
			 const struct packet *got, const char *what)
{
	struct packet expected;

	if (step->action == XDP_DROP || step->verdict == LB_REFUSED_TTL)
		return true;
	if (step->out[0].kind != LAYER_END)
		packet_build(step->out, &expected);
	else
		expected = *in;
	if (step->numbered)
		number_packet(&expected);
	if (expected.size == got->size && !memcmp(expected.bytes, got->bytes, got->size))
		return true;
	printf("#   %s: the packet differs\n", what);
	packet_print_difference(&expected, got);
	return false;
}

static uint32_t program_run(const struct nat_world *world, const struct nat_step *step,
			    const struct packet *in, struct packet *out)
{
	struct xdp_md context = {.data_end = (uint32_t)in->size,
				 .ingress_ifindex = step->far ? NAT_FAR_IFINDEX : NAT_NEAR_IFINDEX};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in->bytes,
		    .data_size_in = (uint32_t)in->size, .data_out = out->bytes,
		    .data_size_out = sizeof(out->bytes), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(dataplane_program_fd(world->dp), &run))
		err(1, "nat cases: running the program");
	out->size = run.data_size_out;
	return run.retval;
}

/* The copy that explains says the same, shows the same packet, and leaves no trace. */
static bool check_explained(const struct nat_world *world, const struct nat_step *step,
			    const struct packet *in)
{
	int before = entries_count(world->flows[0], world, NULL) +
		     entries_count(world->flows[1], world, NULL) +
		     entries_count(world->returns[0], world, NULL) +
		     entries_count(world->returns[1], world, NULL);
	struct packet out = {.size = sizeof(out.bytes)};
	struct lb_explanation said;
	struct fault fault;
	int after;

	if (dataplane_explain(world->dp, in->bytes, in->size, NAT_NEAR_IFINDEX, &said, out.bytes,
			      &out.size, &fault))
		errx(1, "nat cases: %s", fault.message);
	after = entries_count(world->flows[0], world, NULL) +
		entries_count(world->flows[1], world, NULL) +
		entries_count(world->returns[0], world, NULL) +
		entries_count(world->returns[1], world, NULL);
	if (said.verdict == step->verdict && before == after)
		return check_packet(step, in, &out, "explained");
	printf("#   explained as %s; %d entries before, %d after\n",
	       dataplane_verdict_name(said.verdict), before, after);
	return false;
}

static bool step_packet(const struct nat_world *world, const struct nat_step *step)
{
	struct lb_verdict_counter before[LB_VERDICT_COUNT], after[LB_VERDICT_COUNT];
	struct packet in, out;
	uint32_t action;
	bool good;

	packet_build(step->in, &in);
	good = check_explained(world, step, &in);
	if (dataplane_verdicts(world->dp, before))
		errx(1, "nat cases: reading the counters");
	action = program_run(world, step, &in, &out);
	if (dataplane_verdicts(world->dp, after))
		errx(1, "nat cases: reading the counters");
	for (uint32_t i = 0; i < LB_VERDICT_COUNT; i++) {
		if (after[i].packets - before[i].packets == (i == step->verdict))
			continue;
		printf("#   verdict %s is %sexpected\n", dataplane_verdict_name(i),
		       i == step->verdict ? "" : "not ");
		good = false;
	}
	if (action != step->action) {
		printf("#   action %u, expected %u\n", action, step->action);
		good = false;
	}
	return good & check_packet(step, &in, &out, "sent");
}

static bool step_sweep(const struct nat_world *world, const struct nat_step *step)
{
	int flows, returns;

	for (uint32_t table = LB_SWEEP_NAT_FLOWS; table < LB_SWEEP_TABLE_COUNT; table++) {
		struct lb_sweep sweep = {.table = table, .now = dataplane_tick()};

		if (dataplane_sweep(world->dp, &sweep))
			errx(1, "nat cases: sweeping");
	}
	flows = entries_count(world->flows[0], world, NULL) +
		entries_count(world->flows[1], world, NULL);
	returns = entries_count(world->returns[0], world, NULL) +
		  entries_count(world->returns[1], world, NULL);
	if (flows == step->n && returns == step->m)
		return true;
	printf("#   after the sweep: %d flows and %d returns, expected %d and %d\n", flows, returns,
	       step->n, step->m);
	return false;
}

static void step_status(const struct nat_world *world, int backend, uint32_t usable)
{
	__u64 *status = &dataplane_backends(world->dp)[backend].status;

	*status = status_of(backend, LB_STATUS_INCARNATION(*status) + !usable, usable);
}

static void ports_set(const struct nat_world *world, int first, int count)
{
	struct lb_control *control = dataplane_control(world->dp);

	control->host_ports_first = (uint16_t)first;
	control->host_ports_count = (uint16_t)count;
}

static bool step_run(const struct nat_world *world, const struct nat_step *step)
{
	switch (step->kind) {
	case NAT_STEP_PACKET:
		return step_packet(world, step) & check_usage(world);
	case NAT_STEP_SWEEP:
		return step_sweep(world, step) & check_usage(world);
	case NAT_STEP_AGE:
		for (int six = 0; six < 2; six++) {
			entries_age(world->flows[six], world, (uint32_t)step->n, true);
			entries_age(world->returns[six], world, (uint32_t)step->n, false);
		}
		return true;
	case NAT_STEP_DOWN:
	case NAT_STEP_UP:
		step_status(world, step->n, step->kind == NAT_STEP_UP ? LB_BACKEND_USABLE : 0);
		return true;
	case NAT_STEP_PORTS:
		ports_set(world, 1024 + step->n, 65536 - 1024 - step->n);
		return true;
	case NAT_STEP_OWNER:
		owner_set(world->dp, step->n, step->m);
		return true;
	default:
		errx(1, "nat cases: unknown step");
	}
}

static bool case_run(const struct nat_world *world, const struct nat_case *row)
{
	bool good = true;

	tables_clear(world);
	ports_set(world, NAT_HOST_PORTS_FIRST, NAT_HOST_PORTS_COUNT);
	for (int i = 1; i < NAT_BACKENDS; i++) {
		owner_set(world->dp, i, i);
		dataplane_backends(world->dp)[i].status =
			status_of(i, INCARNATION, LB_BACKEND_USABLE);
	}
	for (int i = 0; i < NAT_STEPS_MAX && row->steps[i].kind != NAT_STEP_END; i++) {
		if (step_run(world, &row->steps[i]))
			continue;
		printf("#   (step %d)\n", i + 1);
		good = false;
	}
	return good;
}

unsigned int nat_run(const char *pin_dir, bool first_only, bool *reached, unsigned int *number)
{
	struct nat_world world;
	unsigned int failed = 0;

	if (system("ip link add far index 7 type veth peer name peer"))
		errx(1, "nat cases: cannot make another interface");
	world_create(&world, pin_dir);
	for (size_t i = 0; i < nat_case_count && !(failed && first_only); i++) {
		bool good = case_run(&world, &nat_cases[i]);

		for (const struct nat_step *s = nat_cases[i].steps;
		     s < nat_cases[i].steps + NAT_STEPS_MAX && s->kind != NAT_STEP_END; s++)
			reached[s->verdict] |= s->kind == NAT_STEP_PACKET;
		failed += !good;
		printf("%sok %u - nat: %s\n", good ? "" : "not ", ++*number, nat_cases[i].name);
	}
	for (int six = 0; six < 2; six++) {
		close(world.flows[six]);
		close(world.returns[six]);
	}
	close(world.usage_fd);
	dataplane_close(world.dp);
	return failed;
}
