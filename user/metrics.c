/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics: what lbd tells Prometheus, as text; see metrics.h. One function for each group of
 * families, and a table for those that have a series for each backend. How a line looks is
 * metrics_text.c's.
 */
#include "metrics.h"

#include <stdlib.h>
#include <string.h>

#include "api_json.h"
#include "metrics_text.h"
#include "version.h"

/* ---- one series for each backend ---- */

struct backend_view {
	const struct pool *pool;
	const struct backend *backend;
	const struct lb_counter *counter;
	bool new_flows; /* counted */
};

/* False: there is nothing to tell of this backend, and so no series. */
typedef bool (*backend_value)(const struct backend_view *view, uint64_t *value);

static bool packets(const struct backend_view *view, uint64_t *value)
{
	*value = view->counter->packets;
	return true;
}

static bool bytes(const struct backend_view *view, uint64_t *value)
{
	*value = view->counter->bytes;
	return true;
}

static bool new_flows(const struct backend_view *view, uint64_t *value)
{
	*value = view->counter->new_flows;
	return view->new_flows;
}

static bool up(const struct backend_view *view, uint64_t *value)
{
	*value = api_backend_up(view->pool, view->backend);
	return true;
}

static bool weight(const struct backend_view *view, uint64_t *value)
{
	*value = view->backend->weight;
	return true;
}

/* Nothing where nothing is known. */
static bool health(const struct backend_view *view, uint64_t *value)
{
	*value = view->backend->health == HEALTH_UP;
	return pool_checks(view->pool) && view->backend->health != HEALTH_UNKNOWN;
}

static bool effective_weight(const struct backend_view *view, uint64_t *value)
{
	*value = backend_effective_weight(view->pool, view->backend);
	return true;
}

static bool slots(const struct backend_view *view, uint64_t *value)
{
	*value = view->backend->slots;
	return true;
}

static bool draining(const struct backend_view *view, uint64_t *value)
{
	*value = view->backend->admin == ADMIN_DRAIN;
	return true;
}

static bool maintenance(const struct backend_view *view, uint64_t *value)
{
	*value = view->backend->admin == ADMIN_MAINT;
	return true;
}

static bool nat_refused(const struct backend_view *view, uint64_t *value)
{
	*value = view->backend->nat_refused;
	return view->pool->forward == FORWARD_MODE_NAT;
}

static bool check_failures(const struct backend_view *view, uint64_t *value)
{
	*value = view->backend->check_failures;
	return true;
}

static bool transitions(const struct backend_view *view, uint64_t *value)
{
	*value = view->backend->transition_count;
	return true;
}

static bool check_duration(const struct backend_view *view, uint64_t *value)
{
	*value = view->backend->check_us;
	return view->pool->check.type != CHECK_NONE && view->backend->checked_ms;
}

static const struct backend_family {
	const char *name;
	enum metrics_type type;
	backend_value value;
	unsigned digits; /* behind the point */
	const char *help;
} backend_families[] = {
	{"lbd_backend_packets_total", METRICS_COUNTER, packets, 0, "Packets sent to the backend."},
	{"lbd_backend_bytes_total", METRICS_COUNTER, bytes, 0,
	 "Bytes of IP packets sent to the backend, as received, without outer headers."},
	{"lbd_backend_new_flows_total", METRICS_COUNTER, new_flows, 0,
	 "New flows given to the backend: TCP SYNs, and new UDP flows where all flows are tracked. "
	 "Absent where only untracked UDP goes."},
	{"lbd_backend_up", METRICS_GAUGE, up, 0,
	 "1 if packets may go there now: its checks, where there are any, say up, its next hop is "
	 "known, and it is not in maintenance."},
	{"lbd_backend_health", METRICS_GAUGE, health, 0,
	 "What its checks alone say: 1 up, 0 down. Absent where there are none, or none has "
	 "ended."},
	{"lbd_backend_weight", METRICS_GAUGE, weight, 0, "Weight as configured."},
	{"lbd_backend_effective_weight", METRICS_GAUGE, effective_weight, 0,
	 "Weight that its table was given: 0 where no new flow may go there, less in slow start."},
	{"lbd_backend_slots", METRICS_GAUGE, slots, 0,
	 "Slots of its pool's table that the backend owns: its share of new flows or clients."},
	{"lbd_backend_draining", METRICS_GAUGE, draining, 0, "1 if the backend is being drained."},
	{"lbd_backend_maintenance", METRICS_GAUGE, maintenance, 0,
	 "1 if the backend is in maintenance."},
	{"lbd_backend_nat_refused_total", METRICS_COUNTER, nat_refused, 0,
	 "New flows that found no source port toward the backend, as of the last sweep. Absent "
	 "where it is not reached by NAT."},
	{"lbd_backend_check_failures_total", METRICS_COUNTER, check_failures, 0,
	 "Checks of the backend with a bad result, since lbd started."},
	{"lbd_backend_transitions_total", METRICS_COUNTER, transitions, 0,
	 "Changes of the backend's health, since lbd started."},
	{"lbd_backend_check_duration_seconds", METRICS_GAUGE, check_duration, 6,
	 "Time that the backend's last check took. Absent before the first one."},
};

