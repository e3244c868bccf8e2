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

static uint32_t status_flags(const struct pool *pool, const struct backend *backend)
{
	return (backend_usable(pool, backend) ? LB_BACKEND_USABLE : 0) |
	       (backend_takes_clients(pool, backend) ? LB_BACKEND_TAKES_CLIENTS : 0);
}

/* Where the outer packet claims to come from: the prefix of the configuration, or what the kernel
 * would send from. */
static void backend_source(const struct global *global, const struct backend *backend,
			   struct lb_backend *entry)
{
	const struct prefix *prefix =
		backend->address.family == 4 ? &global->encap_v4 : &global->encap_v6;
	uint32_t bits = backend->address.family == 4 ? 32 : 128;

	if (!prefix->addr.family) {
		entry->outer_source = backend->hop.source.ip;
		entry->source_bits = 0;
		return;
	}
	entry->outer_source = prefix->addr.ip;
	entry->source_bits = (uint16_t)(bits - prefix->length > 32 ? 32 : bits - prefix->length);
}

static void backend_write(struct publish *publish, const struct model *model, uint32_t index)
{
	const struct held_backend *held = &publish->backends[index];
	const struct backend *backend = held->wanted;
	struct lb_backend *entry = &dataplane_backends(publish->dp)[index];
	struct lb_backend wanted = *entry;
	uint32_t flags = status_flags(held->pool, backend);

	wanted.outer_destination = backend->address.ip;
	wanted.port = held->pool->forward == FORWARD_MODE_GUE ? htons(held->pool->gue_port) : 0;
	if (backend->hop.resolved) {
		memcpy(wanted.destination_mac, backend->hop.destination_mac,
		       sizeof(wanted.destination_mac));
		memcpy(wanted.source_mac, backend->hop.source_mac, sizeof(wanted.source_mac));
		wanted.mtu = backend->hop.mtu;
		wanted.ifindex = backend->hop.ifindex;
		backend_source(&model->global, backend, &wanted);
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
