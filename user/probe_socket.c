/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* probe_socket: what ways of probing with sockets have in common. See probe_type.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe_type.h"

static socklen_t sockaddr_of(const struct addr *address, uint16_t port,
			     struct sockaddr_storage *out)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (address->family == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, &address->ip, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, &address->ip, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

socklen_t probe_sockaddr(const struct probe_attempt *attempt, struct sockaddr_storage *out)
{
	return sockaddr_of(&attempt->target.address, attempt->target.port, out);
}

/* ---- the tunnel ---- */

static int bind_to(int fd, const struct addr *address)
{
	struct sockaddr_storage at;
	socklen_t size = sockaddr_of(address, 0, &at);

	return bind(fd, (struct sockaddr *)&at, size) < 0 ? errno : 0;
}

/* Whether the VIP is this host's own, too: only then can a socket be bound to it. */
static bool is_local(const struct addr *vip)
{
	int fd = socket(vip->family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool local = fd >= 0 && bind_to(fd, vip) == 0;

	if (fd >= 0)
		close(fd);
	return local;
}

/* An address of the host's, of the VIP's family, that answers reach it at: the one it has towards
 * the backend, else another of that interface. False if there is none. */
static bool source_find(const struct probe_tunnel *tunnel, const struct addr *vip,
			struct addr *source)
{
	char name[IF_NAMESIZE];
	struct ifaddrs *all;
	bool found = false;

	*source = tunnel->source;
	if (source->family == vip->family)
		return true;
	if (!if_indextoname(tunnel->ifindex, name) || getifaddrs(&all) < 0)
		return false;
	for (const struct ifaddrs *each = all; each && !found; each = each->ifa_next) {
		if (!each->ifa_addr || strcmp(each->ifa_name, name) != 0)
			continue;
		*source = (struct addr){.family = vip->family};
		if (vip->family == 4 && each->ifa_addr->sa_family == AF_INET)
			memcpy(&source->ip, &((struct sockaddr_in *)each->ifa_addr)->sin_addr, 4);
		else if (vip->family == 6 && each->ifa_addr->sa_family == AF_INET6)
			memcpy(&source->ip, &((struct sockaddr_in6 *)each->ifa_addr)->sin6_addr,
			       16);
		else
			continue;
		/* fe80:: is known to its link alone. */
		found = !addr_equal(source, vip) &&
			!(vip->family == 6 && source->ip.bytes[0] == 0xfe);
	}
	freeifaddrs(all);
	return found;
}

int probe_steer(const struct probe_attempt *attempt, int fd)
{
	const struct probe_tunnel *tunnel = attempt->target.tunnel;
	const struct addr *vip = &attempt->target.address;
	struct addr source;

	if (!tunnel)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &tunnel->mark, sizeof(tunnel->mark)) < 0)
		return errno;
	/* The kernel would ask from the VIP itself, and the backend answer itself. */
	if (!is_local(vip))
		return 0;
	return source_find(tunnel, vip, &source) ? bind_to(fd, &source) : EADDRNOTAVAIL;
}

int probe_socket(const struct probe_attempt *attempt, int type, int protocol)
{
	int family = attempt->target.address.family == 4 ? AF_INET : AF_INET6, error;
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -1;
	error = probe_steer(attempt, fd);
	if (!error)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

const char *probe_target_text(const struct probe_attempt *attempt, char out[PROBE_TARGET_TEXT_SIZE])
{
	const struct probe_target *target = &attempt->target;
	char address[ADDR_TEXT_SIZE], port[16] = "", backend[ADDR_TEXT_SIZE] = "";

	addr_format(&target->address, address);
	if (target->port)
		snprintf(port, sizeof(port), " port %u", target->port);
	if (target->tunnel)
		addr_format(&target->tunnel->backend, backend);
	snprintf(out, PROBE_TARGET_TEXT_SIZE, "%s%s%s%s", address, port,
		 target->tunnel ? " in the tunnel to " : "", backend);
	return out;
}
