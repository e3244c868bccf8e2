/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * doctor_facts: what doctor_judge wants to know of this host, asked of the kernel and of the data
 * plane. Changes nothing; what cannot be found out is left as if it were well.
 */
#ifndef LIMPET_DOCTOR_FACTS_H
#define LIMPET_DOCTOR_FACTS_H

#include "dataplane.h"
#include "doctor_judge.h"
#include "interfaces.h"

struct doctor_host doctor_host_gather(struct dataplane *dp, const struct model *model);

/* One for each interface the data plane was attached to. The number, or a negative errno. */
int doctor_links_gather(struct dataplane *dp, struct doctor_link out[INTERFACES_MAX]);

/* `hop`: of a backend that is asked; `mark`: of the instance's probes. */
struct doctor_vip doctor_vip_gather(const struct addr *vip, const struct next_hop *hop,
				    uint32_t mark);

/* Whether the kernel says that what XDP redirects to the interface is lost. */
bool doctor_interface_deaf(uint32_t ifindex);

/* The largest MTU among the interfaces attached to. UINT32_MAX: not known. */
uint32_t doctor_mtu_in(const struct doctor_link *links, size_t count);

#endif
