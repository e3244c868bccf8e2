/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_world: what is behind the API in its tests: a controller and a data plane in the place of the
 * real ones. For api_fixture.h alone.
 *
 * The controller holds one small model and remembers the change asked for; the data plane counts
 * what a formula says.
 */
#ifndef LIMPET_TEST_API_WORLD_H
#define LIMPET_TEST_API_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../user/api.h"
#include "../../user/config.h"
#include "../../user/events.h"
#include "../../user/interfaces.h"
#include "../../user/log.h"
#include "../../user/pins.h"
#include "../../user/vip.h"
#include "../../user/vip_wanted.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- a controller ---- */

static const char file[] =
	"version: 1\n"
	"pools:\n"
	"- name: web\n"
	"  affinity: {key: source-ip, prefix_v4: 24}\n"
	"  check: {type: tcp}\n"
	"  backends:\n"
	"  - {name: web1, address: 10.0.0.11, weight: 3}\n"
	"  - {name: web2, address: 10.0.0.12, weight: 1, admin: drain}\n"
	"  - {name: web3, address: 10.0.0.13, weight: 1}\n"
	"services:\n"
	"- {name: http, listen: [\"tcp://192.0.2.10:*\", \"tcp://192.0.2.10:80\"], pool: web}\n"
	"- {name: dns, listen: \"udp://[2001:db8::10]:53\", forward: l2,\n"
	"   backends: [{name: ns1, address: \"2001:db8:1::11\"}]}\n";

static struct model *model;
static char asked[512]; /* the last change */

const struct model *controller_model(const struct controller *controller)
{
	(void)controller;
	return model;
}

int controller_check_start(struct controller *controller, const char *pool, const char *backend)
{
	(void)controller;
	(void)pool;
	return strcmp(backend, "none") == 0 ? -ENOENT : -ENOTSUP;
}

const struct agent_check *controller_check_last(const struct controller *controller,
						const char *pool, const char *backend)
{
	(void)controller;
	(void)pool;
	(void)backend;
	return NULL;
}

int controller_doctor_start(struct controller *controller)
{
	(void)controller;
	return 0;
}

struct doctor_report controller_doctor_report(const struct controller *controller)
{
	static struct doctor_finding finding = {.severity = DOCTOR_ERROR,
						.code = "mtu",
						.object = "backend web/web1",
						.cause = "too small",
						.remedy = "ip link"};
	static const struct doctor_findings findings = {.items = &finding, .count = 1};

	(void)controller;
	return (struct doctor_report){
		.begun = true, .findings = &findings, .interface_count = 1, .backend_count = 3};
}

/* ---- a node, drained, with a VIP that it holds all the same ---- */

const struct vips *controller_vips(const struct controller *controller)
{
	(void)controller;
	return NULL;
}

int controller_node_set(struct controller *controller, enum node_state state,
			const struct controller_request *request, struct fault *fault)
{
	(void)controller;
	(void)fault;
	snprintf(asked, sizeof(asked), "node %s%s by %s", state == NODE_DRAIN ? "drain" : "ready",
		 request->dry_run ? " dry" : "", request->who);
	return 0;
}

const struct vip_wanted *vips_wanted(const struct vips *vips)
{
	static struct vip_want one = {.addr = {.family = 4, .ip.bytes = {192, 0, 2, 10}},
				      .why_not = "the node is drained"};
	static const struct vip_wanted wanted = {&one, 1};

	(void)vips;
	return &wanted;
}

enum node_state vips_node(const struct vips *vips)
{
	(void)vips;
	return NODE_DRAIN;
}

bool vips_holds(const struct vips *vips, const struct addr *vip)
{
	(void)vips;
	return vip->family == 4;
}

struct dataplane *controller_dataplane(const struct controller *controller)
{
	(void)controller;
	return NULL;
}

struct controller_facts controller_facts(const struct controller *controller)
{
	(void)controller;
	return (struct controller_facts){.published = true};
}

uint64_t controller_uptime_ms(const struct controller *controller)
{
	(void)controller;
	return 61500;
}

size_t controller_override_count(const struct controller *controller)
{
	(void)controller;
	return 2;
}

int controller_change(struct controller *controller, const struct change *change,
		      const struct controller_request *request, json_t **report,
		      struct fault *fault)
{
	static const char *const verbs[] = {"add", "set", "delete"};
	char *body = change->body ? json_dumps(change->body, JSON_COMPACT) : NULL;
	static const enum fault_code codes[] = {FAULT_FAILED,    FAULT_USAGE,    FAULT_PERMISSION,
						FAULT_NOT_FOUND, FAULT_CONFLICT, FAULT_TIMEOUT};

