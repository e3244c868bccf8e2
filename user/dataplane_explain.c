/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_explain: asks the program itself what it would do with a packet. Two copies of it are
 * there for that: one on the maps of the data plane, and one with arrays of its own in place of
 * those that say which backend is whose, to be filled with what is supposed.
 *
 * The verifier takes some 0.1 s for each, which a thread can spend before anybody asks.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane_log.h"
#include "dataplane_private.h"
#include "lb.skel.h"

/* A copy, and its own arrays in memory; NULL: it uses those of the data plane. */
struct explainer {
	struct dataplane *dp;
	struct lb_bpf *copy; /* NULL: not made */
	bool loaded;
	struct lb_pool *pools;
	struct lb_backend *backends;
	struct lb_slot_block *slots;
	struct lb_times *times;
	uint32_t slot_count;
};

struct explainers {
	struct explainer plain, supposing;
	pthread_t thread;
	bool loading; /* the thread has them */
};

/* ---- making them ---- */

static uint32_t block_count(uint32_t slots)
{
	return slots / LB_SLOT_BLOCK + 1;
}

static void explainer_drop(struct explainer *explainer)
{
	const struct lb_limits *limits = &explainer->dp->settings.limits;

	dataplane_array_unmap(explainer->pools, sizeof(*explainer->pools), limits->services + 1UL);
	dataplane_array_unmap(explainer->backends, sizeof(*explainer->backends),
			      limits->backends + 1UL);
	dataplane_array_unmap(explainer->slots, sizeof(*explainer->slots),
			      block_count(explainer->slot_count));
	dataplane_array_unmap(explainer->times, sizeof(*explainer->times), explainer->slot_count);
	dataplane_copy_free(explainer->copy);
	*explainer = (struct explainer){.dp = explainer->dp};
}

/* Has the copy use an array of its own. NULL with errno set. */
static void *own_array(struct bpf_map *map, size_t value_size, size_t count)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, bpf_map__name(map), sizeof(uint32_t),
				(uint32_t)value_size, (uint32_t)count, &options);
	void *memory = fd < 0 ? NULL : dataplane_array_map(fd, value_size, count);

	if (memory && bpf_map__reuse_fd(map, fd)) {
		dataplane_array_unmap(memory, value_size, count);
		memory = NULL;
	}
	if (fd >= 0)
		close(fd);
	return memory;
}

static int own_arrays(struct explainer *explainer, uint32_t slot_count)
{
	const struct lb_limits *limits = &explainer->dp->settings.limits;
	struct lb_bpf *copy = explainer->copy;

	explainer->slot_count = slot_count;
	explainer->pools =
		own_array(copy->maps.pools, sizeof(*explainer->pools), limits->services + 1UL);
	if (explainer->pools)
		explainer->backends = own_array(copy->maps.backends, sizeof(*explainer->backends),
						limits->backends + 1UL);
	if (explainer->backends)
		explainer->slots = own_array(copy->maps.slots, sizeof(*explainer->slots),
					     block_count(slot_count));
	if (explainer->slots)
		explainer->times =
			own_array(copy->maps.slot_times, sizeof(*explainer->times), slot_count);
	return explainer->times ? 0 : -errno;
}

/* Not loaded yet. `own_slots`: of its own table; 0: it has no arrays of its own. */
static int explainer_open(struct explainer *explainer, uint32_t own_slots, struct fault *fault)
{
	struct dataplane *dp = explainer->dp;
	int err;

	explainer->copy = dataplane_copy_open(dp, true, fault);
	if (!explainer->copy)
		return -1;
	err = own_slots ? own_arrays(explainer, own_slots) : 0;
	if (!err)
		return 0;
	explainer_drop(explainer);
	return fault_set(fault, fault_code_of_errno(-err), "%s: making a table to suppose: %s",
			 dp->pin_dir, strerror(-err));
}

static int explainer_load(struct explainer *explainer, struct fault *fault)
{
	if (dataplane_copy_load(explainer->dp, explainer->copy, fault))
		return -1;
	explainer->loaded = true;
	return 0;
}

static struct explainers *explainers_get(struct dataplane *dp)
{
	if (dp->explainers)
		return dp->explainers;
	dp->explainers = calloc(1, sizeof(*dp->explainers));
	if (dp->explainers)
		dp->explainers->plain.dp = dp->explainers->supposing.dp = dp;
	return dp->explainers;
}

/* What could not be loaded is tried again, and told, when it is asked. */
static void *load_thread(void *context)
{
	struct explainers *explainers = context;
	struct fault fault;

	if (explainers->plain.copy)
		explainer_load(&explainers->plain, &fault);
	if (explainers->supposing.copy)
		explainer_load(&explainers->supposing, &fault);
	dataplane_log_end();
	return NULL;
}

static uint32_t largest_table(const struct dataplane *dp)
{
	uint32_t largest = 1;

	for (uint32_t i = 1; i <= dp->settings.limits.services; i++) {
		uint32_t size = LB_TABLE_SIZE(dp->pools[i].table);

		largest = size > largest ? size : largest;
	}
	return largest;
}

void dataplane_explain_prepare(struct dataplane *dp)
{
	struct explainers *explainers = explainers_get(dp);
	struct fault fault;

	if (!explainers || explainers->loading || explainers->plain.copy)
		return;
	/* What there is of `dp` to read is read here. */
	explainer_open(&explainers->plain, 0, &fault);
	explainer_open(&explainers->supposing, largest_table(dp), &fault);
	explainers->loading =
		pthread_create(&explainers->thread, NULL, load_thread, explainers) == 0;
}

