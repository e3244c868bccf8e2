/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * config_global: the keys of `global`. Neighbours: config_schema reads the file that they are in.
 * It must not know pools and services; a hash_seed_file is the only file it opens.
 */
#include "config_schema.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEED_DIGITS = 2 * LB_SEED_SIZE };

/* 32 hex digits; NULL, or what is wrong with them. A seed of zeros means "none" to the data plane.
 */
static const char *seed_parse(const char *text, uint8_t seed[LB_SEED_SIZE])
{
	bool zero = true;

	if (strlen(text) != SEED_DIGITS || strspn(text, "0123456789abcdefABCDEF") != SEED_DIGITS)
		return "not 32 hex digits (make some: openssl rand -hex 16)";
	for (size_t i = 0; i < LB_SEED_SIZE; i++) {
		char digits[3] = {text[2 * i], text[2 * i + 1]};

		seed[i] = (uint8_t)strtoul(digits, NULL, 16);
		zero &= seed[i] == 0;
	}
	return zero ? "all zeros are no secret (make one: openssl rand -hex 16)" : NULL;
}

static void read_seed(struct walk *walk, const struct node *value, void *object)
{
	const char *text = walk_text(walk, value, "hash_seed", "32 hex digits"), *wrong;
	struct global *global = object;

	if (!text)
		return;
	wrong = seed_parse(text, global->hash_seed);
	if (wrong)
		walk_error(walk, value, "hash_seed: %s", wrong);
	global->hash_seed_set = !wrong;
}

/* Fills `text` with the file's first bytes. Returns 0 or a negative errno. */
static int read_small_file(const char *path, char *text, size_t size)
{
	/* Without O_NONBLOCK a fifo would make us wait for a writer. */
	int err = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	if (length < 0)
		err = -errno;
	else
		text[length] = '\0';
	close(fd);
	return err;
}

/* 0 with `*wrong`: NULL, or what is wrong with the seed that stands there. Or a negative errno. */
static int seed_load(const char *path, uint8_t seed[LB_SEED_SIZE], const char **wrong)
{
	char text[256];
	size_t length;
	int err = read_small_file(path, text, sizeof(text));

	if (err < 0)
		return err;
	for (length = strlen(text); length > 0 && isspace((unsigned char)text[length - 1]);)
		text[--length] = '\0';
	*wrong = seed_parse(text, seed);
	return 0;
}

static void read_seed_file(struct walk *walk, const struct node *value, void *object)
{
	const struct reading *reading = walk->context;
	const char *path = walk_text(walk, value, "hash_seed_file", "a path"), *wrong;
	const char *dir = reading->base_dir ? reading->base_dir : ".";
	char quoted[CONFIG_QUOTE_SIZE], *full = NULL;
	struct global *global = object;
	int err;

	if (!path)
		return;
	if (asprintf(&full, "%s%s%s", path[0] == '/' ? "" : dir, path[0] == '/' ? "" : "/", path) <
	    0) {
		walk_error(walk, value, "out of memory");
		return;
	}
	free(global->hash_seed_file);
	global->hash_seed_file = full;
	err = seed_load(full, global->hash_seed, &wrong);
	config_quote(path, quoted);
	if (err < 0) {
		walk_error(walk, value, "hash_seed_file: cannot read %s: %s", quoted,
			   strerror(-err));
		return;
	}
	if (wrong)
		walk_error(walk, value, "hash_seed_file: %s: %s", quoted, wrong);
	global->hash_seed_set = !wrong;
}

bool schema_seed_again(struct global *global)
{
	const char *wrong = NULL;

	return !global->hash_seed_file ||
	       (seed_load(global->hash_seed_file, global->hash_seed, &wrong) == 0 && !wrong);
}

/* NULL if something can listen there, else why not. */
static const char *listen_problem(const struct addr *addr)
{
	static const union lb_addr unspecified;

	/* Every address of this host is one to listen on. */
	if (!memcmp(&addr->ip, &unspecified, sizeof(unspecified)))
		return NULL;
	return addr_unicast_problem(addr);
}

static void read_metrics(struct walk *walk, const struct node *value, void *object)
{
	const char *text = walk_text(walk, value, "metrics", "an address and port"), *why;
	char quoted[CONFIG_QUOTE_SIZE], address[ADDR_TEXT_SIZE];
	struct global *global = object;
	struct addr addr;
	uint16_t port;

	if (!text)
		return;
	if (addr_port_parse(text, &addr, &port, &why) == 0)
		why = listen_problem(&addr);
	if (why) {
		walk_error(walk, value, "metrics: %s: %s (such as 127.0.0.1:9555)",
			   config_quote(text, quoted), why);
		return;
	}
	/* One way of writing each, so that a change can be told from none. */
	if (asprintf(&global->metrics, addr.family == 6 ? "[%s]:%u" : "%s:%u",
		     addr_format(&addr, address), port) < 0) {
		global->metrics = NULL;
		walk_error(walk, value, "out of memory");
	}
}

