/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the doctor makes of facts (user/doctor_judge.h): each finding, and none where all is well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/doctor_judge.h"

/* Rows say what differs from a host where all is well. */
#pragma GCC diagnostic ignored "-Woverride-init"

/* "error code; warning code": of all findings, in their order. */
static const char *told(const struct doctor_findings *findings)
{
	static char out[512];

	out[0] = '\0';
	for (size_t i = 0; i < findings->count; i++) {
		const struct doctor_finding *f = &findings->items[i];
		size_t used = strlen(out);

		/* Each says what to type. */
		if (!f->object[0] || !f->cause[0] || !f->remedy[0])
			fail_msg("%s: object '%s', cause '%s', remedy '%s'", f->code, f->object,
				 f->cause, f->remedy);
		snprintf(out + used, sizeof(out) - used, "%s%s %s", used ? "; " : "",
			 doctor_severity_name(f->severity), f->code);
	}
	return out;
}

static void expect(struct doctor_findings *findings, const char *expected, size_t row)
{
	if (strcmp(told(findings), expected) != 0)
		fail_msg("row %zu: '%s' instead of '%s'", row, told(findings), expected);
	doctor_findings_free(findings);
}

static void test_host(void **state)
{
#define WELL                                                                                       \
	.jit_known = true, .jit = true, .seed_set = true, .clock_synchronized = true,              \
	.program_version = "1", .own_version = "1"
	static const struct {
		struct doctor_host host;
		const char *expected;
	} rows[] = {
		{{WELL}, ""},
		{{WELL, .jit_known = false, .jit = false}, ""},
		{{WELL, .jit = false}, "error no_jit"},
		{{WELL, .why_single = "refused"}, "note no_dispatcher"},
		{{WELL, .seed_set = false}, "note seed_random"},
		{{WELL, .seed_differs = true}, "error seed_differs"},
		{{WELL, .clock_synchronized = false}, "note clock"},
		{{WELL, .program_version = "0"}, "warning version"},
		{{WELL, .new_flows_untracked = 1}, "warning flow_table_full"},
		{{WELL, .clients_untracked = 1}, "warning client_table_full"},
	};
#undef WELL

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct doctor_findings findings = {};

		doctor_judge_host(&rows[i].host, &findings);
		expect(&findings, rows[i].expected, i);
	}
}

static void test_links(void **state)
{
#define WELL .name = "eth0", .up = true, .carrier = true, .probe = true
	static const struct {
		struct doctor_link link;
		const char *expected;
	} rows[] = {
		{{WELL}, ""},
		{{WELL, .attachment = DOCTOR_LINK_GONE}, "error interface_gone"},
		{{WELL, .attachment = DOCTOR_LINK_BACK}, "error interface_back"},
		{{WELL, .attachment = DOCTOR_PROGRAM_GONE}, "error program_gone"},
		{{WELL, .attachment = DOCTOR_ELSEWHERE}, "error elsewhere"},
		{{WELL, .attachment = DOCTOR_LINK_GONE, .up = false, .lro = true},
		 "error interface_gone"},
		{{WELL, .up = false, .carrier = false}, "error interface_down"},
		{{WELL, .carrier = false}, "error no_carrier"},
		{{WELL, .generic = true}, "warning generic_mode"},
		{{WELL, .lro = true}, "warning lro"},
		{{WELL, .probe = false}, "warning no_probe_program"},
		{{WELL, .veth = true}, "note veth_peer"},
		{{WELL, .veth = true, .peer_known = true, .peer_xdp = true}, ""},
		{{WELL, .veth = true, .peer_known = true}, "warning veth_no_xdp"},
		{{WELL, .veth = true, .peer_known = true, .peer_xdp = true,
		  .peer_tx_checksum = true},
		 "warning checksum_offload"},
		{{WELL, .veth = true, .peer_known = true, .peer_xdp = true,
		  .peer_tx_checksum = true, .finishes = true},
		 "note checksum_offload"},
	};
#undef WELL
	struct doctor_findings findings = {};

	(void)state;
	doctor_judge_links(NULL, 0, &findings);
	expect(&findings, "error not_attached", 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		doctor_judge_links(&rows[i].link, 1, &findings);
		expect(&findings, rows[i].expected, i);
	}
}

static void test_vips(void **state)
{
#define WELL                                                                                       \
	.vip = {.family = 4}, .route = true, .egress = "eth0", .probe = true, .answers_in = "eth0"
	static const struct {
		struct doctor_vip vip;
		const char *expected;
	} rows[] = {
		{{WELL}, ""},
		{{WELL, .route = false}, "error no_route_to_vip"},
		{{WELL, .probe = false}, "error no_probe_program"},
		{{WELL, .local = true, .egress = "lo"}, "error accept_local"},
		{{WELL, .local = true, .egress = "lo", .accept_local = true}, ""},
		{{WELL, .local = true, .egress = "lo", .vip = {.family = 6}}, ""},
		{{WELL, .rp_strict = true}, ""},
		{{WELL, .rp_strict = true, .answers_in = "eth1"}, "error rp_filter"},
		{{WELL, .answers_in = "eth1"}, ""},
	};
#undef WELL

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct doctor_findings findings = {};
		bool well = doctor_judge_vip(&rows[i].vip, &findings);

		assert_int_equal(well, findings.count == 0);
		/* Each is told once. */
		if (!well)
			assert_false(doctor_judge_vip(&rows[i].vip, &findings));
		expect(&findings, rows[i].expected, i);
	}
}

