/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * model_pick: which backend a packet goes to, from the rules of stickiness. The comments quote
 * them.
 */
#include <string.h>

#include "model.h"
#include "model_bytes.h"

enum { SEQUENCE_WINDOW = 1 << 17 };

/* What is known of the packet's flow. */
struct known {
	struct model_entry *birth, *flow; /* live ones only */
	bool confirmed;                   /* the birth is */
	bool always;                      /* an entry for each flow, whether needed or not */
};

/* ---- where it goes ---- */

static enum model_verdict go(struct model_pick *pick, uint32_t backend, enum model_decided_by by)
{
	pick->answer->backend = backend;
	pick->answer->decided_by = by;
	return MODEL_GOES_ON;
}

static enum model_verdict go_entry(struct model_pick *pick, const struct model_entry *entry)
{
	return go(pick, entry->backend, MODEL_BY_FLOW);
}

static bool owner_usable(const struct model_pick *pick)
{
	return model_usable(pick->config, pick->owner);
}

static bool fallback_usable(const struct model_pick *pick)
{
	return model_usable(pick->config, pick->fallback);
}

static enum model_verdict go_owner(struct model_pick *pick)
{
	if (!owner_usable(pick))
		return MODEL_drop_no_backend;
	return go(pick, pick->owner, pick->by_client ? MODEL_BY_CLIENT : MODEL_BY_SLOT);
}

static enum model_verdict go_fallback(struct model_pick *pick)
{
	return go(pick, pick->fallback, MODEL_BY_FALLBACK);
}

/* ---- what is written ---- */

uint8_t model_state_after(const struct model_packet *packet, uint8_t state)
{
	/* Once FIN was seen the flow is closing. A reset that something follows closed nothing. */
	if (state == MODEL_CLOSING)
		return MODEL_CLOSING;
	if (packet->reset)
		return MODEL_RESET;
	return packet->closing ? MODEL_CLOSING : MODEL_OPEN;
}

static struct model_entry entry_for(const struct model_pick *pick, uint32_t backend, uint8_t state)
{
	return (struct model_entry){
		.state = state,
		.backend = backend,
		.incarnation = pick->config->backends[backend].incarnation,
		.pool = pick->pool_index,
		.seen = pick->now,
		.flow = pick->packet->flow,
	};
}

static void refresh(const struct model_pick *pick, struct model_entry *entry, uint8_t state)
{
	entry->state = state;
	entry->seen = pick->now;
}

static bool birth_make(struct model_pick *pick, const struct known *known, uint32_t backend)
{
	const struct model_packet *packet = pick->packet;
	struct model_entry birth =
		entry_for(pick, backend, packet->syn ? MODEL_OPENING : MODEL_OPEN);

	birth.sequence = packet->syn ? packet->sequence : 0;
	if (!model_birth_write(pick, &birth))
		return false;
	if (known->flow)
		known->flow->reborn = true;
	return true;
}

/* ---- TCP SYN without ACK ---- */

/* "The default is the live flow entry's backend, else the fallback if usable, else the owner." */
static enum model_verdict go_default(struct model_pick *pick, const struct known *known)
{
	if (known->flow)
		return go_entry(pick, known->flow);
	return fallback_usable(pick) ? go_fallback(pick) : go_owner(pick);
}

/* Nothing is written of a flow that goes to the default, but that it lives, or uses the fallback.
 */
static void default_used(struct model_pick *pick, const struct known *known)
{
	if (known->flow)
		refresh(pick, known->flow, MODEL_OPEN);
	else if (pick->owner != pick->fallback && pick->answer->decided_by == MODEL_BY_FALLBACK)
		pick->times->used = pick->now;
}

static enum model_verdict pick_syn(struct model_pick *pick, const struct known *known)
{
	struct model_entry *birth = known->birth;
	uint32_t standard, choice;
	bool by_birth;

	/* "1. A live confirmed birth and no live flow entry: its backend, nothing written." */
	if (known->confirmed && !known->flow) {
		refresh(pick, birth, MODEL_OPEN);
		return go_entry(pick, birth);
	}
	/* "2. Else the choice is the backend of a live birth with the same sequence number, else
	 * the owner." */
	if (go_default(pick, known) != MODEL_GOES_ON)
		return MODEL_drop_no_backend;
	standard = pick->answer->backend;
	by_birth = birth && birth->sequence == pick->packet->sequence;
	if (by_birth)
		go_entry(pick, birth);
	else if (owner_usable(pick))
		go_owner(pick);
	choice = pick->answer->backend;
	/* "3. Choice and default are the same index, and there is no live unconfirmed birth: go,
	 * nothing written." With `track: always` there is to be an entry, though. */
	if (choice == standard && !(birth && !known->confirmed) &&
	    (!known->always || known->flow || birth)) {
		default_used(pick, known);
		return MODEL_GOES_ON;
	}
	/* "4. Else write a birth. Where none can be written: the live birth's backend, else the
	 * default; note `full`, and count it." */
	if (birth_make(pick, known, choice))
		return MODEL_GOES_ON;
	if (birth) {
		go_entry(pick, birth);
	} else {
		go_default(pick, known);
		default_used(pick, known);
	}
	pick->times->full = pick->now;
	pick->answer->notes[MODEL_NEW_FLOW_UNTRACKED] = true;
	return MODEL_GOES_ON;
}

/* ---- other TCP, and datagrams ---- */

/* "its backend; copy it to `flows` (the birth stays until swept, and serves if `flows` is full)" */
static enum model_verdict pick_birth(struct model_pick *pick, const struct known *known)
{
	uint8_t state = model_state_after(pick->packet, known->birth->state);
	struct model_entry copy = entry_for(pick, known->birth->backend, state);