/* `example`: of a prefix that would do. */
static void read_source(struct walk *walk, const struct node *value, uint8_t family,
			const char *example, struct prefix *out)
{
	const char *name = family == 4 ? "v4" : "v6";
	const char *text = walk_text(walk, value, name, "a prefix"), *why;
	char quoted[CONFIG_QUOTE_SIZE];
	struct prefix prefix;

	if (!text)
		return;
	if (prefix_parse(text, &prefix, &why) == 0) {
		why = addr_unicast_problem(&prefix.addr);
		if (prefix.addr.family != family)
			why = family == 4 ? "it is not IPv4" : "it is not IPv6";
	}
	if (why)
		walk_error(walk, value, "%s: %s: %s (such as %s)", name, config_quote(text, quoted),
			   why, example);
	else
		*out = prefix;
}

static void read_encap_v4(struct walk *walk, const struct node *value, void *object)
{
	read_source(walk, value, 4, "172.16.0.0/16", &((struct global *)object)->encap_v4);
}

static void read_encap_v6(struct walk *walk, const struct node *value, void *object)
{
	read_source(walk, value, 6, "0100::/64", &((struct global *)object)->encap_v6);
}

static const struct key encap_keys[] = {
	{"v4", KEY_CUSTOM, .read = read_encap_v4},
	{"v6", KEY_CUSTOM, .read = read_encap_v6},
	{},
};

static void read_snat_v4(struct walk *walk, const struct node *value, void *object)
{
	read_source(walk, value, 4, "10.0.0.9/32", &((struct global *)object)->snat_v4);
}

static void read_snat_v6(struct walk *walk, const struct node *value, void *object)
{
	read_source(walk, value, 6, "fd00::9/128", &((struct global *)object)->snat_v6);
}

static const struct key snat_keys[] = {
	{"v4", KEY_CUSTOM, .read = read_snat_v4},
	{"v6", KEY_CUSTOM, .read = read_snat_v6},
	{},
};

static const struct word vip_words[] = {
	{"none", VIP_NONE, SUPPORTED},
	{"interface", VIP_INTERFACE, SUPPORTED},
	{},
};

enum {
	FLOWS_MAX = 1 << 27,    /* the kernel's hash maps take no more of this size */
	SLOTS_MAX = 1 << 28,    /* 1 GiB */
	COUNTERS_MAX = 1 << 24, /* 384 MiB for each CPU */
};

static const struct key limit_keys[] = {
	{"flows", KEY_NUMBER, KEY_FIELD(struct lb_limits, flows), .min = 0, .max = FLOWS_MAX},
	{"clients", KEY_NUMBER, KEY_FIELD(struct lb_limits, clients), .min = 0, .max = FLOWS_MAX},
	{"nat_flows", KEY_NUMBER, KEY_FIELD(struct lb_limits, nat_flows), .min = 0,
	 .max = FLOWS_MAX},
	{"backends", KEY_NUMBER, KEY_FIELD(struct lb_limits, backends), .min = 1,
	 .max = LB_BACKENDS_MAX},
	{"services", KEY_NUMBER, KEY_FIELD(struct lb_limits, services), .min = 1, .max = 65535},
	{"slots", KEY_NUMBER, KEY_FIELD(struct lb_limits, slots), .max = SLOTS_MAX},
	{"counters", KEY_NUMBER, KEY_FIELD(struct lb_limits, counters), .max = COUNTERS_MAX},
	{},
};

static void finish_limits(struct walk *walk, const struct node *map, void *object)
{
	const struct lb_limits *limits = object;
	const struct node *at = config_tree_get(map, "slots", NULL);

	if (at && limits->slots % LB_SLOT_BLOCK != 0)
		walk_error(walk, at, "slots: %u is not a multiple of %d (the next is %u)",
			   limits->slots, LB_SLOT_BLOCK,
			   limits->slots / LB_SLOT_BLOCK * LB_SLOT_BLOCK + LB_SLOT_BLOCK);
}

const struct key schema_global_keys[] = {
	{"hash_seed", KEY_CUSTOM, .read = read_seed},
	{"hash_seed_file", KEY_CUSTOM, .read = read_seed_file},
	{"metrics", KEY_CUSTOM, .read = read_metrics},
	{"encap_source", KEY_MAP, .keys = encap_keys},
	{"snat_source", KEY_MAP, .keys = snat_keys},
	{"vip", KEY_WORD, KEY_FIELD(struct global, vip), .words = vip_words},
	{"limits", KEY_MAP, .offset = offsetof(struct global, limits), .keys = limit_keys,
	 .finish = finish_limits},
	{},
};

void schema_finish_global(struct walk *walk, const struct node *map, void *object)
{
	const struct node *seed, *file, *at;

	(void)object;
	if (!config_tree_get(map, "hash_seed", &seed) ||
	    !config_tree_get(map, "hash_seed_file", &file))
		return;
	at = seed->line > file->line || (seed->line == file->line && seed->column > file->column)
		     ? seed
		     : file;
	walk_error(walk, at, "hash_seed and hash_seed_file are both given (keep one)");
}
