/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* doctor_facts: see doctor_facts.h. */
#include "doctor_facts.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <unistd.h>

#include "attach.h"
#include "attach_probe.h"
#include "neighbour_netlink.h"
#include "tunnel.h"
#include "version.h"
#include "xdp_features.h"

/* ---- the host ---- */

struct doctor_host doctor_host_gather(struct dataplane *dp, const struct model *model)
{
	const struct lb_settings *settings = dataplane_settings(dp);
	struct doctor_host host = {.own_version = LIMPET_VERSION};
	struct timex clock = {};
	uint64_t notes[LB_NOTE_COUNT];
	int jit = dataplane_program_jited(dp);

	host.jit_known = jit >= 0;
	host.jit = jit > 0;
	host.why_single = attach_why_single();
	host.seed_set = model->global.hash_seed_set;
	host.seed_differs = host.seed_set &&
			    memcmp(model->global.hash_seed, settings->hash_seed, LB_SEED_SIZE) != 0;
	host.clock_synchronized = adjtimex(&clock) != TIME_ERROR;
	snprintf(host.program_version, sizeof(host.program_version), "%.31s", settings->version);
	if (dataplane_notes(dp, notes) == 0) {
		host.new_flows_untracked = notes[LB_NOTE_NEW_FLOW_UNTRACKED];
		host.clients_untracked = notes[LB_NOTE_CLIENT_UNTRACKED];
	}
	return host;
}

/* ---- interfaces ---- */

static uint32_t ethtool_value(int fd, const char *name, uint32_t command)
{
	struct ethtool_value value = {.cmd = command};
	struct ifreq request = {.ifr_data = (void *)&value};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &request) < 0 ? 0 : value.data;
}

static bool is_veth(int fd, const char *name)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (void *)&driver};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &request) == 0 && strcmp(driver.driver, "veth") == 0;
}

static void offloads_read(struct doctor_link *link, uint32_t peer)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct attach_state state;

	if (fd < 0)
		return;
	link->lro = ethtool_value(fd, link->name, ETHTOOL_GFLAGS) & ETH_FLAG_LRO;
	link->veth = is_veth(fd, link->name);
	if (link->veth && peer && if_indextoname(peer, link->peer)) {
		link->peer_known = true;
		link->peer_tx_checksum = ethtool_value(fd, link->peer, ETHTOOL_GTXCSUM);
		link->peer_xdp = !attach_query(link->peer, "", &state, NULL) && state.present;
	}
	close(fd);
}

static struct doctor_link link_of(struct dataplane *dp, const struct interface_state *state)
{
	static const enum doctor_attachment attachments[INTERFACE_CONDITION_COUNT] = {
		[INTERFACE_NO_PROGRAM] = DOCTOR_PROGRAM_GONE,
		[INTERFACE_GONE] = DOCTOR_LINK_GONE,
		[INTERFACE_BACK] = DOCTOR_LINK_BACK,
		[INTERFACE_ELSEWHERE] = DOCTOR_ELSEWHERE,
	};
	struct doctor_link link = {
		.attachment = attachments[state->condition],
		.generic = state->mode == LB_ATTACH_GENERIC,
		.up = state->condition != INTERFACE_DOWN,
		.carrier = state->condition == INTERFACE_UP,
		.mtu = state->mtu,
	};

	memcpy(link.name, state->name, sizeof(link.name));
	if (link.attachment != DOCTOR_ATTACHED)
		return link;
	link.probe = attach_probe_id(link.name, dataplane_probe_mark(dp)) != 0;
	link.finishes = dataplane_settings(dp)->flags & LB_SETTING_FINISH;
	offloads_read(&link, state->peer);
	return link;
}

int doctor_links_gather(struct dataplane *dp, struct doctor_link out[INTERFACES_MAX])
{
	struct interface_state states[INTERFACES_MAX];
	int count = interfaces_read(dp, states);

	for (int i = 0; i < count; i++)
		out[i] = link_of(dp, &states[i]);
	return count;
}

bool doctor_interface_deaf(uint32_t ifindex)
{
	uint64_t features;

	return xdp_features(ifindex, &features) == 0 && !(features & XDP_FEATURE_REDIRECT_TARGET);
}

uint32_t doctor_mtu_in(const struct doctor_link *links, size_t count)
{
	uint32_t largest = 0;

	for (size_t i = 0; i < count; i++) {
		if (links[i].attachment == DOCTOR_ATTACHED && links[i].mtu > largest)
			largest = links[i].mtu;
	}
	return largest ? largest : UINT32_MAX;
}

/* ---- VIPs ---- */

/* The interface that has the address; "" if none has. */
static void interface_with(const struct addr *address, char out[16])
{
	struct ifaddrs *all = NULL;

	out[0] = '\0';
	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *each = all; each && !out[0]; each = each->ifa_next) {
		const void *bytes;

		if (!each->ifa_addr ||
		    each->ifa_addr->sa_family != (address->family == 4 ? AF_INET : AF_INET6))
			continue;
		bytes = address->family == 4
				? (const void *)&((struct sockaddr_in *)each->ifa_addr)->sin_addr
				: (const void *)&((struct sockaddr_in6 *)each->ifa_addr)->sin6_addr;
		if (!memcmp(bytes, &address->ip, address->family == 4 ? 4 : 16))
			snprintf(out, 16, "%.15s", each->ifa_name);
	}
	freeifaddrs(all);
}

/* The kernel takes the stricter of the two. */
static int rp_filter(const char *interface)
{
	int all = tunnel_ipv4_conf("all", "rp_filter");
	int own = tunnel_ipv4_conf(interface, "rp_filter");

	return all > own ? all : own;
}

struct doctor_vip doctor_vip_gather(const struct addr *vip, const struct next_hop *hop,
				    uint32_t mark)
{
	struct doctor_vip out = {.vip = *vip};
	struct netlink_route route;
	struct netlink netlink;
	int err = netlink_open(&netlink);

	if (!err) {
		err = netlink_route_get(&netlink, vip, mark, &route);
		netlink_close(&netlink);
	}
	if (err || (route.type != RTN_UNICAST && route.type != RTN_LOCAL) ||
	    !if_indextoname(route.ifindex, out.egress))
		return out;
	out.route = true;
	out.local = route.type == RTN_LOCAL;
	out.probe = attach_probe_id(out.egress, mark) != 0;
	if (out.local && !if_indextoname(hop->ifindex, out.answers_in))
		out.answers_in[0] = '\0';
	else if (!out.local && route.source.family)
		interface_with(&route.source, out.answers_in);
	if (vip->family != 4 || !out.answers_in[0])
		return out;
	out.accept_local = tunnel_ipv4_conf("all", "accept_local") ||
			   tunnel_ipv4_conf(out.answers_in, "accept_local");
	out.rp_strict = rp_filter(out.answers_in) == 1;
	return out;
}
