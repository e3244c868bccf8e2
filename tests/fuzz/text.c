/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * text: see text.h. A line is a word, the indices of what it speaks of, and NAME=VALUE for each
 * field; the tables of fields below serve both ways.
 */
#include "text.h"

#include <arpa/inet.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_SIZE = 3 * MODEL_FRAME, WORDS_MAX = 24 };

enum kind {
	NUMBER8,
	NUMBER16,
	NUMBER32,
	FLAG,
	AGE,  /* of a tick */
	TIME, /* the same, and 0 is never */
	MAC,
	SEED,
	ADDRESS,
};

struct field {
	const char *name;
	enum kind kind;
	size_t offset;
};

#define FIELD(type, member, kind)                                                                  \
	{                                                                                          \
#member, kind, offsetof(struct type, member)                                       \
	}
#define LAST                                                                                       \
	{                                                                                          \
		NULL, NUMBER8, 0                                                                   \
	}

static const struct field config_fields[] = {FIELD(model_config, flows, NUMBER32),
					     FIELD(model_config, clients, NUMBER32),
					     FIELD(model_config, nat_flows, NUMBER32),
					     FIELD(model_config, finish, FLAG),
					     FIELD(model_config, nat, FLAG),
					     FIELD(model_config, host_first, NUMBER16),
					     FIELD(model_config, host_count, NUMBER16),
					     FIELD(model_config, seed, SEED),
					     LAST};

static const struct field backend_fields[] = {FIELD(model_backend, usable, FLAG),
					      FIELD(model_backend, takes_clients, FLAG),
					      FIELD(model_backend, snat, FLAG),
					      FIELD(model_backend, host_source, FLAG),
					      FIELD(model_backend, way, NUMBER8),
					      FIELD(model_backend, next_hop, MAC),
					      FIELD(model_backend, egress_mac, MAC),
					      FIELD(model_backend, mtu, NUMBER16),
					      FIELD(model_backend, incarnation, NUMBER32),
					      FIELD(model_backend, ifindex, NUMBER32),
					      FIELD(model_backend, source_bits, NUMBER32),
					      FIELD(model_backend, gue_port, NUMBER16),
					      FIELD(model_backend, outer_source, ADDRESS),
					      FIELD(model_backend, outer_destination, ADDRESS),
					      LAST};

static const struct field pool_fields[] = {FIELD(model_pool, table_size, NUMBER32),
					   FIELD(model_pool, usable, FLAG),
					   FIELD(model_pool, by_source, FLAG),
					   FIELD(model_pool, track_always, FLAG),
					   FIELD(model_pool, prefix_v4, NUMBER8),
					   FIELD(model_pool, prefix_v6, NUMBER8),
					   FIELD(model_pool, idle_tcp, NUMBER32),
					   FIELD(model_pool, idle_udp, NUMBER32),
					   FIELD(model_pool, idle_closing, NUMBER32),
					   FIELD(model_pool, client_timeout, NUMBER32),
					   LAST};

static const struct field slot_fields[] = {FIELD(model_slot, owner, NUMBER32),
					   FIELD(model_slot, fallback, NUMBER32),
					   FIELD(model_slot, changed, FLAG), LAST};

static const struct field service_fields[] = {{"pool", NUMBER32, 0}, LAST};
static const struct field only_fields[] = {{"said", FLAG, 0}, LAST};
static const struct field limit_fields[] = {FIELD(model_limit, burst, NUMBER8),
					    FIELD(model_limit, prefix_v4, NUMBER8),
					    FIELD(model_limit, prefix_v6, NUMBER8), LAST};
static const struct field source_fields[] = {
	FIELD(model_source, service, NUMBER32), FIELD(model_source, network, ADDRESS),
	FIELD(model_source, prefix, NUMBER8), FIELD(model_source, deny, FLAG), LAST};
