/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nat: see nat.h. Of a packet that left for a backend: it has the backend's address, one hop less,
 * the same tags, data and flags; and where its checksums were right they are right, summed up anew.
 * Then the backend answers, and the answer has to leave for the client as if the VIP had sent it.
 */
#include "nat.h"

#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "generate.h"
#include "model_bytes.h"
#include "text.h"

struct seen {
	const uint8_t *bytes;
	uint32_t size;
	struct model_packet packet;
};

static bool look(struct seen *seen, const uint8_t *bytes, uint32_t size)
{
	seen->bytes = bytes;
	seen->size = size;
	return model_parse(bytes, size, &seen->packet) == MODEL_GOES_ON &&
	       seen->packet.part == MODEL_WHOLE;
}

static uint32_t transport_size(const struct seen *seen)
{
	return seen->packet.l3_offset + seen->packet.l3_size - seen->packet.l4_offset;
}

static const uint8_t *transport(const struct seen *seen)
{
	return seen->bytes + seen->packet.l4_offset;
}

static bool left_out(const struct seen *seen)
{
	return seen->packet.flow.proto == PROTO_UDP && !get16(transport(seen) + 6);
}

/* Summed up byte by byte. A UDP checksum may be left out in IPv4. */
static bool sums_right(const struct seen *seen)
{
	const struct model_packet *packet = &seen->packet;
	const uint8_t *ip = seen->bytes + packet->l3_offset;
	bool four = packet->family == 4;
	uint32_t size = transport_size(seen);

	if (four && sum_of(ip, packet->l4_offset - packet->l3_offset) != 0xffff)
		return false;
	if (left_out(seen))
		return four;
	/* A datagram may end before the packet does. */
	if (packet->flow.proto == PROTO_UDP)
		size = get16(transport(seen) + 4);
	return sum_more(sum_pseudo(ip + (four ? 12 : 8), four ? 8 : 32, packet->flow.proto, size),
			transport(seen), size) == 0xffff;
}

static uint8_t hops_of(const struct seen *seen)
{
	return seen->bytes[seen->packet.l3_offset + (seen->packet.family == 4 ? 8 : 7)];
}

/* What no direction changes: tags, data, all of the transport header but ports and checksum. */
static const char *rest_same(const struct seen *in, const struct seen *out)
{
	uint32_t check = in->packet.flow.proto == PROTO_UDP ? 6 : 16, size = transport_size(in);
	const uint8_t *a = transport(in), *b = transport(out);

	if (in->packet.l3_offset != out->packet.l3_offset ||
	    memcmp(in->bytes + 12, out->bytes + 12, in->packet.l3_offset - 14) != 0)
		return "the tags are others";
	if (in->packet.flow.proto != out->packet.flow.proto || size != transport_size(out))
		return "protocol or length are others";
	if (memcmp(a + 4, b + 4, check - 4) != 0 ||
	    memcmp(a + check + 2, b + check + 2, size - check - 2) != 0)
		return "the data are others";
	if (hops_of(out) != hops_of(in) - 1)
		return "the hops left are not one less";
	if (in->packet.traffic_class != out->packet.traffic_class)
		return "the traffic class is another";
	if (sums_right(in) && !sums_right(out))
		return "a checksum is wrong";
	if (left_out(in) && in->packet.family == out->packet.family && !left_out(out))
		return "a checksum was made up";
	return NULL;
}

static bool same_address(const struct model_address *a, const struct model_address *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* The backend that the packet is for now, or NULL. */
static const struct model_backend *backend_of(const struct model_config *config,
					      const struct seen *out)
{
	for (int i = 1; i < MODEL_BACKENDS; i++)
		if (same_address(&config->backends[i].outer_destination,
				 &out->packet.flow.destination))
			return &config->backends[i];
	return NULL;
}

static const char *forward_wrong(const struct model_backend *backend, const struct seen *in,
				 const struct seen *out)
{
	const struct model_flow *was = &in->packet.flow, *is = &out->packet.flow;
	const struct model_address *source =
		backend->snat || was->source.family != is->source.family ? &backend->outer_source
									 : &was->source;

	if (memcmp(out->bytes, backend->next_hop, 6) != 0 ||
	    memcmp(out->bytes + 6, backend->egress_mac, 6) != 0)
		return "it goes to another MAC";
	if (!same_address(&is->source, source))
		return "its source is another";
	if (is->destination_port != (backend->gue_port ? backend->gue_port : was->destination_port))
		return "its port is another";
	return rest_same(in, out);
}

static void swap(uint8_t *a, uint8_t *b, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		uint8_t kept = a[i];

		a[i] = b[i];
		b[i] = kept;
	}
}