enum { BACKEND_FAMILY_COUNT = sizeof(backend_families) / sizeof(backend_families[0]) };

/* What the lines of one backend have in common, made once. */
struct backend_row {
	struct backend_view view;
	struct metrics_labels labels;
};

static size_t backend_count(const struct model *model)
{
	size_t count = 0;

	for (size_t i = 0; i < model->pool_count; i++)
		count += model->pools[i]->backend_count;
	return count;
}

static void fill_rows(const struct metrics_input *input, struct backend_row *row)
{
	const struct lb_counter *counter = input->backends;

	for (size_t i = 0; i < input->model->pool_count; i++) {
		const struct pool *pool = input->model->pools[i];
		bool counted = api_new_flows_counted(input->model, pool);

		for (size_t j = 0; j < pool->backend_count; j++, row++, counter++) {
			const struct backend *backend = pool->backends[j];

			row->view = (struct backend_view){pool, backend, counter, counted};
			metrics_labels(&row->labels, "pool", pool->name, "backend", backend->name);
		}
	}
}

static void put_backends(struct metrics_text *text, const struct metrics_input *input)
{
	size_t count = backend_count(input->model);
	struct backend_row *rows = malloc((count + 1) * sizeof(*rows));
	uint64_t value;

	if (!rows) {
		text->failed = true;
		return;
	}
	fill_rows(input, rows);
	for (size_t f = 0; f < BACKEND_FAMILY_COUNT; f++) {
		const struct backend_family *family = &backend_families[f];

		metrics_family(text, family->name, family->type, family->help);
		for (size_t i = 0; i < count; i++)
			if (family->value(&rows[i].view, &value))
				metrics_sample_fraction(text, &rows[i].labels, value,
							family->digits);
	}
	free(rows);
}

/* ---- services and pools ---- */

enum service_counter { SERVICE_PACKETS, SERVICE_BYTES, SERVICE_NEW_FLOWS };

static void put_service_family(struct metrics_text *text, const struct metrics_input *input,
			       enum service_counter which)
{
	for (size_t i = 0; i < input->model->service_count; i++) {
		const struct service *service = input->model->services[i];
		const struct lb_counter *counter = &input->services[i];
		struct metrics_labels labels;

		if (which == SERVICE_NEW_FLOWS &&
		    !api_service_new_flows_counted(input->model, service))
			continue;
		metrics_labels(&labels, "service", service->name, NULL, NULL);
		metrics_sample(text, &labels,
			       which == SERVICE_PACKETS ? counter->packets
			       : which == SERVICE_BYTES ? counter->bytes
							: counter->new_flows);
	}
}

static void put_services(struct metrics_text *text, const struct metrics_input *input)
{
	metrics_family(text, "lbd_service_packets_total", METRICS_COUNTER,
		       "Packets to the service that a pool was found for, dropped ones included.");
	put_service_family(text, input, SERVICE_PACKETS);
	metrics_family(text, "lbd_service_bytes_total", METRICS_COUNTER,
		       "Bytes of those packets, of IP packets as received.");
	put_service_family(text, input, SERVICE_BYTES);
	metrics_family(text, "lbd_service_new_flows_total", METRICS_COUNTER,
		       "New flows to the service: TCP SYNs, and new UDP flows where all flows are "
		       "tracked. Absent for untracked UDP.");
	put_service_family(text, input, SERVICE_NEW_FLOWS);
}

static void put_pools(struct metrics_text *text, const struct metrics_input *input)
{
	static const struct {
		const char *name, *help;
	} families[] = {
		{"lbd_pool_unsettled_slots",
		 "Slots of the pool's table whose established flows may belong elsewhere since a "
		 "change. Falls to 0 by itself."},
		{"lbd_pool_tracked_flows",
		 "Live entries of the pool in the flow table, as of the last sweep."},
		{"lbd_pool_clients",
		 "Clients of the pool that are remembered, as of the last sweep."},
		{"lbd_pool_pins", "Client addresses that lbctl client pin sends to one backend of "
				  "the pool. Falls to 0 "
				  "by itself."},
	};

	for (size_t f = 0; f < sizeof(families) / sizeof(families[0]); f++) {
		metrics_family(text, families[f].name, METRICS_GAUGE, families[f].help);
		for (size_t i = 0; i < input->model->pool_count; i++) {
			const struct pool *pool = input->model->pools[i];
			struct metrics_labels labels;

			metrics_labels(&labels, "pool", pool->name, NULL, NULL);
			metrics_sample(text, &labels,
				       f == 0   ? pool->unsettled_slots
				       : f == 1 ? pool->tracked_flows
				       : f == 2 ? pool->clients
						: pool->pins);
		}
	}
}