static const struct field opener_fields[] = {
	FIELD(model_opener, there, FLAG), FIELD(model_opener, service, NUMBER32),
	FIELD(model_opener, network, ADDRESS), FIELD(model_opener, flows, NUMBER32), LAST};
static const struct field refused_fields[] = {{"flows", NUMBER32, 0}, LAST};

static const struct field listener_fields[] = {
	FIELD(model_listener, vip, ADDRESS),      FIELD(model_listener, proto, NUMBER8),
	FIELD(model_listener, first, NUMBER16),   FIELD(model_listener, last, NUMBER16),
	FIELD(model_listener, service, NUMBER32), LAST};

static const struct field entry_fields[] = {FIELD(model_entry, there, FLAG),
					    FIELD(model_entry, state, NUMBER8),
					    FIELD(model_entry, fate, NUMBER8),
					    FIELD(model_entry, reborn, FLAG),
					    FIELD(model_entry, recorded, FLAG),
					    FIELD(model_entry, backend, NUMBER32),
					    FIELD(model_entry, incarnation, NUMBER32),
					    FIELD(model_entry, pool, NUMBER32),
					    FIELD(model_entry, seen, AGE),
					    FIELD(model_entry, sequence, NUMBER32),
					    FIELD(model_entry, flow.source, ADDRESS),
					    FIELD(model_entry, flow.destination, ADDRESS),
					    FIELD(model_entry, flow.source_port, NUMBER16),
					    FIELD(model_entry, flow.destination_port, NUMBER16),
					    FIELD(model_entry, flow.proto, NUMBER8),
					    LAST};

static const struct field client_fields[] = {FIELD(model_client, there, FLAG),
					     FIELD(model_client, fate, NUMBER8),
					     FIELD(model_client, changed, FLAG),
					     FIELD(model_client, known, FLAG),
					     FIELD(model_client, pool, NUMBER32),
					     FIELD(model_client, owner, NUMBER32),
					     FIELD(model_client, fallback, NUMBER32),
					     FIELD(model_client, owner_incarnation, NUMBER16),
					     FIELD(model_client, fallback_incarnation, NUMBER16),
					     FIELD(model_client, seen, AGE),
					     FIELD(model_client, times.since, TIME),
					     FIELD(model_client, times.used, TIME),
					     FIELD(model_client, times.full, TIME),
					     FIELD(model_client, times.kept, TIME),
					     FIELD(model_client, network, ADDRESS),
					     LAST};

static const struct field fragment_fields[] = {
	FIELD(model_fragment, there, FLAG),
	FIELD(model_fragment, identification, NUMBER32),
	FIELD(model_fragment, seen, AGE),
	FIELD(model_fragment, sequence, NUMBER32),
	FIELD(model_fragment, flow.source, ADDRESS),
	FIELD(model_fragment, flow.destination, ADDRESS),
	FIELD(model_fragment, flow.source_port, NUMBER16),
	FIELD(model_fragment, flow.destination_port, NUMBER16),
	FIELD(model_fragment, flow.proto, NUMBER8),
	LAST};

static const struct field nat_flow_fields[] = {
	FIELD(model_nat_flow, there, FLAG),
	FIELD(model_nat_flow, fate, NUMBER8),
	FIELD(model_nat_flow, state, NUMBER8),
	FIELD(model_nat_flow, port, NUMBER16),
	FIELD(model_nat_flow, backend, NUMBER32),
	FIELD(model_nat_flow, incarnation, NUMBER32),
	FIELD(model_nat_flow, pool, NUMBER32),
	FIELD(model_nat_flow, seen, AGE),
	FIELD(model_nat_flow, source, ADDRESS),
	FIELD(model_nat_flow, hop.ifindex, NUMBER32),
	FIELD(model_nat_flow, hop.peer_mac, MAC),
	FIELD(model_nat_flow, hop.own_mac, MAC),
	FIELD(model_nat_flow, flow.source, ADDRESS),
	FIELD(model_nat_flow, flow.destination, ADDRESS),
	FIELD(model_nat_flow, flow.source_port, NUMBER16),
	FIELD(model_nat_flow, flow.destination_port, NUMBER16),
	FIELD(model_nat_flow, flow.proto, NUMBER8),
	LAST};

