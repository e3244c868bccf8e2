/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_explain: asks the program itself what it would do with a packet, and names verdicts.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
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

int dataplane_explain(struct dataplane *dp, const void *frame, size_t size, uint32_t ifindex,
		      struct lb_explanation *explanation, void *out, size_t *out_size,
		      struct fault *fault)
{
	struct xdp_md context = {.data_end = (uint32_t)size, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (uint32_t)size,
		    .repeat = 1);
	const uint32_t zero = 0;
	int map, err;

	if (explainer_ready(dp, fault))
		return -1;
	map = bpf_map__fd(dp->explainer->maps.explanation);
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
	err = -bpf_prog_test_run_opts(bpf_program__fd(dp->explainer->progs.limpet), &run);
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
