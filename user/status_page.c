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

#include "api_json.h"
#include "events.h"
#include "json_text.h"

enum { EVENTS_TOLD = 100 };

/* The assembler takes the file in as it is; paths are those of the project's directory, where make
 * runs. */
__asm__(".section .rodata\n"
	"status_page_begin: .incbin \"user/status_page.html\"\n"
	"status_page_end:\n"
	".previous\n");
extern const char status_page_begin[], status_page_end[];

/* What is asked, and which field of the answer is kept (NULL: all of it). Backends, of which there
 * may be thousands, come as lines. */
static const struct part {
	const char *name;
	const char *path;
	const char *parameter; /* set to 1; NULL: none */
	const char *field;
} parts[] = {
	{"status", "/v1/status", NULL, NULL},
	{"services", "/v1/services", NULL, "services"},
	{"pools", "/v1/pools", NULL, "pools"},
	{"drops", "/v1/drops", "all", "drops"},
	{"backends", "/v1/backends", NULL, "backends"},
};

const char *status_page_html(size_t *size)
{
	*size = (size_t)(status_page_end - status_page_begin);
	return status_page_begin;
}

/* The only field of an answer that came as text, which is a list. */
static void put_list(struct json_text *page, const char *name, char *text, size_t size)
{
	char *begin = memchr(text, '[', size), *end = memrchr(text, ']', size);

	if (!begin || !end) {
		page->failed = true;
		return;
	}
	end[1] = '\0';
	json_text_raw(page, name, begin);
}

static int add_part(struct api_state *state, const struct part *part, struct json_text *page,
		    struct fault *fault)
{
	json_t *query = json_object();
	struct api_request request = {
		.method = "GET", .path = part->path, .query = query, .who = "status page"};
	struct api_reply reply;
	int error = 0;

	if (part->parameter)
		json_object_set_new(query, part->parameter, json_string("1"));
	api_answer(state, &request, &reply);
	if (reply.status != 200)
		error = fault_set(fault, FAULT_FAILED, "status page: asking %s: it cannot be read",
				  part->path);
	else if (reply.text)
		put_list(page, part->name, reply.text, reply.text_size);
	else
		json_text_tree(page, part->name,
			       part->field ? json_object_get(reply.body, part->field) : reply.body);
	json_decref(reply.body);
	free(reply.text);
	json_decref(query);
	return error;
}

static void put_clock(struct json_text *page)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	json_text_string(page, "time", text);
}

static void put_events(struct json_text *page, const struct controller *controller)
{
	json_t *events = events_last(controller_events(controller), EVENTS_TOLD);

	json_text_tree(page, "events", events);
	json_decref(events);
}

char *status_page_data(struct api_state *state, size_t *size, struct fault *fault)
{
	struct json_text page = {0};
	int error = 0;

	json_text_begin(&page, NULL, '{');
	json_text_integer(&page, "schema", API_SCHEMA);
	put_clock(&page);
	json_text_integer(&page, "uptime_ms", controller_uptime_ms(state->controller));
	put_events(&page, state->controller);
	for (size_t i = 0; !error && i < sizeof(parts) / sizeof(parts[0]); i++)
		error = add_part(state, &parts[i], &page, fault);
	json_text_end(&page, '}');
	if (!error && page.failed)
		error = fault_set(fault, FAULT_FAILED, "status page: answering: out of memory");
	*size = error ? 0 : page.size;
	if (!error)
		return page.bytes;
	free(page.bytes);
	return NULL;
}
