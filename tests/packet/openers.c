/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* openers: see openers.h. */
#include "openers.h"

#include <bpf/bpf.h>
#include <err.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int openers = -1;

void openers_open(const char *pin_dir)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/openers", pin_dir);
	openers = bpf_obj_get(path);
	if (openers < 0)
		err(1, "opening %s", path);
}

void openers_close(void)
{
	close(openers);
	openers = -1;
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* By /24 and /64, as world.c has them. */
static struct lb_opener_key key_of(const struct subject *subject)
{
	struct lb_opener_key key = {.service = subject->service};
	struct addr source;

	if (addr_parse(subject->src, &source, NULL))
		errx(1, "bad source %s", subject->src);
	key.family = source.family;
	key.source = addr_mask(&source, source.family == 4 ? 24 : 64).ip;
	return key;
}

void openers_prepare(const struct packet_case *row, const struct subject *subject)
{
	struct lb_opener_key key;
	uint64_t full_at;

	while (!bpf_map_get_next_key(openers, NULL, &key))
		if (bpf_map_delete_elem(openers, &key))
			err(1, "emptying openers");
	if (!row->opened[0])
		return;
	key = key_of(subject);
	full_at = clock_ns() + (uint64_t)row->opened[0] * WORLD_FLOW_NS;
	if (bpf_map_update_elem(openers, &key, &full_at, BPF_ANY))
		err(1, "writing openers");
}

/* How many buckets there are; one of them in `key` and `full_at`. */
static int openers_read(struct lb_opener_key *key, uint64_t *full_at)
{
	const struct lb_opener_key *last = NULL;
	int count = 0;

	while (!bpf_map_get_next_key(openers, last, key)) {
		if (bpf_map_lookup_elem(openers, key, full_at))
			err(1, "reading openers");
		last = key;
		count++;
	}
	return count;
}

bool openers_check(const struct subject *subject, int opened, const char *what)
{
	struct lb_opener_key key, wanted;
	uint64_t full_at = 0, now = clock_ns();
	int count = openers_read(&key, &full_at), found;

	if (!count && !opened)
		return true;
	wanted = opened ? key_of(subject) : (struct lb_opener_key){0};
	found = (int)((full_at - now + WORLD_FLOW_NS / 2) / WORLD_FLOW_NS);
	if (count == 1 && found == opened && !memcmp(&key, &wanted, sizeof(key)))
		return true;
	printf("#   %s: %d buckets, the last of which counts %d new flows\n", what, count, found);
	return false;
}
