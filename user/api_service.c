/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* api_service: see api_service.h. The names of the fields are a promise to scripts: add, never
 * change. */
#include "api_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api_json.h"
#include "model_json.h"

static void put_head(struct json_text *text)
{
	static const char *const names[] = {"name",     "listen",  "pool",  "backends_up",
					    "backends", "packets", "bytes", "new_flows"};

	json_text_begin(text, NULL, '{');
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_text_string(text, names[i], names[i]);
	json_text_end(text, '}');
}

static void put_listen(struct json_text *text, const struct service *service)
{
	size_t room = service->listen_count * (ENDPOINT_TEXT_SIZE + 2) + 1, used = 0;
	char endpoint[ENDPOINT_TEXT_SIZE], *list = calloc(1, room);

	if (!list) {
		text->failed = true;
		return;
	}
	for (size_t i = 0; i < service->listen_count; i++)
		used += (size_t)snprintf(list + used, room - used, "%s%s", i ? ", " : "",
					 endpoint_format(&service->listen[i], endpoint));
	json_text_string(text, "listen", list);
	free(list);
}

static void put_traffic(struct json_text *text, const struct model *model,
			const struct service *service, const struct lb_counter *counter)
{
	const struct pool *pool = model_pool_find(model, service->pool);

	json_text_integer(text, "backends_up", pool ? api_backends_up(pool) : 0);
	json_text_integer(text, "backends", pool ? pool->backend_count : 0);
	json_text_integer(text, "packets", counter->packets);
	json_text_integer(text, "bytes", counter->bytes);
	if (api_service_new_flows_counted(model, service))
		json_text_integer(text, "new_flows", counter->new_flows);
	else
		json_text_null(text, "new_flows");
}

void api_service_put(struct json_text *text, const struct model *model,
		     const struct service *service, const struct lb_counter *counter)
{
	json_text_begin(text, NULL, '{');
	model_json_put_service(text, service);
	put_traffic(text, model, service, counter);
	json_text_end(text, '}');
}

void api_services_put(struct json_text *text, const struct model *model,
		      const struct lb_counter *counters)
{
	put_head(text);
	for (size_t i = 0; i < model->service_count; i++) {
		const struct service *service = model->services[i];

		json_text_begin(text, NULL, '{');
		json_text_string(text, "name", service->name);
		put_listen(text, service);
		json_text_string(text, "pool", service->pool);
		put_traffic(text, model, service, &counters[i]);
		json_text_end(text, '}');
	}
}
