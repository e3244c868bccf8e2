/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * vip_announce: tells the neighbours of an interface that an address is here: an ARP announcement
 * (RFC 5227, section 3) or an unsolicited neighbour advertisement (RFC 4861, section 7.2.6).
 */
#ifndef LIMPET_VIP_ANNOUNCE_H
#define LIMPET_VIP_ANNOUNCE_H

#include "addr.h"

enum { VIP_FRAME_SIZE = 96 };

/* The frame for an address of the interface with this MAC. Returns its size. Pure. */
size_t vip_announcement(const struct addr *addr, const uint8_t mac[6], uint8_t out[VIP_FRAME_SIZE]);

/* Sends it once. 0 or a negative errno. */
int vip_announce(uint32_t ifindex, const struct addr *addr);

#endif
