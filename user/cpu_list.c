/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cpu_list: see cpu_list.h. */
#include "cpu_list.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t cpu_list_end(const char *list)
{
	const char *last = list + strcspn(list, "\n");

	while (last > list && isdigit((unsigned char)last[-1]))
		last--;
	return isdigit((unsigned char)*last) ? (uint32_t)strtoul(last, NULL, 10) + 1 : 0;
}

uint32_t cpu_list_possible_end(void)
{
	static uint32_t end;
	char list[4096];
	FILE *file;

	if (end)
		return end;
	file = fopen("/sys/devices/system/cpu/possible", "re");
	if (file && fgets(list, sizeof(list), file))
		end = cpu_list_end(list);
	if (file)
		fclose(file);
	end = end ? end : 1;
	return end;
}
