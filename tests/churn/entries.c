/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * entries PIN_DIR [OUT]: how many entries the data plane's tables of flows and clients hold, by
 * looking, not by asking lbd. Prints them; with OUT, appends a line there several times a second
 * until SIGTERM, whether an lbd is there or not, and none while the instance is not.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 4096, ENTRY_MAX = 256, PAUSE_MS = 200 };

static const char *const flow_tables[] = {"births_v4", "births_v6", "flows_v4", "flows_v6", NULL};
static const char *const client_tables[] = {"clients_v4", "clients_v6", NULL};

static unsigned long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (unsigned long)now.tv_sec * 1000 + (unsigned long)now.tv_nsec / 1000000;
}

static int table_open(const char *pin_dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", pin_dir, name);
	return bpf_obj_get(path);
}

static unsigned long table_count(int fd)
{
	static unsigned char keys[BATCH * ENTRY_MAX], values[BATCH * ENTRY_MAX];
	unsigned char token[ENTRY_MAX];
	unsigned long total = 0;
	bool first = true;

	for (;;) {
		__u32 count = BATCH;
		int error = bpf_map_lookup_batch(fd, first ? NULL : token, token, keys, values,
						 &count, NULL);

		if (error && errno != ENOENT) {
			fprintf(stderr, "entries: reading: %s\n", strerror(errno));
			exit(1);
		}
		total += count;
		if (error)
			return total;
		first = false;
	}
}

/* -1: there are no such tables. */
static long tables_count(const char *pin_dir, const char *const *names)
{
	long total = 0;

	for (; *names; names++) {
		int fd = table_open(pin_dir, *names);

		if (fd < 0)
			return -1;
		total += (long)table_count(fd);
		close(fd);
	}
	return total;
}

static bool print(FILE *out, const char *pin_dir)
{
	long flows = tables_count(pin_dir, flow_tables);
	long clients = tables_count(pin_dir, client_tables);

	if (flows < 0 || clients < 0)
		return false;
	fprintf(out, "{\"t\": %lu, \"entries\": %ld, \"client_records\": %ld}\n", now_ms(), flows,
		clients);
	fflush(out);
	return true;
}

int main(int argc, char **argv)
{
	FILE *out = stdout;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: entries PIN_DIR [OUT]\n");
		return 2;
	}
	if (argc == 3 && !(out = fopen(argv[2], "ae"))) {
		fprintf(stderr, "entries: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	if (!print(out, argv[1])) {
		fprintf(stderr, "entries: %s: no tables: %s\n", argv[1], strerror(errno));
		return 1;
	}
	while (argc == 3) {
		unsigned long start = now_ms();

		print(out, argv[1]);
		/* Never more than a small part of a core. */
		usleep((useconds_t)(PAUSE_MS + 10 * (now_ms() - start)) * 1000);
	}
	return 0;
}
