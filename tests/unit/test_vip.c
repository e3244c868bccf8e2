/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which addresses a node should hold, and how it says that it does (user/vip_wanted.h,
 * user/vip_announce.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/config.h"
#include "../../user/vip_announce.h"
#include "../../user/vip_wanted.h"

static struct addr ip(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr, NULL), 0);
	return addr;
}

/* Three pools with one backend each; `up` says of which. */
static struct model *model_of(const char *vip, const char *services, const char *up)
{
	struct config_errors errors = {0};
	char text[2048];
	struct model *model;

	snprintf(text, sizeof(text),
		 "version: 1\nglobal: {vip: %s}\npools:\n"
		 "- {name: a, backends: [{name: x, address: 10.0.0.1}]}\n"
		 "- {name: b, backends: [{name: x, address: 10.0.0.1}]}\n"
		 "services:\n%s",
		 vip, services);
	model = config_parse(text, strlen(text), NULL, &errors);
	assert_non_null(model);
	config_errors_free(&errors);
	for (size_t i = 0; i < model->pool_count; i++)
		model->pools[i]->backends[0]->hop.resolved =
			strchr(up, model->pools[i]->name[0]) != NULL;
	return model;
}

static void test_which_are_wanted(void **state)
{
	static const char *const two =
		"- {name: s, listen: \"tcp://192.0.2.1:80\", pool: a, withdraw: true}\n"
		"- {name: t, listen: \"tcp://192.0.2.1:443\", pool: b, withdraw: true}\n";
	static const char *const mixed =
		"- {name: s, listen: \"tcp://192.0.2.1:80\", pool: a, withdraw: true}\n"
		"- {name: t, listen: \"udp://192.0.2.1:53\", pool: b}\n";
	static const struct {
		const char *vip, *services, *up;
		bool drained;
		size_t count;
		bool wanted; /* 192.0.2.1 */
	} cases[] = {
		{"none", two, "ab", false, 0, false},      {"interface", two, "ab", false, 1, true},
		{"interface", two, "b", false, 1, true}, /* one of its services is enough */
		{"interface", two, "", false, 1, false},   {"interface", two, "ab", true, 1, false},
		{"interface", mixed, "", false, 1, true}, /* who does not withdraw holds it */
		{"interface", mixed, "a", true, 1, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct model *model = model_of(cases[i].vip, cases[i].services, cases[i].up);
		struct addr vip = ip("192.0.2.1"), other = ip("192.0.2.2");
		struct vip_wanted wanted;

		assert_int_equal(vip_wanted_read(&wanted, model, cases[i].drained), 0);
		assert_int_equal(wanted.count, cases[i].count);
		assert_int_equal(!vip_wanted_not(&wanted, &vip)[0], cases[i].wanted);
		assert_string_equal(vip_wanted_not(&wanted, &other), "no service has it");
		vip_wanted_destroy(&wanted);
		model_free(model);
	}
}

static void test_equal_sets(void **state)
{
	struct model *up = model_of("interface",
				    "- {name: s, listen: \"tcp://192.0.2.1:80\", pool: a, "
				    "withdraw: true}\n",
				    "a");
	struct vip_wanted one, same, drained;

	(void)state;
	assert_int_equal(vip_wanted_read(&one, up, false), 0);
	assert_int_equal(vip_wanted_read(&same, up, false), 0);
	assert_int_equal(vip_wanted_read(&drained, up, true), 0);
	assert_true(vip_wanted_equal(&one, &same));
	assert_false(vip_wanted_equal(&one, &drained));
	vip_wanted_destroy(&one);
	vip_wanted_destroy(&same);
	vip_wanted_destroy(&drained);
	model_free(up);
}

static void test_arp_announcement(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
	static const uint8_t expected[] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,   0, 0, 0, 0,
		7,    8,    6,    0,    1,    8,    0,   6, 4, 0, 1, /* Ethernet, IPv4, request */
		2,    0,    0,    0,    0,    7,    192, 0, 2, 1,    /* sender */
		0,    0,    0,    0,    0,    0,    192, 0, 2, 1,    /* target */
	};
	const struct addr vip = ip("192.0.2.1");
	uint8_t frame[VIP_FRAME_SIZE];

	(void)state;
	assert_int_equal(vip_announcement(&vip, mac, frame), sizeof(expected));
	assert_memory_equal(frame, expected, sizeof(expected));
}

/* RFC 4443, section 2.3: over the pseudo-header and all of the message the sum is -0. */
static uint16_t sum_all(const uint8_t *ip, size_t size)
{
	uint32_t sum = 58 + (uint32_t)(size - 40);

	for (size_t i = 8; i < size; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void test_neighbour_advertisement(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 7};
	const struct addr vip = ip("2001:db8::7");
	uint8_t frame[VIP_FRAME_SIZE];

	(void)state;
	assert_int_equal(vip_announcement(&vip, mac, frame), 14 + 40 + 32);
	assert_memory_equal(frame, "\x33\x33\0\0\0\1", 6);
	assert_int_equal(frame[14 + 7], 255);              /* hop limit */
	assert_memory_equal(frame + 14 + 8, &vip.ip, 16);  /* from the address itself */
	assert_int_equal(frame[14 + 40], 136);             /* an advertisement */
	assert_int_equal(frame[14 + 44], 0x20);            /* that overrides what is known */
	assert_memory_equal(frame + 14 + 48, &vip.ip, 16); /* of the address */
	assert_memory_equal(frame + 14 + 64, "\2\1", 2);   /* whose link-layer address is */
	assert_memory_equal(frame + 14 + 66, mac, 6);
	assert_int_equal(sum_all(frame + 14, 72), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_are_wanted),
		cmocka_unit_test(test_equal_sets),
		cmocka_unit_test(test_arp_announcement),
		cmocka_unit_test(test_neighbour_advertisement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
