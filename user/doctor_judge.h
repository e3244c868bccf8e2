/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * doctor_judge: from what is known of the host, its interfaces, the VIPs and the backends to
 * findings: what is wrong, why, and what to type. Pure; doctor_facts.c gathers, doctor.c probes.
 */
#ifndef LIMPET_DOCTOR_JUDGE_H
#define LIMPET_DOCTOR_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

enum doctor_severity {
	DOCTOR_ERROR,   /* traffic, or a check, fails */
	DOCTOR_WARNING, /* it will, or is slow */
	DOCTOR_NOTE,    /* worth knowing */
	DOCTOR_SEVERITY_COUNT
};

struct doctor_finding {
	enum doctor_severity severity;
	const char *code; /* a word for scripts: "tunnel_dropped" */
	char object[160]; /* "interface eth0", "backend web/web1" */
	char cause[320];  /* in words */
	char remedy[224]; /* the line to type; "": there is none */
};

struct doctor_findings {
	struct doctor_finding *items;
	size_t count;
	bool incomplete; /* out of memory */
};

void doctor_findings_free(struct doctor_findings *findings);
/* The most severe first, otherwise as they were found. */
void doctor_findings_order(struct doctor_findings *findings);

struct doctor_host {
	bool jit_known, jit;    /* the packet program is machine code */
	const char *why_single; /* why libxdp's dispatcher does not work here; NULL: it may */
	bool seed_set;          /* by the configuration */
	bool seed_differs;      /* from the data plane's */
	bool clock_synchronized;
	char program_version[32], own_version[32];
	uint64_t new_flows_untracked, clients_untracked; /* since attached */
};
void doctor_judge_host(const struct doctor_host *host, struct doctor_findings *out);

enum doctor_attachment {
	DOCTOR_ATTACHED,
	DOCTOR_LINK_GONE,
	DOCTOR_LINK_BACK, /* another interface has the name now */
	DOCTOR_PROGRAM_GONE,
	DOCTOR_ELSEWHERE, /* in another network namespace */
};

struct doctor_link {
	char name[16];
	enum doctor_attachment attachment;
	uint32_t mtu;
	bool generic; /* mode */
	bool up, carrier;
	bool probe; /* the program of probes is on it */
	bool lro;
	bool veth;
	bool finishes;   /* the program makes checksums that a veth's peer left out */
	bool peer_known; /* in this namespace; the rest is about it */
	char peer[16];
	bool peer_tx_checksum, peer_xdp;
};
void doctor_judge_links(const struct doctor_link *links, size_t count, struct doctor_findings *out);

/* Of a VIP that checks take through the tunnel: the host's own way there, and back. */
struct doctor_vip {
	struct addr vip;
	bool route;
	char egress[16];     /* where it leads to */
	bool probe;          /* the program of probes is there */
	bool local;          /* the VIP is this host's own */
	char answers_in[16]; /* the interface that has the address asked from; "": not known */
	bool accept_local;   /* that takes packets from the host's own addresses */
	bool rp_strict;      /* that takes only what the route back would leave by */
};
/* False if checks cannot work, whatever the backends do. A VIP that was judged is not told again.
 */
bool doctor_judge_vip(const struct doctor_vip *vip, struct doctor_findings *out);

struct doctor_probe {
	bool ran, good;
	char reason[224];
};

struct doctor_backend {
	char pool[MODEL_NAME_SIZE], name[MODEL_NAME_SIZE];
	enum forward_mode forward;
	struct addr address;
	struct next_hop hop;
	char egress[16];      /* the interface of the next hop */
	bool egress_attached; /* the data plane is on it */
	char ingress[16];     /* another interface that it is on; "": there is none */
	bool egress_deaf;     /* what XDP redirects to it is lost: it takes no such packets */
	uint32_t mtu_in;      /* the largest packet that comes from clients: L3 bytes */
	uint64_t nat_refused; /* new flows for which no source port was left */
	bool vip_well;        /* see doctor_judge_vip; false without a service, too */
	char vip[ADDR_TEXT_SIZE];
	/* To the VIP through the tunnel, to its own address, and to the VIP by its MAC alone, which
	 * tells a tunnel that is dropped from a VIP that is missing. */
	struct doctor_probe tunnel, direct, plain;
};
void doctor_judge_backend(const struct doctor_backend *backend, struct doctor_findings *out);

/* A pool with services of which no backend takes traffic. */
void doctor_judge_pool(const struct pool *pool, bool used, struct doctor_findings *out);

/* A pool with pinned clients: who forgets them wonders where those go. */
void doctor_judge_pins(const struct pool *pool, struct doctor_findings *out);

const char *doctor_severity_name(enum doctor_severity severity);

#endif
