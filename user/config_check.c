/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_check: the keys of a pool's `check`. Neighbours: config_pool reads the pool that it is of,
 * check.c knows what the texts mean. It must not know which services use the pool: config_cross
 * does.
 *
 * `defaults` and a pool's own keys are merged one by one, so that what fits the type can only be
 * said when a map is finished, and only of what that map says itself.
 */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "config_schema.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* ---- texts ---- */

/* Without control characters, and padded with zeros. */
static void store_text(struct walk *walk, const struct node *value, const char *name,
		       const char *text, char out[CHECK_TEXT_SIZE])
{
	if (strlen(text) >= CHECK_TEXT_SIZE) {
		walk_error(walk, value, "%s: it is longer than %d bytes", name,
			   CHECK_TEXT_SIZE - 1);
		return;
	}
	strncpy(out, text, CHECK_TEXT_SIZE);
}

static void read_text(struct walk *walk, const struct node *value, const char *name,
		      const char *expected, char out[CHECK_TEXT_SIZE])
{
	const char *text = walk_text(walk, value, name, expected);

	if (text)
		store_text(walk, value, name, text, out);
}

/* What goes into a request's head must not end the line, or the word. */
static bool is_graphic(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

static void read_word(struct walk *walk, const struct node *value, const char *name,
		      const char *expected, char out[CHECK_TEXT_SIZE])
{
	const char *text = walk_text(walk, value, name, expected);
	char quoted[CONFIG_QUOTE_SIZE];

	if (!text)
		return;
	if (text[0] && is_graphic(text))
		store_text(walk, value, name, text, out);
	else
		walk_error(walk, value, "%s: %s is not %s (printable ASCII without spaces)", name,
			   config_quote(text, quoted), expected);
}

static void read_path(struct walk *walk, const struct node *value, void *object)
{
	const char *text = walk_text(walk, value, "path", "a path");
	struct check *check = object;
	char quoted[CONFIG_QUOTE_SIZE];

	if (text && text[0] != '/')
		walk_error(walk, value, "path: %s does not begin with '/'",
			   config_quote(text, quoted));
	else if (text)
		read_word(walk, value, "path", "a path", check->path);
}

static void read_host(struct walk *walk, const struct node *value, void *object)
{
	read_word(walk, value, "host", "a Host header's value", ((struct check *)object)->host);
}

static void read_sni(struct walk *walk, const struct node *value, void *object)
{
	const char *text = walk_text(walk, value, "sni", "a server name");
	struct check *check = object;
	char quoted[CONFIG_QUOTE_SIZE];

	if (!text)
		return;
	if (text[0] && text[0] != '-' &&
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
		    strlen(text))
		store_text(walk, value, "sni", text, check->sni);
	else
		walk_error(walk, value, "sni: %s is not a server name (such as www.example.org)",
			   config_quote(text, quoted));
}

static void read_body(struct walk *walk, const struct node *value, void *object)
{
	read_text(walk, value, "body", "text", ((struct check *)object)->body);
}

/* Wherever lbd is started, it is the same file. */
static void read_file_name(struct walk *walk, const struct node *value, const char *name,
			   char out[CHECK_TEXT_SIZE])
{
	const char *text = walk_text(walk, value, name, "the path of a file");
	char quoted[CONFIG_QUOTE_SIZE];

	if (!text)
		return;
	if (text[0] == '/')
		store_text(walk, value, name, text, out);
	else
		walk_error(walk, value, "%s: %s is not a path from the root (/...)", name,
			   config_quote(text, quoted));
}

static void read_ca(struct walk *walk, const struct node *value, void *object)
{
	read_file_name(walk, value, "ca", ((struct check *)object)->ca);
}

static void read_certificate(struct walk *walk, const struct node *value, void *object)
{
	read_file_name(walk, value, "certificate", ((struct check *)object)->certificate);
}

static void read_key(struct walk *walk, const struct node *value, void *object)
{
	read_file_name(walk, value, "key", ((struct check *)object)->key);
}

/* ---- what is sent and expected ---- */

static void read_send(struct walk *walk, const struct node *value, void *object)
{
	struct check *check = object;
	uint8_t bytes[CHECK_TEXT_SIZE];
	const char *wrong;
	size_t size;

	read_text(walk, value, "send", "text", check->send);
	wrong = check_bytes(check->send, bytes, &size);
	if (wrong)
		walk_error(walk, value, "send: %s", wrong);
}

/* One text, or a list of statuses. Which of the two it is follows from the type, which may stand
 * behind it, or in a pool while this stands in `defaults`. */
static void read_expect(struct walk *walk, const struct node *value, void *object)
{
	struct check *check = object;
	char text[2 * CHECK_TEXT_SIZE] = "";

	if (value->kind != NODE_LIST) {
		read_text(walk, value, "expect", "statuses or text", check->statuses);
		memcpy(check->answer, check->statuses, sizeof(check->answer));
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		const char *item = walk_text(walk, value->items[i], "expect", "statuses");
		size_t used = strlen(text);

		if (!item)
			return;
		snprintf(text + used, sizeof(text) - used, "%s%s", i ? "," : "", item);
	}
	store_text(walk, value, "expect", text, check->statuses);
	memcpy(check->answer, check->statuses, sizeof(check->answer));
}

static void check_expect(struct walk *walk, const struct node *map, struct check *check)
{
	const struct node *at = config_tree_get(map, "expect", NULL);
	char quoted[CONFIG_QUOTE_SIZE];
	uint8_t bytes[CHECK_TEXT_SIZE];
	const char *wrong = NULL;
	size_t size;

	if (!at)
		at = config_tree_get(map, "type", NULL);
	if (check->type == CHECK_HTTP || check->type == CHECK_HTTPS) {
		wrong = check_statuses_problem(check->statuses);
		memset(check->answer, 0, sizeof(check->answer));
	} else if (check->type == CHECK_UDP) {
		wrong = check_bytes(check->answer, bytes, &size);
	}
	if (wrong && at && at->kind != NODE_BAD)
		walk_error(walk, at, "expect: %s: %s",
			   config_quote(check->type == CHECK_UDP ? check->answer : check->statuses,
					quoted),
			   wrong);
	if (check->type == CHECK_UDP)
		memset(check->statuses, 0, sizeof(check->statuses));
}

/* ---- commands ---- */

static void read_command(struct walk *walk, const struct node *value, void *object)
{
	const struct reading *reading = walk->context;
	struct check *check = object;
	char quoted[CONFIG_QUOTE_SIZE];

	if (reading->from_api) {
		walk_error(walk, value, "command: a program to run is only taken from the file");
		return;
	}
	if (!walk_is_list(walk, value, "command"))
		return;
	memset(check->command, 0, sizeof(check->command));
	if (value->count == 0)
		walk_error(walk, value, "command: the list is empty (a program and its arguments)");
	for (size_t i = 0; i < value->count; i++) {
		const struct node *item = value->items[i];
		const char *word = walk_text(walk, item, "command", "a word");

		if (!word)
			return;
		if (i == 0 && word[0] != '/')
			walk_error(walk, item, "command: %s is not a path from the root (/...)",
				   config_quote(word, quoted));
		if (!check_command_add(check, word)) {
			walk_error(walk, item,
				   "command: an empty word, or more than %d bytes in all",
				   CHECK_COMMAND_SIZE - 2);
			return;
		}
	}
}

/* ---- the map ---- */

static const struct word check_words[] = {
	{"none", CHECK_NONE, SUPPORTED}, {"tcp", CHECK_TCP, SUPPORTED},
	{"http", CHECK_HTTP, SUPPORTED}, {"https", CHECK_HTTPS, SUPPORTED},
	{"udp", CHECK_UDP, SUPPORTED},   {"icmp", CHECK_ICMP, SUPPORTED},
	{"exec", CHECK_EXEC, SUPPORTED}, {},
};

static const struct word via_words[] = {
	{"direct", CHECK_VIA_DIRECT, SUPPORTED},
	{"tunnel", CHECK_VIA_TUNNEL, SUPPORTED},
	{},
};

const struct key schema_check_keys[] = {
	{"type", KEY_WORD, KEY_FIELD(struct check, type), .words = check_words},
	{"interval", KEY_TIME, KEY_FIELD(struct check, interval_ms), .min = 10, .max = DAY_MS},
	{"fast_interval", KEY_TIME, KEY_FIELD(struct check, fast_interval_ms), .min = 10,
	 .max = DAY_MS},
	{"hold_down", KEY_TIME, KEY_FIELD(struct check, hold_down_ms), .max = DAY_MS},
	{"timeout", KEY_TIME, KEY_FIELD(struct check, timeout_ms), .min = 10, .max = DAY_MS},
	{"rise", KEY_NUMBER, KEY_FIELD(struct check, rise), .min = 1, .max = 1000},
	{"fall", KEY_NUMBER, KEY_FIELD(struct check, fall), .min = 1, .max = 1000},
	{"port", KEY_NUMBER, KEY_FIELD(struct check, port), .min = 1, .max = 65535},
	{"via", KEY_WORD, KEY_FIELD(struct check, via), .words = via_words},
	{"path", KEY_CUSTOM, .read = read_path},
	{"host", KEY_CUSTOM, .read = read_host},
	{"expect", KEY_CUSTOM, .read = read_expect},
	{"body", KEY_CUSTOM, .read = read_body},
	{"sni", KEY_CUSTOM, .read = read_sni},
	{"ca", KEY_CUSTOM, .read = read_ca},
	{"certificate", KEY_CUSTOM, .read = read_certificate},
	{"key", KEY_CUSTOM, .read = read_key},
	{"send", KEY_CUSTOM, .read = read_send},
	{"command", KEY_CUSTOM, .read = read_command},
	{"agent", KEY_NUMBER, KEY_FIELD(struct check, agent), .min = 1, .max = 65535},
	{},
};

enum {
	FOR_HTTP = 1 << CHECK_HTTP,
	FOR_HTTPS = 1 << CHECK_HTTPS,
	FOR_UDP = 1 << CHECK_UDP,
	FOR_EXEC = 1 << CHECK_EXEC,
	FOR_NETWORK = 1 << CHECK_TCP | FOR_HTTP | FOR_HTTPS | FOR_UDP | 1 << CHECK_ICMP,
};

/* Keys that only some types have; all others go with every type. */
static const struct {
	const char *key;
	unsigned types;
	const char *text;
} fits[] = {
	{"path", FOR_HTTP | FOR_HTTPS, "http or https"},
	{"host", FOR_HTTP | FOR_HTTPS, "http or https"},
	{"expect", FOR_HTTP | FOR_HTTPS | FOR_UDP, "http, https or udp"},
	{"body", FOR_HTTP | FOR_HTTPS, "http or https"},
	{"sni", FOR_HTTPS, "https"},
	{"ca", FOR_HTTPS, "https"},
	{"certificate", FOR_HTTPS, "https"},
	{"key", FOR_HTTPS, "https"},
	{"send", FOR_UDP, "udp"},
	{"command", FOR_EXEC, "exec"},
	{"via", FOR_NETWORK, "tcp, http, https, udp or icmp"},
};

static void check_fits(struct walk *walk, const struct node *map, const struct check *check)
{
	const struct reading *reading = walk->context;
	const struct node *at;

	for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
		if (fits[i].types == FOR_EXEC && reading->from_api)
			continue; /* was refused for that */
		if (config_tree_get(map, fits[i].key, &at) && !(fits[i].types & 1U << check->type))
			walk_error(walk, at, "'%s' needs a check of type %s (it is %s)",
				   fits[i].key, fits[i].text, check_type_name(check->type));
	}
}

