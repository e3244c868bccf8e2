/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* tunnel: see tunnel.h. */
#include "tunnel.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "attach_probe.h"
#include "neighbour_netlink.h"

/* The way that the host's packets to the VIP take. 0 or a negative errno. */
static int vip_route(const struct addr *vip, uint32_t mark, struct netlink_route *route)
{
	struct netlink netlink;
	int err = netlink_open(&netlink);

	if (err)
		return err;
	err = netlink_route_get(&netlink, vip, mark, route);
	netlink_close(&netlink);
	return err;
}

static void explain_missed(const struct probe_tunnel *tunnel, const struct addr *vip, char *out)
{
	char text[ADDR_TEXT_SIZE], name[IF_NAMESIZE];
	struct netlink_route route;
	int err = vip_route(vip, tunnel->mark, &route);

	addr_format(vip, text);
	if (!tunnel->mark)
		snprintf(out, PROBE_WHY_SIZE, "the data plane does not know the backend yet");
	else if (err || (route.type != RTN_UNICAST && route.type != RTN_LOCAL))
		snprintf(out, PROBE_WHY_SIZE,
			 "this host has no route to %s (any will do: ip route add %s dev lo)", text,
			 text);
	else if (!if_indextoname(route.ifindex, name))
		snprintf(out, PROBE_WHY_SIZE, "interface %u is gone", route.ifindex);
	else if (!attach_probe_id(name, tunnel->mark & LB_PROBE_MARK_MASK))
		snprintf(out, PROBE_WHY_SIZE,
			 "packets to %s leave by %s, and the program of probes is not on it "
			 "(lbload %s)",
			 text, name, strcmp(name, "lo") == 0 ? "replace" : "attach or replace");
	else
		snprintf(out, PROBE_WHY_SIZE,
			 "packets to %s do not get to the program of probes on %s", text, name);
}

int tunnel_ipv4_conf(const char *interface, const char *key)
{
	char path[96];
	FILE *file;
	int value = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/%s", interface, key);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%d", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

/* The kernel drops what seems to come from its own address. */
static void explain_silence(const struct probe_tunnel *tunnel, const struct addr *vip, char *out)
{
	char text[ADDR_TEXT_SIZE], name[IF_NAMESIZE];
	struct netlink_route route;

	out[0] = '\0';
	if (vip->family != 4 || vip_route(vip, tunnel->mark, &route) || route.type != RTN_LOCAL ||
	    !if_indextoname(tunnel->ifindex, name) || tunnel_ipv4_conf("all", "accept_local") ||
	    tunnel_ipv4_conf(name, "accept_local"))
		return;
	snprintf(out, PROBE_WHY_SIZE,
		 "%s is this host's own, so it drops answers from it (sysctl -w "
		 "net.ipv4.conf.%s.accept_local=1)",
		 addr_format(vip, text), name);
}

void tunnel_explain(const struct probe_tunnel *tunnel, const struct addr *vip, bool left,
		    char out[PROBE_WHY_SIZE])
{
	if (left)
		explain_silence(tunnel, vip, out);
	else
		explain_missed(tunnel, vip, out);
}
