/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* tally: see tally.h. */
#include "tally.h"

#include <err.h>
#include <stdio.h>

void tally_read(struct dataplane *dp, struct tally *out)
{
	if (dataplane_counters(dp, 0, world_counters(), out->services) ||
	    dataplane_verdicts(dp, out->verdicts) || dataplane_notes(dp, out->notes))
		errx(1, "cannot read the counters");
}

static bool check_service_counters(const struct packet_case *row, const struct packet *in,
				   const struct tally *before, const struct tally *after)
{
	bool good = true;

	for (uint32_t i = 0; i < world_counters(); i++) {
		const struct lb_counter *was = &before->services[i], *is = &after->services[i];
		bool ours = row->service && i == world_counter(row->service, row->backend);

		if (is->packets - was->packets == (ours ? 1 : 0) &&
		    is->bytes - was->bytes == (ours ? in->l3_size : 0) &&
		    is->new_flows - was->new_flows == (ours && row->new_flow ? 1 : 0))
			continue;
		printf("#   service %u, backend %u counted %llu packets, %llu bytes, %llu new "
		       "flows%s\n",
		       i / WORLD_BACKENDS, i % WORLD_BACKENDS, is->packets - was->packets,
		       is->bytes - was->bytes, is->new_flows - was->new_flows,
		       ours ? "" : ", but it is not theirs");
		good = false;
	}
	return good;
}

static bool check_verdict(const struct packet_case *row, const struct packet *in,
			  const struct tally *before, const struct tally *after)
{
	bool good = true;

	for (uint32_t i = 0; i < LB_VERDICT_COUNT; i++) {
		uint64_t packets = after->verdicts[i].packets - before->verdicts[i].packets;
		uint64_t bytes = after->verdicts[i].bytes - before->verdicts[i].bytes;
		uint64_t size = i == LB_FORWARDED ? in->l3_size : in->size;
		bool ours = i == row->verdict;

		if (packets == ours && bytes == (ours ? size : 0))
			continue;
		printf("#   verdict %s: %s, counted %llu packets, %llu bytes\n",
		       dataplane_verdict_name(i), ours ? "expected" : "not expected",
		       (unsigned long long)packets, (unsigned long long)bytes);
		good = false;
	}
	return good;
}

static bool check_notes(const struct packet_case *row, const struct tally *before,
			const struct tally *after)
{
	bool good = true;

	for (int i = 0; i < LB_NOTE_COUNT; i++) {
		uint64_t count = after->notes[i] - before->notes[i];

		if (count == (row->notes >> i & 1))
			continue;
		printf("#   note %s was counted %llu times\n", dataplane_note_name(i),
		       (unsigned long long)count);
		good = false;
	}
	return good;
}

bool tally_check(const struct packet_case *row, const struct packet *in, const struct tally *before,
		 const struct tally *after)
{
	bool good = check_verdict(row, in, before, after);

	good &= check_service_counters(row, in, before, after);
	return good & check_notes(row, before, after);
}
