/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* duration: see duration.h. */
#include "duration.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
	const char *name;
	uint64_t ms;
} units[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
enum { UNIT_COUNT = sizeof(units) / sizeof(units[0]) };

const char *duration_format(uint64_t ms, char out[DURATION_TEXT_SIZE])
{
	for (size_t i = 0; i < UNIT_COUNT; i++) {
		if (ms % units[i].ms == 0 && (ms || i == UNIT_COUNT - 2)) {
			snprintf(out, DURATION_TEXT_SIZE, "%" PRIu64 "%s", ms / units[i].ms,
				 units[i].name);
			break;
		}
	}
	return out;
}

bool duration_parse(const char *text, uint64_t *ms)
{
	size_t next = 0;

	*ms = 0;
	if (strcmp(text, "0") == 0)
		return true;
	do {
		size_t digits = strspn(text, "0123456789"), letters, i;
		uint64_t value = 0;

		if (digits == 0 || digits > 9)
			return false;
		for (i = 0; i < digits; i++)
			value = value * 10 + (uint64_t)(text[i] - '0');
		text += digits;
		letters = strspn(text, "hms");
		for (i = next; i < UNIT_COUNT; i++) {
			if (strlen(units[i].name) == letters &&
			    strncmp(text, units[i].name, letters) == 0)
				break;
		}
		if (i == UNIT_COUNT)
			return false;
		*ms += value * units[i].ms;
		text += letters;
		next = i + 1;
	} while (*text);
	return true;
}
