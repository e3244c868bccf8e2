/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_doctor: `lbctl doctor`. See lbctl.h. */
#include <stdio.h>
#include <string.h>

#include "lbctl.h"

enum { SEVERITY_WIDTH = 8 };

static const char *const severities[] = {"error", "warning", "note"};
enum { SEVERITY_COUNT = sizeof(severities) / sizeof(severities[0]) };

static const char *colour_of(const char *severity)
{
	return !strcmp(severity, "error")     ? "\033[31m"
	       : !strcmp(severity, "warning") ? "\033[33m"
					      : "";
}

static void print_finding(const struct ctl *ctl, const json_t *finding)
{
	const char *severity = ctl_text(finding, "severity");

	printf("%s%-*s%s %s: %s\n", ctl->colour ? colour_of(severity) : "", SEVERITY_WIDTH,
	       severity, ctl->colour ? "\033[0m" : "", ctl_text(finding, "object"),
	       ctl_text(finding, "cause"));
	if (ctl_text(finding, "type")[0])
		printf("%*s %s\n", SEVERITY_WIDTH, "->", ctl_text(finding, "type"));
}

static size_t count_of(const json_t *findings, const char *severity)
{
	const json_t *finding;
	size_t i, count = 0;

	json_array_foreach (findings, i, finding)
		count += !strcmp(ctl_text(finding, "severity"), severity);
	return count;
}

static void print_report(const struct ctl *ctl, const json_t *reply)
{
	const json_t *node = json_object_get(reply, "node"), *item;
	const json_t *examined = json_object_get(reply, "examined");
	const json_t *findings = json_object_get(reply, "findings");
	size_t i;

	json_array_foreach (findings, i, item)
		print_finding(ctl, item);
	printf("%sexamined: %llu interfaces, %llu backends\n", i ? "\n" : "",
	       (unsigned long long)ctl_integer(examined, "interfaces"),
	       (unsigned long long)ctl_integer(examined, "backends"));
	printf("to compare with other nodes: clock %s, seed %s\n", ctl_text(node, "clock"),
	       ctl_text(node, "seed_fingerprint"));
	json_array_foreach (json_object_get(node, "tables"), i, item)
		printf("  table of pool %s: %s%s\n", ctl_text(item, "pool"),
		       ctl_text(item, "table_digest"),
		       ctl_integer(item, "unsettled_slots") ? " (unsettled)" : "");
	for (i = 0; i < SEVERITY_COUNT; i++) {
		size_t count = count_of(findings, severities[i]);

		printf("%s%zu %s%s", i ? ", " : "", count, severities[i], count == 1 ? "" : "s");
	}
	putchar('\n');
}

/* lbd gives each check up at its timeout, so that this has an end. */
int ctl_doctor(struct ctl *ctl, struct fault *fault)
{
	struct ctl_request request = {.path = {"doctor"}};
	json_t *reply;
	size_t errors;

	if (ctl_ask_finished(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply))
		print_report(ctl, reply);
	errors = count_of(json_object_get(reply, "findings"), "error");
	json_decref(reply);
	if (!errors)
		return 0;
	/* All is said already. */
	fault->code = FAULT_FAILED;
	return -1;
}
