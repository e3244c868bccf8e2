/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pcapng: see pcapng.h. Numbers are in the byte order of whoever writes, which the file says. */
#include "pcapng.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum block_type {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6, /* "enhanced" */
};

enum option {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_SECTION_APPLICATION = 4,
	OPTION_INTERFACE_NAME = 2,
	OPTION_INTERFACE_RESOLUTION = 9,
	OPTION_PACKET_FLAGS = 2,
};

enum {
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	VERSION_MAJOR = 1,
	LINK_ETHERNET = 1,
	RESOLUTION_NS = 9, /* a negative power of ten */
	FLAG_INBOUND = 1,
	TEXT_MAX = 1024,
};

/* A block while it is put together: its body, and what goes around it. */
struct block {
	FILE *out;
	char *bytes;
	size_t size;
};

static void add(struct block *block, const void *bytes, size_t size)
{
	fwrite(bytes, 1, size, block->out);
}

static void add_16(struct block *block, uint16_t number)
{
	add(block, &number, sizeof(number));
}

static void add_32(struct block *block, uint32_t number)
{
	add(block, &number, sizeof(number));
}

/* Filled up to a multiple of four bytes. */
static void add_padded(struct block *block, const void *bytes, size_t size)
{
	static const char zeros[4];

	add(block, bytes, size);
	add(block, zeros, -size & 3);
}

static void add_option(struct block *block, enum option option, const void *bytes, size_t size)
{
	add_16(block, (uint16_t)option);
	add_16(block, (uint16_t)size);
	add_padded(block, bytes, size);
}

static void add_text(struct block *block, enum option option, const char *text)
{
	add_option(block, option, text, strnlen(text, TEXT_MAX));
}

static int block_begin(struct block *block)
{
	*block = (struct block){0};
	block->out = open_memstream(&block->bytes, &block->size);
	return block->out ? 0 : -ENOMEM;
}

/* Writes it, and frees it in any case. */
static int block_end(struct block *block, FILE *file, uint32_t type)
{
	uint32_t head[2] = {type}, total;
	int error = 0;

	add_option(block, OPTION_END, "", 0);
	if (fclose(block->out) != 0)
		return -ENOMEM;
	total = head[1] = (uint32_t)block->size + 12;
	errno = 0;
	if (fwrite(head, sizeof(head), 1, file) != 1 ||
	    fwrite(block->bytes, block->size, 1, file) != 1 ||
	    fwrite(&total, sizeof(total), 1, file) != 1 || fflush(file) != 0)
		error = errno ? -errno : -EIO;
	free(block->bytes);
	return error;
}

int pcapng_begin(struct pcapng *pcapng, FILE *file, const char *application)
{
	const int64_t length_unknown = -1;
	struct block block;

	*pcapng = (struct pcapng){.file = file};
	if (block_begin(&block) != 0)
		return -ENOMEM;
	add_32(&block, BYTE_ORDER_MAGIC);
	add_16(&block, VERSION_MAJOR);
	add_16(&block, 0);
	add(&block, &length_unknown, sizeof(length_unknown));
	add_text(&block, OPTION_SECTION_APPLICATION, application);
	return block_end(&block, file, BLOCK_SECTION);
}

static int put_interface(struct pcapng *pcapng, const char *name)
{
	const uint8_t resolution = RESOLUTION_NS;
	struct block block;

	if (block_begin(&block) != 0)
		return -ENOMEM;
	add_16(&block, LINK_ETHERNET);
	add_16(&block, 0);
	add_32(&block, 0); /* no bound on what is kept of a frame that this file knows of */
	add_text(&block, OPTION_INTERFACE_NAME, name);
	add_option(&block, OPTION_INTERFACE_RESOLUTION, &resolution, sizeof(resolution));
	return block_end(&block, pcapng->file, BLOCK_INTERFACE);
}

/* Its number in the file, or a negative errno. */
static int interface_of(struct pcapng *pcapng, const char *name)
{
	uint32_t at = 0;
	int error;

	while (at < pcapng->interface_count &&
	       strncmp(pcapng->interfaces[at], name, sizeof(pcapng->interfaces[at]) - 1) != 0)
		at++;
	if (at < pcapng->interface_count)
		return (int)at;
	if (at == PCAPNG_INTERFACES_MAX)
		return -E2BIG;
	error = put_interface(pcapng, name);
	if (error)
		return error;
	snprintf(pcapng->interfaces[at], sizeof(pcapng->interfaces[at]), "%s", name);
	pcapng->interface_count++;
	return (int)at;
}

int pcapng_put(struct pcapng *pcapng, const struct pcapng_packet *packet)
{
	const uint32_t flags = FLAG_INBOUND;
	int interface = interface_of(pcapng, packet->interface);
	struct block block;

	if (interface < 0)
		return interface;
	if (block_begin(&block) != 0)
		return -ENOMEM;
	add_32(&block, (uint32_t)interface);
	add_32(&block, (uint32_t)(packet->unix_ns >> 32));
	add_32(&block, (uint32_t)packet->unix_ns);
	add_32(&block, packet->captured);
	add_32(&block, packet->length);
	add_padded(&block, packet->frame, packet->captured);
	add_text(&block, OPTION_COMMENT, packet->comment);
	add_option(&block, OPTION_PACKET_FLAGS, &flags, sizeof(flags));
	return block_end(&block, pcapng->file, BLOCK_PACKET);
}
