/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* generate_sources: see generate.h. */
#include <string.h>

#include "generate.h"

static const uint8_t prefixes_v4[] = {0, 1, 8, 23, 24, 25, 31, 32, 32};
static const uint8_t prefixes_v6[] = {0, 1, 32, 47, 48, 64, 65, 127, 128, 128};

static bool line_there(const struct model_config *config, const struct model_source *line)
{
	for (int i = 0; i < MODEL_SOURCES; i++)
		if (config->sources[i].service == line->service &&
		    config->sources[i].prefix == line->prefix &&
		    model_same_address(&config->sources[i].network, &line->network))
			return true;
	return false;
}

static void line_add(struct random *r, const struct crowd *crowd, struct model_config *config,
		     uint32_t service, struct model_source *place)
{
	const struct model_address *client =
		&crowd->clients[random_below(r, 2)][random_below(r, GENERATE_CLIENTS)];
	struct model_source line = {.service = service,
				    .prefix = client->family == 4 ? RANDOM_OF(r, prefixes_v4)
								  : RANDOM_OF(r, prefixes_v6),
				    .deny = random_percent(r, 50)};

	line.network = model_masked(client, line.prefix);
	if (!line_there(config, &line))
		*place = line;
}

void generate_sources(struct random *r, const struct crowd *crowd, struct model_config *config)
{
	uint32_t count = random_percent(r, 70) ? 0 : 1 + random_below(r, MODEL_SOURCES);
	/* Few services, so that lists have several lines. */
	uint32_t first = 1 + random_below(r, MODEL_SERVICES - 3);

	memset(config->sources, 0, sizeof(config->sources));
	memset(config->limits, 0, sizeof(config->limits));
	memset(config->allowed_only, 0, sizeof(config->allowed_only));
	for (uint32_t i = 0; i < count; i++)
		line_add(r, crowd, config, first + random_below(r, 3), &config->sources[i]);
	for (int i = 1; i < MODEL_SERVICES; i++) {
		config->allowed_only[i] = count && random_percent(r, 15);
		if (random_percent(r, 85))
			continue;
		config->limits[i] = (struct model_limit){.burst = (uint8_t)(1 + random_below(r, 4)),
							 .prefix_v4 = RANDOM_OF(r, prefixes_v4),
							 .prefix_v6 = RANDOM_OF(r, prefixes_v6)};
	}
}