static const struct field nat_return_fields[] = {
	FIELD(model_nat_return, there, FLAG),
	FIELD(model_nat_return, fate, NUMBER8),
	FIELD(model_nat_return, state, NUMBER8),
	FIELD(model_nat_return, client_port, NUMBER16),
	FIELD(model_nat_return, vip_port, NUMBER16),
	FIELD(model_nat_return, seen, AGE),
	FIELD(model_nat_return, client, ADDRESS),
	FIELD(model_nat_return, vip, ADDRESS),
	FIELD(model_nat_return, hop.ifindex, NUMBER32),
	FIELD(model_nat_return, hop.peer_mac, MAC),
	FIELD(model_nat_return, hop.own_mac, MAC),
	FIELD(model_nat_return, flow.source, ADDRESS),
	FIELD(model_nat_return, flow.destination, ADDRESS),
	FIELD(model_nat_return, flow.source_port, NUMBER16),
	FIELD(model_nat_return, flow.destination_port, NUMBER16),
	FIELD(model_nat_return, flow.proto, NUMBER8),
	LAST};

static const struct field times_fields[] = {
	FIELD(model_times, since, TIME), FIELD(model_times, used, TIME),
	FIELD(model_times, full, TIME), FIELD(model_times, kept, TIME), LAST};

static const struct field frame_fields[] = {
	FIELD(model_frame, metadata, NUMBER32), FIELD(model_frame, ifindex, NUMBER32),
	FIELD(model_frame, untold, FLAG), FIELD(model_frame, linear, NUMBER32), LAST};

/* What a line may speak of: an array, perhaps within the elements of another one, and its size. */
struct record {
	const char *word;
	const struct field *fields;
	size_t offset, size, inner_size;
	int indices, ends[2];
};