/* ---- the installation ---- */

static void put_gauge(struct metrics_text *text, const char *name, const char *help, uint64_t value,
		      unsigned digits)
{
	metrics_family(text, name, METRICS_GAUGE, help);
	metrics_sample_fraction(text, NULL, value, digits);
}

static void put_build(struct metrics_text *text)
{
	struct metrics_labels labels;

	metrics_family(text, "lbd_build_info", METRICS_GAUGE, "The running lbd; always 1.");
	metrics_labels(&labels, "version", LIMPET_VERSION, NULL, NULL);
	metrics_sample(text, &labels, 1);
}

static void put_counts(struct metrics_text *text, const char *label,
		       const struct metrics_count *counts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct metrics_labels labels;

		metrics_labels(&labels, label, counts[i].name, NULL, NULL);
		metrics_sample(text, &labels, counts[i].count);
	}
}

static void put_verdicts(struct metrics_text *text, const struct metrics_input *input)
{
	metrics_family(text, "lbd_drops_total", METRICS_COUNTER,
		       "Packets dropped, by verdict; lbctl drops says what each one means.");
	put_counts(text, "verdict", input->drops, input->drop_count);
	metrics_family(text, "lbd_notes_total", METRICS_COUNTER,
		       "Packets forwarded though something of them found no room to be remembered. "
		       "Breaks no flow; where it grows, limits are too small, or somebody floods.");
	put_counts(text, "note", input->notes, input->note_count);
}

static void put_interfaces(struct metrics_text *text, const struct metrics_input *input)
{
	metrics_family(text, "lbd_xdp_attached", METRICS_GAUGE,
		       "1 if the program is on the interface it was attached to, 0 if it was taken "
		       "off by other means than lbload.");
	for (size_t i = 0; i < input->interface_count; i++) {
		struct metrics_labels labels;

		metrics_labels(&labels, "interface", input->interfaces[i].name, "mode",
			       input->interfaces[i].mode);
		metrics_sample(text, &labels, input->interfaces[i].attached);
	}
}

static void put_tables(struct metrics_text *text, const struct metrics_input *input)
{
	put_gauge(text, "lbd_flow_table_entries",
		  "Entries of all flow tables, those included that the next sweeps free.",
		  input->flow_entries, 0);
	put_gauge(text, "lbd_flow_table_limit",
		  "Entries that there may be; half of them are for TCP and half for UDP.",
		  input->flow_limit, 0);
	put_gauge(text, "lbd_client_table_entries",
		  "Entries of all client tables, those included that the next sweeps free.",
		  input->client_entries, 0);
	put_gauge(text, "lbd_client_table_limit", "Entries that there may be.", input->client_limit,
		  0);
	put_gauge(text, "lbd_nat_table_entries",
		  "Flows of NAT pools, those included that the next sweeps free.",
		  input->nat_entries, 0);
	put_gauge(text, "lbd_nat_table_limit",
		  "Flows of NAT pools that there may be; of either protocol three quarters.",
		  input->nat_limit, 0);
}

static void put_work(struct metrics_text *text, const struct metrics_input *input)
{
	put_gauge(text, "lbd_table_build_seconds",
		  "Time that building a pool's table took the last time; 0: none was built yet.",
		  input->table_build_ns, 9);
	put_gauge(text, "lbd_publish_seconds",
		  "Time that the last round of publishing to the data plane took, with all its "
		  "builds; 0: there was none yet.",
		  input->publish_ns, 9);
	put_gauge(text, "lbd_config_last_reload_success",
		  "1 if the configuration was good when it was last read, 0 if not and the one "
		  "before is in force.",
		  input->reload_good, 0);
	put_gauge(text, "lbd_config_last_reload_timestamp_seconds",
		  "When the configuration was last read, good or not; the start counts.",
		  input->reload_ms, 3);
}

char *metrics_render(const struct metrics_input *input, enum metrics_scope scope, size_t *size)
{
	struct metrics_text text = {0};

	put_build(&text);
	put_services(&text, input);
	if (scope == METRICS_ALL)
		put_backends(&text, input);
	put_pools(&text, input);
	put_verdicts(&text, input);
	put_interfaces(&text, input);
	put_tables(&text, input);
	put_work(&text, input);
	if (text.failed) {
		free(text.bytes);
		return NULL;
	}
	*size = text.size;
	return text.bytes;
}
