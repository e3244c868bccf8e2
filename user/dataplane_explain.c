/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_explain: asks the program itself what it would do with a packet, and names verdicts.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane_private.h"
#include "lb.skel.h"

static const struct {
	const char *name;
	const char *text;
} verdicts[LB_VERDICT_COUNT] = {[LB_CONTINUE] = {"CONTINUE", "not decided"},
#define VERDICT(name, action, text) [LB_##name] = {#name, text},
				LB_VERDICTS(VERDICT)
#undef VERDICT
};

static const struct {
	const char *name;
	const char *text;
} note_words[LB_NOTE_COUNT] = {
#define NOTE(name, text) [LB_NOTE_##name] = {#name, text},
	LB_NOTES(NOTE)
#undef NOTE
};

static const char *lower(const char *upper, char out[32])
{
	for (size_t i = 0; upper[i] && i < 31; i++)
		out[i] = (char)tolower((unsigned char)upper[i]);
	return out;
}

const char *dataplane_verdict_name(uint32_t verdict)
{
	static char names[LB_VERDICT_COUNT][32];

	return verdict < LB_VERDICT_COUNT ? lower(verdicts[verdict].name, names[verdict])
					  : "unknown";
}

const char *dataplane_note_name(enum lb_note note)
{
	static char names[LB_NOTE_COUNT][32];

	return lower(note_words[note].name, names[note]);
}

const char *dataplane_note_text(enum lb_note note)
{
	return note_words[note].text;
}

const char *dataplane_verdict_text(uint32_t verdict)
{
	return verdict < LB_VERDICT_COUNT ? verdicts[verdict].text : "a verdict of another version";
}

static int explainer_ready(struct dataplane *dp, struct fault *fault)
{
	if (dp->explainer)
		return 0;
	dp->explainer = dataplane_copy_open(dp, true, fault);
	if (!dp->explainer)
		return -1;
	if (!dataplane_copy_load(dp, dp->explainer, fault))
		return 0;
	dataplane_copy_free(dp->explainer);
	dp->explainer = NULL;
	return -1;
}

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

int dataplane_explain(struct dataplane *dp, const void *frame, size_t size, uint32_t ifindex,
		      struct lb_explanation *explanation, void *out, size_t *out_size,
		      struct fault *fault)
{
	if (explainer_ready(dp, fault))
		return -1;
	return explain(dp, dp->explainer, frame, size, ifindex, explanation, out, out_size, fault);
}

/* ---- on maps that say what is supposed ---- */

/* Has the copy use an array of its own, filled with the first `size` bytes of `values`. 0 or a
 * negative errno. */
static int own_array(struct bpf_map *map, size_t value_size, size_t count, const void *values,
		     size_t size)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, bpf_map__name(map), sizeof(uint32_t),
				(uint32_t)value_size, (uint32_t)count, &options);
	void *memory = fd < 0 ? NULL : dataplane_array_map(fd, value_size, count);
	int err = memory ? 0 : -errno;

	if (memory)
		memcpy(memory, values, size);
	dataplane_array_unmap(memory, value_size, count);
	if (!err)
		err = bpf_map__reuse_fd(map, fd);
	if (fd >= 0)
		close(fd);
	return err;
}

static int own_pools(struct dataplane *dp, struct lb_bpf *copy,
		     const struct dataplane_supposed *supposed)
{
	const size_t count = dp->settings.limits.services + 1UL, size = count * sizeof(*dp->pools);
	struct lb_pool *pools = malloc(size), *pool;
	int err = -ENOMEM;

	if (pools) {
		memcpy(pools, dp->pools, size);
		pool = &pools[supposed->pool];
		pool->table = LB_TABLE(0, supposed->size);
		pool->times_base = 0;
		pool->flags |= LB_POOL_UNSETTLED;
		err = own_array(copy->maps.pools, sizeof(*pools), count, pools, size);
	}
	free(pools);
	return err;
}

static int own_backends(struct dataplane *dp, struct lb_bpf *copy,
			const struct dataplane_supposed *supposed)
{
	const size_t count = dp->settings.limits.backends + 1UL;
	const size_t size = count * sizeof(*dp->backends);
	struct lb_backend *backends = malloc(size);
	int err = -ENOMEM;

	if (backends) {
		memcpy(backends, dp->backends, size);
		for (size_t i = 0; i < count; i++)
			backends[i].status = supposed->statuses[i];
		err = own_array(copy->maps.backends, sizeof(*backends), count, backends, size);
	}
	free(backends);
	return err;
}

static int own_arrays(struct dataplane *dp, struct lb_bpf *copy,
		      const struct dataplane_supposed *supposed)
{
	const size_t size = supposed->size;
	int err = own_pools(dp, copy, supposed);

	if (!err)
		err = own_backends(dp, copy, supposed);
	if (!err)
		err = own_array(copy->maps.slots, sizeof(struct lb_slot_block),
				size / LB_SLOT_BLOCK + 1, supposed->words,
				size * sizeof(*supposed->words));
	if (!err)
		err = own_array(copy->maps.slot_times, sizeof(*supposed->times), size,
				supposed->times, size * sizeof(*supposed->times));
	return err;
}

int dataplane_explain_supposed(struct dataplane *dp, const struct dataplane_supposed *supposed,
			       const void *frame, size_t size, uint32_t ifindex,
			       struct lb_explanation *explanation, void *out, size_t *out_size,
			       struct fault *fault)
{
	struct lb_bpf *copy = dataplane_copy_open(dp, true, fault);
	int err = copy ? own_arrays(dp, copy, supposed) : 0;
	int result = -1;

	if (err)
		fault_set(fault, fault_code_of_errno(-err), "%s: making a table to suppose: %s",
			  dp->pin_dir, strerror(-err));
	if (copy && !err && dataplane_copy_load(dp, copy, fault) == 0)
		result = explain(dp, copy, frame, size, ifindex, explanation, out, out_size, fault);
	dataplane_copy_free(copy);
	return result;
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