	refresh(pick, known->birth, state);
	model_flow_write(pick, &copy);
	return go_entry(pick, known->birth);
}

static enum model_verdict pick_flow(struct model_pick *pick, const struct known *known)
{
	refresh(pick, known->flow, model_state_after(pick->packet, known->flow->state));
	return go_entry(pick, known->flow);
}

static bool belongs(const struct model_packet *packet, const struct model_entry *birth)
{
	return (!packet->quoted || packet->sequence_known) &&
	       packet->sequence - birth->sequence <= SEQUENCE_WINDOW;
}

static enum model_verdict pick_established(struct model_pick *pick, const struct known *known)
{
	const struct model_packet *packet = pick->packet;
	struct model_entry entry;

	/* "1. A live birth that is confirmed, or becomes so because the packet's sequence number
	 * lies within 2^17 after the initial one." */
	if (known->birth && (known->confirmed || belongs(packet, known->birth)))
		return pick_birth(pick, known);
	/* A challenge ACK's reset (RFC 5961, section 4.2) goes where the SYN went. */
	if (known->birth && packet->reset)
		return go_entry(pick, known->birth);
	/* "2. A live flow entry: its backend." */
	if (known->flow)
		return pick_flow(pick, known);
	/* "3. The fallback if usable: record the flow if owner and fallback differ and the quota
	 * allows, else note `used`. Else the owner." */
	if (!fallback_usable(pick))
		return go_owner(pick);
	go_fallback(pick);
	if (pick->owner == pick->fallback && !known->always)
		return MODEL_GOES_ON;
	entry = entry_for(pick, pick->fallback, model_state_after(packet, MODEL_OPEN));
	entry.recorded = true;
	entry.reborn = known->birth != NULL;
	if (!model_flow_write(pick, &entry)) {
		pick->times->used = pick->now;
		pick->answer->notes[MODEL_OLD_FLOW_UNTRACKED] = true;
	}
	return MODEL_GOES_ON;
}

static bool within(const struct model_pick *pick, uint32_t time, uint32_t limit)
{
	return time != 0 && (int32_t)(pick->now - time) <= (int32_t)limit;
}

static enum model_verdict pick_datagram(struct model_pick *pick, const struct known *known)
{
	uint32_t idle = pick->pool->idle_udp;
	bool old_ones;

	/* "1. A live birth or flow entry: its backend (a birth is copied)." */
	if (known->birth)
		return pick_birth(pick, known);
	if (known->flow)
		return pick_flow(pick, known);
	pick->answer->new_flow = known->always;
	/* "2. Owner and fallback the same: go." */
	if (pick->owner == pick->fallback && !known->always)
		return go_owner(pick);
	/* "3. The fallback, if usable and within the UDP idle timeout of `since` and `full`; else
	 * the owner; with a confirmed birth." */
	old_ones = within(pick, pick->times->since, idle) || within(pick, pick->times->full, idle);
	if (fallback_usable(pick) && (old_ones || !owner_usable(pick)))
		go_fallback(pick);
	else if (go_owner(pick) != MODEL_GOES_ON)
		return MODEL_drop_no_backend;
	/* What speaks of a flow needs no room. */
	if (pick->packet->quoted || birth_make(pick, known, pick->answer->backend))
		return MODEL_GOES_ON;
	/* "None can be written: the fallback if usable, noting `full`." */
	if (fallback_usable(pick)) {
		go_fallback(pick);
		pick->times->used = pick->now;
	}
	pick->times->full = pick->now;
	pick->answer->notes[MODEL_NEW_FLOW_UNTRACKED] = true;
	return MODEL_GOES_ON;
}

/* ---- the way to them ---- */

static enum model_verdict pick_changed(struct model_pick *pick, bool always)
{
	const struct model_packet *packet = pick->packet;
	struct model_entry *birth = model_entry_find(pick->memory->births, &packet->flow);
	struct model_entry *flow = model_entry_find(pick->memory->flows, &packet->flow);
	struct known known = {.always = always};

	known.flow = model_entry_live(pick, flow) ? flow : NULL;
	known.birth = model_entry_live(pick, birth) ? birth : NULL;
	/* A flow entry that knows of no later life speaks for all but a SYN. */
	if (known.flow && !known.flow->reborn && !packet->syn)
		known.birth = NULL;
	known.confirmed = known.birth && known.birth->state != MODEL_OPENING;
	if (packet->flow.proto == PROTO_UDP)
		return pick_datagram(pick, &known);
	return packet->syn ? pick_syn(pick, &known) : pick_established(pick, &known);
}

enum model_verdict model_pick(struct model_pick *pick)
{
	const struct model_pool *pool = pick->pool;
	bool always = pool->track_always;

	pick->owner = pick->slot.owner;
	pick->fallback = pick->slot.fallback;
	pick->changed = pick->slot.changed;
	pick->times = &pick->memory->times[pick->pool_index][pick->slot_index];
	if (pool->client_timeout)
		model_pick_client(pick);
	/* The flows that a draining backend has left of its clients are counted. */
	if (pick->by_client && !pick->changed && pick->packet->flow.proto == PROTO_TCP &&
	    !pick->packet->syn && !pick->packet->quoted &&
	    model_usable(pick->config, pick->owner) &&
	    !pick->config->backends[pick->owner].takes_clients)
		always = true;
	if (pick->changed || always)
		return pick_changed(pick, always);
	return go_owner(pick);
}
