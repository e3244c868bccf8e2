/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse: any bytes as a frame, to bpf/parse.h and bpf/icmp.h on one side and the model on the
 * other. The frame ends where the memory ends, so that the address sanitizer sees a byte read too
 * many; and the short way for the common packet has to say what the long one says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../../../bpf/icmp.h"
#include "../../../bpf/parse.h"
#include "../model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ALIGN = 2 };

static const char *const verdicts[LB_VERDICT_COUNT] = {[LB_CONTINUE] = "goes_on",
#define VERDICT(name, action, text) [LB_##name] = #name,
						       LB_VERDICTS(VERDICT)
#undef VERDICT
};

#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);            \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void flows_same(const struct packet *packet, const struct model_packet *model)
{
	const struct model_flow *flow = &model->flow;
	bool six = packet->family == 6, later = packet->part == PACKET_LATER;

	HOLDS(!memcmp(six ? (const void *)&packet->flow.v6.source
			  : (const void *)&packet->flow.v4.source,
		      flow->source.bytes, six ? 16 : 4));
	HOLDS(!memcmp(six ? (const void *)&packet->flow.v6.destination
			  : (const void *)&packet->flow.v4.destination,
		      flow->destination.bytes, six ? 16 : 4));
	HOLDS(packet->proto == flow->proto);
	if (later)
		return;
	HOLDS((six ? packet->flow.v6.proto : packet->flow.v4.proto) == flow->proto);
	HOLDS(bpf_ntohs(six ? packet->flow.v6.source_port : packet->flow.v4.source_port) ==
	      flow->source_port);
	HOLDS(bpf_ntohs(six ? packet->flow.v6.destination_port
			    : packet->flow.v4.destination_port) == flow->destination_port);
}

static void packets_same(const struct packet *packet, const struct model_packet *model)
{
	HOLDS(packet->l3_offset == model->l3_offset && packet->l3_length == model->l3_size);
	HOLDS(packet->l4_offset == model->l4_offset && packet->part == model->part);
	HOLDS(packet->traffic_class == model->traffic_class);
	HOLDS(packet->quoted == model->quoted && packet->sequence_known == model->sequence_known);
	HOLDS(packet->syn == model->syn && packet->closing == model->closing &&
	      packet->reset == model->reset);
	HOLDS(packet->sequence == model->sequence);
	flows_same(packet, model);
}

/* Of no VIP at all: a ping to be answered is to the model the kernel's. */
static enum model_verdict model_icmp_verdict(const uint8_t *data, size_t size,
					     struct model_packet *model)
{
	static const struct model_config config;
	static struct model_answer answer;

	memcpy(answer.bytes, data, size);
	return model_icmp(&config, model, &answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* IP headers come to lie on four bytes, as the kernel lays them. */
	uint8_t *memory = malloc(size + ALIGN), *bytes = memory + ALIGN;
	struct frame frame = {.data = bytes, .end = bytes + size, .length = (__u32)size};
	struct packet packet = {0}, common = {0};
	struct model_packet model;
	enum lb_verdict verdict;
	enum model_verdict said;

	HOLDS(memory);
	if (size > MODEL_FRAME) {
		free(memory);
		return 0;
	}
	memcpy(bytes, data, size);
	verdict = parse_rare(frame.data, frame.end, frame.length, &packet);
	said = model_parse(data, (uint32_t)size, (uint32_t)size, &model);
	if (verdict == LB_PASS_ICMP && said == MODEL_pass_icmp) {
		verdict = icmp_parse(&frame, &packet);
		said = model_icmp_verdict(data, size, &model);
		if (verdict == LB_ANSWERED_ECHO)
			verdict = LB_PASS_NO_SERVICE;
	}
	HOLDS(!strcasecmp(verdicts[verdict], model_verdict_name(said)));
	HOLDS(packet.family == model.family);
	if (verdict == LB_CONTINUE)
		packets_same(&packet, &model);
	if (parse_common(frame.data, frame.end, &common)) {
		HOLDS(verdict == LB_CONTINUE);
		packets_same(&common, &model);
	}
	free(memory);
	return 0;
}
