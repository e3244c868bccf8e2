/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* shrink: see shrink.h. One thing after the other is zeroed, and stays so if that changes nothing.
 */
#include "shrink.h"

#include <string.h>

struct shrinking {
	struct machine *machine;
	struct scenario *scenario;
	enum aspect aspect;
};

/* The same aspect must differ, or another difference would take this one's place. */
static bool still_differs(struct shrinking *s)
{
	static struct difference difference;

	return !scenario_run(s->machine, s->scenario, &difference) &&
	       difference.aspect == s->aspect;
}

static void try_zero(struct shrinking *s, void *at, size_t size)
{
	uint8_t kept[sizeof(struct model_pool)];
	bool empty = true;

	for (size_t i = 0; i < size; i++)
		empty = empty && !((uint8_t *)at)[i];
	if (empty || size > sizeof(kept))
		return;
	memcpy(kept, at, size);
	memset(at, 0, size);
	if (!still_differs(s))
		memcpy(at, kept, size);
}

/* Each element of an array. */
#define TRY_EACH(s, array)                                                                         \
	do {                                                                                       \
		for (size_t i_ = 0; i_ < sizeof(array) / sizeof((array)[0]); i_++)                 \
			try_zero(s, &(array)[i_], sizeof((array)[0]));                             \
	} while (0)

static void try_size(struct shrinking *s)
{
	struct model_frame *frame = &s->scenario->frame;

	for (uint32_t cut = 1024; cut; cut /= 2) {
		while (frame->size >= 14 + cut) {
			frame->size -= cut;
			if (still_differs(s))
				continue;
			frame->size += cut;
			break;
		}
	}
}

bool shrink(struct machine *machine, struct scenario *scenario, struct difference *difference)
{
	struct shrinking s = {.machine = machine, .scenario = scenario};
	struct model_config *config = &scenario->config;
	struct model_memory *memory = &scenario->memory;

	if (scenario_run(machine, scenario, difference))
		return false;
	s.aspect = difference->aspect;
	TRY_EACH(&s, memory->births);
	TRY_EACH(&s, memory->flows);
	TRY_EACH(&s, memory->clients);
	TRY_EACH(&s, memory->fragments);
	TRY_EACH(&s, memory->openers);
	TRY_EACH(&s, memory->nat_flows);
	TRY_EACH(&s, memory->nat_returns);
	TRY_EACH(&s, memory->nat_refused);
	TRY_EACH(&s, memory->times);
	for (int p = 0; p < MODEL_POOLS; p++)
		TRY_EACH(&s, memory->times[p]);
	TRY_EACH(&s, config->listeners);
	TRY_EACH(&s, config->pools);
	for (int p = 0; p < MODEL_POOLS; p++)
		TRY_EACH(&s, config->pools[p].slots);
	TRY_EACH(&s, config->backends);
	TRY_EACH(&s, config->service_pools);
	TRY_EACH(&s, config->sources);
	TRY_EACH(&s, config->limits);
	TRY_EACH(&s, config->allowed_only);
	try_zero(&s, &scenario->frame.linear, sizeof(scenario->frame.linear));
	try_zero(&s, &scenario->frame.untold, sizeof(scenario->frame.untold));
	try_zero(&s, &scenario->frame.metadata, sizeof(scenario->frame.metadata));
	try_size(&s);
	for (uint32_t i = 0; i < scenario->frame.size; i++)
		try_zero(&s, &scenario->frame.bytes[i], 1);
	return !scenario_run(machine, scenario, difference);
}
