/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_json: the model's state and the data plane's counts as the API shows them, but for backends,
 * which are api_backend.h's. Figures are arguments: nothing here reads a map.
 */
#ifndef LIMPET_API_JSON_H
#define LIMPET_API_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "fault.h"
#include "model.h"

enum { API_SCHEMA = 1, API_DIGEST_SIZE = 17, API_TIME_SIZE = 25 };

/* Each returns a new reference, or NULL if out of memory. */

/* RFC 3339 in UTC, of CLOCK_REALTIME; null for 0, "never". */
json_t *api_json_time(uint64_t ms);
/* The same as text. Returns `out`, or NULL. */
const char *api_time_format(uint64_t ms, char out[API_TIME_SIZE]);
/* A digest as it is shown. Returns `out`. */
const char *api_digest_format(uint64_t digest, char out[API_DIGEST_SIZE]);

/* What its check asks, and by which way; null: it has none. */
json_t *api_json_check_target(const struct model *model, const struct pool *pool,
			      const struct backend *backend);
/* Without its backends. */
json_t *api_json_pool(const struct model *model, const struct pool *pool);
/* The verdicts that drop a packet; with `all` those that do not, too. counts[LB_VERDICT_COUNT]. */
json_t *api_json_verdicts(const struct lb_verdict_counter *counts, bool all);
/* {"packets", "bytes", "dropped_packets"}. counts[LB_VERDICT_COUNT]. */
json_t *api_json_totals(const struct lb_verdict_counter *counts);
/* {"error": {...}}; `details` (NULL: none): more than the message holds, of several lines. */
json_t *api_json_error(const struct fault *fault, const char *details);

/* True if a packet may go there now: what "backends up" counts. */
bool api_backend_up(const struct pool *pool, const struct backend *backend);
size_t api_backends_up(const struct pool *pool);
/* True if the count of new flows of a pool's backends, or of a service, says something. */
bool api_new_flows_counted(const struct model *model, const struct pool *pool);
bool api_service_new_flows_counted(const struct model *model, const struct service *service);
/* True if a packet ends there: those that `lbctl drops` lists. */
bool api_verdict_drops(uint32_t verdict);
/* What becomes of such a packet: "forward", "pass", "drop", "refuse", "answer". */
const char *api_verdict_action(uint32_t verdict);
/* "slot", "fallback", "flow", "client", "none". */
const char *api_decided_by_name(uint32_t decided_by);

#endif
