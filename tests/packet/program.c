/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* program: see program.h. */
#include "program.h"

#include <bpf/libbpf.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OBJECT_SIZE_MAX = 16 << 20 };

static void *object;
static size_t object_size;

int __real_bpf_object__open_skeleton(struct bpf_object_skeleton *skeleton,
				     const struct bpf_object_open_opts *opts);
int __wrap_bpf_object__open_skeleton(struct bpf_object_skeleton *skeleton,
				     const struct bpf_object_open_opts *opts);

int __wrap_bpf_object__open_skeleton(struct bpf_object_skeleton *skeleton,
				     const struct bpf_object_open_opts *opts)
{
	if (object && !strcmp(skeleton->name, "lb_bpf")) {
		skeleton->data = object;
		skeleton->data_sz = object_size;
	}
	return __real_bpf_object__open_skeleton(skeleton, opts);
}

void program_replace(const char *path)
{
	FILE *file = fopen(path, "rb");

	object = malloc(OBJECT_SIZE_MAX);
	if (!file || !object)
		err(2, "%s", path);
	object_size = fread(object, 1, OBJECT_SIZE_MAX, file);
	if (ferror(file) || !object_size || object_size == OBJECT_SIZE_MAX)
		errx(2, "%s: cannot be read whole", path);
	fclose(file);
}
