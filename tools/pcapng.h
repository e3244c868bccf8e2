/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pcapng: captured Ethernet frames with a comment each, as a file that Wireshark reads (pcapng, the
 * IETF's draft of it). Knows nothing of what the comments say.
 */
#ifndef LIMPET_PCAPNG_H
#define LIMPET_PCAPNG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { PCAPNG_INTERFACES_MAX = 64 };

struct pcapng {
	FILE *file; /* the caller's */
	char interfaces[PCAPNG_INTERFACES_MAX][16];
	uint32_t interface_count;
};

struct pcapng_packet {
	const char *interface; /* it came in by; named in the file when it first occurs */
	uint64_t unix_ns;
	const uint8_t *frame; /* `captured` bytes of `length` */
	uint32_t captured, length;
	const char *comment;
};

/* Both return 0 or a negative errno. */
int pcapng_begin(struct pcapng *pcapng, FILE *file, const char *application);
int pcapng_put(struct pcapng *pcapng, const struct pcapng_packet *packet);

#endif
