/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* writer: bytes, one behind the other, some of them at random. */
#ifndef FUZZ_WRITER_H
#define FUZZ_WRITER_H

#include <string.h>

#include "random.h"

struct writer {
	struct random *r;
	uint8_t *bytes;
	uint32_t at;
};

static inline void write8(struct writer *w, uint32_t value)
{
	w->bytes[w->at++] = (uint8_t)value;
}

static inline void write16(struct writer *w, uint32_t value)
{
	write8(w, value >> 8);
	write8(w, value);
}

static inline void write32(struct writer *w, uint32_t value)
{
	write16(w, value >> 16);
	write16(w, value);
}

static inline void write_bytes(struct writer *w, const void *bytes, uint32_t size)
{
	memcpy(w->bytes + w->at, bytes, size);
	w->at += size;
}

/* What nobody is to look at. */
static inline void write_noise(struct writer *w, uint32_t size)
{
	for (uint32_t i = 0; i < size; i += 8) {
		uint64_t word = random_next(w->r);

		memcpy(w->bytes + w->at + i, &word, size - i < 8 ? size - i : 8);
	}
	w->at += size;
}

#endif