	(void)controller;
	snprintf(asked, sizeof(asked), "%s %s %s/%s %s%s%s by %s", verbs[change->verb],
		 change->object == CHANGE_BACKEND ? "backend" : "service",
		 change->pool ? change->pool : "", change->name, body ? body : "no body",
		 request->dry_run ? " dry" : "", request->break_flows ? " breaking" : "",
		 request->who);
	free(body);
	for (size_t i = 0; i < COUNT(codes); i++)
		if (!strcmp(change->name, fault_code_name(codes[i])))
			return fault_set(fault, codes[i], "backend: failing: as asked");
	*report = json_pack("[{s:s, s:s}]", "change", "add backend", "object", change->name);
	return 0;
}

int controller_reload(struct controller *controller, const struct controller_request *request,
		      json_t **report, char **errors_text, struct fault *fault)
{
	(void)controller;
	if (request->dry_run) {
		*report = json_array();
		return 0;
	}
	/* The byte is no UTF-8: a file may hold anything, and errors quote it. */
	*errors_text = strdup("lbd.yaml:3:1: error: caf\xe9\n");
	return fault_set(fault, FAULT_USAGE, "lbd.yaml:3:1: wrong");
}

int controller_document(struct controller *controller, const json_t *document,
			const struct controller_request *request, json_t **report,
			char **errors_text, struct fault *fault)
{
	(void)controller;
	(void)report;
	snprintf(asked, sizeof(asked), "document of version %d%s%s by %s",
		 (int)json_integer_value(json_object_get(document, "version")),
		 request->dry_run ? " dry" : "", request->break_flows ? " breaking" : "",
		 request->who);
	if (json_is_object(document))
		return 0;
	*errors_text = strdup("configuration:1:1: error: no object\n");
	return fault_set(fault, FAULT_USAGE, "configuration: no object");
}

int controller_differences(struct controller *controller, json_t **list, json_t **tables,
			   char **errors_text, struct fault *fault)
{
	(void)controller;
	(void)errors_text;
	(void)fault;
	*list = json_pack("[{s:s}]", "object", "pool web");
	*tables = json_array();
	return 0;
}

const char *controller_config_path(const struct controller *controller)
{
	(void)controller;
	return "/etc/lbd/lbd.yaml";
}

static struct events *events;

struct events *controller_events(const struct controller *controller)
{
	(void)controller;
	return events;
}

void controller_tell_done(struct controller *controller, const char *who, const char *change,
			  const char *object, const char *detail)
{
	(void)controller;
	snprintf(asked, sizeof(asked), "told %s %s%s by %s", change, object, detail, who);
}

/* ---- a data plane: services have runs of 4 counters, backend N counts at offset N ---- */

enum { BACKENDS = 5, RUN = 4 };

static struct lb_backend backends[BACKENDS];
static struct lb_explanation explanation;
static char frame_seen[8];

struct lb_backend *dataplane_backends(struct dataplane *dp)
{
	(void)dp;
	return backends;
}

int dataplane_service_identity(struct dataplane *dp, uint32_t index,
			       struct lb_service_identity *out)
{
	(void)dp;
	*out = (struct lb_service_identity){.counter_base = index * RUN, .counter_count = RUN};
	return 0;
}

/* Entry I counted I packets of 100 bytes, and a flow each. */
int dataplane_counters(struct dataplane *dp, uint32_t first, uint32_t count, struct lb_counter *out)
{
	(void)dp;
	for (uint32_t i = 0; i < count; i++)
		out[i] = (struct lb_counter){
			.packets = first + i, .bytes = 100 * (first + i), .new_flows = first + i};
	return 0;
}

int dataplane_verdicts_ended(struct dataplane *dp, struct lb_verdict_counter *out)
{
	(void)dp;
	memset(out, 0, LB_VERDICT_COUNT * sizeof(*out));
	out[LB_DROP_TTL] = (struct lb_verdict_counter){.packets = 7, .bytes = 700};
	out[LB_PASS_NO_SERVICE].packets = 9;
	return 0;
}

const struct lb_settings *dataplane_settings(const struct dataplane *dp)
{
	static const struct lb_settings settings = {
		.pin_dir = "/sys/fs/bpf/lbd",
		.limits = {.flows = 1000, .clients = 500, .backends = BACKENDS - 1, .services = 4}};

	(void)dp;
	return &settings;
}