#define MEMBER(member) sizeof(((struct scenario *)NULL)->member)
#define ONE(word, member, fields)                                                                  \
	{                                                                                          \
		word, fields, offsetof(struct scenario, member), MEMBER(member), 0, 0,             \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define MANY(word, member, fields, end)                                                            \
	{                                                                                          \
		word, fields, offsetof(struct scenario, member), MEMBER(member[0]), 0, 1,          \
		{                                                                                  \
			end                                                                        \
		}                                                                                  \
	}
#define GRID(word, member, within, fields, end, within_end)                                        \
	{                                                                                          \
		word, fields, offsetof(struct scenario, member[0] within), MEMBER(member[0]),      \
			MEMBER(member[0] within[0]), 2,                                            \
		{                                                                                  \
			end, within_end                                                            \
		}                                                                                  \
	}

static const struct record records[] = {
	ONE("config", config, config_fields),
	MANY("backend", config.backends, backend_fields, MODEL_BACKENDS),
	MANY("pool", config.pools, pool_fields, MODEL_POOLS),
	GRID("slot", config.pools, .slots, slot_fields, MODEL_POOLS, MODEL_SLOTS),
	MANY("service", config.service_pools, service_fields, MODEL_SERVICES),
	MANY("listener", config.listeners, listener_fields, MODEL_LISTENERS),
	MANY("allowed_only", config.allowed_only, only_fields, MODEL_SERVICES),
	MANY("limit", config.limits, limit_fields, MODEL_SERVICES),
	MANY("source", config.sources, source_fields, MODEL_SOURCES),
	MANY("birth", memory.births, entry_fields, MODEL_ENTRIES),
	MANY("flow", memory.flows, entry_fields, MODEL_ENTRIES),
	MANY("client", memory.clients, client_fields, MODEL_CLIENTS),
	MANY("fragment", memory.fragments, fragment_fields, MODEL_FRAGMENTS),
	MANY("nat_flow", memory.nat_flows, nat_flow_fields, MODEL_NAT_FLOWS),
	MANY("nat_return", memory.nat_returns, nat_return_fields, MODEL_NAT_RETURNS),
	MANY("opener", memory.openers, opener_fields, MODEL_OPENERS),
	MANY("nat_refused", memory.nat_refused, refused_fields, MODEL_BACKENDS),
	GRID("times", memory.times, , times_fields, MODEL_POOLS, MODEL_SLOTS),
	ONE("frame", frame, frame_fields),
};

enum { RECORDS = sizeof(records) / sizeof(records[0]) };

/* ---- out ---- */

void text_hex(FILE *out, const uint8_t *bytes, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		fprintf(out, "%02x", bytes[i]);
}

static size_t field_size(enum kind kind)
{
	static const size_t sizes[] = {[NUMBER8] = 1,
				       [NUMBER16] = 2,
				       [NUMBER32] = 4,
				       [FLAG] = sizeof(bool),
				       [AGE] = 4,
				       [TIME] = 4,
				       [MAC] = 6,
				       [SEED] = MODEL_SEED,
				       [ADDRESS] = sizeof(struct model_address)};

	return sizes[kind];
}

static void field_write(FILE *out, const struct field *field, const uint8_t *at, uint32_t now)
{
	const struct model_address *address = (const struct model_address *)at;
	char text[INET6_ADDRSTRLEN];
	uint32_t number = 0;

	fprintf(out, " %s=", field->name);
	switch (field->kind) {
	case MAC:
	case SEED:
		text_hex(out, at, (uint32_t)field_size(field->kind));
		return;
	case ADDRESS:
		fputs(inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, text,
				sizeof(text)),
		      out);
		return;
	default:
		memcpy(&number, at, field_size(field->kind)); /* of a little-endian machine */
		if (field->kind == AGE || field->kind == TIME)
			fprintf(out, "%d", (int)(now - number));
		else
			fprintf(out, "%u", number);
	}
}

static bool is_zero(const uint8_t *at, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (at[i])
			return false;
	return true;
}

static void record_write(FILE *out, const struct record *record, const uint8_t *at, int i, int j,
			 uint32_t now)
{
	bool begun = false;

	for (const struct field *field = record->fields; field->name; field++) {
		if (is_zero(at + field->offset, field_size(field->kind)))
			continue;
		if (!begun) {
			fputs(record->word, out);
			if (record->indices > 0)
				fprintf(out, " %d", i);
			if (record->indices > 1)
				fprintf(out, " %d", j);
			begun = true;
		}
		field_write(out, field, at + field->offset, now);
	}
	if (begun)
		fputc('\n', out);
}

void text_write(FILE *out, const struct scenario *scenario)
{
	for (const struct record *r = records; r < records + RECORDS; r++) {
		const uint8_t *base = (const uint8_t *)scenario + r->offset;

		for (int i = 0; i < (r->indices > 0 ? r->ends[0] : 1); i++)
			for (int j = 0; j < (r->indices > 1 ? r->ends[1] : 1); j++)
				record_write(out, r,
					     base + (size_t)i * r->size + (size_t)j * r->inner_size,
					     i, j, scenario->now);
	}
	fputs("bytes ", out);
	text_hex(out, scenario->frame.bytes, scenario->frame.size);
	fputc('\n', out);
	if (scenario->verdict)
		fprintf(out, "verdict %s\n", model_verdict_name(scenario->verdict));
}

/* ---- in ---- */

struct reader {
	const char *path;
	int line;
	struct scenario *scenario;
};

static void bad(const struct reader *reader, const char *what, const char *text)
{
	errx(1, "%s:%d: %s: %s", reader->path, reader->line, what, text);
}

