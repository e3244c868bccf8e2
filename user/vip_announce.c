/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* vip_announce: see vip_announce.h. Neighbours: vip, which says when. */
#include "vip_announce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct arp_frame {
	struct ethhdr ethernet;
	struct arphdr arp;
	uint8_t sender_mac[6];
	uint8_t sender_ip[4];
	uint8_t target_mac[6];
	uint8_t target_ip[4];
} __attribute__((packed));

struct advertisement {
	struct nd_neighbor_advert advert;
	struct nd_opt_hdr option;
	uint8_t mac[6];
};

enum {
	ADVERTISEMENT_SIZE =
		sizeof(struct ethhdr) + sizeof(struct ip6_hdr) + sizeof(struct advertisement)
};

_Static_assert(sizeof(struct advertisement) == 32, "it is as on the wire");
_Static_assert(sizeof(struct arp_frame) <= VIP_FRAME_SIZE, "an ARP frame fits");
_Static_assert((int)ADVERTISEMENT_SIZE <= (int)VIP_FRAME_SIZE, "an advertisement fits");

static size_t arp_write(const struct addr *addr, const uint8_t mac[6], uint8_t *out)
{
	struct arp_frame frame = {
		.ethernet = {.h_dest = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			     .h_proto = htons(ETH_P_ARP)},
		/* As a question that asks nobody: each neighbour that knows the address looks. */
		.arp = {.ar_hrd = htons(ARPHRD_ETHER),
			.ar_pro = htons(ETH_P_IP),
			.ar_hln = 6,
			.ar_pln = 4,
			.ar_op = htons(ARPOP_REQUEST)},
	};

	memcpy(frame.ethernet.h_source, mac, 6);
	memcpy(frame.sender_mac, mac, 6);
	memcpy(frame.sender_ip, &addr->ip, 4);
	memcpy(frame.target_ip, &addr->ip, 4);
	memcpy(out, &frame, sizeof(frame));
	return sizeof(frame);
}

static uint32_t words_sum(const void *data, size_t size, uint32_t sum)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return sum;
}

static uint16_t icmp_checksum(const struct ip6_hdr *ip, const struct advertisement *icmp)
{
	uint32_t sum =
		words_sum(&ip->ip6_src, 2 * sizeof(ip->ip6_src), IPPROTO_ICMPV6 + sizeof(*icmp));

	sum = words_sum(icmp, sizeof(*icmp), sum);
	sum = (sum & 0xffff) + (sum >> 16);
	sum += sum >> 16;
	return htons((uint16_t)~sum);
}

static size_t advertisement_write(const struct addr *addr, const uint8_t mac[6], uint8_t *out)
{
	struct ethhdr ethernet = {.h_dest = {0x33, 0x33, 0, 0, 0, 1}, .h_proto = htons(ETH_P_IPV6)};
	struct ip6_hdr ip = {.ip6_dst = {.s6_addr = {0xff, 2, [15] = 1}}}; /* all of the link */
	struct advertisement icmp = {
		.option = {.nd_opt_type = ND_OPT_TARGET_LINKADDR, .nd_opt_len = 1}};

	memcpy(ethernet.h_source, mac, 6);
	ip.ip6_vfc = 6 << 4;
	ip.ip6_plen = htons(sizeof(icmp));
	ip.ip6_nxt = IPPROTO_ICMPV6;
	ip.ip6_hlim = 255; /* from this link, or it is not believed */
	memcpy(&ip.ip6_src, &addr->ip, 16);
	icmp.advert.nd_na_type = ND_NEIGHBOR_ADVERT;
	icmp.advert.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
	memcpy(&icmp.advert.nd_na_target, &addr->ip, 16);
	memcpy(icmp.mac, mac, 6);
	icmp.advert.nd_na_cksum = icmp_checksum(&ip, &icmp);
	memcpy(out, &ethernet, sizeof(ethernet));
	memcpy(out + sizeof(ethernet), &ip, sizeof(ip));
	memcpy(out + sizeof(ethernet) + sizeof(ip), &icmp, sizeof(icmp));
	return ADVERTISEMENT_SIZE;
}

size_t vip_announcement(const struct addr *addr, const uint8_t mac[6], uint8_t out[VIP_FRAME_SIZE])
{
	return addr->family == 4 ? arp_write(addr, mac, out) : advertisement_write(addr, mac, out);
}

int vip_announce(uint32_t ifindex, const struct addr *addr)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)ifindex, .sll_halen = 6};
	/* Protocol 0: it hears nothing. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;
	uint8_t frame[VIP_FRAME_SIZE];
	struct ifreq request = {0};
	size_t size;

	if (fd < 0)
		return -errno;
	if (!if_indextoname(ifindex, request.ifr_name) || ioctl(fd, SIOCGIFHWADDR, &request) < 0) {
		err = -errno;
	} else {
		size = vip_announcement(addr, (const uint8_t *)request.ifr_hwaddr.sa_data, frame);
		memcpy(to.sll_addr, frame, 6);
		to.sll_protocol = htons(addr->family == 4 ? ETH_P_ARP : ETH_P_IPV6);
		if (sendto(fd, frame, size, 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
			err = -errno;
	}
	close(fd);
	return err;
}