static void loading_end(struct explainers *explainers)
{
	if (explainers->loading)
		pthread_join(explainers->thread, NULL);
	explainers->loading = false;
}

void dataplane_explainers_free(struct dataplane *dp)
{
	if (!dp->explainers)
		return;
	loading_end(dp->explainers);
	explainer_drop(&dp->explainers->plain);
	explainer_drop(&dp->explainers->supposing);
	free(dp->explainers);
	dp->explainers = NULL;
}

static int explainer_ready(struct explainer *explainer, uint32_t own_slots, struct fault *fault)
{
	if (explainer->loaded && own_slots <= explainer->slot_count)
		return 0;
	explainer_drop(explainer);
	if (explainer_open(explainer, own_slots, fault) == 0 &&
	    explainer_load(explainer, fault) == 0)
		return 0;
	explainer_drop(explainer);
	return -1;
}

/* ---- asking ---- */

/* As dataplane_explain, on this copy of the program. */
static int explain(struct dataplane *dp, struct lb_bpf *copy, const void *frame, size_t size,
		   uint32_t ifindex, struct lb_explanation *explanation, void *out,
		   size_t *out_size, struct fault *fault)
{
	struct xdp_md context = {.data_end = (uint32_t)size, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)size,
		    .repeat = 1);
	const uint32_t zero = 0;
	int map = bpf_map__fd(copy->maps.explanation), err;

	memset(explanation, 0, sizeof(*explanation));
	bpf_map_update_elem(map, &zero, explanation, BPF_ANY);
	if (ifindex) {
		run.ctx_in = &context;
		run.ctx_size_in = sizeof(context);
	}
	if (out) {
		run.data_out = out;
		run.data_size_out = (uint32_t)*out_size;
	}
	err = -bpf_prog_test_run_opts(bpf_program__fd(copy->progs.limpet), &run);
	/* ENOSPC: it ran, and `out` got what fits. */
	if (err && err != ENOSPC)
		return fault_set(fault, fault_code_of_errno(err),
				 "%s: running the packet program on a packet of %zu bytes: %s",
				 dp->pin_dir, size, strerror(err));
	if (out)
		*out_size = run.data_size_out;
	if (bpf_map_lookup_elem(map, &zero, explanation))
		return fault_set(fault, FAULT_FAILED, "%s: reading the explanation: %s",
				 dp->pin_dir, strerror(errno));
	return 0;
}

/* The pool's table is the only one there is. */
static void arrays_fill(struct explainer *explainer, const struct dataplane_supposed *supposed)
{
	const struct dataplane *dp = explainer->dp;
	const struct lb_limits *limits = &dp->settings.limits;
	struct lb_pool *pool = &explainer->pools[supposed->pool];

	memcpy(explainer->pools, dp->pools, (limits->services + 1UL) * sizeof(*dp->pools));
	pool->table = LB_TABLE(0, supposed->size);
	pool->times_base = 0;
	pool->flags |= LB_POOL_UNSETTLED;
	memcpy(explainer->backends, dp->backends, (limits->backends + 1UL) * sizeof(*dp->backends));
	for (uint32_t i = 0; i <= limits->backends; i++)
		explainer->backends[i].status = supposed->statuses[i];
	memcpy(explainer->slots, supposed->words, supposed->size * sizeof(*supposed->words));
	memcpy(explainer->times, supposed->times, supposed->size * sizeof(*supposed->times));
}

/* The one to be asked, ready; NULL with `fault` set. `supposed`: NULL for the plain one. */
static struct lb_bpf *copy_ready(struct dataplane *dp, const struct dataplane_supposed *supposed,
				 struct fault *fault)
{
	struct explainers *explainers = explainers_get(dp);
	struct explainer *explainer;

	if (!explainers) {
		fault_set(fault, FAULT_FAILED, "%s: asking the packet program: out of memory",
			  dp->pin_dir);
		return NULL;
	}
	loading_end(explainers);
	explainer = supposed ? &explainers->supposing : &explainers->plain;
	if (explainer_ready(explainer, supposed ? supposed->size : 0, fault))
		return NULL;
	if (supposed)
		arrays_fill(explainer, supposed);
	return explainer->copy;
}

int dataplane_explain(struct dataplane *dp, const void *frame, size_t size, uint32_t ifindex,
		      struct lb_explanation *explanation, void *out, size_t *out_size,
		      struct fault *fault)
{
	struct lb_bpf *copy = copy_ready(dp, NULL, fault);

	return copy ? explain(dp, copy, frame, size, ifindex, explanation, out, out_size, fault)
		    : -1;
}

int dataplane_explain_supposed(struct dataplane *dp, const struct dataplane_supposed *supposed,
			       const void *frame, size_t size, uint32_t ifindex,
			       struct lb_explanation *explanation, void *out, size_t *out_size,
			       struct fault *fault)
{
	struct lb_bpf *copy = copy_ready(dp, supposed, fault);

	return copy ? explain(dp, copy, frame, size, ifindex, explanation, out, out_size, fault)
		    : -1;
}

int dataplane_program_jited(const struct dataplane *dp)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);
	char path[DATAPLANE_PATH_SIZE];
	int fd, err;

	if (dataplane_pin_path(path, dp->pin_dir, DATAPLANE_PROGRAM_PIN))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	err = bpf_obj_get_info_by_fd(fd, &info, &size) ? -errno : 0;
	close(fd);
	return err ? err : info.jited_prog_len > 0;
}
