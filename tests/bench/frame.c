/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * frame: see frame.h.
 */
#include "frame.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

enum {
	OPTION_NOP = 1,
	OPTIONS_SIZE = 4,
	ICMP_ROUTER_SOLICITATION = 10,
	FRAGMENT_SIZE = 24, /* of what is behind the IP header: a multiple of eight */
};

static bool varies(enum frame_kind kind)
{
	return kind <= FRAME_UDP;
}

/* Of a packet of which nothing but a fragment is sent, or with options, TCP's. */
static uint8_t transport_of(enum frame_kind kind)
{
	return kind == FRAME_UDP ? IPPROTO_UDP : kind == FRAME_ICMP ? IPPROTO_ICMP : IPPROTO_TCP;
}

static void transport_write(uint8_t *at, const struct frame_traffic *traffic, size_t length)
{
	const struct tcphdr tcp = {
		.dest = htons(traffic->port),
		.source = htons(0x8000),
		.doff = 5,
		.syn = traffic->kind == FRAME_SYN,
		.ack = traffic->kind != FRAME_SYN && traffic->kind != FRAME_RST,
		.rst = traffic->kind == FRAME_RST,
	};
	const struct udphdr udp = {.dest = htons(traffic->port),
				   .source = htons(0x8000),
				   .len = htons((uint16_t)length)};

	if (traffic->kind == FRAME_ICMP)
		*at = ICMP_ROUTER_SOLICITATION;
	else if (traffic->kind == FRAME_UDP)
		memcpy(at, &udp, sizeof(udp));
	else
		memcpy(at, &tcp, sizeof(tcp));
}

static uint32_t words_sum(const void *data, size_t size)
{
	uint32_t sum = 0;
	uint16_t word;

	for (size_t at = 0; at < size; at += sizeof(word)) {
		memcpy(&word, (const uint8_t *)data + at, sizeof(word));
		sum += word;
	}
	return sum;
}

/* A header that comes as it stands has its checksum; of others the generator has to know the sum
 * without what varies. */
static uint32_t ip_finish_v4(struct iphdr *ip, size_t size, bool whole)
{
	struct iphdr fixed = *ip;
	uint32_t sum = words_sum(ip, size);

	if (whole) {
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		ip->check = (uint16_t)~sum;
	}
	fixed.saddr = fixed.daddr = 0;
	return words_sum(&fixed, sizeof(fixed));
}

static void ip_write_v4(struct bench_traffic *out, const struct frame_traffic *traffic)
{
	uint8_t header[sizeof(struct iphdr) + OPTIONS_SIZE] = {0}, *at = out->frame + ETH_HLEN;
	struct iphdr *ip = (void *)header;
	size_t size = sizeof(*ip) + (traffic->kind == FRAME_OPTIONS ? OPTIONS_SIZE : 0);
	bool fragment = traffic->kind == FRAME_FIRST_FRAGMENT;
	size_t length = fragment ? size + FRAGMENT_SIZE : BENCH_FRAME_V4 - ETH_HLEN;

	*ip = (struct iphdr){.version = 4,
			     .ihl = (unsigned int)(size / 4) & 0xf,
			     .id = htons(fragment),
			     .tot_len = htons((uint16_t)length),
			     .frag_off = htons(fragment ? IP_MF : IP_DF),
			     .ttl = 64,
			     .protocol = transport_of(traffic->kind),
			     .daddr = traffic->destination.ip.v4};
	inet_pton(AF_INET, "10.0.0.0", &ip->saddr);
	if (size > sizeof(*ip))
		memset(ip + 1, OPTION_NOP, OPTIONS_SIZE);
	out->checksum = ip_finish_v4(ip, size, !varies(traffic->kind));
	memcpy(at, header, size);
	transport_write(at + size, traffic, length - size);
}

