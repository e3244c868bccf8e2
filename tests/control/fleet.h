/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fleet: what the controller has to do with in its benchmark: the configuration, and the peers that
 * answer for all its backends. Knows nothing of what is measured.
 */
#ifndef CONTROL_FLEET_H
#define CONTROL_FLEET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	FLEET_POOLS = 256,
	FLEET_BIG_POOLS = 16, /* the first ones: 65537 slots, the others 4099 */
	FLEET_POOL_BACKENDS = 16,
	FLEET_BACKENDS = FLEET_POOLS * FLEET_POOL_BACKENDS,
	FLEET_SERVICES = 1024,
	FLEET_BIG_TABLE = 65537,
	FLEET_TABLE = 4099,
	FLEET_CHECK_MS = 2000,
};

/*
 * How pools are checked. Where the checks are of one datagram, one answer decides, so that it is
 * known when a backend's state was known; these are the big pools and as many others.
 */
enum fleet_check { FLEET_DATAGRAM, FLEET_TCP, FLEET_ICMP };
enum fleet_check fleet_check(uint32_t pool);

/* Network order. */
uint32_t fleet_address(uint32_t pool, uint32_t backend);

/* Writes the configuration: 0 or a negative errno. */
int fleet_config_write(const char *path, bool checked);

/* One backend that is made to fail and to come back. Written by both sides. */
struct fleet_case {
	uint32_t address; /* network order; 0: none */
	bool fails;
	uint64_t told_ns; /* CLOCK_MONOTONIC, of the first answer after it was set to 0 */
};

enum { FLEET_CASES = 8 };

/* Shared with the peers. */
struct fleet_peers {
	struct fleet_case cases[FLEET_CASES];
};

/* Starts them in the network namespace at `path`; they end with this process. NULL with errno. */
struct fleet_peers *fleet_peers_start(const char *path);

uint64_t fleet_now_ns(void);

#endif
