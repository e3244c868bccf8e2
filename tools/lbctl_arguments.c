/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lbctl_arguments: what several commands read from their arguments and options. See lbctl.h. */
#include <stdio.h>
#include <string.h>

#include "../user/duration.h"
#include "lbctl.h"

int ctl_target_parse(const char *text, struct ctl_target *target, struct fault *fault)
{
	char *slash;

	if (snprintf(target->text, sizeof(target->text), "%s", text) >= (int)sizeof(target->text))
		return fault_set(fault, FAULT_USAGE, "backend \"%.40s...\": its name is too long",
				 text);
	slash = strchr(target->text, '/');
	if (!slash || slash == target->text || !slash[1] || strchr(slash + 1, '/')) {
		fault_set(fault, FAULT_USAGE, "backend \"%s\": a backend is named POOL/NAME", text);
		return fault_hint(fault, "`lbctl backend list` shows them");
	}
	*slash = '\0';
	target->pool = target->text;
	target->name = slash + 1;
	return 0;
}

void ctl_target_path(const struct ctl_target *target, struct ctl_request *request)
{
	request->path[0] = "pools";
	request->path[1] = target->pool;
	request->path[2] = "backends";
	request->path[3] = target->name;
}

int ctl_duration(const struct ctl *ctl, const char *option, uint64_t *ms, struct fault *fault)
{
	const char *text = ctl_value(ctl, option);

	*ms = 0;
	if (!text || duration_parse(text, ms))
		return 0;
	fault_set(fault, FAULT_USAGE, "--%s \"%s\": not a time", option, text);
	return fault_hint(fault, "times are written 500ms, 30s, 5m, 2h10m");
}
