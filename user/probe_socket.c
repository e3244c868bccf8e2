/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* probe_socket: what ways of probing with sockets have in common. See probe_type.h. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "probe_type.h"

socklen_t probe_sockaddr(const struct probe_attempt *attempt, struct sockaddr_storage *out)
{
	const struct probe_target *target = &attempt->target;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (target->address.family == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(target->port);
		memcpy(&v4->sin_addr, &target->address.ip, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(target->port);
	memcpy(&v6->sin6_addr, &target->address.ip, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

const char *probe_target_text(const struct probe_attempt *attempt, char out[PROBE_TARGET_TEXT_SIZE])
{
	char address[ADDR_TEXT_SIZE];

	addr_format(&attempt->target.address, address);
	if (attempt->target.port)
		snprintf(out, PROBE_TARGET_TEXT_SIZE, "%s port %u", address, attempt->target.port);
	else
		snprintf(out, PROBE_TARGET_TEXT_SIZE, "%s", address);
	return out;
}
