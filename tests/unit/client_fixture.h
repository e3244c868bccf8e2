/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of client records share: pick_fixture.h, in a pool that remembers its clients,
 * with a client's record as data.
 */
#ifndef CLIENT_FIXTURE_H
#define CLIENT_FIXTURE_H

#include "pick_fixture.h"

enum { CLIENT_TIMEOUT = 100, CLIENT_LIFE = IDLE_TCP, SEEN_AGE = 4 };

struct record {
	uint32_t owner, fallback; /* both NONE: there is no record */
	bool changed, known;
	bool owner_outlived, fallback_outlived; /* unusable since the record named it */
	bool doomed;
	int age; /* ticks since it was seen; 0: SEEN_AGE */
	int since, full;
	int used, kept; /* 0: a while ago, but not when the slot's were */
};

HOST uint32_t incarnation_of(uint32_t backend, bool outlived)
{
	return !backend ? 0 : outlived ? INCARNATION - 1 : INCARNATION;
}

HOST int seen_age(const struct record *record)
{
	return record->age ? record->age : SEEN_AGE;
}

HOST struct lb_client client_of(const struct record *record)
{
	uint32_t word = LB_SLOT(record->owner, record->fallback, record->changed);

	return (struct lb_client){
		.pair = LB_CLIENT_PAIR(word, incarnation_of(record->owner, record->owner_outlived),
				       incarnation_of(record->fallback, record->fallback_outlived)),
		.times = {.since = time_of(record->since),
			  .used = now - (uint32_t)(record->used ? record->used : USED_AGE + 10),
			  .full = time_of(record->full),
			  .kept = now - (uint32_t)(record->kept ? record->kept : KEPT_AGE + 10)},
		.seen = time_of(seen_age(record)) | (record->doomed ? LB_DOOMED : 0),
		.known = record->known,
	};
}

HOST struct lb_client *client_for(const struct packet *packet)
{
	union client_key key = {};

	client_key_fill(packet, POOL, &pools_host[POOL], &key);
	return client_find(packet->family, &key);
}

HOST void remember_clients(void)
{
	pools_host[POOL].flags |= LB_POOL_SOURCE;
	pools_host[POOL].mask_v4 = bpf_htonl(0xffffff00);
	memset(&pools_host[POOL].mask_v6, 0xff, 8);
	pools_host[POOL].client_timeout = CLIENT_TIMEOUT;
	pools_host[POOL].client_life = CLIENT_LIFE;
}

HOST void client_put(const struct record *record, const struct packet *packet)
{
	struct lb_client client = client_of(record);
	union client_key key = {};

	client_key_fill(packet, POOL, &pools_host[POOL], &key);
	bpf_map_update_elem(packet->family == 4 ? &clients_v4 : &clients_v6, &key, &client,
			    BPF_ANY);
}

HOST void client_scene_set(const struct scene *scene, const struct record *record,
			   const struct packet *packet)
{
	scene_set(scene, packet);
	remember_clients();
	if (record->owner || record->fallback)
		client_put(record, packet);
	usage_set(scene->no_room);
}

#endif
