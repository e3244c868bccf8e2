/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* lbload_features: what the kernel says an interface's driver does with XDP, through netlink. */
#ifndef LIMPET_LBLOAD_FEATURES_H
#define LIMPET_LBLOAD_FEATURES_H

#include <stdint.h>

/* 0 with a bit mask, or a negative errno: -EOPNOTSUPP where the kernel (before 6.3) cannot tell. */
int lbload_features(uint32_t ifindex, uint64_t *features);

/* The name of bit `bit`: "basic" (pass, drop, tx), "redirect", ...; NULL past the last. */
const char *lbload_feature_name(unsigned bit);

#endif
