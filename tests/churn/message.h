/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * message: what client.c and server.c say to each other, over TCP (one after the other) and UDP
 * (one a datagram). A question names its connection and its place in it, and carries bytes that
 * follow from both; the answer is the question with the backend's name in it. So whoever gets a
 * message knows whether it is whole, and whether it is the one that was due.
 */
#ifndef CHURN_MESSAGE_H
#define CHURN_MESSAGE_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	MESSAGE_MAGIC = 0x4c696d70,
	MESSAGE_DATA_MAX = 1024, /* with all headers and a tunnel's, one packet */
	MESSAGE_NAME_SIZE = 16,
};

enum message_kind {
	MESSAGE_QUESTION,
	MESSAGE_ANSWER,
	MESSAGE_REFUSAL, /* the question's data was not what it should be */
};

/* Network byte order. */
struct message {
	uint32_t magic;
	uint32_t connection; /* of all connections of the client's life */
	uint32_t number;     /* of the question in the connection, from 1 */
	uint16_t size;       /* bytes of the whole */
	uint8_t kind;
	uint8_t zero;
	char backend[MESSAGE_NAME_SIZE]; /* ends with a NUL */
	uint8_t data[];
};

enum {
	MESSAGE_HEADER_SIZE = offsetof(struct message, data),
	MESSAGE_SIZE_MAX = MESSAGE_HEADER_SIZE + MESSAGE_DATA_MAX,
};

static inline uint32_t message_seed(const struct message *message)
{
	uint32_t seed =
		ntohl(message->connection) * 0x9e3779b1u ^ ntohl(message->number) * 0x85ebca6bu;

	return seed ^ seed >> 15;
}

static inline size_t message_size(const struct message *message)
{
	return ntohs(message->size);
}

/* So many bytes of data as follow from connection and number, too. */
static inline void message_fill(struct message *message)
{
	uint32_t seed = message_seed(message);
	size_t count = 32 + seed % (MESSAGE_DATA_MAX - 31);

	message->size = htons((uint16_t)(MESSAGE_HEADER_SIZE + count));
	for (size_t i = 0; i < count; i++)
		message->data[i] = (uint8_t)(seed + i * 131 + (i >> 8));
}

/* Whether a header is one; more of the message need not be there. */
static inline bool message_sound(const struct message *message)
{
	return message->magic == htonl(MESSAGE_MAGIC) &&
	       message_size(message) >= MESSAGE_HEADER_SIZE &&
	       message_size(message) <= MESSAGE_SIZE_MAX;
}

/* Of a message that is there whole. */
static inline bool message_data_right(const struct message *message)
{
	uint32_t seed = message_seed(message);
	size_t count = message_size(message) - MESSAGE_HEADER_SIZE;

	if (count != 32 + seed % (MESSAGE_DATA_MAX - 31))
		return false;
	for (size_t i = 0; i < count; i++) {
		if (message->data[i] != (uint8_t)(seed + i * 131 + (i >> 8)))
			return false;
	}
	return true;
}

#endif
