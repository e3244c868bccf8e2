/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* rendering: see rendering.h. */
#include "rendering.h"

#include <errno.h>
#include <stdlib.h>

#include "clock.h"

enum { KEPT_FOR_COSTS = 9 };

bool rendering_is_fresh(const struct rendering *rendering)
{
	return rendering->response &&
	       clock_ns(CLOCK_MONOTONIC) - rendering->made_ns < KEPT_FOR_COSTS * rendering->cost_ns;
}

uint64_t rendering_begin(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

int rendering_keep(struct rendering *rendering, char *text, size_t size, const char *type,
		   uint64_t began)
{
	rendering_drop(rendering);
	rendering->response = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (!rendering->response) {
		free(text);
		return ENOMEM;
	}
	MHD_add_response_header(rendering->response, "Content-Type", type);
	rendering->made_ns = clock_ns(CLOCK_MONOTONIC);
	rendering->cost_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	return 0;
}

void rendering_drop(struct rendering *rendering)
{
	if (rendering->response)
		MHD_destroy_response(rendering->response);
	*rendering = (struct rendering){0};
}
