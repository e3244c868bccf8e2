/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * client_group: what flows that behave alike have in common, as KEY=VALUE,...:
 *
 *   name=WORD  target=ADDRESS:PORT  source=ADDRESS   required; IPv6 as [ADDRESS]:PORT
 *   proto=tcp|udp    (tcp)
 *   count=N          flows (1)
 *   pause=MS         between an answer and the next question (1000), by half more or less at random
 *   asks=N           questions of a connection, which is then closed and opened anew (0: no end)
 *   sources=N        addresses from `source` on, taken in turn (1). Of IPv6 each is another /64.
 *   fresh=1          each connection comes from the next address: a client never seen before
 *   alone=1          goes by its pause alone, whatever rounds are
 *
 * The host has to call all these addresses its own (`ip route add local PREFIX dev lo`).
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"

struct group groups[GROUPS_MAX];
uint32_t group_count;

static bool is_v6(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET6;
}

static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
		return false;
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	return true;
}

static bool parse_target(char *text, struct sockaddr_storage *out)
{
	char *colon = strrchr(text, ':'), *end;

	if (!colon)
		return false;
	*colon = '\0';
	if (text[0] == '[' && (end = strchr(text, ']'))) {
		*end = '\0';
		text++;
	}
	return parse_address(text, (uint16_t)atoi(colon + 1), out);
}

static bool parse_number(const char *text, uint32_t *out)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	*out = (uint32_t)number;
	return end != text && *end == '\0' && number <= UINT32_MAX;
}

static bool parse_pair(struct group *group, const char *key, char *value)
{
	uint32_t number = 0;

	if (strcmp(key, "name") == 0)
		return snprintf(group->name, sizeof(group->name), "%s", value) > 0;
	if (strcmp(key, "target") == 0)
		return parse_target(value, &group->target);
	if (strcmp(key, "source") == 0)
		return parse_address(value, 0, &group->source);
	if (strcmp(key, "proto") == 0) {
		group->udp = strcmp(value, "udp") == 0;
		return group->udp || strcmp(value, "tcp") == 0;
	}
	if (!parse_number(value, &number))
		return false;
	if (strcmp(key, "count") == 0)
		group->count = number;
	else if (strcmp(key, "pause") == 0)
		group->pause_ms = number;
	else if (strcmp(key, "asks") == 0)
		group->asks = number;
	else if (strcmp(key, "sources") == 0)
		group->sources = number;
	else if (strcmp(key, "fresh") == 0)
		group->fresh = number != 0;
	else if (strcmp(key, "alone") == 0)
		group->alone = number != 0;
	else
		return false;
	return true;
}

bool group_parse(char *text)
{
	struct group *group = &groups[group_count];
	char *pair, *rest = text;

	if (group_count == GROUPS_MAX) {
		fprintf(stderr, "client: more than %d groups\n", GROUPS_MAX);
		return false;
	}
	*group = (struct group){.count = 1, .pause_ms = 1000, .sources = 1};
	while ((pair = strsep(&rest, ","))) {
		char *value = strchr(pair, '=');

		if (value)
			*value++ = '\0';
		if (!value || !parse_pair(group, pair, value)) {
			fprintf(stderr, "client: a group has no '%s'\n", pair);
			return false;
		}
	}
	if (!group->name[0] || !group->target.ss_family || !group->sources ||
	    group->source.ss_family != group->target.ss_family) {
		fprintf(stderr,
			"client: a group needs a name, and target and source of one family\n");
		return false;
	}
	group_count++;
	return true;
}

socklen_t group_source(const struct group *group, uint32_t n, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;
	uint32_t word;

	*out = group->source;
	if (!is_v6(out)) {
		v4->sin_addr.s_addr = htonl(ntohl(v4->sin_addr.s_addr) + n);
		return sizeof(*v4);
	}
	memcpy(&word, &v6->sin6_addr.s6_addr[4], sizeof(word));
	word = htonl(ntohl(word) + n);
	memcpy(&v6->sin6_addr.s6_addr[4], &word, sizeof(word));
	return sizeof(*v6);
}

socklen_t group_target_size(const struct group *group)
{
	return is_v6(&group->target) ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}
