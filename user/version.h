/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef LIMPET_VERSION_H
#define LIMPET_VERSION_H

#define LIMPET_VERSION "0.1.0"

#endif
