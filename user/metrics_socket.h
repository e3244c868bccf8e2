/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics_socket: the TCP socket that metrics are served on.
 */
#ifndef LIMPET_METRICS_SOCKET_H
#define LIMPET_METRICS_SOCKET_H

#include "fault.h"

/*
 * A listening socket, not blocking, at `address` ("127.0.0.1:9555", "[::]:9555"), or -1 with
 * `fault` set. `moving_from`: the listener that the new one is to take the place of, which may
 * stand in its way without being a conflict (the same port at another address); -1: none.
 */
int metrics_socket_open(const char *address, int moving_from, struct fault *fault);

#endif