static void check_needs(struct walk *walk, const struct node *map, const struct check *check)
{
	const struct reading *reading = walk->context;
	const struct node *at = config_tree_get(map, "type", NULL);

	if (at && check->type == CHECK_EXEC && reading->from_api) {
		walk_error(walk, at, "type: a check of type exec is only taken from the file");
		return;
	}
	if (!at)
		at = map;
	if (check->type == CHECK_UDP && !check->send[0] && !config_tree_get(map, "send", NULL))
		walk_error(walk, at, "a check of type udp needs the key 'send'");
	if (check->type == CHECK_EXEC && !check->command[0] &&
	    !config_tree_get(map, "command", NULL))
		walk_error(walk, at, "a check of type exec needs the key 'command'");
	if (check->key[0] && !check->certificate[0] && config_tree_get(map, "key", &at))
		walk_error(walk, at, "'key' is that of a certificate (add the key 'certificate')");
}

static bool type_is_wrong(const struct node *map, const struct check *check)
{
	const struct node *type = config_tree_get(map, "type", NULL);

	return type && type->kind == NODE_SCALAR &&
	       strcmp(type->text, check_type_name(check->type)) != 0;
}

void schema_finish_check(struct walk *walk, const struct node *map, void *object)
{
	const struct reading *reading = walk->context;
	struct check *check = object;
	const struct node *at = config_tree_get(map, "timeout", NULL);

	if (!at)
		at = config_tree_get(map, "interval", NULL);
	/* Where this map sets neither, `defaults` is to blame and was. */
	if (at && check->timeout_ms > check->interval_ms)
		walk_error(walk, at,
			   "the check's timeout is longer than its interval (%u ms, %u ms)",
			   check->timeout_ms, check->interval_ms);
	at = config_tree_get(map, "fast_interval", NULL);
	if (!at)
		at = config_tree_get(map, "interval", NULL);
	if (at && check->fast_interval_ms > check->interval_ms)
		walk_error(walk, at,
			   "the check's fast_interval is longer than its interval (%u ms, %u ms)",
			   check->fast_interval_ms, check->interval_ms);
	if (type_is_wrong(map, check))
		return;
	/* Defaults without a type are for pools that have one. */
	if (!reading->in_defaults || check->type != CHECK_NONE)
		check_fits(walk, map, check);
	if (!reading->in_defaults)
		check_needs(walk, map, check);
	check_expect(walk, map, check);
	if (!reading->in_defaults && check->type == CHECK_NONE && map->count > 0 &&
	    !config_tree_get(map, "type", NULL))
		walk_error(walk, map, "check needs the key 'type'");
}
