/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * neighbour_watch ADDRESS...: prints each change of these addresses' next hops, a line each, until
 * it is ended. neighbour.bats runs it in a namespace, on the kernel's own tables.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../user/neighbour.h"

static void mac_format(const uint8_t mac[6], char out[18])
{
	snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
}

static void on_change(void *context, const struct next_hop *hop)
{
	char to[18], from[18], source[ADDR_TEXT_SIZE] = "none", name[IF_NAMESIZE] = "?";

	if (!hop->resolved) {
		printf("%s unresolved: %s\n", (const char *)context, hop->why);
		return;
	}
	mac_format(hop->destination_mac, to);
	mac_format(hop->source_mac, from);
	if (hop->source.family)
		addr_format(&hop->source, source);
	if_indextoname(hop->ifindex, name);
	printf("%s to %s dev %s from %s src %s mtu %u\n", (const char *)context, to, name, from,
	       source, hop->mtu);
}

int main(int argc, char **argv)
{
	struct neighbours *neighbours;
	struct fault fault;
	sd_event *event;
	const char *why;
	struct addr addr;
	int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (sd_event_default(&event) < 0)
		return FAULT_FAILED;
	neighbours = neighbours_create(event, &fault);
	if (!neighbours)
		return fault_print(&fault, argv[0]);
	for (i = 1; i < argc; i++) {
		if (addr_parse(argv[i], &addr, &why)) {
			fprintf(stderr, "%s: %s\n", argv[i], why);
			return FAULT_USAGE;
		}
		if (!neighbour_watch_create(neighbours, &addr, on_change, argv[i])) {
			perror(argv[i]);
			return FAULT_FAILED;
		}
	}
	return sd_event_loop(event) < 0 ? FAULT_FAILED : 0;
}
