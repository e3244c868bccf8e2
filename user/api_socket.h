/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * api_socket: the Unix socket that the API listens on.
 */
#ifndef LIMPET_API_SOCKET_H
#define LIMPET_API_SOCKET_H

#include <sys/types.h>

#include <stdbool.h>

#include "fault.h"

/* A listening socket, not blocking, at `path` (mode 0660, group lbd where it exists; `to_all`:
 * 0666), or -1 with `fault` set. Nobody can connect before the mode is right. One that somebody
 * answers on is FAULT_CONFLICT, a stale one is replaced. */
int api_socket_open(const char *path, bool to_all, struct fault *fault);

/* The uid of the process at the other end, or (uid_t)-1. */
uid_t api_socket_peer(int fd);

#endif
