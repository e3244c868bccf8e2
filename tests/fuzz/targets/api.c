/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api: any bytes as the body of a request that changes something. The first byte says what: a
 * backend, a service, a pool or `global`. The body goes the way of the API: JSON is read, written
 * again, and applied through the configuration's schema. Either it is, or there is an error.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../../user/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char file[] = "version: 1\n"
			   "pools:\n"
			   "- name: web\n"
			   "  affinity: {key: source-ip, prefix_v4: 24}\n"
			   "  check: {type: tcp}\n"
			   "  backends:\n"
			   "  - {name: web1, address: 10.0.0.11, weight: 3}\n"
			   "services:\n"
			   "- {name: http, listen: \"tcp://192.0.2.10:80\", pool: web}\n";

enum { KINDS = 4 };

static int apply(uint8_t kind, const char *text, size_t size, struct model *model,
		 struct config_errors *errors)
{
	struct pool *web = model_pool_find(model, "web");

	switch (kind % KINDS) {
	case 0:
		return config_apply_backend(text, size, web->backends[0], errors);
	case 1:
		return config_apply_service(text, size, model, "new", true, errors);
	case 2:
		return config_apply_pool(text, size, model, "web", false, errors);
	default:
		return config_apply_global(text, size, model, errors);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errors = {0};
	struct model *model;
	json_t *body;
	char *text;
	int rc;

	if (size < 1)
		return 0;
	body = json_loadb((const char *)data + 1, size - 1, JSON_REJECT_DUPLICATES, NULL);
	text = json_is_object(body) ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!text)
		return 0;
	model = config_parse(file, sizeof(file) - 1, NULL, &errors);
	if (!model)
		abort();
	rc = apply(data[0], text, strlen(text), model, &errors);
	if ((rc != 0) != (errors.count > 0))
		abort();
	config_errors_free(&errors);
	model_free(model);
	free(text);
	return 0;
}
