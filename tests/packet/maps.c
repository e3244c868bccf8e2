/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* maps: see maps.h. */
#include "maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <err.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *const names[MAP_TABLES][2] = {
	[MAP_BIRTHS] = {"births_v4", "births_v6"},
	[MAP_FLOWS] = {"flows_v4", "flows_v6"},
	[MAP_CLIENTS] = {"clients_v4", "clients_v6"},
};

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

void maps_open(struct maps *maps, struct dataplane *dp, const char *pin_dir)
{
	maps->dp = dp;
	for (int t = 0; t < MAP_TABLES; t++)
		for (int six = 0; six < 2; six++)
			maps->fds[t][six] = pin_open(pin_dir, names[t][six]);
	maps->usage_fd = pin_open(pin_dir, "usage");
	maps->fragments_fd = pin_open(pin_dir, "fragments");
	maps->bucket_fd = pin_open(pin_dir, "error_bucket");
}

void maps_close(struct maps *maps)
{
	for (int t = 0; t < MAP_TABLES; t++)
		for (int six = 0; six < 2; six++)
			close(maps->fds[t][six]);
	close(maps->usage_fd);
	close(maps->fragments_fd);
	close(maps->bucket_fd);
}

void maps_clear(const struct maps *maps)
{
	struct lb_fragment_key fragment;
	union map_key key;

	for (int t = 0; t < MAP_TABLES; t++)
		for (int six = 0; six < 2; six++)
			while (!bpf_map_get_next_key(maps->fds[t][six], NULL, &key))
				if (bpf_map_delete_elem(maps->fds[t][six], &key))
					err(1, "emptying %s", names[t][six]);
	while (!bpf_map_get_next_key(maps->fragments_fd, NULL, &fragment))
		if (bpf_map_delete_elem(maps->fragments_fd, &fragment))
			err(1, "emptying fragments");
}

void maps_fragment_put(const struct maps *maps, const struct lb_fragment_key *key,
		       const struct lb_fragment *value)
{
	if (bpf_map_update_elem(maps->fragments_fd, key, value, BPF_NOEXIST))
		err(1, "making an entry in fragments");
}

void maps_fragments_walk(const struct maps *maps, maps_each_fragment each, void *context)
{
	struct lb_fragment_key key, *last = NULL;
	struct lb_fragment value;

	while (!bpf_map_get_next_key(maps->fragments_fd, last, &key)) {
		if (bpf_map_lookup_elem(maps->fragments_fd, &key, &value))
			err(1, "reading fragments");
		each(context, &key, &value);
		last = &key;
	}
}

void maps_put(const struct maps *maps, enum map_table table, bool six, const union map_key *key,
	      const union map_value *value)
{
	if (bpf_map_update_elem(maps->fds[table][six], key, value, BPF_NOEXIST))
		err(1, "making an entry in %s", names[table][six]);
}

void maps_walk(const struct maps *maps, maps_each each, void *context)
{
	for (int t = 0; t < MAP_TABLES; t++) {
		for (int six = 0; six < 2; six++) {
			union map_key key, *last = NULL;
			union map_value value;

			while (!bpf_map_get_next_key(maps->fds[t][six], last, &key)) {
				if (bpf_map_lookup_elem(maps->fds[t][six], &key, &value))
					err(1, "reading %s", names[t][six]);
				each(context, t, six, &key, &value);
				last = &key;
			}
		}
	}
}

static void count_entry(void *context, enum map_table table, bool six, const union map_key *key,
			const union map_value *value)
{
	struct lb_usage *use = context;
	bool udp = (six ? key->flow_v6.proto : key->flow_v4.proto) == IPPROTO_UDP;

	switch (table) {
	case MAP_BIRTHS:
		use->count[udp ? LB_QUOTA_UDP : LB_QUOTA_TCP]++;
		use->count[udp ? LB_QUOTA_UDP_BIRTHS : LB_QUOTA_TCP_BIRTHS]++;
		break;
	case MAP_FLOWS:
		use->count[udp ? LB_QUOTA_UDP : LB_QUOTA_TCP]++;
		if (value->flow.flags & LB_FLOW_RECORDED)
			use->count[LB_QUOTA_TCP_RECORDED]++;
		break;
	default:
		use->count[LB_QUOTA_CLIENTS]++;
		if (!value->client.known)
			use->count[LB_QUOTA_CLIENTS_NEW]++;
	}
}

struct lb_usage maps_count(const struct maps *maps)
{
	struct lb_usage use = {0};

	maps_walk(maps, count_entry, &use);
	return use;
}

void maps_usage_put(const struct maps *maps, const struct lb_usage *use)
{
	const uint32_t zero = 0;

	if (bpf_map_update_elem(maps->usage_fd, &zero, use, BPF_ANY))
		err(1, "writing usage");
}

/* ---- the buckets of all CPUs: the same in each ---- */

static struct lb_bucket *buckets(int *count)
{
	struct lb_bucket *all;

	*count = libbpf_num_possible_cpus();
	all = *count > 0 ? calloc((size_t)*count, sizeof(*all)) : NULL;
	if (!all)
		err(1, "counting CPUs");
	return all;
}

void maps_bucket_put(const struct maps *maps, uint32_t tokens, int age_s)
{
	struct timespec now;
	uint32_t zero = 0;
	int count;
	struct lb_bucket *all = buckets(&count);

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (int i = 0; i < count; i++) {
		all[i].tokens = tokens;
		all[i].filled_ns = (uint64_t)(now.tv_sec - age_s) * 1000000000;
	}
	if (bpf_map_update_elem(maps->bucket_fd, &zero, all, BPF_ANY))
		err(1, "filling error_bucket");
	free(all);
}

uint32_t maps_bucket_tokens(const struct maps *maps)
{
	uint32_t zero = 0, sum = 0;
	int count;
	struct lb_bucket *all = buckets(&count);

	if (bpf_map_lookup_elem(maps->bucket_fd, &zero, all))
		err(1, "reading error_bucket");
	for (int i = 0; i < count; i++)
		sum += all[i].tokens;
	free(all);
	return sum;
}
