/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_service: services as the API shows them, of which there may be thousands: written straight as
 * text. Figures are arguments: nothing here reads a map.
 */
#ifndef LIMPET_API_SERVICE_H
#define LIMPET_API_SERVICE_H

#include "json_text.h"
#include "model.h"

/* One service, an object. */
void api_service_put(struct json_text *text, const struct model *model,
		     const struct service *service, const struct lb_counter *counter);

/* In columns (json_text.h): names in the first line, then one line for each service; `counters` in
 * the model's order. What a service listens on has ", " between. */
void api_services_put(struct json_text *text, const struct model *model,
		      const struct lb_counter *counters);

#endif
