/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * packet_headers: see packet_headers.h. Each reader takes a header off the front and says what
 * follows; it says nothing of a header that is cut.
 */
#include "packet_headers.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What the next header is. */
enum next { NEXT_NONE, NEXT_ETHER_TYPE, NEXT_IP, NEXT_PROTO };

struct reading {
	const uint8_t *at;
	size_t left;
	enum next next;
	uint16_t kind; /* EtherType or protocol */
	uint16_t gue_port;
};

/* Copies the header and steps over `size` bytes of it. False if it is cut. */
static bool take(struct reading *reading, void *header, size_t known, size_t size)
{
	if (reading->left < known || reading->left < size || size < known)
		return false;
	memcpy(header, reading->at, known);
	reading->at += size;
	reading->left -= size;
	return true;
}

static void mac_text(const uint8_t mac[6], char out[PACKET_END_SIZE])
{
	snprintf(out, PACKET_END_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

static bool read_ethernet(struct reading *reading, struct packet_header *out)
{
	struct ether_header header;

	if (!take(reading, &header, sizeof(header), sizeof(header)))
		return false;
	out->name = "ethernet";
	mac_text(header.ether_shost, out->source);
	mac_text(header.ether_dhost, out->destination);
	reading->next = NEXT_ETHER_TYPE;
	reading->kind = ntohs(header.ether_type);
	return true;
}

static bool read_vlan(struct reading *reading, struct packet_header *out)
{
	uint16_t tag[2];

	if (!take(reading, tag, sizeof(tag), sizeof(tag)))
		return false;
	out->name = "vlan";
	snprintf(out->more, sizeof(out->more), "VLAN %u", ntohs(tag[0]) & 0xfffU);
	reading->kind = ntohs(tag[1]);
	return true;
}

static bool read_ipv4(struct reading *reading, struct packet_header *out)
{
	struct iphdr header;

	if (!take(reading, &header, sizeof(header),
		  reading->left ? (size_t)(reading->at[0] & 0xf) * 4 : 0))
		return false;
	out->name = "ipv4";
	inet_ntop(AF_INET, &header.saddr, out->source, sizeof(out->source));
	inet_ntop(AF_INET, &header.daddr, out->destination, sizeof(out->destination));
	snprintf(out->more, sizeof(out->more), "protocol %u, TTL %u, %u bytes", header.protocol,
		 header.ttl, ntohs(header.tot_len));
	reading->next = NEXT_PROTO;
	reading->kind = header.protocol;
	return true;
}

static bool read_ipv6(struct reading *reading, struct packet_header *out)
{
	struct ip6_hdr header;

	if (!take(reading, &header, sizeof(header), sizeof(header)))
		return false;
	out->name = "ipv6";
	inet_ntop(AF_INET6, &header.ip6_src, out->source, sizeof(out->source));
	inet_ntop(AF_INET6, &header.ip6_dst, out->destination, sizeof(out->destination));
	snprintf(out->more, sizeof(out->more), "next header %u, hop limit %u, %zu bytes",
		 header.ip6_nxt, header.ip6_hlim, ntohs(header.ip6_plen) + sizeof(header));
	reading->next = NEXT_PROTO;
	reading->kind = header.ip6_nxt;
	return true;
}

static bool read_ip(struct reading *reading, struct packet_header *out)
{
	if (!reading->left)
		return false;
	return reading->at[0] >> 4 == 4   ? read_ipv4(reading, out)
	       : reading->at[0] >> 4 == 6 ? read_ipv6(reading, out)
					  : false;
}

static void ports(uint16_t source, uint16_t destination, struct packet_header *out)
{
	snprintf(out->source, sizeof(out->source), "%u", ntohs(source));
	snprintf(out->destination, sizeof(out->destination), "%u", ntohs(destination));
}

static bool read_udp(struct reading *reading, struct packet_header *out)
{
	struct udphdr header;

	if (!take(reading, &header, sizeof(header), sizeof(header)))
		return false;
	out->name = "udp";
	ports(header.source, header.dest, out);
	reading->next =
		reading->gue_port && ntohs(header.dest) == reading->gue_port ? NEXT_IP : NEXT_NONE;
	/* What is inside is no tunnel. */
	reading->gue_port = 0;
	if (reading->next == NEXT_IP)
		snprintf(out->more, sizeof(out->more), "GUE");
	return true;
}

static bool read_tcp(struct reading *reading, struct packet_header *out)
{
	struct tcphdr header;

	if (!take(reading, &header, sizeof(header), sizeof(header)))
		return false;
	out->name = "tcp";
	ports(header.source, header.dest, out);
	snprintf(out->more, sizeof(out->more), "%s%s%s%s", header.syn ? "SYN " : "",
		 header.ack ? "ACK " : "", header.rst ? "RST " : "", header.fin ? "FIN " : "");
	if (out->more[0])
		out->more[strlen(out->more) - 1] = '\0';
	reading->next = NEXT_NONE;
	return true;
}

static bool read_next(struct reading *reading, struct packet_header *out)
{
	switch (reading->next) {
	case NEXT_ETHER_TYPE:
		if (reading->kind == ETHERTYPE_VLAN || reading->kind == 0x88a8)
			return read_vlan(reading, out);
		return (reading->kind == ETHERTYPE_IP || reading->kind == ETHERTYPE_IPV6) &&
		       read_ip(reading, out);
	case NEXT_IP:
		return read_ip(reading, out);
	case NEXT_PROTO:
		if (reading->kind == IPPROTO_IPIP || reading->kind == IPPROTO_IPV6)
			return read_ip(reading, out);
		return reading->kind == IPPROTO_UDP   ? read_udp(reading, out)
		       : reading->kind == IPPROTO_TCP ? read_tcp(reading, out)
						      : false;
	default:
		return false;
	}
}

size_t packet_headers(const uint8_t *frame, size_t size, uint16_t gue_port,
		      struct packet_header out[PACKET_HEADERS_MAX])
{
	struct reading reading = {.at = frame, .left = size, .gue_port = gue_port};
	size_t count = 0;

	memset(out, 0, PACKET_HEADERS_MAX * sizeof(*out));
	if (read_ethernet(&reading, &out[0]))
		count++;
	while (count && count < PACKET_HEADERS_MAX && read_next(&reading, &out[count]))
		count++;
	return count;
}
