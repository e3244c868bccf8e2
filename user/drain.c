/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* drain: see drain.h. When a drain began is kept by overrides_drain.c. */
#include "drain.h"

static void end(const struct pool *pool, struct backend *backend)
{
	backend->drain_over = true;
	backend->drain_moved_flows = backend->left_flows;
	backend->drain_moved_clients = backend->left_clients;
	backend->drain_moved_known = pool->swept_ms >= backend->drain_began_ms;
	if (backend->drain_moved_known)
		log_info("backend %s/%s: the drain's deadline has passed: what is left is moved "
			 "(%u flows, %u clients)",
			 pool->name, backend->name, backend->left_flows, backend->left_clients);
	else
		log_info("backend %s/%s: the drain's deadline has passed: what is left is moved",
			 pool->name, backend->name);
}

bool drain_judge(struct model *model, uint64_t now_ms, uint64_t *next_ms)
{
	bool ended = false;

	*next_ms = 0;
	for (size_t p = 0; p < model->pool_count; p++) {
		const struct pool *pool = model->pools[p];

		for (size_t b = 0; b < pool->backend_count; b++) {
			struct backend *backend = pool->backends[b];
			uint64_t until_ms = backend->drain_until_ms;

			/* Over stays over, even if somebody sets the clock back. */
			if (backend->admin != ADMIN_DRAIN || !until_ms || backend->drain_over)
				continue;
			if (now_ms >= until_ms) {
				end(pool, backend);
				ended = true;
			} else if (!*next_ms || until_ms < *next_ms) {
				*next_ms = until_ms;
			}
		}
	}
	return ended;
}

bool drain_done(const struct pool *pool, const struct backend *backend, uint64_t swept_ms)
{
	bool clients_stay = backend_drain_mode(pool, backend) == DRAIN_CLIENTS;

	if (backend->admin != ADMIN_DRAIN || swept_ms < backend->drain_began_ms ||
	    backend->left_flows > 0 || (clients_stay && backend->left_clients > 0))
		return false;
	return backend->slots + backend->left_slots == 0 ||
	       (swept_ms >= backend->drain_began_ms + DRAIN_LISTEN_MS &&
		swept_ms >= backend->left_missed_ms + DRAIN_LISTEN_MS);
}
