/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lbload: what the configuration says of a data plane that is about to be made. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../user/config.h"
#include "lbload.h"

#define DEFAULT_CONFIG "/etc/lbd/lbd.yaml"

static int config_fault(const struct loader *loader, const char *path, const char *text,
			const struct config_errors *errors, struct fault *fault)
{
	unsigned line = errors->count ? errors->items[0].line : 0;
	char *shown = line ? config_errors_format(errors, path, text, false) : NULL;

	if (shown && loader->output != LOADER_JSON)
		fputs(shown, stderr);
	free(shown);
	if (!line)
		return fault_set(fault, FAULT_USAGE, "%s: %s", path,
				 errors->count ? errors->items[0].what : "it cannot be read");
	return fault_set(fault, FAULT_USAGE, "%s:%u:%u: %s (%zu in all)", path, line,
			 errors->items[0].column, errors->items[0].what, errors->count);
}

int lbload_settings(const struct loader *loader, struct lb_settings *settings, struct fault *fault)
{
	const char *path = loader->config_given ? loader->config : DEFAULT_CONFIG;
	struct config_errors errors = {};
	struct model *model;
	char *text = NULL;
	int err = 0;

	if (!loader->config_given && access(path, F_OK) < 0 && errno == ENOENT) {
		model = model_create();
		if (!model)
			return fault_set(fault, FAULT_FAILED, "%s", strerror(errno));
	} else {
		model = config_load(path, &text, &errors);
	}
	memset(settings, 0, sizeof(*settings));
	if (!model) {
		err = config_fault(loader, path, text, &errors, fault);
	} else {
		settings->limits = model_limits(model);
		if (model->global.hash_seed_set)
			memcpy(settings->hash_seed, model->global.hash_seed,
			       sizeof(settings->hash_seed));
	}
	model_free(model);
	config_errors_free(&errors);
	free(text);
	return err;
}
