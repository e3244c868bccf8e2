/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * table PIN_DIR POOL: the pool's table as the maps hold it, a line for each slot: the backend that
 * owns it, and the one where established flows without an entry go ("-": none that is usable). With
 * none of publish's code.
 */
#include <stdio.h>
#include <string.h>

#include "../../user/dataplane.h"

static const char *name_of(struct dataplane *dp, uint32_t index)
{
	static struct lb_backend_identity identities[LB_SLOT_INDEX_MASK + 1];

	if (!index)
		return "-";
	if (!identities[index].name[0])
		dataplane_backend_identity(dp, index, &identities[index]);
	return identities[index].name;
}

static bool usable(struct dataplane *dp, uint32_t index)
{
	return index && dataplane_backends(dp)[index].status & LB_BACKEND_USABLE;
}

static void print_table(struct dataplane *dp, const struct lb_pool *pool)
{
	const uint32_t *words = dataplane_slots(dp) + LB_TABLE_BASE(pool->table);

	for (uint32_t i = 0; i < LB_TABLE_SIZE(pool->table); i++) {
		uint32_t owner = LB_SLOT_OWNER(words[i]), fallback = LB_SLOT_FALLBACK(words[i]);
		uint32_t belongs = usable(dp, fallback) ? fallback : usable(dp, owner) ? owner : 0;

		printf("%s %s\n", name_of(dp, owner), name_of(dp, belongs));
	}
}

int main(int argc, char **argv)
{
	struct lb_pool_identity identity;
	struct fault fault = {0};
	struct dataplane *dp = argc == 3 ? dataplane_open(argv[1], false, &fault) : NULL;

	if (!dp) {
		fprintf(stderr, "table: %s\n", argc == 3 ? fault.message : "PIN_DIR POOL");
		return 2;
	}
	for (uint32_t i = 1; i <= dataplane_settings(dp)->limits.services; i++)
		if (dataplane_pool_identity(dp, i, &identity) == 0 &&
		    !strcmp(identity.name, argv[2]))
			print_table(dp, &dataplane_pools(dp)[i]);
	dataplane_close(dp);
	return 0;
}
