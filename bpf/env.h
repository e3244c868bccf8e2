/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * env: what the packet path stands on. In the kernel, helpers and maps; in a unit test or
 * simulator, a header "host_env.h" on the include path that defines the same names over ordinary
 * memory: bpf_map_lookup_elem(map, key), bpf_map_update_elem(map, key, value, flags),
 *   bpf_map_delete_elem(map, key), bpf_ktime_get_coarse_ns(), bpf_htons and its kin,
 *   __always_inline, an object for each map of maps.h that is looked up, and
 *   hash_keys[LB_HASH_KEYS], quotas[LB_QUOTA_COUNT], read_only.
 * So the rules that are tested are the rules that run.
 */
#ifndef LB_ENV_H
#define LB_ENV_H

#include "lb_abi.h"

#ifdef __bpf__
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <stdbool.h>

#include "maps.h"

/* Not unrolled: the verifier walks a loop whose rounds look alike once. */
#define LOOP_AS_IT_IS _Pragma("clang loop unroll(disable)")

/* Set before load: siphash_expand of the installation's seed, LB_QUOTAS of its limits, and whether
 * this is the copy that explains (`lbctl flow lookup`) without counting or writing. */
extern const volatile __u64 hash_keys[LB_HASH_KEYS];
extern const volatile __u32 quotas[LB_QUOTA_COUNT];
extern const volatile bool read_only;

extern struct lb_control control; /* of the installation, see lb.bpf.c */
#else
#include "host_env.h"
#define LOOP_AS_IT_IS
#endif

/*
 * Functions that the verifier walks by themselves, once, and not again for each way that leads to
 * them: what they return is then any number to it. They get no pointers but to memory.
 */
#define LB_VERIFIED_ALONE __attribute__((noinline))

/* The compiler forgets what it read, and reads it again: to the verifier, which keeps no account of
 * memory that a function was given a pointer to, ways that lead here are one way from here on. */
#define READ_AGAIN() __asm__ volatile("" ::: "memory")

/* A word that somebody else may store at any time: load it once, store it whole. */
#define LOAD_ONCE(word)         (*(const volatile __typeof__(word) *)&(word))
#define STORE_ONCE(word, value) (*(volatile __typeof__(word) *)&(word) = (value))

/*
 * The lesser of `left`, which is not 0, and `most`, a power of two, in a form in which every
 * verifier sees that it is 1 to `most`, as helpers that fill memory want it: before Linux 6.8 none
 * learns from a test for zero.
 */
static __always_inline __u32 size_below(__u32 left, __u32 most)
{
	__u32 size = left < most ? left - 1 : most - 1;

	__asm__ volatile("" : "+r"(size));
	return (size & (most - 1)) + 1;
}

#endif
