/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_lookup: which backend a packet would get, and why, in JSON and in words.
 */
#ifndef LIMPET_API_LOOKUP_H
#define LIMPET_API_LOOKUP_H

#include <jansson.h>

#include "dataplane.h"
#include "fault.h"
#include "lookup_packet.h"
#include "model.h"

/* From the parameters of a request: proto (tcp, udp), source and destination (ADDRESS:PORT), syn
 * (1: a new flow, the default; 0: an established one). 0, or -1 with FAULT_USAGE. */
int api_lookup_parse(const json_t *parameters, struct lookup_flow *flow, struct fault *fault);

/* Asks the packet program; with `if_down` (NULL: none; NAME or POOL/NAME of the flow's pool) what
 * it would say if that backend were down. A new reference, or NULL with `fault` set. */
json_t *api_lookup(const struct model *model, struct dataplane *dp, const struct lookup_flow *flow,
		   const char *if_down, struct fault *fault);

#endif
