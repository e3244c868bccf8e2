/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* builder: see builder.h. */
#include "builder.h"

#include <arpa/inet.h>
#include <err.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define MAC_BALANCER "02:00:00:00:00:01"
#define MAC_ROUTER   "02:00:00:00:00:02"

/* Where the layers lie in the frame being built. */
struct layout {
	const struct layer *layers;
	const struct packet *quoted;
	int count;
	size_t at[PACKET_LAYERS_MAX + 1];
	size_t l3_end; /* where the trailer begins */
};

static int or_default(int value, int if_left_out)
{
	return value == ZERO ? 0 : value ? value : if_left_out;
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8 & 0xff;
	at[1] = value & 0xff;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static void put_address(uint8_t *at, int family, const char *text)
{
	if (!text || inet_pton(family, text, at) != 1)
		errx(1, "packet case: bad address '%s'", text ? text : "(none)");
}

static void put_mac(uint8_t *at, const char *text)
{
	struct ether_addr mac;

	if (!ether_aton_r(text, &mac))
		errx(1, "packet case: bad MAC '%s'", text);
	memcpy(at, mac.ether_addr_octet, ETH_ALEN);
}

static uint32_t sum(uint32_t total, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		total += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	return total;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

static size_t layer_size(const struct layer *layer)
{
	switch (layer->kind) {
	case LAYER_ETH:
		return 14;
	case LAYER_VLAN:
		return 4;
	case LAYER_IP4:
		return 20 + 4 * (size_t)layer->ip4.options;
	case LAYER_IP6:
		return 40;
	case LAYER_EXT6:
		return 8 + 8 * (size_t)layer->ext6.extra;
	case LAYER_FRAG6:
	case LAYER_UDP:
	case LAYER_ICMP:
		return 8;
	case LAYER_TCP:
		return 20 + 4 * (size_t)layer->tcp.options;
	case LAYER_QUOTE:
	case LAYER_DATA:
	case LAYER_PAD:
		return (size_t)layer->bytes;
	default:
		errx(1, "packet case: unknown layer %d", layer->kind);
	}
}

static bool is_ip(const struct layer *layer)
{
	return layer->kind == LAYER_IP4 || layer->kind == LAYER_IP6;
}

static const struct layer *layer_at(const struct layout *layout, int i)
{
	static const struct layer end;

	return i < layout->count ? &layout->layers[i] : &end;
}

static unsigned ether_type(const struct layer *next)
{
	return next->kind == LAYER_IP4    ? ETHERTYPE_IP
	       : next->kind == LAYER_IP6  ? ETHERTYPE_IPV6
	       : next->kind == LAYER_VLAN ? ETHERTYPE_VLAN
					  : 0x88b5; /* IEEE: for experiments */
}

/* What an IP header of family `family` calls the layer behind it. */
static int protocol(const struct layer *next, int family)
{
	switch (next->kind) {
	case LAYER_IP4:
		return IPPROTO_IPIP;
	case LAYER_IP6:
		return IPPROTO_IPV6;
	case LAYER_EXT6:
		return next->ext6.type;
	case LAYER_FRAG6:
		return IPPROTO_FRAGMENT;
	case LAYER_TCP:
		return IPPROTO_TCP;
	case LAYER_UDP:
		return IPPROTO_UDP;
	case LAYER_ICMP:
		return family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	default:
		return 253; /* RFC 3692: for experiments */
	}
}

static void put_eth(uint8_t *at, const struct layer_eth *eth, const struct layer *next)
{
	put_mac(at, eth->to ? eth->to : MAC_BALANCER);
	put_mac(at + 6, eth->from ? eth->from : MAC_ROUTER);
	put16(at + 12, eth->type ? (unsigned)eth->type : ether_type(next));
}

static void put_ip4(uint8_t *at, const struct layer_ip4 *ip, const struct layer *next,
		    size_t length)
{
	size_t size = 20 + 4 * (size_t)ip->options;
	int ihl = or_default(ip->ihl, (int)(size / 4));

	memset(at, 1, size); /* options: NOP */
	at[0] = (uint8_t)(or_default(ip->version, 4) << 4 | ihl);
	at[1] = (uint8_t)(ip->dscp << 2 | ip->ecn);
	put16(at + 2, (unsigned)or_default(ip->length, (int)length));
	put16(at + 4, (unsigned)or_default(ip->id, 0x4242));
	put16(at + 6, (unsigned)(ip->df << 14 | ip->mf << 13 | ip->offset));
	at[8] = (uint8_t)or_default(ip->ttl, 64);
	at[9] = (uint8_t)or_default(ip->proto, protocol(next, AF_INET));
	put16(at + 10, 0);
	put_address(at + 12, AF_INET, ip->src);
	put_address(at + 16, AF_INET, ip->dst);
	put16(at + 10, fold(sum(0, at, size)) ^ (ip->bad_checksum ? 1U : 0U));
}

static void put_ip6(uint8_t *at, const struct layer_ip6 *ip, const struct layer *next,
		    size_t payload)
{
	unsigned traffic_class = (unsigned)(ip->dscp << 2 | ip->ecn);

	put32(at, (uint32_t)or_default(ip->version, 6) << 28 | traffic_class << 20 |
			  (uint32_t)ip->label);
	put16(at + 4, (unsigned)or_default(ip->length, (int)payload));
	at[6] = (uint8_t)or_default(ip->next, protocol(next, AF_INET6));
	at[7] = (uint8_t)or_default(ip->hops, 64);
	put_address(at + 8, AF_INET6, ip->src);
	put_address(at + 24, AF_INET6, ip->dst);
}

static void put_ext6(uint8_t *at, const struct layer_ext6 *header, const struct layer *next,
		     size_t size)
{
	bool auth = header->type == IPPROTO_AH, route = header->type == IPPROTO_ROUTING;

	at[0] = (uint8_t)or_default(header->next, protocol(next, AF_INET6));
	/* AH counts words, and two less. */
	at[1] = (uint8_t)or_default(header->length, auth ? header->extra * 2 : header->extra);
	if (auth)
		return;
	/* Segment routing; else a PadN option fills the rest. */
	at[2] = route ? 4 : 1;
	at[3] = (uint8_t)(route ? (size_t)header->segments : size - 4);
}

static void put_tcp(uint8_t *at, const struct layer_tcp *tcp)
{
	size_t size = 20 + 4 * (size_t)tcp->options;

	memset(at, 1, size); /* options: NOP */
	put16(at, (unsigned)tcp->sport);
	put16(at + 2, (unsigned)tcp->dport);
	put32(at + 4, tcp->sequence ? tcp->sequence : SEQUENCE);
	put32(at + 8, tcp->flags == SYN ? 0 : 0x55667788);
	at[12] = (uint8_t)(or_default(tcp->offset, (int)(size / 4)) << 4);
	at[13] = (uint8_t)or_default(tcp->flags, ACK);
	put16(at + 14, 0x7210);
	put32(at + 16, 0);
}

/* Everything but the checksums of layer 4, which cover what lies behind. */
static void put_layer(const struct layout *layout, int i, struct packet *out)
{
	const struct layer *layer = &layout->layers[i];
	const struct layer *next = layer_at(layout, i + 1);
	uint8_t *at = out->bytes + layout->at[i];
	size_t size = layer_size(layer);
	size_t left = layout->l3_end - layout->at[i];

	switch (layer->kind) {
	case LAYER_ETH:
		put_eth(at, &layer->eth, next);
		break;
	case LAYER_VLAN:
		put16(at, (unsigned)layer->vlan.id);
		put16(at + 2, layer->vlan.type ? (unsigned)layer->vlan.type : ether_type(next));
		break;
	case LAYER_IP4:
		put_ip4(at, &layer->ip4, next, left);
		break;
	case LAYER_IP6:
		put_ip6(at, &layer->ip6, next, left - 40);
		break;
	case LAYER_EXT6:
		put_ext6(at, &layer->ext6, next, size);
		break;
	case LAYER_FRAG6:
		at[0] = (uint8_t)or_default(layer->frag6.next, protocol(next, AF_INET6));
		put16(at + 2, (unsigned)(layer->frag6.offset << 3 | layer->frag6.more));
		put32(at + 4, (uint32_t)or_default(layer->frag6.id, 0x1a2b3c4d));
		break;
	case LAYER_TCP:
		put_tcp(at, &layer->tcp);
		break;
	case LAYER_UDP:
		put16(at, (unsigned)layer->udp.sport);
		put16(at + 2, (unsigned)layer->udp.dport);
		put16(at + 4, (unsigned)or_default(layer->udp.length, (int)left));
		break;
	case LAYER_ICMP:
		at[0] = (uint8_t)layer->icmp.type;
		at[1] = (uint8_t)layer->icmp.code;
		put32(at + 4, layer->icmp.rest);
		break;
	case LAYER_QUOTE:
		if (!layout->quoted || layout->quoted->l3_at + size > layout->quoted->size)
			errx(1, "packet case: there are no %zu bytes to quote", size);
		memcpy(at, layout->quoted->bytes + layout->quoted->l3_at, size);
		break;
	default: /* bytes that tell where they belong when seen in a dump */
		for (size_t b = 0; b < size; b++)
			at[b] = layer->kind == LAYER_PAD ? 0xee : (uint8_t)('a' + b % 26);
	}
}

static void put_checksum(const struct layout *layout, int i, int ip, struct packet *out)
{
	enum layer_kind kind = layout->layers[i].kind;
	size_t offset = kind == LAYER_TCP ? 16 : kind == LAYER_UDP ? 6 : kind == LAYER_ICMP ? 2 : 0;
	const uint8_t *header = out->bytes + layout->at[ip];
	uint8_t *at = out->bytes + layout->at[i];
	size_t length = layout->l3_end - layout->at[i];
	bool six = layout->layers[ip].kind == LAYER_IP6;
	uint32_t total = 0;

	if (!offset || (kind == LAYER_UDP && layout->layers[i].udp.no_checksum))
		return;
	if (kind != LAYER_ICMP || six) {
		total = six ? sum(0, header + 8, 32) : sum(0, header + 12, 8);
		total += (uint32_t)length +
			 (uint32_t)protocol(&layout->layers[i], six ? AF_INET6 : AF_INET);
	}
	if ((kind == LAYER_TCP && layout->layers[i].tcp.unfinished) ||
	    (kind == LAYER_UDP && layout->layers[i].udp.unfinished)) {
		put16(at + offset, ~(unsigned)fold(total));
		return;
	}
	total = fold(sum(total, at, length));
	if (kind == LAYER_UDP && !total)
		total = 0xffff;
	if (kind == LAYER_ICMP && layout->layers[i].icmp.bad_checksum)
		total ^= 1;
	put16(at + offset, total);
}

void packet_build(const struct layer *layers, struct packet *out)
{
	packet_build_quoting(layers, NULL, out);
}

void packet_build_quoting(const struct layer *layers, const struct packet *quoted,
			  struct packet *out)
{
	struct layout layout = {.layers = layers, .quoted = quoted};
	int count = 0;

	memset(out, 0, sizeof(*out));
	for (; count < PACKET_LAYERS_MAX && layers[count].kind != LAYER_END; count++) {
		layout.at[count + 1] = layout.at[count] + layer_size(&layers[count]);
		if (!out->l3_at && is_ip(&layers[count]))
			out->l3_at = layout.at[count];
		if (layers[count].kind != LAYER_PAD)
			layout.l3_end = layout.at[count + 1];
	}
	layout.count = count;
	out->size = layout.at[count];
	for (int i = count - 1; i >= 0; i--)
		if (is_ip(&layers[i]))
			out->l3_size = layout.l3_end - layout.at[i];
	if (out->size > sizeof(out->bytes))
		errx(1, "packet case: %zu bytes are more than a test run takes", out->size);
	for (int i = 0; i < count; i++)
		put_layer(&layout, i, out);
	for (int i = count - 1; i >= 0; i--) {
		int ip = i;

		while (ip >= 0 && !is_ip(&layers[ip]))
			ip--;
		if (ip >= 0 && ip < i)
			put_checksum(&layout, i, ip, out);
	}
}

static void print_row(const char *title, const struct packet *packet, const struct packet *other,
		      size_t from)
{
	printf("# %s %04zx ", title, from);
	for (size_t i = from; i < from + 16; i++) {
		bool here = i < packet->size, there = i < other->size;
		bool same = here == there && packet->bytes[i] == other->bytes[i];

		if (here)
			printf(" %02x%s", packet->bytes[i], same ? " " : "*");
		else
			printf(" --%s", same ? " " : "*");
	}
	printf("\n");
}

void packet_print_difference(const struct packet *expected, const struct packet *actual)
{
	size_t longest = expected->size > actual->size ? expected->size : actual->size;

	printf("#   expected %zu bytes, got %zu; rows that differ:\n", expected->size,
	       actual->size);
	for (size_t from = 0; from < longest; from += 16) {
		size_t size = longest - from < 16 ? longest - from : 16;

		if (expected->size >= from + size && actual->size >= from + size &&
		    !memcmp(expected->bytes + from, actual->bytes + from, size))
			continue;
		print_row("  want", expected, actual, from);
		print_row("  got ", actual, expected, from);
	}
}
