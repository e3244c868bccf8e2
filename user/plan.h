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

/* "add backend", "remove service", ... */
const char *plan_step_text(const struct plan_step *step);

#endif