static void test_backends(void **state)
{
#define HOP(mtu_of_path) .hop = {.resolved = true, .mtu = (mtu_of_path) }
#define V4               .address = {.family = 4}, .mtu_in = 1500
#define V6               .address = {.family = 6}, .mtu_in = 1500
#define GOOD                                                                                       \
	{                                                                                          \
		.ran = true, .good = true                                                          \
	}
#define BAD                                                                                        \
	{                                                                                          \
		.ran = true                                                                        \
	}
	static const struct {
		struct doctor_backend backend;
		const char *expected;
	} rows[] = {
		{{V4, HOP(1520), .tunnel = GOOD, .direct = GOOD}, ""},
		{{V4, HOP(1519)}, "warning mtu"},
		{{V4, HOP(1300), .mtu_in = 1280}, ""},
		{{V4, HOP(1540), .mtu_in = 9000}, ""},
		{{V6, HOP(1539)}, "warning mtu"},
		{{V6, HOP(1540)}, ""},
		{{V6, HOP(1500), .forward = FORWARD_MODE_L2}, ""},
		{{V6, HOP(1499), .forward = FORWARD_MODE_L2}, "warning mtu"},
		{{V4, HOP(1400), .egress_attached = true, .forward = FORWARD_MODE_NAT}, ""},
		{{V4, HOP(1500), .egress_attached = true, .nat_refused = 1,
		  .forward = FORWARD_MODE_NAT},
		 "warning nat_ports"},
		{{V4, HOP(1520), .forward = FORWARD_MODE_GUE}, "warning mtu"},
		{{V4, .hop = {.why = "no route"}, .tunnel = BAD, .direct = BAD},
		 "error no_next_hop"},
		{{V4, HOP(1600), .tunnel = BAD, .direct = GOOD}, "error tunnel_dropped"},
		{{V4, HOP(1600), .tunnel = BAD, .direct = GOOD, .forward = FORWARD_MODE_L2},
		 "error vip_missing"},
		{{V4, HOP(1600), .tunnel = BAD, .direct = GOOD, .plain = BAD}, "error vip_missing"},
		{{V4, HOP(1600), .tunnel = BAD, .direct = GOOD, .plain = GOOD},
		 "error tunnel_dropped"},
		{{V4, HOP(1600), .tunnel = GOOD, .direct = GOOD, .plain = BAD}, ""},
		{{V4, HOP(1600), .tunnel = BAD, .direct = BAD}, "error no_answer"},
		{{V4, HOP(1600), .direct = BAD}, "error no_answer"},
		{{V4, HOP(1600), .tunnel = GOOD, .direct = BAD}, ""},
		{{V4, HOP(1600), .egress_deaf = true}, ""},
		{{V4, HOP(1600), .egress_deaf = true, .ingress = "eth0"}, "error redirect_target"},
		{{V4, HOP(1500), .forward = FORWARD_MODE_NAT}, "error nat_return"},
		{{V4, HOP(1500), .forward = FORWARD_MODE_NAT, .egress_attached = true}, ""},
	};
#undef HOP
#undef V4
#undef V6
#undef GOOD
#undef BAD

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct doctor_findings findings = {};

		doctor_judge_backend(&rows[i].backend, &findings);
		expect(&findings, rows[i].expected, i);
	}
}

static void test_pools(void **state)
{
	struct doctor_findings findings = {};
	struct model *model = model_create();
	struct pool *pool = model_pool_add(model, "web");
	struct backend *backend;

	(void)state;
	doctor_judge_pool(pool, false, &findings);
	expect(&findings, "", 0);
	doctor_judge_pool(pool, true, &findings);
	expect(&findings, "error no_backend", 1);
	backend = pool_backend_add(pool, "web1");
	backend->hop.resolved = true;
	doctor_judge_pool(pool, true, &findings);
	expect(&findings, "", 2);
	backend->admin = ADMIN_MAINT;
	doctor_judge_pool(pool, true, &findings);
	expect(&findings, "error no_backend", 3);
	doctor_judge_pins(pool, &findings);
	expect(&findings, "", 4);
	pool->pins = 2;
	doctor_judge_pins(pool, &findings);
	assert_string_equal(findings.items[0].object, "pool web");
	expect(&findings, "note pinned_clients", 5);
	model_free(model);
}

static void test_order(void **state)
{
	const struct doctor_host host = {.jit_known = true};
	struct doctor_findings findings = {};

	(void)state;
	doctor_judge_host(&host, &findings);
	doctor_judge_links(NULL, 0, &findings);
	doctor_findings_order(&findings);
	expect(&findings, "error no_jit; error not_attached; note seed_random; note clock", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host),  cmocka_unit_test(test_links),
		cmocka_unit_test(test_vips),  cmocka_unit_test(test_backends),
		cmocka_unit_test(test_pools), cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
