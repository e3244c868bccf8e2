/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * publish_backend: entries of backends, each word stored whole.
 *
 * The status word goes first when a backend becomes unusable and last when it becomes usable, so
 * that no packet is sent by fields that are half written. Becoming unusable raises the incarnation
 * in the same store: every entry of the flow table that names the backend is dead with it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "publish_private.h"

enum { STATUS_WORD = 0, BACKEND_WORDS = sizeof(struct lb_backend) / 8 };

static void backend_store(uint64_t *entry, const uint64_t *wanted)
{
	for (int i = STATUS_WORD + 1; i < BACKEND_WORDS; i++) {
		if (entry[i] != wanted[i])
			__atomic_store_n(&entry[i], wanted[i], __ATOMIC_RELAXED);
	}
}

/* `flags`: enum lb_backend_flag. */
static void status_store(struct lb_backend *entry, enum lb_forward forward, uint32_t flags)
{
	uint64_t old = entry->status, status;
	uint32_t incarnation = LB_STATUS_INCARNATION(old);

	if (!(flags & LB_BACKEND_USABLE) && old & LB_BACKEND_USABLE)
		incarnation++;
	status = LB_STATUS(incarnation, forward, flags);
	if (status != old)
		__atomic_store_n(&entry->status, status, __ATOMIC_RELEASE);
}

static const struct prefix *source_prefix(const struct global *global, const struct pool *pool,
					  const struct backend *backend)
{
	if (pool->forward == FORWARD_MODE_NAT)
		return backend->address.family == 4 ? &global->snat_v4 : &global->snat_v6;
	return backend->address.family == 4 ? &global->encap_v4 : &global->encap_v6;
}

/* How a NAT backend's packets are rewritten. */
static uint32_t nat_flags(const struct global *global, const struct pool *pool,
			  const struct backend *backend)
{
	if (pool->forward != FORWARD_MODE_NAT || !pool->snat)
		return 0;
	return LB_BACKEND_SNAT |
	       (source_prefix(global, pool, backend)->addr.family ? 0 : LB_BACKEND_HOST_SOURCE);
}

static uint32_t status_flags(const struct global *global, const struct pool *pool,
			     const struct backend *backend)
{
	return nat_flags(global, pool, backend) |
	       (backend_usable(pool, backend) ? LB_BACKEND_USABLE : 0) |
	       (backend_takes_clients(pool, backend) ? LB_BACKEND_TAKES_CLIENTS : 0);
}

/* Where the outer packet, or what NAT sends, claims to come from: the prefix of the configuration,
 * or what the kernel would send from. */
static void backend_source(const struct global *global, const struct pool *pool,
			   const struct backend *backend, struct lb_backend *entry)
{
	const struct prefix *prefix = source_prefix(global, pool, backend);
	uint32_t bits = backend->address.family == 4 ? 32 : 128;

	if (!prefix->addr.family) {
		entry->outer_source = backend->hop.source.ip;
		entry->source_bits = 0;
		return;
	}
	entry->outer_source = prefix->addr.ip;
	entry->source_bits = (uint16_t)(bits - prefix->length > 32 ? 32 : bits - prefix->length);
}

/* Network order; see struct lb_backend. */
static __be16 backend_port(const struct pool *pool, const struct backend *backend)
{
	switch (pool->forward) {
	case FORWARD_MODE_GUE:
		return htons(pool->gue_port);
	case FORWARD_MODE_NAT:
		return htons(backend->port);
	default:
		return 0;
	}
}

static void backend_write(struct publish *publish, const struct model *model, uint32_t index)
{
	const struct held_backend *held = &publish->backends[index];
	const struct backend *backend = held->wanted;
	struct lb_backend *entry = &dataplane_backends(publish->dp)[index];
	struct lb_backend wanted = *entry;
	uint32_t flags = status_flags(&model->global, held->pool, backend);

	wanted.outer_destination = backend->address.ip;
	wanted.port = backend_port(held->pool, backend);
	if (backend->hop.resolved) {
		memcpy(wanted.destination_mac, backend->hop.destination_mac,
		       sizeof(wanted.destination_mac));
		memcpy(wanted.source_mac, backend->hop.source_mac, sizeof(wanted.source_mac));
		wanted.mtu = backend->hop.mtu;
		wanted.ifindex = backend->hop.ifindex;
		backend_source(&model->global, held->pool, backend, &wanted);
	}
	backend_store((uint64_t *)entry, (const uint64_t *)&wanted);
	status_store(entry, held->identity.forward, flags);
}

/* What the next controller starts from. */
static void identity_write(struct publish *publish, uint32_t index)
{
	struct held_backend *held = &publish->backends[index];
	struct lb_backend_identity identity = held->identity;
	int rc;

	identity.admin = held->wanted->admin;
	identity.health = held->wanted->health;
	identity.weight = held->wanted->weight;
	identity.since_ms = held->wanted->since_ms;
	identity.up_since_ms = held->wanted->history.up_since_ms;
	identity.held_until_ms = held->wanted->history.held_until_ms;
	identity.short_lives = held->wanted->history.short_lives;
	if (memcmp(&identity, &held->identity, sizeof(identity)) == 0)
		return;
	rc = dataplane_backend_identity_put(publish->dp, index, &identity);
	if (rc == 0) {
		held->identity = identity;
	} else {
		struct fault fault;

		fault_set(&fault, fault_code_of_errno(-rc), "backend %s: writing its state: %s",
			  identity.name, strerror(-rc));
		publish_fail(publish, &fault);
	}
}

void publish_backends_down(struct publish *publish)
{
	for (uint32_t i = 1; i <= publish->limits.backends; i++) {
		const struct held_backend *held = &publish->backends[i];

		if (held->identity.name[0] &&
		    !(held->wanted && backend_usable(held->pool, held->wanted)))
			status_store(&dataplane_backends(publish->dp)[i], held->identity.forward,
				     0);
	}
}

void publish_backends(struct publish *publish, const struct model *model)
{
	for (uint32_t i = 1; i <= publish->limits.services; i++)
		publish->pools[i].usable = false;
	for (uint32_t i = 1; i <= publish->limits.backends; i++) {
		const struct held_backend *held = &publish->backends[i];

		if (!held->wanted)
			continue;
		if (backend_usable(held->pool, held->wanted))
			publish->pools[held->identity.pool].usable = true;
		backend_write(publish, model, i);
		identity_write(publish, i);
	}
}
