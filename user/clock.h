/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* clock: what the time is, on a clock of clock_gettime's, in one number. */
#ifndef LIMPET_CLOCK_H
#define LIMPET_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_us(clockid_t clock)
{
	return clock_ns(clock) / 1000;
}

static inline uint64_t clock_ms(clockid_t clock)
{
	return clock_ns(clock) / 1000000;
}

#endif
