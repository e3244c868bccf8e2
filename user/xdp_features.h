/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* xdp_features: what the kernel says an interface's driver does with XDP, through netlink. */
#ifndef LIMPET_XDP_FEATURES_H
#define LIMPET_XDP_FEATURES_H

#include <stdint.h>

/* 0 with a bit mask, or a negative errno: -EOPNOTSUPP where the kernel (before 6.3) cannot tell. */
int xdp_features(uint32_t ifindex, uint64_t *features);

enum {
	XDP_FEATURE_REDIRECT_TARGET = 1 << 2, /* what other interfaces redirect can leave by it */
};

/* The name of bit `bit`: "basic" (pass, drop, tx), "redirect", ...; NULL past the last. */
const char *xdp_feature_name(unsigned bit);

#endif
