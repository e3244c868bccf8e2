/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* trace_filter: from words to what the packet program compares; trace_line: what that showed, as
 * JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "../../user/trace_filter.h"
#include "../../user/trace_line.h"

enum { WEB = 3, WEB1 = 7, HTTP = 5 };

/* Pool "web" with backends web1, and web2 that no round has published yet; service "http". */
static struct model *make_model(void)
{
	struct model *model = model_create();
	struct pool *pool = model_pool_add(model, "web");
	struct service *service = model_service_add(model, "http");
	struct backend *backend = pool_backend_add(pool, "web1");

	assert_int_equal(addr_parse("10.0.0.11", &backend->address, NULL), 0);
	backend->index = WEB1;
	pool->index = WEB;
	service->index = HTTP;
	pool_backend_add(pool, "web2");
	return model;
}

/* Parses "name=value name=value"; returns the fault's code. */
static enum fault_code parse(const char *text, struct trace_question *out, struct fault *fault)
{
	struct model *model = make_model();
	json_t *parameters = json_object();
	char words[256], *word, *rest = words, *value;

	snprintf(words, sizeof(words), "%s", text);
	while ((word = strsep(&rest, " "))) {
		value = strchr(word, '=');
		if (!value)
			continue;
		*value++ = '\0';
		json_object_set_new(parameters, word, json_string(value));
	}
	*fault = (struct fault){0};
	trace_filter_parse(parameters, model, out, fault);
	json_decref(parameters);
	model_free(model);
	return fault->code;
}

static void test_nothing_asked(void **state)
{
	const struct lb_trace_filter any = {0};
	struct trace_question question;
	struct fault fault;

	(void)state;
	assert_int_equal(parse("", &question, &fault), FAULT_NONE);
	assert_memory_equal(&question.filter, &any, sizeof(any));
	assert_int_equal(question.rate, TRACE_RATE);
	assert_int_equal(question.count, 0);
	assert_false(question.frames);
}

static void test_all_asked(void **state)
{
	const uint64_t drops = 1ULL << LB_DROP_TRUNCATED | 1ULL << LB_DROP_NEW_FLOW_LIMIT;
	struct trace_question question;
	struct fault fault;

	(void)state;
	assert_int_equal(parse("address=192.0.2.0/28 port=443 proto=udp service=http "
			       "backend=web/web1 verdict=forwarded rate=10000 count=9 frames=1",
			       &question, &fault),
			 FAULT_NONE);
	assert_int_equal(question.filter.family, 4);
	assert_int_equal(question.filter.address.v4, inet_addr("192.0.2.0"));
	assert_int_equal(question.filter.mask.v4, inet_addr("255.255.255.240"));
	assert_int_equal(question.filter.mask.v6[1], 0);
	assert_int_equal(question.filter.port, htons(443));
	assert_int_equal(question.filter.proto, IPPROTO_UDP);
	assert_int_equal(question.filter.service, HTTP);
	assert_int_equal(question.filter.backend, WEB1);
	assert_int_equal(question.filter.verdicts, 1ULL << LB_FORWARDED);
	assert_int_equal(question.rate, 10000);
	assert_int_equal(question.count, 9);
	assert_true(question.frames);
	assert_int_equal(parse("address=2001:db8::7 verdict=drop,answered_echo", &question, &fault),
			 FAULT_NONE);
	assert_int_equal(question.filter.mask.v6[3], 0xffffffff);
	assert_int_equal(question.filter.verdicts & drops, drops);
	assert_true(question.filter.verdicts >> LB_ANSWERED_ECHO & 1);
	assert_false(question.filter.verdicts >> LB_FORWARDED & 1);
	assert_false(question.filter.verdicts >> LB_REFUSED_TTL & 1);
	assert_false(question.filter.verdicts & 1);
}

