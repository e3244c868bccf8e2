/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* mutate: see generate.h. Mostly in what are headers: the first hundred bytes. */
#include <string.h>

#include "generate.h"
#include "machine.h"

enum { ETHERNET = 14, HEADERS = 100 };

static uint32_t place(struct random *r, const struct model_frame *frame)
{
	uint32_t end = frame->size < HEADERS || random_percent(r, 10) ? frame->size : HEADERS;

	return random_below(r, end);
}

static void resize(struct random *r, struct model_frame *frame)
{
	uint32_t size = random_percent(r, 70) ? ETHERNET + random_below(r, HEADERS)
					      : frame->size + random_below(r, 64) - 32;

	/* A test run takes no frame without an Ethernet header. */
	if (size < ETHERNET || size > MACHINE_FRAME_MAX)
		return;
	while (frame->size < size)
		frame->bytes[frame->size++] = (uint8_t)random_next(r);
	frame->size = size;
}

/* Some bytes are found again elsewhere: headers too many, or too few. */
static void shift(struct random *r, struct model_frame *frame)
{
	uint32_t from = place(r, frame), to = place(r, frame);
	uint32_t size = frame->size - (from > to ? from : to);

	memmove(frame->bytes + to, frame->bytes + from, size);
}

void mutate(struct random *r, struct model_frame *frame)
{
	static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, 0xfe, 0x40, 0x45, 0x60};
	uint32_t count = 1 + random_below(r, 4);

	while (count--) {
		uint8_t *byte = &frame->bytes[place(r, frame)];

		switch (random_below(r, 8)) {
		case 0:
			resize(r, frame);
			break;
		case 1:
			shift(r, frame);
			break;
		case 2:
			*byte = RANDOM_OF(r, edges);
			break;
		case 3:
			*byte = (uint8_t)random_next(r);
			break;
		case 4:
			*byte += random_percent(r, 50) ? 1 : 0xff;
			break;
		default:
			*byte ^= (uint8_t)(1U << random_below(r, 8));
		}
	}
}
