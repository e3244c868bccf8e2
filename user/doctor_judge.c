/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* doctor_judge: see doctor_judge.h. */
#include "doctor_judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENT_MTU = 1500, OUTER_IPV4 = 20, OUTER_IPV6 = 40, OUTER_GUE = 8 };

const char *doctor_severity_name(enum doctor_severity severity)
{
	static const char *const names[] = {"error", "warning", "note"};

	return names[severity];
}

void doctor_findings_free(struct doctor_findings *findings)
{
	free(findings->items);
	*findings = (struct doctor_findings){};
}

void doctor_findings_order(struct doctor_findings *findings)
{
	struct doctor_finding *ordered = calloc(findings->count + 1, sizeof(*ordered));
	size_t count = 0;

	if (!ordered)
		return;
	for (int severity = 0; severity < DOCTOR_SEVERITY_COUNT; severity++) {
		for (size_t i = 0; i < findings->count; i++) {
			if ((int)findings->items[i].severity == severity)
				ordered[count++] = findings->items[i];
		}
	}
	free(findings->items);
	findings->items = ordered;
}

/* A finding whose cause is in the format; its remedy is added by `remedy`. */
static struct doctor_finding *find(struct doctor_findings *out, enum doctor_severity severity,
				   const char *code, const char *object, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
static struct doctor_finding *find(struct doctor_findings *out, enum doctor_severity severity,
				   const char *code, const char *object, const char *format, ...)
{
	struct doctor_finding *grown =
		reallocarray(out->items, out->count + 1, sizeof(*out->items));
	struct doctor_finding *finding;
	va_list args;

	if (!grown) {
		out->incomplete = true;
		return NULL;
	}
	out->items = grown;
	finding = &grown[out->count++];
	*finding = (struct doctor_finding){.severity = severity, .code = code};
	snprintf(finding->object, sizeof(finding->object), "%s", object);
	va_start(args, format);
	vsnprintf(finding->cause, sizeof(finding->cause), format, args);
	va_end(args);
	return finding;
}

static void remedy(struct doctor_finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void remedy(struct doctor_finding *finding, const char *format, ...)
{
	va_list args;

	if (!finding)
		return;
	va_start(args, format);
	vsnprintf(finding->remedy, sizeof(finding->remedy), format, args);
	va_end(args);
}

/* ---- the host ---- */

static void judge_seed(const struct doctor_host *host, struct doctor_findings *out)
{
	if (host->seed_differs)
		remedy(find(out, DOCTOR_ERROR, "seed_differs", "hash seed",
			    "the data plane was attached with another seed than the configuration "
			    "has: another node sends the same flows elsewhere"),
		       "lbload detach IF; lbload clean; lbload attach IF (moves flows)");
	else if (!host->seed_set)
		remedy(find(out, DOCTOR_NOTE, "seed_random", "hash seed",
			    "it was made at attach, so that another node sends the same flows "
			    "elsewhere"),
		       "global.hash_seed_file in lbd.yaml, the same file on all nodes");
}

void doctor_judge_host(const struct doctor_host *host, struct doctor_findings *out)
{
	if (host->jit_known && !host->jit)
		remedy(find(out, DOCTOR_ERROR, "no_jit", "kernel",
			    "the packet program is interpreted, and slow, not compiled"),
		       "sysctl -w net.core.bpf_jit_enable=1; lbload replace");
	if (host->why_single)
		remedy(find(out, DOCTOR_NOTE, "no_dispatcher", "kernel",
			    "no other XDP program can share an interface with the data plane: %s",
			    host->why_single),
		       "bpftool net (which programs are where; nothing to do if that is all there "
		       "is to be)");
	judge_seed(host, out);
	if (!host->clock_synchronized)
		remedy(find(out, DOCTOR_NOTE, "clock", "clock",
			    "nothing keeps it in time: logs and deadlines of nodes do not agree"),
		       "timedatectl set-ntp true");
	if (strcmp(host->program_version, host->own_version) != 0)
		remedy(find(out, DOCTOR_WARNING, "version", "data plane",
			    "its program is of version %s, lbd of %s", host->program_version,
			    host->own_version),
		       "lbload replace");
	if (host->new_flows_untracked)
		remedy(find(out, DOCTOR_WARNING, "flow_table_full", "flow table",
			    "%" PRIu64 " new flows found no room in it", host->new_flows_untracked),
		       "more global.limits.flows in lbd.yaml; lbload detach, clean, attach");
	if (host->clients_untracked)
		remedy(find(out, DOCTOR_WARNING, "client_table_full", "client table",
			    "%" PRIu64 " new clients found no room in it", host->clients_untracked),
		       "more global.limits.clients in lbd.yaml; lbload detach, clean, attach");
}

/* ---- interfaces ---- */

static void judge_attachment(const struct doctor_link *link, const char *object,
			     struct doctor_findings *out)
{
	const char *name = link->name;

	switch (link->attachment) {
	case DOCTOR_ATTACHED:
		break;
	case DOCTOR_LINK_GONE:
		remedy(find(out, DOCTOR_ERROR, "interface_gone", object,
			    "the data plane was attached to it, and it is gone"),
		       "lbload attach %s, when it is back", name);
		break;
	case DOCTOR_LINK_BACK:
		remedy(find(out, DOCTOR_ERROR, "interface_back", object,
			    "it went away and came back without the data plane's program"),
		       "lbload attach %s", name);
		break;
	case DOCTOR_PROGRAM_GONE:
		remedy(find(out, DOCTOR_ERROR, "program_gone", object,
			    "the data plane's program was taken off it by other hands"),
		       "lbload detach %s; lbload attach %s", name, name);
		break;
	case DOCTOR_ELSEWHERE:
		remedy(find(out, DOCTOR_ERROR, "elsewhere", object,
			    "the data plane is attached to it in another network namespace than "
			    "lbd's"),
		       "nsenter --net=NAMESPACE lbd ..., or there: lbload detach %s", name);
		break;
	}
}

static void judge_veth(const struct doctor_link *link, const char *object,
		       struct doctor_findings *out)
{
	if (!link->peer_known) {
		remedy(find(out, DOCTOR_NOTE, "veth_peer", object,
			    "a veth whose peer is not seen from here: that has to have an XDP "
			    "program, too, and should make its checksums itself"),
		       "where the peer is: ethtool -K PEER tx off");
		return;
	}
	if (link->peer_tx_checksum)
		remedy(find(out, link->finishes ? DOCTOR_NOTE : DOCTOR_WARNING, "checksum_offload",
			    object, "its peer %s leaves checksums unfinished, %s", link->peer,
			    link->finishes ? "and making them here costs"
					   : "and XDP sends packets on as they are"),
		       "ethtool -K %s tx off%s", link->peer,
		       link->finishes ? "" : "; lbload replace");
	if (!link->peer_xdp)
		remedy(find(out, DOCTOR_WARNING, "veth_no_xdp", object,
			    "what is sent back (XDP_TX) to its peer %s is lost: that has no XDP "
			    "program",
			    link->peer),
		       "ip link set dev %s xdpdrv obj PROGRAM (any that passes)", link->peer);
}

static void judge_link(const struct doctor_link *link, struct doctor_findings *out)
{
	char object[64];

	snprintf(object, sizeof(object), "interface %s", link->name);
	judge_attachment(link, object, out);
	if (link->attachment != DOCTOR_ATTACHED)
		return;
	if (!link->up)
		remedy(find(out, DOCTOR_ERROR, "interface_down", object, "it is down"),
		       "ip link set %s up", link->name);
	else if (!link->carrier)
		remedy(find(out, DOCTOR_ERROR, "no_carrier", object, "it has no carrier"),
		       "ethtool %s (what it says of its link; then the cable, and the other end)",
		       link->name);
	if (link->generic)
		remedy(find(out, DOCTOR_WARNING, "generic_mode", object,
			    "attached in generic mode, which is slow"),
		       "lbload detach %s; lbload attach %s --mode native", link->name, link->name);
	if (link->lro)
		remedy(find(out, DOCTOR_WARNING, "lro", object,
			    "it merges packets into larger ones (LRO), which fit no tunnel"),
		       "ethtool -K %s lro off", link->name);
	if (!link->probe)
		remedy(find(out, DOCTOR_WARNING, "no_probe_program", object,
			    "the program of probes is not on it: checks through the tunnel cannot "
			    "leave by it"),
		       "lbload replace %s", link->name);
	if (link->veth)
		judge_veth(link, object, out);
}

void doctor_judge_links(const struct doctor_link *links, size_t count, struct doctor_findings *out)
{
	if (!count)
		remedy(find(out, DOCTOR_ERROR, "not_attached", "data plane",
			    "it is on no interface: no packet comes to it"),
		       "lbload attach IF");
	for (size_t i = 0; i < count; i++)
		judge_link(&links[i], out);
}

/* ---- VIPs ---- */

static bool is_told(const struct doctor_findings *findings, const char *object)
{
	for (size_t i = 0; i < findings->count; i++) {
		if (strcmp(findings->items[i].object, object) == 0)
			return true;
	}
	return false;
}

bool doctor_judge_vip(const struct doctor_vip *vip, struct doctor_findings *out)
{
	char object[64], text[ADDR_TEXT_SIZE];

	addr_format(&vip->vip, text);
	snprintf(object, sizeof(object), "VIP %s", text);
	if (is_told(out, object))
		return false;
	if (!vip->route) {
		remedy(find(out, DOCTOR_ERROR, "no_route_to_vip", object,
			    "this host has no route to it, which checks through the tunnel need"),
		       "ip route add %s dev lo", text);
		return false;
	}
	if (!vip->probe) {
		remedy(find(out, DOCTOR_ERROR, "no_probe_program", object,
			    "checks through the tunnel leave by %s, which has not the program of "
			    "probes",
			    vip->egress),
		       "lbload %s",
		       strcmp(vip->egress, "lo") == 0 ? "replace" : "attach or replace");
		return false;
	}
	if (vip->local && vip->vip.family == 4 && vip->answers_in[0] && !vip->accept_local) {
		remedy(find(out, DOCTOR_ERROR, "accept_local", object,
			    "it is this host's own, so that the kernel drops what backends answer "
			    "to checks"),
		       "sysctl -w net.ipv4.conf.%s.accept_local=1", vip->answers_in);
		return false;
	}
	if (vip->rp_strict && strcmp(vip->answers_in, vip->egress) != 0) {
		remedy(find(out, DOCTOR_ERROR, "rp_filter", object,
			    "what backends answer to checks comes in by %s, whose rp_filter drops "
			    "it, because the route back is by %s",
			    vip->answers_in, vip->egress),
		       "sysctl -w net.ipv4.conf.%s.rp_filter=2", vip->answers_in);
		return false;
	}
	return true;
}

/* ---- backends ---- */

/* Bytes that forwarding puts before a packet. */
static uint32_t overhead(const struct doctor_backend *backend)
{
	uint32_t outer = backend->address.family == 4 ? OUTER_IPV4 : OUTER_IPV6;

	switch (backend->forward) {
	case FORWARD_MODE_IPIP:
		return outer;
	case FORWARD_MODE_GUE:
		return outer + OUTER_GUE;
	default:
		return 0;
	}
}

static void judge_mtu(const struct doctor_backend *backend, const char *object,
		      struct doctor_findings *out)
{
	uint32_t largest = backend->mtu_in < CLIENT_MTU ? backend->mtu_in : CLIENT_MTU;
	uint32_t needed = largest + overhead(backend);
	bool l2 = backend->forward == FORWARD_MODE_L2;

	/* NAT is refused with the MTU that would fit, as what is encapsulated is. */
	if (!(overhead(backend) || l2) || !backend->hop.mtu || backend->hop.mtu >= needed)
		return;
	if (l2) {
		remedy(find(out, DOCTOR_WARNING, "mtu", object,
			    "the path to it takes %u bytes: longer packets are lost there, and "
			    "nobody "
			    "is told",
			    backend->hop.mtu),
		       "ip link set dev %s mtu %u", backend->egress, needed);
		return;
	}
	remedy(find(out, DOCTOR_WARNING, "mtu", object,
		    "the path to it takes %u bytes: packets of more than %u do not fit it once "
		    "encapsulated; clients are told, and those that are not are cut off",
		    backend->hop.mtu, backend->hop.mtu - overhead(backend)),
	       "ip link set dev %s mtu %u (or advmss on the backend's routes to clients)",
	       backend->egress, needed);
}

/* It answers directly, and not at the VIP as traffic would reach it. */
static void judge_tunnel(const struct doctor_backend *backend, const char *object,
			 struct doctor_findings *out)
{
	static const char decap[] = "lbdecap attach IF; sysctl -w net.ipv4.conf.all.rp_filter=0 "
				    "net.ipv4.conf.IF.rp_filter=0";
	const struct doctor_probe *plain = &backend->plain;
	const char *reason = backend->tunnel.reason;

	if (backend->forward == FORWARD_MODE_L2 || (plain->ran && !plain->good))
		remedy(find(out, DOCTOR_ERROR, "vip_missing", object,
			    "it answers at its own address, but not at the VIP %s: %s",
			    backend->vip, reason),
		       "on it: ip address add %s dev lo", backend->vip);
	else if (plain->ran)
		remedy(find(out, DOCTOR_ERROR, "tunnel_dropped", object,
			    "it has the VIP %s, but drops what comes through the tunnel: %s",
			    backend->vip, reason),
		       "on it: %s", decap);
	else
		remedy(find(out, DOCTOR_ERROR, "tunnel_dropped", object,
			    "it answers directly, but not at the VIP %s through the tunnel: %s",
			    backend->vip, reason),
		       "on it: ip address add %s dev lo; %s", backend->vip, decap);
}

static void judge_probes(const struct doctor_backend *backend, const char *object,
			 struct doctor_findings *out)
{
	const struct doctor_probe *tunnel = &backend->tunnel, *direct = &backend->direct;

	if (tunnel->ran && !tunnel->good && direct->ran && direct->good)
		judge_tunnel(backend, object, out);
	else if (direct->ran && !direct->good && !(tunnel->ran && tunnel->good))
		remedy(find(out, DOCTOR_ERROR, "no_answer", object, "its check fails%s: %s",
			    tunnel->ran ? ", directly as well" : "", direct->reason),
		       "lbctl check now %s/%s", backend->pool, backend->name);
}

void doctor_judge_backend(const struct doctor_backend *backend, struct doctor_findings *out)
{
	char object[160], text[ADDR_TEXT_SIZE];

	snprintf(object, sizeof(object), "backend %s/%s", backend->pool, backend->name);
	addr_format(&backend->address, text);
	if (!backend->hop.resolved) {
		remedy(find(out, DOCTOR_ERROR, "no_next_hop", object, "no next hop: %s",
			    backend->hop.why[0] ? backend->hop.why : "not known yet"),
		       "ip route get %s; ip neighbour show to %s", text, text);
		return;
	}
	judge_mtu(backend, object, out);
	if (backend->egress_deaf && backend->ingress[0])
		remedy(find(out, DOCTOR_ERROR, "redirect_target", object,
			    "packets that come by %s are lost on their way out by %s: that takes "
			    "no "
			    "redirected packets",
			    backend->ingress, backend->egress),
		       "lbload probe %s (a veth needs an XDP program, or GRO, on its peer; some "
		       "drivers a program on the interface itself: lbload attach %s)",
		       backend->egress, backend->egress);
	if (backend->forward == FORWARD_MODE_NAT && !backend->egress_attached)
		remedy(find(out, DOCTOR_ERROR, "nat_return", object,
			    "its answers come in by %s, which the data plane is not attached to: "
			    "they are not translated back",
			    backend->egress),
		       "lbload attach %s", backend->egress);
	if (backend->nat_refused)
		remedy(find(out, DOCTOR_WARNING, "nat_ports", object,
			    "%" PRIu64 " new flows found no source port toward it that was free",
			    backend->nat_refused),
		       "more backends in pool %s, or a wider global.snat_source in lbd.yaml; lbctl "
		       "backend list -o wide",
		       backend->pool);
	judge_probes(backend, object, out);
}

void doctor_judge_pool(const struct pool *pool, bool used, struct doctor_findings *out)
{
	char object[96];

	for (size_t i = 0; i < pool->backend_count; i++) {
		if (backend_takes_new(pool, pool->backends[i]))
			return;
	}
	if (!used)
		return;
	snprintf(object, sizeof(object), "pool %s", pool->name);
	remedy(find(out, DOCTOR_ERROR, "no_backend", object,
		    pool->backend_count ? "none of its backends takes traffic"
					: "it has no backend"),
	       pool->backend_count ? "lbctl backend list %s -o wide" : "lbctl backend add %s/NAME",
	       pool->name);
}

void doctor_judge_pins(const struct pool *pool, struct doctor_findings *out)
{
	char object[96];

	if (!pool->pins)
		return;
	snprintf(object, sizeof(object), "pool %s", pool->name);
	remedy(find(out, DOCTOR_NOTE, "pinned_clients", object,
		    "clients that are pinned to a backend, whatever its table says: %" PRIu64,
		    pool->pins),
	       "lbctl client list %s (which, and for how long); lbctl client unpin %s ADDRESS",
	       pool->name, pool->name);
}
