/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * status_page: see status_page.h. Asks api_answer what a client of the API would ask it, and puts
 * the answers together. Knows no HTTP; metrics_server serves what is made here.
 */
#include "status_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "events.h"

enum { EVENTS_TOLD = 100 };

/* The assembler takes the file in as it is; paths are those of the project's directory, where make
 * runs. */
__asm__(".section .rodata\n"
	"status_page_begin: .incbin \"user/status_page.html\"\n"
	"status_page_end:\n"
	".previous\n");
extern const char status_page_begin[], status_page_end[];

/* What is asked, and which field of the answer is kept (NULL: all of it). */
static const struct part {
	const char *name;
	const char *path;
	const char *parameter; /* set to 1; NULL: none */
	const char *field;
} parts[] = {
	{"status", "/v1/status", NULL, NULL},   {"services", "/v1/services", NULL, "services"},
	{"pools", "/v1/pools", NULL, "pools"},  {"backends", "/v1/backends", NULL, "backends"},
	{"drops", "/v1/drops", "all", "drops"},
};

const char *status_page_html(size_t *size)
{
	*size = (size_t)(status_page_end - status_page_begin);
	return status_page_begin;
}

static int add_part(struct api_state *state, const struct part *part, json_t *page,
		    struct fault *fault)
{
	json_t *query = json_object(), *kept;
	struct api_request request = {
		.method = "GET", .path = part->path, .query = query, .who = "status page"};
	struct api_reply reply;
	int error = 0;

	if (part->parameter)
		json_object_set_new(query, part->parameter, json_string("1"));
	api_answer(state, &request, &reply);
	kept = part->field ? json_object_get(reply.body, part->field) : reply.body;
	if (reply.status != 200 || json_object_set(page, part->name, kept) != 0)
		error = fault_set(fault, FAULT_FAILED, "status page: asking %s: %s", part->path,
				  reply.status == 200 ? "out of memory" : "it cannot be read");
	json_decref(reply.body);
	json_decref(query);
	return error;
}

static json_t *clock_json(void)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	return json_string(text);
}

char *status_page_data(struct api_state *state, size_t *size, struct fault *fault)
{
	const struct controller *controller = state->controller;
	json_t *page = json_pack("{s:i, s:o, s:I, s:o}", "schema", 1, "time", clock_json(),
				 "uptime_ms", (json_int_t)controller_uptime_ms(controller),
				 "events", events_last(controller_events(controller), EVENTS_TOLD));
	char *text = NULL;
	int error = 0;

	for (size_t i = 0; !error && i < sizeof(parts) / sizeof(parts[0]); i++)
		error = add_part(state, &parts[i], page, fault);
	if (!error)
		text = json_dumps(page, JSON_COMPACT);
	if (!error && !text)
		fault_set(fault, FAULT_FAILED, "status page: answering: out of memory");
	json_decref(page);
	*size = text ? strlen(text) : 0;
	return text;
}