static void test_wrong(void **state)
{
	static const struct {
		const char *text;
		enum fault_code code;
		const char *message, *hint;
	} rows[] = {
		{"address=192.0.2.1/24", FAULT_USAGE, "trace: address \"192.0.2.1/24\": ", ""},
		{"address=", FAULT_USAGE, "trace: address \"\": ", "198.51.100.7"},
		{"port=0", FAULT_USAGE, "not a number from 1 to 65535", ""},
		{"port=+1", FAULT_USAGE, "not a number from 1 to 65535", ""},
		{"rate=10001", FAULT_USAGE, "not a number from 1 to 10000", ""},
		{"count=18446744073709551617", FAULT_USAGE, "count", ""},
		{"proto=6", FAULT_USAGE, "neither tcp", ""},
		{"frames=yes", FAULT_USAGE, "neither 0 nor 1", ""},
		{"service=htp", FAULT_NOT_FOUND, "service htp: tracing it", "did you mean http?"},
		{"backend=web1", FAULT_USAGE, "it is written POOL/NAME", "backend list"},
		{"backend=wob/web1", FAULT_NOT_FOUND, "pool wob", "did you mean web?"},
		{"backend=web/web9", FAULT_NOT_FOUND, "backend web/web9", "did you mean web/web1?"},
		{"backend=web/web2", FAULT_CONFLICT, "not in the data plane yet", "lbd's log"},
		{"verdict=", FAULT_NOT_FOUND, "verdict \"\"", "drops -o wide"},
		{"verdict=drop,forwardd", FAULT_NOT_FOUND, "verdict \"forwardd\"",
		 "did you mean forward"},
	};
	struct trace_question question;
	struct fault fault;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].text, &question, &fault), rows[i].code);
		if (!strstr(fault.message, rows[i].message) || !strstr(fault.hint, rows[i].hint))
			fail_msg("%s: %s (%s)", rows[i].text, fault.message, fault.hint);
	}
}

static void line_is(json_t *line, const char *expected)
{
	char *text = json_dumps(line, JSON_COMPACT);

	assert_string_equal(text, expected);
	free(text);
	json_decref(line);
}

static void test_lines(void **state)
{
	const uint64_t second = 1000000000;
	struct model *model = make_model();
	struct lb_trace_event event = {
		.time_ns = 5 * second + 123456789,
		.said = {.verdict = LB_FORWARDED,
			 .service = HTTP,
			 .pool = WEB,
			 .slot = 12,
			 .slot_word = WEB1,
			 .backend = WEB1,
			 .decided_by = LB_BY_FLOW},
		.source_port = htons(4000),
		.destination_port = htons(80),
		.family = 6,
		.proto = IPPROTO_TCP,
		.flags = LB_TRACE_CLOSING | LB_TRACE_RESET | LB_TRACE_QUOTED,
		.length = 1500,
		.captured = 3,
		.frame = {0x01, 0xab, 0xf0},
	};

	(void)state;
	inet_pton(AF_INET6, "2001:db8::7", &event.source);
	inet_pton(AF_INET6, "2001:db8::10", &event.destination);
	line_is(trace_line_packet(model, &event, 1700000000 * second, true),
		"{\"schema\":1,\"time\":\"2023-11-14T22:13:25.123456Z\",\"interface\":null,"
		"\"proto\":\"tcp\",\"source\":\"[2001:db8::7]:4000\","
		"\"destination\":\"[2001:db8::10]:80\",\"flags\":[\"rst\",\"icmp-error\"],"
		"\"length\":1500,\"verdict\":\"forwarded\",\"meaning\":\"sent to a backend\","
		"\"service\":\"http\",\"pool\":\"web\",\"slot\":12,\"backend\":\"web1\","
		"\"address\":\"10.0.0.11\",\"decided_by\":\"flow\","
		"\"time_ns\":1700000005123456789,\"frame\":\"01abf0\"}");
	memset(&event, 0, sizeof(event));
	event.said.verdict = LB_PASS_NOT_IP;
	line_is(trace_line_packet(model, &event, 1700000000 * second, false),
		"{\"schema\":1,\"time\":\"2023-11-14T22:13:20.000000Z\",\"interface\":null,"
		"\"proto\":null,\"source\":null,\"destination\":null,\"flags\":[],\"length\":0,"
		"\"verdict\":\"pass_not_ip\",\"meaning\":\"neither IPv4 nor IPv6: left to the "
		"kernel\",\"service\":null,\"pool\":null,\"slot\":null,\"backend\":null,"
		"\"address\":null,\"decided_by\":\"none\"}");
	line_is(trace_line_missed(&(struct trace_missed){.rate = 3, .ring = 4, .reader = 5}, 0),
		"{\"schema\":1,\"time\":\"1970-01-01T00:00:00.000000Z\",\"not_shown\":12,"
		"\"for_rate\":3,\"for_ring\":4,\"for_reader\":5}");
	model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_asked),
		cmocka_unit_test(test_all_asked),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
