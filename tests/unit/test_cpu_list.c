/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lists of CPUs (user/cpu_list.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <unistd.h>

#include "../../user/cpu_list.h"

static void test_end(void **state)
{
	static const struct {
		const char *list;
		uint32_t end;
	} rows[] = {
		{"0", 1},           {"0\n", 1}, {"0-1\n", 2}, {"0-127\n", 128}, {"0,2,4\n", 5},
		{"0-3,8-11\n", 12}, {"\n", 0},  {"", 0},      {"none\n", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(cpu_list_end(rows[i].list), rows[i].end);
}

static void test_this_machine(void **state)
{
	(void)state;
	assert_true(cpu_list_possible_end() >= (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
