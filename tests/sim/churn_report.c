/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* churn_report: the simulator's rows, as a table and as JSON; and their goals. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "churn.h"

/*
 * What an entry costs in the kernel: 48 bytes of its own (struct htab_elem), a key of 16 and a
 * value of 16 or 20, each rounded up to eight. Limpet's are allocated one by one, from slabs of 96
 * bytes; a table that evicts is allocated whole. A bucket has 16 bytes, and there is one for each
 * entry that the table may have, rounded up to a power of two.
 */
enum { ENTRY_BYTES = 96, EVICTING_ENTRY_BYTES = 80, BUCKET_BYTES = 16 };

static uint64_t buckets(uint32_t entries)
{
	uint64_t count = 1;

	while (count < entries)
		count *= 2;
	return count * BUCKET_BYTES;
}

uint64_t report_memory(const struct policy *policy, uint32_t entries)
{
	switch (policy->memory) {
	case MEMORY_NONE:
		return 0;
	case MEMORY_CLASSIC:
		return buckets(policy->entries) + (uint64_t)policy->entries * EVICTING_ENTRY_BYTES;
	default:
		/* `births` have half the room, and there is a pair of tables for each family. */
		return 2 * (buckets(policy->entries + 16) + buckets(policy->entries / 2 + 16)) +
		       (uint64_t)entries * ENTRY_BYTES;
	}
}

static uint64_t needless(const struct row *row)
{
	return row->broken - row->allowed;
}

/* The memory of the classic kind is expected to be too small where it is below what lives. */
static bool must_break(const struct row *row)
{
	return row->policy->memory == MEMORY_NONE ||
	       (row->policy->memory == MEMORY_CLASSIC && row->policy->entries < row->live);
}

const char *report_missed(const struct row *row)
{
	bool ours = row->policy->memory == MEMORY_CHANGED || row->policy->memory == MEMORY_ALWAYS;

	if (must_break(row) && !needless(row))
		return "breaks nothing: the simulator is blind";
	if (ours && needless(row))
		return "breaks flows";
	if (row->policy->memory == MEMORY_CHANGED && row->changes == 1 &&
	    row->peak_entries * 100ULL >= row->live * 3ULL)
		return "has entries for 3% of the live flows or more";
	return NULL;
}

/* ---- the table ---- */

static void print_seconds(double seconds)
{
	if (seconds < 0)
		printf("%9s", "never");
	else
		printf("%9.0f", seconds);
}

void report_header(void)
{
	printf("%-17s %-15s %8s %9s %8s %8s %8s %9s %8s %8s %8s\n", "memory of flows", "changes",
	       "", "flows", "live", "broken", "(gone)", "entries", "MB", "settled", "empty, s");
}

void report_row(const struct row *row)
{
	const char *missed = report_missed(row);

	printf("%-17s %-15s %8u %9" PRIu64 " %8u %8" PRIu64 " %8" PRIu64 " %9u %8.1f",
	       row->policy->name, row->schedule, row->changes, row->flows, row->live, needless(row),
	       row->allowed, row->peak_entries, (double)row->peak_memory_bytes / 1e6);
	print_seconds(row->settled_seconds);
	print_seconds(row->empty_seconds);
	printf("%s%s\n", missed ? "  MISSED: " : "", missed ? missed : "");
}

/* ---- JSON ---- */

static void json_seconds(FILE *out, const char *name, double seconds)
{
	if (seconds < 0)
		fprintf(out, ", \"%s\": null", name);
	else
		fprintf(out, ", \"%s\": %.1f", name, seconds);
}

/* `settle_seconds`: from the last change until all slots are settled and the table is empty. null:
 * not while there is traffic, or not within what was simulated. */
static void json_row(FILE *out, const struct row *row)
{
	fprintf(out,
		"{\"name\": \"simulated, %s: %s\", \"flows\": %" PRIu64 ", \"live_flows\": %u"
		", \"changes\": %u, \"broken\": %" PRIu64 ", \"broken_allowed\": %" PRIu64
		", \"peak_entries\": %u, \"peak_memory_bytes\": %" PRIu64,
		row->policy->name, row->schedule, row->flows, row->live, row->changes, row->broken,
		row->allowed, row->peak_entries, row->peak_memory_bytes);
	json_seconds(out, "slots_settled_seconds", row->settled_seconds);
	json_seconds(out, "settle_seconds", row->empty_seconds);
	fprintf(out, ", \"seconds\": %.1f, \"run_seconds\": %.1f, \"goal\": \"%s\"}", row->seconds,
		row->run_seconds, report_missed(row) ? "missed" : "met");
}

int report_json(const char *path, const struct row *rows, uint32_t count)
{
	FILE *out = fopen(path, "w");
	int err;

	if (!out)
		return -errno;
	fprintf(out, "[");
	for (uint32_t i = 0; i < count; i++) {
		fprintf(out, "%s\n ", i ? "," : "");
		json_row(out, &rows[i]);
	}
	fprintf(out, "\n]\n");
	err = ferror(out) ? -EIO : 0;
	return fclose(out) ? -errno : err;
}
