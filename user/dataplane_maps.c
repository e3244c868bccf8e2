/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_maps: reading and writing the maps of an open data plane, but for the flow tables
 * (dataplane_flows.c). Knows their shapes, not what their contents mean to the controller.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "dataplane_private.h"

/* ---- arrays in memory ---- */

static size_t mapped_size(size_t value_size, size_t count)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (value_size * count + page - 1) / page * page;
}

void *dataplane_array_map(int fd, size_t value_size, size_t count)
{
	void *memory = mmap(NULL, mapped_size(value_size, count), PROT_READ | PROT_WRITE,
			    MAP_SHARED, fd, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void dataplane_array_unmap(void *memory, size_t value_size, size_t count)
{
	if (memory)
		munmap(memory, mapped_size(value_size, count));
}

/* After the change itself: what the program looks up once it has seen this number is new. */
static void listeners_changed(struct dataplane *dp)
{
	__atomic_fetch_add(&dp->control->listener_changes, 1, __ATOMIC_SEQ_CST);
}

int dataplane_arrays_map(struct dataplane *dp)
{
	const struct lb_limits *l = &dp->settings.limits;

	dp->backends =
		dataplane_array_map(dp->fds[MAP_backends], sizeof(*dp->backends), l->backends + 1);
	dp->pools = dataplane_array_map(dp->fds[MAP_pools], sizeof(*dp->pools), l->services + 1);
	dp->new_flow_limits = dataplane_array_map(dp->fds[MAP_new_flow_limits],
						  sizeof(*dp->new_flow_limits), l->services + 1);
	dp->slots = dataplane_array_map(dp->fds[MAP_slots], sizeof(*dp->slots), l->slots);
	dp->control = dataplane_array_map(dp->fds[MAP_data_control], sizeof(*dp->control), 1);
	dp->slot_times =
		dataplane_array_map(dp->fds[MAP_slot_times], sizeof(*dp->slot_times), l->slots);
	dp->usage = dataplane_array_map(dp->fds[MAP_usage], sizeof(*dp->usage), 1);
	dp->nat_pressures = dataplane_array_map(dp->fds[MAP_nat_pressure],
						sizeof(*dp->nat_pressures), l->backends + 1);
	dp->probes = dataplane_array_map(dp->fds[MAP_probes], sizeof(*dp->probes), l->backends + 1);
	dp->counters =
		dataplane_array_map(dp->fds[MAP_counters], sizeof(*dp->counters), COUNTER_CELLS(l));
	dp->counters_carried = dataplane_array_map(dp->fds[MAP_counters_carried],
						   sizeof(*dp->counters_carried), l->counters);
	if (dp->backends && dp->pools && dp->slots && dp->control && dp->slot_times && dp->usage &&
	    dp->probes && dp->new_flow_limits && dp->nat_pressures && dp->counters &&
	    dp->counters_carried) {
		/* Whoever wrote a listener last may have been killed before it said so. */
		listeners_changed(dp);
		return 0;
	}
	dataplane_arrays_unmap(dp);
	return -ENOMEM;
}

void dataplane_arrays_unmap(struct dataplane *dp)
{
	const struct lb_limits *l = &dp->settings.limits;

	dataplane_array_unmap(dp->backends, sizeof(*dp->backends), l->backends + 1);
	dataplane_array_unmap(dp->pools, sizeof(*dp->pools), l->services + 1);
	dataplane_array_unmap(dp->new_flow_limits, sizeof(*dp->new_flow_limits), l->services + 1);
	dataplane_array_unmap(dp->slots, sizeof(*dp->slots), l->slots);
	dataplane_array_unmap(dp->control, sizeof(*dp->control), 1);
	dataplane_array_unmap(dp->slot_times, sizeof(*dp->slot_times), l->slots);
	dataplane_array_unmap(dp->usage, sizeof(*dp->usage), 1);
	dataplane_array_unmap(dp->nat_pressures, sizeof(*dp->nat_pressures), l->backends + 1);
	dataplane_array_unmap(dp->probes, sizeof(*dp->probes), l->backends + 1);
	dataplane_array_unmap(dp->counters, sizeof(*dp->counters), COUNTER_CELLS(l));
	dataplane_array_unmap(dp->counters_carried, sizeof(*dp->counters_carried), l->counters);
	dp->counters = NULL;
	dp->counters_carried = NULL;
	dp->probes = NULL;
	dp->new_flow_limits = NULL;
	dp->slot_times = NULL;
	dp->usage = NULL;
	dp->backends = NULL;
	dp->pools = NULL;
	dp->slots = NULL;
	dp->control = NULL;
}

struct lb_backend *dataplane_backends(struct dataplane *dp)
{
	return dp->backends;
}

struct lb_pool *dataplane_pools(struct dataplane *dp)
{
	return dp->pools;
}

struct lb_new_flow_limit *dataplane_new_flow_limits(struct dataplane *dp)
{
	return dp->new_flow_limits;
}

uint32_t *dataplane_slots(struct dataplane *dp)
{
	return dp->slots;
}

struct lb_control *dataplane_control(struct dataplane *dp)
{
	return dp->control;
}

struct lb_times *dataplane_slot_times(struct dataplane *dp)
{
	return dp->slot_times;
}

const struct lb_usage *dataplane_usage(struct dataplane *dp)
{
	return dp->usage;
}

struct lb_nat_pressure *dataplane_nat_pressures(struct dataplane *dp)
{
	return dp->nat_pressures;
}

int dataplane_wait_grace(struct dataplane *dp)
{
	(void)dp;
	/* Its global form is a synchronize_rcu(), which XDP programs run under. */
	return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0 ? -errno : 0;
}

/* ---- system calls with our kind of result ---- */

static int element_get(int fd, const void *key, void *value)
{
	return bpf_map_lookup_elem(fd, key, value) < 0 ? -errno : 0;
}

static int element_put(int fd, const void *key, const void *value)
{
	return bpf_map_update_elem(fd, key, value, BPF_ANY) < 0 ? -errno : 0;
}

static int element_del(int fd, const void *key)
{
	return bpf_map_delete_elem(fd, key) < 0 ? -errno : 0;
}

/* Calls `each` with every key. A key that is deleted meanwhile makes the kernel begin again at the
 * first one; nobody deletes while these small tables are walked. */
static int keys_walk(int fd, void *key, size_t key_size,
		     int (*each)(void *context, const void *key), void *context)
{
	char previous[64];
	const void *after = NULL;

	while (bpf_map_get_next_key(fd, after, key) == 0) {
		int err = each(context, key);

		if (err)
			return err;
		memcpy(previous, key, key_size);
		after = previous;
	}
	return errno == ENOENT ? 0 : -errno;
}

/* ---- attachments ---- */

int dataplane_attachment_put(struct dataplane *dp, uint32_t ifindex, const struct lb_attachment *a)
{
	return element_put(dp->fds[MAP_attachments], &ifindex, a);
}

int dataplane_attachment_del(struct dataplane *dp, uint32_t ifindex)
{
	return element_del(dp->fds[MAP_attachments], &ifindex);
}

struct attachments_read {
	int fd;
	uint32_t *ifindexes;
	struct lb_attachment *out;
	size_t max;
	int count;
};

static int attachment_read(void *context, const void *key)
{
	struct attachments_read *read = context;
	struct lb_attachment attachment;
	size_t at = (size_t)read->count;
	int err = element_get(read->fd, key, &attachment);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (at < read->max) {
		memcpy(&read->ifindexes[at], key, sizeof(*read->ifindexes));
		read->out[at] = attachment;
	}
	read->count++;
	return 0;
}

int dataplane_attachments(struct dataplane *dp, uint32_t *ifindexes, struct lb_attachment *out,
			  size_t max)
{
	struct attachments_read read = {dp->fds[MAP_attachments], ifindexes, out, max, 0};
	uint32_t key;
	int err = keys_walk(read.fd, &key, sizeof(key), attachment_read, &read);

	return err ? err : read.count;
}

/* ---- services ---- */

union service_key {
	struct lb_service_key_v4 v4;
	struct lb_service_key_v6 v6;
};

static int service_key_fill(struct dataplane *dp, const struct addr *vip, uint8_t proto,
			    const struct port_block *block, union service_key *key)
{
	memset(key, 0, sizeof(*key));
	if (vip->family == 4) {
		key->v4 = (struct lb_service_key_v4){vip->ip.v4, htons(block->port), proto,
						     block->bits};
		return dp->fds[MAP_services_v4];
	}
	key->v6 = (struct lb_service_key_v6){vip->ip, htons(block->port), proto, block->bits};
	return dp->fds[MAP_services_v6];
}

int dataplane_listener_put(struct dataplane *dp, const struct addr *vip, uint8_t proto,
			   const struct port_block *block, const struct lb_service *service)
{
	union service_key key;
	int fd = service_key_fill(dp, vip, proto, block, &key);
	int err = element_put(fd, &key, service);

	listeners_changed(dp);
	return err;
}

int dataplane_listener_del(struct dataplane *dp, const struct addr *vip, uint8_t proto,
			   const struct port_block *block)
{
	union service_key key;
	int fd = service_key_fill(dp, vip, proto, block, &key);
	int err = element_del(fd, &key);

	listeners_changed(dp);
	return err;
}

struct listeners_walk {
	int fd;
	dataplane_listener_each each;
	void *context;
};

static void listener_tell(const struct listeners_walk *walk, const struct addr *vip, uint8_t proto,
			  __be16 port, uint8_t bits, const struct lb_service *service)
{
	struct port_block block = {ntohs(port), bits};

	walk->each(walk->context, vip, proto, &block, service);
}

static int listener_v4(void *context, const void *key)
{
	const struct listeners_walk *walk = context;
	const struct lb_service_key_v4 *k = key;
	struct addr vip = {.family = 4, .ip.v4 = k->vip};
	struct lb_service service;
	int err = element_get(walk->fd, key, &service);

	if (!err)
		listener_tell(walk, &vip, k->proto, k->port, k->block_bits, &service);
	return err == -ENOENT ? 0 : err;
}

static int listener_v6(void *context, const void *key)
{
	const struct listeners_walk *walk = context;
	const struct lb_service_key_v6 *k = key;
	struct addr vip = {.family = 6, .ip = k->vip};
	struct lb_service service;
	int err = element_get(walk->fd, key, &service);

	if (!err)
		listener_tell(walk, &vip, k->proto, k->port, k->block_bits, &service);
	return err == -ENOENT ? 0 : err;
}

int dataplane_listeners(struct dataplane *dp, dataplane_listener_each each, void *context)
{
	struct listeners_walk walk = {dp->fds[MAP_services_v4], each, context};
	union service_key key;
	int err = keys_walk(walk.fd, &key, sizeof(key.v4), listener_v4, &walk);

	if (err)
		return err;
	walk.fd = dp->fds[MAP_services_v6];
	return keys_walk(walk.fd, &key, sizeof(key.v6), listener_v6, &walk);
}

int dataplane_vip_put(struct dataplane *dp, const struct addr *vip, const struct lb_vip *value)
{
	const struct lb_vip_key key = {vip->ip, vip->family};

	return element_put(dp->fds[MAP_vips], &key, value);
}

int dataplane_vip_del(struct dataplane *dp, const struct addr *vip)
{
	const struct lb_vip_key key = {vip->ip, vip->family};

	return element_del(dp->fds[MAP_vips], &key);
}

struct vips_walk {
	dataplane_vip_each each;
	void *context;
};

static int vip_tell(void *context, const void *key)
{
	const struct vips_walk *walk = context;
	const struct lb_vip_key *k = key;
	struct addr vip = {.family = (uint8_t)k->family, .ip = k->addr};

	walk->each(walk->context, &vip);
	return 0;
}

int dataplane_vips(struct dataplane *dp, dataplane_vip_each each, void *context)
{
	struct vips_walk walk = {each, context};
	struct lb_vip_key key;

	return keys_walk(dp->fds[MAP_vips], &key, sizeof(key), vip_tell, &walk);
}

/* ---- allow and deny lists ---- */

union source_key {
	struct lb_source_key_v4 v4;
	struct lb_source_key_v6 v6;
};

static int source_key_fill(struct dataplane *dp, uint32_t service, const struct prefix *prefix,
			   union source_key *key)
{
	memset(key, 0, sizeof(*key));
	if (prefix->addr.family == 4) {
		key->v4 = (struct lb_source_key_v4){LB_SOURCE_LENGTH(prefix->length), service,
						    prefix->addr.ip.v4};
		return dp->fds[MAP_sources_v4];
	}
	key->v6 = (struct lb_source_key_v6){LB_SOURCE_LENGTH(prefix->length), service,
					    prefix->addr.ip};
	return dp->fds[MAP_sources_v6];
}

int dataplane_source_put(struct dataplane *dp, uint32_t service, const struct prefix *prefix,
			 bool allow)
{
	const uint32_t rule = allow ? LB_SOURCE_ALLOW : LB_SOURCE_DENY;
	union source_key key;
	int fd = source_key_fill(dp, service, prefix, &key);

	return element_put(fd, &key, &rule);
}

int dataplane_source_del(struct dataplane *dp, uint32_t service, const struct prefix *prefix)
{
	union source_key key;
	int fd = source_key_fill(dp, service, prefix, &key);

	return element_del(fd, &key);
}

struct sources_walk {
	int fd;
	uint8_t family;
	dataplane_source_each each;
	void *context;
};

static int source_tell(void *context, const void *key)
{
	const struct sources_walk *walk = context;
	const struct lb_source_key_v4 *k4 = key;
	const struct lb_source_key_v6 *k6 = key;
	struct prefix prefix = {.addr.family = walk->family};
	uint32_t rule;
	int err = element_get(walk->fd, key, &rule);

	if (err)
		return err == -ENOENT ? 0 : err;
	prefix.length = (uint8_t)(k4->prefix_length - LB_SOURCE_LENGTH(0));
	if (walk->family == 4)
		prefix.addr.ip.v4 = k4->address;
	else
		prefix.addr.ip = k6->address;
	return walk->each(walk->context, k4->service, &prefix, rule == LB_SOURCE_ALLOW);
}

int dataplane_sources(struct dataplane *dp, dataplane_source_each each, void *context)
{
	struct sources_walk walk = {dp->fds[MAP_sources_v4], 4, each, context};
	union source_key key;
	int err = keys_walk(walk.fd, &key, sizeof(key.v4), source_tell, &walk);

	if (err)
		return err;
	walk.fd = dp->fds[MAP_sources_v6];
	walk.family = 6;
	return keys_walk(walk.fd, &key, sizeof(key.v6), source_tell, &walk);
}

/* ---- identities ---- */

int dataplane_pool_identity(struct dataplane *dp, uint32_t index, struct lb_pool_identity *out)
{
	return element_get(dp->fds[MAP_pool_identities], &index, out);
}

int dataplane_pool_identity_put(struct dataplane *dp, uint32_t index,
				const struct lb_pool_identity *in)
{
	return element_put(dp->fds[MAP_pool_identities], &index, in);
}

int dataplane_service_identity(struct dataplane *dp, uint32_t index,
			       struct lb_service_identity *out)
{
	return element_get(dp->fds[MAP_service_identities], &index, out);
}

int dataplane_service_identity_put(struct dataplane *dp, uint32_t index,
				   const struct lb_service_identity *in)
{
	return element_put(dp->fds[MAP_service_identities], &index, in);
}

int dataplane_backend_identity(struct dataplane *dp, uint32_t index,
			       struct lb_backend_identity *out)
{
	return element_get(dp->fds[MAP_backend_identities], &index, out);
}

int dataplane_backend_identity_put(struct dataplane *dp, uint32_t index,
				   const struct lb_backend_identity *in)
{
	return element_put(dp->fds[MAP_backend_identities], &index, in);
}
