/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Lines of agents (user/agent_words.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/agent_words.h"

/* Each line is taken into: up, drain, 40% less. */
static const struct {
	const char *line;
	bool known;
	bool down;
	enum admin_state admin;
	uint8_t weight_less;
} lines[] = {
	{"", false, false, ADMIN_DRAIN, 40},
	{"up", true, false, ADMIN_DRAIN, 40},
	{"down", true, true, ADMIN_DRAIN, 40},
	{"DOWN\r", true, true, ADMIN_DRAIN, 40},
	{"fail", true, true, ADMIN_DRAIN, 40},
	{"failed", true, true, ADMIN_DRAIN, 40},
	{"stopped #up", true, true, ADMIN_DRAIN, 40},
	{"ready", true, false, ADMIN_READY, 40},
	{"drain", true, false, ADMIN_DRAIN, 40},
	{" maint ", true, false, ADMIN_MAINT, 40},
	{"50%", true, false, ADMIN_DRAIN, 50},
	{"weight:25%", true, false, ADMIN_DRAIN, 75},
	{"0%", true, false, ADMIN_DRAIN, 100},
	{"300%", true, false, ADMIN_DRAIN, 0},
	{"up,ready 100%", true, false, ADMIN_READY, 0},
	{"down\tready, weight:1% # all at once", true, true, ADMIN_READY, 99},
	{"maxconn:30 up", true, false, ADMIN_DRAIN, 40},
	{"# down", false, false, ADMIN_DRAIN, 40},
	{"upwards downs %", false, false, ADMIN_DRAIN, 40},
	{"weight:% weight:x% -5% 5 99999999999%", false, false, ADMIN_DRAIN, 40},
	{"up\ndown", true, false, ADMIN_DRAIN, 40},
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct agent_says says = {.admin = ADMIN_DRAIN, .weight_less = 40};
		bool known = agent_words_take(lines[i].line, &says);

		if (known != lines[i].known || says.down != lines[i].down ||
		    says.admin != lines[i].admin || says.weight_less != lines[i].weight_less)
			fail_msg("%s: %d %d %d %u", lines[i].line, known, says.down, says.admin,
				 says.weight_less);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines)};

	return cmocka_run_group_tests_name("agent_words", tests, NULL, NULL);
}
