/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rendering: an answer that is kept for a while, because strangers may ask for it as often as they
 * like. It is given to whoever asks within so many times what it cost: so a tenth of the thread
 * goes into rendering it at most, and one that costs a millisecond is as good as new.
 */
#ifndef LIMPET_RENDERING_H
#define LIMPET_RENDERING_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rendering {
	struct MHD_Response *response; /* NULL: none yet */
	uint64_t made_ns, cost_ns;
};

bool rendering_is_fresh(const struct rendering *rendering);
/* The processor's time so far: to have waited for it is no reason for a rendering to be older. */
uint64_t rendering_begin(void);
/* Takes the text, which malloc made. 0, or ENOMEM. `began`: of rendering_begin. */
int rendering_keep(struct rendering *rendering, char *text, size_t size, const char *type,
		   uint64_t began);
/* Connections that are still sending it hold on to it. */
void rendering_drop(struct rendering *rendering);

#endif