int dataplane_attachments(struct dataplane *dp, uint32_t *ifindexes, struct lb_attachment *out,
			  size_t max)
{
	(void)dp;
	(void)max;
	*ifindexes = 3;
	*out = (struct lb_attachment){.interface = "eth0", .mode = LB_ATTACH_GENERIC};
	return 1;
}

int interfaces_read(struct dataplane *dp, struct interface_state out[INTERFACES_MAX])
{
	(void)dp;
	out[0] = (struct interface_state){
		.name = "eth0", .mode = LB_ATTACH_GENERIC, .condition = INTERFACE_UP, .mtu = 1500};
	return 1;
}

const char *interface_condition_name(enum interface_condition condition)
{
	return condition == INTERFACE_UP ? "up" : "?";
}

bool interface_attached(const struct interface_state *state)
{
	return state->condition == INTERFACE_UP;
}

void dataplane_explain_prepare(struct dataplane *dp)
{
	(void)dp;
}

int dataplane_explain(struct dataplane *dp, const void *frame, size_t size, uint32_t ifindex,
		      struct lb_explanation *said, void *out, size_t *out_size, struct fault *fault)
{
	(void)dp;
	(void)out;
	(void)out_size;
	(void)fault;
	assert_int_equal(ifindex, 3);
	/* The flags of TCP over IPv4. */
	snprintf(frame_seen, sizeof(frame_seen), "%02x",
		 size > 47 ? ((const uint8_t *)frame)[47] : 0);
	*said = explanation;
	return 0;
}

/* Whatever is supposed: web2 by the slot. */
int dataplane_explain_supposed(struct dataplane *dp, const struct dataplane_supposed *supposed,
			       const void *frame, size_t size, uint32_t ifindex,
			       struct lb_explanation *said, void *out, size_t *out_size,
			       struct fault *fault)
{
	int rc = dataplane_explain(dp, frame, size, ifindex, said, out, out_size, fault);

	assert_int_equal(supposed->pool, 1);
	/* web1 was usable: its entries die with it. */
	assert_int_equal(LB_STATUS_INCARNATION(supposed->statuses[1]), 8);
	assert_int_equal(supposed->statuses[1] & LB_BACKEND_USABLE, 0);
	said->backend = 2;
	said->slot_word = LB_SLOT(2, 2, false);
	return rc;
}

const char *dataplane_verdict_name(uint32_t verdict)
{
	return verdict == LB_DROP_TTL    ? "drop_ttl"
	       : verdict == LB_FORWARDED ? "forwarded"
					 : "other";
}

const char *dataplane_verdict_text(uint32_t verdict)
{
	return verdict == LB_DROP_TTL ? "time is up" : "some text";
}

/* ---- its tables: one IPv4 flow for each backend of pool 1, one IPv6 birth, two clients ---- */

enum { NOW = 1000, FLOWS = 4 };

static struct lb_pool pools[5];

struct lb_pool *dataplane_pools(struct dataplane *dp)
{
	(void)dp;
	pools[1].idle_tcp = 500;
	pools[1].client_life = 500;
	return pools;
}

/* The pools have no table: what is said of slots is worked out from the model. */
uint32_t *dataplane_slots(struct dataplane *dp)
{
	(void)dp;
	return NULL;
}

struct lb_times *dataplane_slot_times(struct dataplane *dp)
{
	(void)dp;
	return NULL;
}

struct pins *controller_pins(const struct controller *controller)
{
	(void)controller;
	return NULL;
}

json_t *pins_json(struct pins *pins_, const struct pool *pool, const struct addr *address)
{
	(void)pins_;
	(void)pool;
	(void)address;
	return json_array();
}

void pins_count(struct pins *pins_)
{
	(void)pins_;
}

bool pins_has(struct pins *pins_, const struct pool *pool, const struct addr *address)
{
	(void)pins_;
	(void)pool;
	(void)address;
	return false;
}

int pins_set(struct pins *pins_, const struct pin_request *request, json_t **report,
	     struct fault *fault)
{
	(void)pins_;
	*report = json_array();
	return fault_set(fault, FAULT_FAILED, "client %s: pinning it: not here", request->address);
}

int dataplane_trace_start(struct dataplane *dp, const struct lb_trace *what, struct fault *fault)
{
	(void)dp;
	(void)what;
	return fault_set(fault, FAULT_CONFLICT, "trace: the program cannot");
}

void dataplane_trace_prolong(struct dataplane *dp)
{
	(void)dp;
}

void dataplane_trace_stop(struct dataplane *dp)
{
	(void)dp;
}

