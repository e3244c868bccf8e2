/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * maglev: backends and weights to a table (Eisenbud et al., "Maglev: A Fast and Reliable Software
 * Network Load Balancer", NSDI 2016, section 3.4), with weights exact to one slot. Pure.
 */
#ifndef LIMPET_MAGLEV_H
#define LIMPET_MAGLEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../bpf/lb_abi.h"

struct maglev_backend {
	const char *name; /* identifies it: the same name has the same preferences everywhere */
	uint32_t weight;  /* 0: gets no slot */
};

/*
 * Fills `table[0..size)` with positions in `backends`, or -1 everywhere if no weight is above 0.
 * `size` must be a prime above the number of backends. Names must differ. The result depends on
 * seed, names and weights only: not on the order of `backends`. Each backend gets
 * floor or ceil of size * weight / total (largest remainders; ties by name).
 * Returns 0, -EINVAL or -ENOMEM.
 */
int maglev_build(const uint8_t seed[LB_SEED_SIZE], const struct maglev_backend *backends,
		 size_t count, int32_t *table, uint32_t size);

/* Equal on two machines exactly if their tables choose equally named backends in every slot. */
uint64_t maglev_digest(const struct maglev_backend *backends, size_t count, const int32_t *table,
		       uint32_t size);

bool maglev_size_valid(uint32_t size);    /* a prime, at most LB_TABLE_SIZE_MAX, at least 2 */
uint32_t maglev_size_near(uint32_t size); /* the nearest valid size, for hints */

#endif
