/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lookup_packet: makes the packet that `flow lookup` asks the data plane about.
 *
 * The packet has to be one that the packet program takes for real: whatever it checks of a packet
 * from the wire must hold here too. Knows headers (RFC 791, 8200, 9293, 768), not the program.
 */
#include "lookup_packet.h"

#include <arpa/inet.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>

enum { TTL = 64, WINDOW = 64240 };

static uint32_t sum_bytes(uint32_t sum, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (size % 2)
		sum += (uint32_t)bytes[size - 1] << 8;
	return sum;
}

/* RFC 1071, in network order. */
static uint16_t sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static size_t address_size(const struct lookup_flow *flow)
{
	return flow->destination.family == 4 ? 4 : 16;
}

/* The pseudo header of RFC 9293 and RFC 8200 has the same sum for both families' layouts. */
static uint32_t sum_pseudo(const struct lookup_flow *flow, size_t size)
{
	uint32_t sum = sum_bytes(0, &flow->source.ip, address_size(flow));

	sum = sum_bytes(sum, &flow->destination.ip, address_size(flow));
	return sum + flow->proto + (uint32_t)size;
}

static size_t write_tcp(const struct lookup_flow *flow, uint8_t *out)
{
	struct tcphdr header = {
		.source = htons(flow->source_port),
		.dest = htons(flow->destination_port),
		.seq = htonl(1),
		.doff = sizeof(header) / 4,
		.window = htons(WINDOW),
	};

	if (flow->syn) {
		header.syn = 1;
	} else {
		header.ack = 1;
		header.ack_seq = htonl(1);
	}
	header.check =
		sum_fold(sum_bytes(sum_pseudo(flow, sizeof(header)), &header, sizeof(header)));
	memcpy(out, &header, sizeof(header));
	return sizeof(header);
}

static size_t write_udp(const struct lookup_flow *flow, uint8_t *out)
{
	struct udphdr header = {
		.source = htons(flow->source_port),
		.dest = htons(flow->destination_port),
		.len = htons(sizeof(header)),
	};

	header.check =
		sum_fold(sum_bytes(sum_pseudo(flow, sizeof(header)), &header, sizeof(header)));
	/* RFC 768: a zero means "no checksum", so a sum of zero is sent as its other form. */
	if (!header.check)
		header.check = 0xffff;
	memcpy(out, &header, sizeof(header));
	return sizeof(header);
}

static size_t write_ipv4(const struct lookup_flow *flow, size_t payload, uint8_t *out)
{
	struct iphdr header = {
		.version = 4,
		.ihl = sizeof(header) / 4,
		.tot_len = htons((uint16_t)(sizeof(header) + payload)),
		.frag_off = htons(IP_DF),
		.ttl = TTL,
		.protocol = flow->proto,
		.saddr = flow->source.ip.v4,
		.daddr = flow->destination.ip.v4,
	};

	header.check = sum_fold(sum_bytes(0, &header, sizeof(header)));
	memcpy(out, &header, sizeof(header));
	return sizeof(header);
}

static size_t write_ipv6(const struct lookup_flow *flow, size_t payload, uint8_t *out)
{
	struct ip6_hdr header = {0};

	header.ip6_flow = htonl(6U << 28);
	header.ip6_plen = htons((uint16_t)payload);
	header.ip6_nxt = flow->proto;
	header.ip6_hlim = TTL;
	memcpy(&header.ip6_src, &flow->source.ip, sizeof(header.ip6_src));
	memcpy(&header.ip6_dst, &flow->destination.ip, sizeof(header.ip6_dst));
	memcpy(out, &header, sizeof(header));
	return sizeof(header);
}

size_t lookup_packet_build(const struct lookup_flow *flow, uint8_t out[LOOKUP_PACKET_SIZE_MAX])
{
	bool ipv4 = flow->destination.family == 4;
	struct ethhdr ethernet = {
		/* Locally administered, so that they are nobody's. */
		.h_dest = {0x02, 0, 0, 0, 0, 0x02},
		.h_source = {0x02, 0, 0, 0, 0, 0x01},
		.h_proto = htons(ipv4 ? ETH_P_IP : ETH_P_IPV6),
	};
	uint8_t transport[sizeof(struct tcphdr)];
	size_t payload = flow->proto == IPPROTO_TCP ? write_tcp(flow, transport)
						    : write_udp(flow, transport);
	size_t size = sizeof(ethernet);

	memcpy(out, &ethernet, sizeof(ethernet));
	size += ipv4 ? write_ipv4(flow, payload, out + size)
		     : write_ipv6(flow, payload, out + size);
	memcpy(out + size, transport, payload);
	return size + payload;
}

void lookup_packet_read(const uint8_t *frame, size_t size, struct lookup_flow *out)
{
	const uint8_t *ip = frame + sizeof(struct ether_header), *ports;
	bool four = size > 14 && ip[0] >> 4 == 4, six = size > 14 && ip[0] >> 4 == 6;
	size_t header = four ? sizeof(struct iphdr) : sizeof(struct ip6_hdr);
	size_t at = four ? 12 : 8, length = four ? 4 : 16;

	memset(out, 0, sizeof(*out));
	if (!(four || six) || size < sizeof(struct ether_header) + header + 4)
		return;
	ports = ip + header;
	out->proto = ip[four ? 9 : 6];
	out->source.family = out->destination.family = four ? 4 : 6;
	memcpy(&out->source.ip, ip + at, length);
	memcpy(&out->destination.ip, ip + at + length, length);
	out->source_port = (uint16_t)(ports[0] << 8 | ports[1]);
	out->destination_port = (uint16_t)(ports[2] << 8 | ports[3]);
}