unsigned dataplane_trace_read(struct dataplane *dp, unsigned most, dataplane_trace_each each,
			      void *context)
{
	(void)dp;
	(void)most;
	(void)each;
	(void)context;
	return 0;
}

int dataplane_trace_missed(struct dataplane *dp, struct dataplane_trace_missed *out)
{
	(void)dp;
	(void)out;
	return 0;
}

uint32_t dataplane_tick(void)
{
	return NOW;
}

/* Each batch has two flows. */
int dataplane_flows_read(struct dataplane *dp, struct dataplane_cursor *cursor,
			 struct dataplane_flow *out, uint32_t max)
{
	int count = 0;

	(void)dp;
	assert_true(max >= DATAPLANE_BATCH_MAX);
	for (uint32_t i = 2 * cursor->bucket; i < FLOWS && count < 2; i++, count++) {
		out[count] = (struct dataplane_flow){
			.source = {.family = 4, .ip.bytes = {198, 51, 100, (uint8_t)(i + 1)}},
			.destination = {.family = 4, .ip.bytes = {192, 0, 2, 10}},
			.source_port = (uint16_t)(40000 + i),
			.destination_port = 80,
			.proto = 6,
			.entry = {.seen = NOW - 100 * i,
				  .backend = (uint16_t)(i + 1),
				  .pool = 1,
				  .incarnation = 7,
				  .state = LB_FLOW_OPEN}};
		if (i == FLOWS - 1) {
			out[count].birth = true;
			out[count].source =
				(struct addr){.family = 6, .ip.bytes = {0x20, 1, 15, 1}};
			out[count].destination = out[count].source;
			out[count].entry.state = LB_FLOW_OPENING;
		}
	}
	cursor->bucket++;
	if (2 * cursor->bucket >= FLOWS)
		cursor->table = DATAPLANE_FLOW_TABLES;
	return count;
}

int dataplane_clients_read(struct dataplane *dp, struct dataplane_cursor *cursor,
			   struct dataplane_client *out, uint32_t max)
{
	(void)dp;
	assert_true(max >= DATAPLANE_BATCH_MAX);
	out[0] = (struct dataplane_client){
		.pool = 1,
		.address = {.family = 4, .ip.bytes = {198, 51, 100, 0}},
		.record = {.pair = LB_CLIENT_PAIR(LB_SLOT(1, 3, true), 0, 0),
			   .seen = NOW - 10,
			   .known = 1}};
	out[1] = (struct dataplane_client){.pool = 2};
	cursor->table = DATAPLANE_CLIENT_TABLES;
	return 2;
}

/* A flow from port 4000 has both entries, with web1 and web3; the client is known. */
int dataplane_flow_find(struct dataplane *dp, const struct dataplane_flow *wanted,
			struct dataplane_flow out[2])
{
	(void)dp;
	for (int i = 0; i < 2; i++) {
		out[i] = *wanted;
		out[i].birth = !i;
		out[i].entry = (struct lb_flow){.seen = NOW - 10,
						.backend = i ? 3 : 1,
						.pool = 1,
						.incarnation = 7,
						.state = LB_FLOW_OPEN};
	}
	return wanted->source_port == 4000 ? 2 : 0;
}

int dataplane_client_find(struct dataplane *dp, uint32_t pool, const struct addr *address,
			  struct dataplane_client *out)
{
	(void)dp;
	*out = (struct dataplane_client){.pool = pool, .address = *address};
	return address->ip.bytes[2] == 100;
}

int dataplane_client_forget(struct dataplane *dp, uint32_t pool, const struct addr *address)
{
	(void)dp;
	assert_int_equal(pool, 1);
	return address->ip.bytes[2] == 100 ? 0 : -ENOENT;
}

const struct lb_usage *dataplane_usage(struct dataplane *dp)
{
	static const struct lb_usage usage = {.count = {[LB_QUOTA_TCP] = 4,
							[LB_QUOTA_TCP_BIRTHS] = 1,
							[LB_QUOTA_UDP] = 3,
							[LB_QUOTA_CLIENTS] = 2}};

	(void)dp;
	return &usage;
}

int dataplane_notes(struct dataplane *dp, uint64_t *out)
{
	(void)dp;
	for (int i = 0; i < LB_NOTE_COUNT; i++)
		out[i] = (uint64_t)i;
	return 0;
}

const char *dataplane_note_name(enum lb_note note)
{
	return note == LB_NOTE_CLIENT_UNTRACKED ? "client_untracked" : "other";
}

const char *dataplane_note_text(enum lb_note note)
{
	(void)note;
	return "no room";
}

#endif
