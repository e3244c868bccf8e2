/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * plan: what differs between two models, in the order in which it is made so: backends, then tables
 * (pools), then services; removal reversed. For people and `--dry-run`; publish itself compares
 * with the maps. Pure.
 */
#ifndef LIMPET_PLAN_H
#define LIMPET_PLAN_H

#include "model.h"

enum plan_verb { PLAN_ADD, PLAN_CHANGE, PLAN_REMOVE };
enum plan_kind { PLAN_POOL, PLAN_BACKEND, PLAN_SERVICE, PLAN_SETTING, PLAN_KIND_COUNT };

struct plan_step {
	enum plan_verb verb;
	enum plan_kind kind;
	char object[2 * MODEL_NAME_SIZE]; /* NAME, POOL/NAME of a backend, or global.KEY */
	uint32_t moved_percent; /* of its flows that leave their backend, see plan_judge */
	char detail[192]; /* "weight 100 -> 50, admin ready -> drain"; empty for add and remove */
};

struct plan {
	struct plan_step *steps;
	size_t count;
};

/* Fills `plan`, to be released with plan_destroy: 0 or -ENOMEM. Compares configuration, not state.
 */
int plan_make(struct plan *plan, const struct model *from, const struct model *to);
void plan_destroy(struct plan *plan);

/* Whether a service of the model before may have flows. */
typedef bool (*plan_has_flows)(void *context, const struct service *service);

/*
 * Fills in `moved_percent` of the steps that move most flows by nature: a pool's table_size,
 * affinity key or prefix; a service that takes ports from one of another pool. True if there is
 * such a step. `has_flows` (NULL: all have) is asked of a service that loses ports to another one;
 * a service that goes to another pool itself is judged in any case.
 */
bool plan_judge(struct plan *plan, const struct model *from, const struct model *to,
		plan_has_flows has_flows, void *context);

/* The most that another hash seed would move, of any pool. */
uint32_t plan_reseed_percent(const struct model *model);

/* "add backend", "remove service", ... */
const char *plan_step_text(const struct plan_step *step);

#endif