/* The packet turned round, with hops enough; checksums do not mind. */
static void reply_make(const struct seen *out, struct model_frame *reply)
{
	uint8_t *ip = reply->bytes + out->packet.l3_offset;
	bool four = out->packet.family == 4;

	*reply = (struct model_frame){.size = out->packet.l3_offset + out->packet.l3_size,
				      .ifindex = MACHINE_NEAR};
	memcpy(reply->bytes, out->bytes, reply->size);
	swap(ip + (four ? 12 : 8), ip + (four ? 16 : 24), four ? 4 : 16);
	ip[four ? 8 : 7] = 64;
	if (four) {
		put16(ip + 10, 0);
		put16(ip + 10, ~sum_of(ip, out->packet.l4_offset - out->packet.l3_offset) & 0xffff);
	}
	swap(reply->bytes + out->packet.l4_offset, reply->bytes + out->packet.l4_offset + 2, 2);
}

static const char *reply_wrong(const struct seen *in, const struct seen *reply,
			       const struct seen *back)
{
	const struct model_flow *was = &in->packet.flow, *is = &back->packet.flow;

	if (!same_address(&is->source, &was->destination) ||
	    !same_address(&is->destination, &was->source) ||
	    is->source_port != was->destination_port || is->destination_port != was->source_port)
		return "the answer is of another flow";
	if (memcmp(back->bytes, in->bytes + 6, 6) != 0 ||
	    memcmp(back->bytes + 6, in->bytes, 6) != 0)
		return "the answer goes another way";
	return rest_same(reply, back);
}

static bool tell(const char *what, uint64_t number, const struct seen *in, const struct seen *out)
{
	printf("# NAT, round %llu: %s\n# in:  ", (unsigned long long)number, what);
	text_hex(stdout, in->bytes, in->size);
	printf("\n# out: ");
	text_hex(stdout, out->bytes, out->size);
	printf("\n");
	return false;
}

static bool frame_check(struct machine *machine, const struct model_config *config,
			const struct model_frame *frame, uint64_t number, uint64_t *forwarded)
{
	static struct machine_answer answer, answer_back;
	static struct model_frame reply_frame;
	const struct model_backend *backend;
	struct seen in, out, reply, back;
	const char *wrong;

	machine_run(machine, frame, &answer);
	if (answer.action != XDP_TX && answer.action != XDP_REDIRECT)
		return true;
	/* Answers of the balancer's own go to the client. */
	if (!look(&in, frame->bytes, frame->size) || !look(&out, answer.bytes, answer.size))
		return true;
	backend = backend_of(config, &out);
	/* An answer to a VIP is no answer, but a packet to that. */
	if (!backend || model_is_vip(config, &out.packet.flow.source))
		return true;
	++*forwarded;
	wrong = forward_wrong(backend, &in, &out);
	if (wrong)
		return tell(wrong, number, &in, &out);
	reply_make(&out, &reply_frame);
	look(&reply, reply_frame.bytes, reply_frame.size);
	machine_run(machine, &reply_frame, &answer_back);
	if ((answer_back.action != XDP_TX && answer_back.action != XDP_REDIRECT) ||
	    !look(&back, answer_back.bytes, answer_back.size))
		return tell("the answer does not come back", number, &in, &reply);
	wrong = reply_wrong(&in, &reply, &back);
	return wrong ? tell(wrong, number, &reply, &back) : true;
}

static void backends_nat(struct random *r, struct model_config *config)
{
	for (int i = 1; i < MODEL_BACKENDS; i++) {
		struct model_backend *backend = &config->backends[i];

		backend->way = random_percent(r, 50) ? MODEL_NAT4 : MODEL_NAT6;
		backend->snat = random_percent(r, 50);
		if (random_percent(r, 30))
			backend->gue_port = 0;
		/* Addresses that there can be: of a network of their own, this number's. */
		backend->outer_destination =
			backend->way == MODEL_NAT4
				? (struct model_address){.family = 4,
							 .bytes = {10, (uint8_t)random_next(r),
								   (uint8_t)random_next(r),
								   (uint8_t)i}}
				: (struct model_address){
					  .family = 6,
					  .bytes = {0xfd, (uint8_t)random_next(r),
						    (uint8_t)random_next(r), [15] = (uint8_t)i}};
		backend->outer_source = backend->outer_destination;
		backend->outer_source.bytes[0] ^= 1;
		backend->source_bits = 0;
		backend->mtu = 0;
	}
}

bool nat_round(struct machine *machine, uint64_t seed, uint64_t number, uint32_t frames,
	       uint64_t *forwarded)
{
	static const struct model_memory nothing;
	static struct model_config config;
	static struct model_frame frame;
	struct random r = random_begin(~seed, number);
	struct crowd crowd;
	bool good = true;

	generate_config(&r, &config);
	backends_nat(&r, &config);
	generate_crowd(&r, &crowd);
	machine_load(machine, &config);
	machine_remember(machine, &nothing);
	dataplane_control(machine->dp)->flags |= LB_CONTROL_NAT;
	for (uint32_t i = 0; i < frames && good; i++) {
		generate_frame(&r, &config, &crowd, &nothing, &frame);
		frame.metadata = 0;
		good = frame_check(machine, &config, &frame, number, forwarded);
	}
	dataplane_control(machine->dp)->flags &= ~(__u32)LB_CONTROL_NAT;
	return good;
}