static void ip_write_v6(struct bench_traffic *out, const struct frame_traffic *traffic)
{
	uint8_t *at = out->frame + ETH_HLEN;
	struct ip6_hdr ip = {.ip6_hlim = 64, .ip6_nxt = transport_of(traffic->kind)};
	size_t length = BENCH_FRAME_V6 - ETH_HLEN - sizeof(ip), extension = 0;
	const struct ip6_frag fragment = {.ip6f_nxt = ip.ip6_nxt};

	if (traffic->kind == FRAME_LONE_FRAGMENT) {
		extension = sizeof(fragment);
		ip.ip6_nxt = IPPROTO_FRAGMENT;
		memcpy(at + sizeof(ip), &fragment, sizeof(fragment));
	}
	ip.ip6_vfc = 6 << 4;
	ip.ip6_plen = htons((uint16_t)length);
	inet_pton(AF_INET6, "2001:db8:c::", &ip.ip6_src);
	memcpy(&ip.ip6_dst, &traffic->destination.ip, sizeof(ip.ip6_dst));
	memcpy(at, &ip, sizeof(ip));
	transport_write(at + sizeof(ip) + extension, traffic, length - extension);
}

static void outcome_write(struct bench_traffic *out, enum frame_outcome outcome)
{
	static const struct {
		uint32_t grows;
		uint16_t ethertype;
		uint8_t proto;
	} outer[] = {
		[FRAME_IPIP_V4] = {sizeof(struct iphdr), ETH_P_IP, IPPROTO_IPIP},
		[FRAME_IPIP_V6] = {sizeof(struct ip6_hdr), ETH_P_IPV6, IPPROTO_IPIP},
		[FRAME_GUE_V4] = {sizeof(struct iphdr) + sizeof(struct udphdr), ETH_P_IP,
				  IPPROTO_UDP},
	};

	out->action = outcome == FRAME_PASSED ? XDP_PASS : XDP_TX;
	if (outcome == FRAME_SENT_BACK || outcome == FRAME_PASSED)
		return;
	out->length += outer[outcome].grows;
	out->ethertype = htons(outer[outcome].ethertype);
	out->outer_proto = outer[outcome].proto;
	if (outcome != FRAME_GUE_V4 && out->family == 6)
		out->outer_proto = IPPROTO_IPV6;
}

void frame_write(struct bench_traffic *out, const struct frame_traffic *traffic)
{
	const struct arphdr arp = {.ar_hrd = htons(ARPHRD_ETHER), .ar_op = htons(ARPOP_REQUEST)};
	bool four = traffic->destination.family == 4 || traffic->kind == FRAME_NOT_IP;
	struct ethhdr ethernet = {.h_dest = {2, 0, 0, 0, 0, 1},
				  .h_source = {2, 0, 0, 0, 0, 2},
				  .h_proto = htons(four ? ETH_P_IP : ETH_P_IPV6)};

	memset(out, 0, sizeof(*out));
	out->family = four ? 4 : 6;
	out->length = four ? BENCH_FRAME_V4 : BENCH_FRAME_V6;
	out->flows = varies(traffic->kind) ? traffic->flows : 0;
	out->services = traffic->services ? traffic->services : 1;
	out->in_order = traffic->in_order;
	if (traffic->kind == FRAME_NOT_IP) {
		ethernet.h_proto = htons(ETH_P_ARP);
		memcpy(out->frame + ETH_HLEN, &arp, sizeof(arp));
	} else if (four) {
		ip_write_v4(out, traffic);
		out->outer_proto = out->frame[ETH_HLEN + offsetof(struct iphdr, protocol)];
	} else {
		ip_write_v6(out, traffic);
		out->outer_proto = out->frame[ETH_HLEN + offsetof(struct ip6_hdr, ip6_nxt)];
	}
	memcpy(out->frame, &ethernet, sizeof(ethernet));
	out->ethertype = ethernet.h_proto;
	outcome_write(out, traffic->outcome);
}
