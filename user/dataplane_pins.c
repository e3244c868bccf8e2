/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * dataplane_pins: clients pinned to a backend, in the maps (bpf/pin_table.h says what that does).
 * When one is over, and who wanted it, is the caller's.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "dataplane_private.h"

union pin_key {
	struct lb_client_key_v4 v4;
	struct lb_client_key_v6 v6;
};

static int key_fill(struct dataplane *dp, uint32_t pool, const struct addr *address,
		    union pin_key *key)
{
	memset(key, 0, sizeof(*key));
	if (address->family == 4) {
		key->v4 = (struct lb_client_key_v4){.pool = pool, .address = address->ip.v4};
		return dp->fds[MAP_pins_v4];
	}
	key->v6 = (struct lb_client_key_v6){.pool = pool, .address = address->ip};
	return dp->fds[MAP_pins_v6];
}

bool dataplane_pins_known(struct dataplane *dp, struct fault *fault)
{
	if (dataplane_added_open(dp, fault))
		return false;
	if (dp->fds[MAP_pins_v4] >= 0 && dp->fds[MAP_pins_v6] >= 0)
		return true;
	fault_set(fault, FAULT_CONFLICT,
		  "client: pinning it: %s: the program attached is one of version %s, which cannot",
		  dp->pin_dir, dp->settings.version);
	fault_hint(fault, "`lbload replace` swaps in this version's; no packet is lost");
	return false;
}

int dataplane_pin_put(struct dataplane *dp, const struct dataplane_pin *pin)
{
	union pin_key key;
	int fd = key_fill(dp, pin->pool, &pin->address, &key);

	if (bpf_map_update_elem(fd, &key, &pin->value, BPF_ANY))
		return -errno;
	__atomic_fetch_or(&dp->pools[pin->pool].flags, LB_POOL_PINS, __ATOMIC_RELEASE);
	return 0;
}

int dataplane_pin_del(struct dataplane *dp, const struct dataplane_pin *pin)
{
	union pin_key key;
	int fd = key_fill(dp, pin->pool, &pin->address, &key);

	return bpf_map_delete_elem(fd, &key) ? -errno : 0;
}

int dataplane_pin_get(struct dataplane *dp, uint32_t pool, const struct addr *address,
		      struct dataplane_pin *out)
{
	union pin_key key;
	int fd = key_fill(dp, pool, address, &key);

	*out = (struct dataplane_pin){.pool = pool, .address = *address};
	return fd < 0 ? -ENOENT : bpf_map_lookup_elem(fd, &key, &out->value) ? -errno : 0;
}

static size_t family_read(struct dataplane *dp, uint8_t family, struct dataplane_pin *out,
			  size_t most)
{
	int fd = dp->fds[family == 4 ? MAP_pins_v4 : MAP_pins_v6];
	union pin_key key, after;
	const void *from = NULL;
	size_t count = 0;

	memset(&key, 0, sizeof(key));
	while (fd >= 0 && count < most && !bpf_map_get_next_key(fd, from, &key)) {
		struct dataplane_pin *pin = &out[count];

		*pin = (struct dataplane_pin){.pool = key.v4.pool, .address = {.family = family}};
		if (family == 4)
			pin->address.ip.v4 = key.v4.address;
		else
			pin->address.ip = key.v6.address;
		count += !bpf_map_lookup_elem(fd, &key, &pin->value);
		after = key;
		from = &after;
	}
	return count;
}

size_t dataplane_pins(struct dataplane *dp, struct dataplane_pin out[DATAPLANE_PINS_MAX])
{
	size_t count = family_read(dp, 4, out, LB_PINS_MAX);

	return count + family_read(dp, 6, out + count, LB_PINS_MAX);
}

void dataplane_pins_none(struct dataplane *dp, uint32_t pool)
{
	if (dp->pools[pool].flags & LB_POOL_PINS)
		__atomic_fetch_and(&dp->pools[pool].flags, ~(uint32_t)LB_POOL_PINS,
				   __ATOMIC_RELEASE);
}
