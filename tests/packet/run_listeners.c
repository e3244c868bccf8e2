/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* run_listeners: see run_listeners.h. */
#include "run_listeners.h"

#include <bpf/bpf.h>
#include <err.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

#include "builder.h"
#include "world.h"

/* Where nobody else in the world listens. */
#define VIP4 "192.0.2.250"
#define VIP6 "2001:db8::250"
enum { PORT = 1234 };

static const struct port_block exact = {.port = PORT}, any = {.bits = 16};

static const struct layer segment4[PACKET_LAYERS_MAX] = {ETH(), IP4("198.51.100.7", VIP4),
							 TCP(4000, PORT, .flags = ACK)};
static const struct layer segment6[PACKET_LAYERS_MAX] = {ETH(), IP6("2001:db8:c::7", VIP6),
							 TCP(4000, PORT, .flags = ACK)};

struct scene {
	struct dataplane *dp;
	const char *pin_dir;
	struct addr vip;
};

/* ---- what is done to them ---- */

static void put(struct scene *scene, const struct port_block *block, uint32_t index)
{
	const struct lb_service service = {
		.index = index, .pool = index, .counter_base = world_counter(index, NOBODY)};

	if (dataplane_listener_put(scene->dp, &scene->vip, IPPROTO_TCP, block, &service))
		errx(1, "listeners: putting one");
}

static void del(struct scene *scene, const struct port_block *block)
{
	if (dataplane_listener_del(scene->dp, &scene->vip, IPPROTO_TCP, block))
		errx(1, "listeners: deleting one");
}

static void exact_comes(struct scene *scene)
{
	put(scene, &exact, S_L2);
}

static void exact_changes(struct scene *scene)
{
	put(scene, &exact, S_ALL_DOWN);
}

static void exact_goes(struct scene *scene)
{
	del(scene, &exact);
}

static void any_comes(struct scene *scene)
{
	put(scene, &any, S_L2);
}

static void any_goes(struct scene *scene)
{
	del(scene, &any);
}

static void widths_go(struct scene *scene)
{
	dataplane_control(scene->dp)->port_blocks &= 1;
}

static void widths_come(struct scene *scene)
{
	dataplane_control(scene->dp)->port_blocks |= 1U << any.bits;
}

/* As if a controller was killed in between, and another one begins. */
static void exact_goes_unsaid(struct scene *scene)
{
	bool four = scene->vip.family == 4;
	const struct lb_service_key_v4 v4 = {scene->vip.ip.v4, htons(PORT), IPPROTO_TCP, 0};
	const struct lb_service_key_v6 v6 = {scene->vip.ip, htons(PORT), IPPROTO_TCP, 0};
	struct fault fault;
	struct dataplane *next;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/services_%s", scene->pin_dir, four ? "v4" : "v6");
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_map_delete_elem(fd, four ? (const void *)&v4 : &v6))
		err(1, "listeners: %s", path);
	close(fd);
	next = dataplane_open(scene->pin_dir, false, &fault);
	if (!next)
		errx(1, "listeners: %s", fault.message);
	dataplane_close(next);
}

/* ---- what becomes of packets ---- */

static const struct step {
	const char *name;
	void (*does)(struct scene *scene);
	uint32_t action;
} steps[] = {
	{"nobody listens", widths_come, XDP_PASS},
	{"somebody does", exact_comes, XDP_TX},
	{"another service in its place", exact_changes, XDP_DROP},
	{"it goes", exact_goes, XDP_PASS},
	{"one for any port", any_comes, XDP_TX},
	{"no wide listener is said to be anywhere", widths_go, XDP_PASS},
	{"one is again", widths_come, XDP_TX},
	{"one for this port beside it", exact_changes, XDP_DROP},
	{"that goes", exact_goes, XDP_TX},
	{"the other goes, too", any_goes, XDP_PASS},
	{"one comes back", exact_comes, XDP_TX},
	{"it goes, and who took it away was killed", exact_goes_unsaid, XDP_PASS},
};

static uint32_t send_one(const struct scene *scene)
{
	uint8_t out[PACKET_SIZE_MAX];
	struct packet in;
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = in.bytes, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);

	packet_build(scene->vip.family == 4 ? segment4 : segment6, &in);
	run.data_size_in = (uint32_t)in.size;
	if (bpf_prog_test_run_opts(dataplane_program_fd(scene->dp), &run))
		err(1, "listeners: running the program");
	return run.retval;
}

unsigned int listeners_run(struct dataplane *dp, const char *pin_dir, unsigned int *number)
{
	unsigned int failed = 0;

	for (uint8_t family = 4; family <= 6; family += 2) {
		struct scene scene = {.dp = dp, .pin_dir = pin_dir};

		addr_parse(family == 4 ? VIP4 : VIP6, &scene.vip, NULL);
		for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
			uint32_t first, second;
			bool good;

			steps[i].does(&scene);
			first = send_one(&scene);
			second = send_one(&scene); /* by what was remembered */
			good = first == steps[i].action && second == steps[i].action;
			failed += !good;
			printf("%sok %u - listeners: IPv%u: %s\n", good ? "" : "not ", ++*number,
			       family, steps[i].name);
			if (!good)
				printf("# actions %u and %u, not %u\n", first, second,
				       steps[i].action);
		}
	}
	return failed;
}
