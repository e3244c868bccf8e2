/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lines: see lines.h.
 */
#include "lines.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct code {
	struct bpf_prog_info info;
	struct bpf_line_info *lines;
	uint64_t *line_addresses;
	uint64_t *functions;
	uint32_t *function_lengths;
};

static void code_free(struct code *code)
{
	free(code->lines);
	free(code->line_addresses);
	free(code->functions);
	free(code->function_lengths);
}

/* How much there is says a first call; the second one fills it in. */
static int code_read(int program_fd, struct code *code)
{
	struct bpf_prog_info size = {0};
	uint32_t length = sizeof(size);

	if (bpf_obj_get_info_by_fd(program_fd, &size, &length))
		return -errno;
	code->lines = calloc(size.nr_line_info, sizeof(*code->lines));
	code->line_addresses = calloc(size.nr_jited_line_info, sizeof(*code->line_addresses));
	code->functions = calloc(size.nr_jited_ksyms, sizeof(*code->functions));
	code->function_lengths = calloc(size.nr_jited_func_lens, sizeof(*code->function_lengths));
	if (!code->lines || !code->line_addresses || !code->functions || !code->function_lengths)
		return -ENOMEM;
	code->info = (struct bpf_prog_info){
		.nr_line_info = size.nr_line_info,
		.line_info_rec_size = sizeof(*code->lines),
		.line_info = (uintptr_t)code->lines,
		.nr_jited_line_info = size.nr_jited_line_info,
		.jited_line_info_rec_size = sizeof(*code->line_addresses),
		.jited_line_info = (uintptr_t)code->line_addresses,
		.nr_jited_ksyms = size.nr_jited_ksyms,
		.jited_ksyms = (uintptr_t)code->functions,
		.nr_jited_func_lens = size.nr_jited_func_lens,
		.jited_func_lens = (uintptr_t)code->function_lengths,
	};
	length = sizeof(code->info);
	return bpf_obj_get_info_by_fd(program_fd, &code->info, &length) ? -errno : 0;
}

static const char *text_at(const struct btf *btf, uint32_t offset)
{
	const char *text = btf__name_by_offset(btf, offset);

	return text ? text : "";
}

static void code_print(FILE *to, const struct code *code, const struct btf *btf)
{
	for (uint32_t i = 0; i < code->info.nr_jited_ksyms; i++)
		fprintf(to, "function %" PRIx64 " %" PRIu32 "\n", code->functions[i],
			code->function_lengths[i]);
	for (uint32_t i = 0; i < code->info.nr_jited_line_info; i++) {
		const struct bpf_line_info *line = &code->lines[i];
		const char *path = text_at(btf, line->file_name_off);
		const char *slash = strrchr(path, '/'), *text = text_at(btf, line->line_off);

		fprintf(to, "line %" PRIx64 " %s:%u %s\n", code->line_addresses[i],
			slash ? slash + 1 : path, BPF_LINE_INFO_LINE_NUM(line->line_col),
			text + strspn(text, " \t"));
	}
}

int lines_write(int program_fd, const char *path)
{
	struct code code = {0};
	struct btf *btf = NULL;
	FILE *to = NULL;
	int error = code_read(program_fd, &code);

	if (!error) {
		btf = btf__load_from_kernel_by_id(code.info.btf_id);
		to = btf ? fopen(path, "we") : NULL;
		if (!to)
			error = -errno;
	}
	if (to) {
		code_print(to, &code, btf);
		if (fclose(to))
			error = -errno;
	}
	btf__free(btf);
	code_free(&code);
	return error;
}
