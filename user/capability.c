/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* capability: see capability.h. */
#include <stdbool.h>
#include <stddef.h>
#include <sys/capability.h>

#include "capability.h"

static bool effective(cap_value_t capability)
{
	cap_t set = cap_get_proc();
	cap_flag_value_t value = CAP_CLEAR;

	if (!set)
		return false;
	cap_get_flag(set, capability, CAP_EFFECTIVE, &value);
	cap_free(set);
	return value == CAP_SET;
}

const char *capability_lacking(void)
{
	bool admin = effective(CAP_SYS_ADMIN); /* stands for CAP_BPF and CAP_PERFMON */

	if (!effective(CAP_BPF) && !admin)
		return "CAP_BPF";
	if (!effective(CAP_NET_ADMIN))
		return "CAP_NET_ADMIN";
	if (!effective(CAP_PERFMON) && !admin)
		return "CAP_PERFMON";
	return NULL;
}
