/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pin_table: single client addresses that an operator sends to one backend for a while, in
 * `pins_v4` and `pins_v6`. Called by pick, and by sweep.
 *
 * A pin is to its client what a change of the table is to a slot: while it is in force the owner of
 * the client's pair is the pin's backend, and the fallback is where its flows without an entry were
 * before. So new flows go to the pinned backend, with an entry, and those that are there stay. When
 * it is over, or not in force because the backend takes nobody, the pair is the usual one again;
 * but entries decide (the pair counts as changed) until a sweep finds none that it needs: so flows
 * that the pin has made stay, too.
 */
#ifndef LB_PIN_TABLE_H
#define LB_PIN_TABLE_H

#include "env.h"
#include "flow_table.h"
#include "parse.h"
#include "slot.h"

/* By the address whole, whatever the pool's prefixes are; or NULL. */
static __always_inline struct lb_pin *pin_find(const struct packet *packet, __u32 pool_index)
{
	if (packet->family == 4) {
		struct lb_client_key_v4 key = {.pool = pool_index,
					       .address = packet->flow.v4.source};
		return bpf_map_lookup_elem(&pins_v4, &key);
	}
	struct lb_client_key_v6 key = {.pool = pool_index, .address = packet->flow.v6.source};
	return bpf_map_lookup_elem(&pins_v6, &key);
}

/* Whether new flows of its client go to its backend: until it is over, where that may be given new
 * flows of clients that it has. */
static __always_inline bool pin_in_force(const struct lb_pin *pin, __u32 now)
{
	const __u64 takes = LB_BACKEND_USABLE | LB_BACKEND_TAKES_CLIENTS;

	return (__s32)(LOAD_ONCE(pin->until) - now) > 0 &&
	       (backend_status(LOAD_ONCE(pin->backend)) & takes) == takes;
}

/* When the client's new flows began to go to the pinned backend: what was there before is old. */
static __always_inline __u32 pin_since(const struct lb_pin *pin)
{
	__u32 since = LOAD_ONCE(pin->since), off = LOAD_ONCE(pin->off);

	return off && (__s32)(off - since) > 0 ? off : since;
}

/*
 * The word of the pair that a client without a pin has, as the pin makes it; or 0, where it is not
 * in force. Flows that are without an entry because the fallback could not be used are with the
 * owner. Where that cannot be used either a new flow for which there is no room would have nowhere
 * to go that its later packets go to, too.
 */
static __always_inline __u32 pin_word(const struct lb_pin *pin, __u32 word, __u32 now)
{
	__u32 fallback = LB_SLOT_FALLBACK(word);

	if (!pin_in_force(pin, now))
		return 0;
	if (!(backend_status(fallback) & LB_BACKEND_USABLE))
		fallback = LB_SLOT_OWNER(word);
	if (!(backend_status(fallback) & LB_BACKEND_USABLE))
		return 0;
	return LB_SLOT(LOAD_ONCE(pin->backend), fallback, true);
}

#endif
