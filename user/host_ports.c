/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* host_ports: see host_ports.h. */
#include "host_ports.h"

#include <stdio.h>

/* For both families, whatever its name says. */
#define PORT_RANGE "/proc/sys/net/ipv4/ip_local_port_range"

enum { DEFAULT_FIRST = 32768, DEFAULT_LAST = 60999 };

void host_ports_read(uint16_t *first, uint16_t *count)
{
	unsigned low = 0, high = 0;
	FILE *file = fopen(PORT_RANGE, "re");

	if (!file || fscanf(file, "%u %u", &low, &high) != 2 || !low || low > high ||
	    high > UINT16_MAX) {
		low = DEFAULT_FIRST;
		high = DEFAULT_LAST;
	}
	if (file)
		fclose(file);
	/* NAT gives out none below 1024, see bpf/nat_table.h. */
	if (low < 1024)
		low = high < 1024 ? high : 1024;
	*first = (uint16_t)low;
	*count = (uint16_t)(high - low + 1);
}