static void hex_read(const struct reader *reader, const char *text, uint8_t *out, size_t size)
{
	if (strlen(text) != 2 * size)
		bad(reader, "not that many bytes", text);
	for (size_t i = 0; i < size; i++) {
		unsigned int byte;

		if (sscanf(text + 2 * i, "%2x", &byte) != 1)
			bad(reader, "not hexadecimal", text);
		out[i] = (uint8_t)byte;
	}
}

static void field_read(const struct reader *reader, const struct field *field, const char *text,
		       uint8_t *at)
{
	struct model_address *address = (struct model_address *)at;
	uint32_t number;

	switch (field->kind) {
	case MAC:
	case SEED:
		hex_read(reader, text, at, field_size(field->kind));
		return;
	case ADDRESS:
		address->family = strchr(text, ':') ? 6 : 4;
		if (inet_pton(address->family == 4 ? AF_INET : AF_INET6, text, address->bytes) != 1)
			bad(reader, "not an address", text);
		return;
	default:
		number = (uint32_t)strtoll(text, NULL, 10);
		if (field->kind == AGE || field->kind == TIME)
			number = reader->scenario->now - number;
		memcpy(at, &number, field_size(field->kind));
	}
}

static void words_read(const struct reader *reader, const struct record *record, char **words)
{
	uint8_t *at = (uint8_t *)reader->scenario + record->offset;

	for (int i = 0; i < record->indices; i++, words++) {
		int index = *words ? atoi(*words) : -1;

		if (index < 0 || index >= record->ends[i])
			bad(reader, "no such index", record->word);
		at += (size_t)index * (i ? record->inner_size : record->size);
	}
	for (; *words; words++) {
		const struct field *field = record->fields;
		char *value = strchr(*words, '=');

		if (!value)
			bad(reader, "not NAME=VALUE", *words);
		*value++ = 0;
		while (field->name && strcmp(field->name, *words) != 0)
			field++;
		if (!field->name)
			bad(reader, "no such field", *words);
		field_read(reader, field, value, at + field->offset);
	}
}

static void bytes_read(const struct reader *reader, const char *text)
{
	struct model_frame *frame = &reader->scenario->frame;

	frame->size = (uint32_t)strlen(text) / 2;
	if (frame->size > sizeof(frame->bytes))
		bad(reader, "too many bytes", text);
	hex_read(reader, text, frame->bytes, frame->size);
}

static void verdict_read(const struct reader *reader, const char *text)
{
	for (uint32_t i = 1; i < MODEL_VERDICT_COUNT; i++)
		if (!strcmp(text, model_verdict_name(i)))
			reader->scenario->verdict = i;
	if (!reader->scenario->verdict)
		bad(reader, "no such verdict", text);
}

static void line_read(const struct reader *reader, char *line)
{
	char *words[WORDS_MAX + 1] = {0}, *rest = line;
	int count = 0;

	for (char *word; count < WORDS_MAX && (word = strtok_r(rest, " \n", &rest));)
		words[count++] = word;
	if (!count || words[0][0] == '#')
		return;
	if (count == 2 && !strcmp(words[0], "bytes")) {
		bytes_read(reader, words[1]);
		return;
	}
	if (count == 2 && !strcmp(words[0], "verdict")) {
		verdict_read(reader, words[1]);
		return;
	}
	for (int i = 0; i < RECORDS; i++) {
		if (strcmp(records[i].word, words[0]) != 0)
			continue;
		words_read(reader, &records[i], words + 1);
		return;
	}
	bad(reader, "not known here", words[0]);
}

void text_read(const char *path, struct scenario *scenario)
{
	static char line[LINE_MAX_SIZE];
	struct reader reader = {.path = path, .scenario = scenario};
	FILE *file = fopen(path, "re");

	if (!file)
		err(1, "%s", path);
	memset(scenario, 0, sizeof(*scenario));
	scenario->now = machine_tick();
	while (fgets(line, sizeof(line), file)) {
		reader.line++;
		line_read(&reader, line);
	}
	fclose(file);
}
