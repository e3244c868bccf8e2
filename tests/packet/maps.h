/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maps: the tables of flows and clients through their pins: emptied, filled and read, because
 * nothing but the program ever makes an entry. Knows nothing of cases; state.c says what the
 * entries mean.
 */
#ifndef PACKET_MAPS_H
#define PACKET_MAPS_H

#include <stdbool.h>

#include "../../user/dataplane.h"

enum map_table { MAP_BIRTHS, MAP_FLOWS, MAP_CLIENTS, MAP_TABLES };

/* Zero all of it first: the program compares keys byte by byte. */
union map_key {
	struct lb_flow_key_v4 flow_v4;
	struct lb_flow_key_v6 flow_v6;
	struct lb_client_key_v4 client_v4;
	struct lb_client_key_v6 client_v6;
};

union map_value {
	struct lb_birth birth;
	struct lb_flow flow;
	struct lb_client client;
};

struct maps {
	struct dataplane *dp;
	int fds[MAP_TABLES][2]; /* IPv4, IPv6 */
	int usage_fd, fragments_fd, bucket_fd;
};

/* All of these end the process with a message if they fail. */
void maps_open(struct maps *maps, struct dataplane *dp, const char *pin_dir);
void maps_close(struct maps *maps);

void maps_clear(const struct maps *maps);
void maps_put(const struct maps *maps, enum map_table table, bool six, const union map_key *key,
	      const union map_value *value);

typedef void (*maps_each)(void *context, enum map_table table, bool six, const union map_key *key,
			  const union map_value *value);
void maps_walk(const struct maps *maps, maps_each each, void *context);

void maps_fragment_put(const struct maps *maps, const struct lb_fragment_key *key,
		       const struct lb_fragment *value);
typedef void (*maps_each_fragment)(void *context, const struct lb_fragment_key *key,
				   const struct lb_fragment *value);
void maps_fragments_walk(const struct maps *maps, maps_each_fragment each, void *context);

/* Of this CPU: `age_s` ago (negative: it is yet to come) so many ICMP errors could be sent. */
void maps_bucket_put(const struct maps *maps, uint32_t tokens, int age_s);
uint32_t maps_bucket_tokens(const struct maps *maps);

/* What the entries that are there amount to, as the quotas count them. */
struct lb_usage maps_count(const struct maps *maps);
/* Makes the program's own count say so. */
void maps_usage_put(const struct maps *maps, const struct lb_usage *use);

#endif
