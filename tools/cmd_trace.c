/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_trace: `lbctl trace`. See lbctl.h. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../user/version.h"
#include "lbctl.h"
#include "pcapng.h"

enum { FRAME_MAX = 2048, COMMENT_SIZE = 512, END_WIDTH = 21 };

/* What the lines go to. There is one command. */
static struct {
	struct pcapng pcapng;
	FILE *file; /* NULL: none is written */
	const char *path;
	bool lines; /* stdout has them, not the file */
	bool headed;
	uint64_t shown;
} output;

/* ---- lines ---- */

/* As tcpdump writes them: S for a SYN without ACK. */
static const char *flags_text(const json_t *packet)
{
	static const struct {
		const char *flag, *text;
	} texts[] = {{"icmp-error", "err"},
		     {"fragment", "frg"},
		     {"syn", "S"},
		     {"rst", "R"},
		     {"fin", "F"}};
	const json_t *flag;
	size_t i;

	for (size_t t = 0; t < sizeof(texts) / sizeof(texts[0]); t++)
		json_array_foreach (json_object_get(packet, "flags"), i, flag)
			if (!strcmp(json_string_value(flag), texts[t].flag))
				return texts[t].text;
	return "";
}

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

static void backend_text(const json_t *packet, char out[256])
{
	if (ctl_text(packet, "backend")[0])
		snprintf(out, 256, "%s/%s", ctl_text(packet, "pool"), ctl_text(packet, "backend"));
	else
		snprintf(out, 256, "-");
}

static void slot_text(const json_t *packet, char out[CTL_NUMBER_SIZE])
{
	if (json_is_integer(json_object_get(packet, "slot")))
		ctl_number(ctl_integer(packet, "slot"), out);
	else
		snprintf(out, CTL_NUMBER_SIZE, "-");
}

static void print_packet(const json_t *packet)
{
	const char *time = strchr(ctl_text(packet, "time"), 'T');
	char proto[32], slot[CTL_NUMBER_SIZE], backend[256];

	if (!output.headed)
		printf("%-15s %-8s %-*s %-*s %5s %-10s %-8s %6s %-12s %s\n", "TIME (UTC)", "PROTO",
		       END_WIDTH, "SOURCE", END_WIDTH, "DESTINATION", "BYTES", "VERDICT", "SERVICE",
		       "SLOT", "BACKEND", "BY");
	output.headed = true;
	snprintf(proto, sizeof(proto), "%s %s", or_dash(ctl_text(packet, "proto")),
		 flags_text(packet));
	slot_text(packet, slot);
	backend_text(packet, backend);
	printf("%-15.15s %-8s %-*s %-*s %5" PRIu64 " %-10s %-8s %6s %-12s %s\n",
	       time ? time + 1 : "", proto, END_WIDTH, or_dash(ctl_text(packet, "source")),
	       END_WIDTH, or_dash(ctl_text(packet, "destination")), ctl_integer(packet, "length"),
	       ctl_text(packet, "verdict"), or_dash(ctl_text(packet, "service")), slot, backend,
	       ctl_text(packet, "decided_by"));
}

/* To stderr, for it is about the lines and none of them. */
static void print_about(const json_t *line)
{
	const json_t *tracing = json_object_get(line, "tracing");

	if (tracing)
		fprintf(stderr,
			"lbctl: tracing; at most %" PRIu64
			" packets of each CPU in a second are shown (--rate)\n",
			ctl_integer(tracing, "rate"));
	if (!json_object_get(line, "not_shown"))
		return;
	fflush(stdout);
	fprintf(stderr, "lbctl: %" PRIu64 " packets not shown", ctl_integer(line, "not_shown"));
	if (!ctl_integer(line, "for_ring") && !ctl_integer(line, "for_reader"))
		fputs(" (for the rate: a larger --rate, or a filter, shows more)", stderr);
	else
		fprintf(stderr,
			" (%" PRIu64 " for the rate, %" PRIu64 " that lbd and %" PRIu64
			" that lbctl did not take in time)",
			ctl_integer(line, "for_rate"), ctl_integer(line, "for_ring"),
			ctl_integer(line, "for_reader"));
	fputc('\n', stderr);
}

/* ---- the file ---- */

static uint32_t frame_read(const char *text, uint8_t frame[FRAME_MAX])
{
	uint32_t size = 0;

	while (size < FRAME_MAX && text[2 * size] && text[2 * size + 1]) {
		char byte[3] = {text[2 * size], text[2 * size + 1]};

		frame[size++] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return size;
}

/* "forwarded: http, slot 12 of web, to web/web1 (10.0.0.11), decided by slot" */
static void comment_make(const json_t *packet, char out[COMMENT_SIZE])
{
	const char *service = ctl_text(packet, "service"),
		   *decided = ctl_text(packet, "decided_by");
	char slot[CTL_NUMBER_SIZE], backend[256];
	size_t used;

	slot_text(packet, slot);
	backend_text(packet, backend);
	used = (size_t)snprintf(out, COMMENT_SIZE, "%s: %s", ctl_text(packet, "verdict"),
				ctl_text(packet, "meaning"));
	if (service[0] && used < COMMENT_SIZE)
		used += (size_t)snprintf(out + used, COMMENT_SIZE - used, "; service %s, pool %s",
					 service, ctl_text(packet, "pool"));
	if (slot[0] != '-' && used < COMMENT_SIZE)
		used += (size_t)snprintf(out + used, COMMENT_SIZE - used, ", slot %s", slot);
	if (backend[0] != '-' && used < COMMENT_SIZE)
		snprintf(out + used, COMMENT_SIZE - used, "; backend %s (%s), decided by %s",
			 backend, ctl_text(packet, "address"), decided);
}

static int write_packet(const json_t *packet)
{
	uint8_t frame[FRAME_MAX];
	char comment[COMMENT_SIZE];
	const struct pcapng_packet record = {
		.interface = or_dash(ctl_text(packet, "interface")),
		.unix_ns = ctl_integer(packet, "time_ns"),
		.frame = frame,
		.captured = frame_read(ctl_text(packet, "frame"), frame),
		.length = (uint32_t)ctl_integer(packet, "length"),
		.comment = comment,
	};

	comment_make(packet, comment);
	return pcapng_put(&output.pcapng, &record);
}

static int file_fault(int error, struct fault *fault)
{
	return fault_set(fault, error == EACCES ? FAULT_PERMISSION : FAULT_FAILED,
			 "%s: writing it: %s", output.path, strerror(error));
}

/* "-" is stdout, which then has no lines. */
static int file_open(const struct ctl *ctl, struct fault *fault)
{
	int error;

	output.path = ctl_value(ctl, "pcap");
	output.lines = true;
	if (!output.path)
		return 0;
	output.lines = strcmp(output.path, "-") != 0;
	if (!output.lines && ctl->output == CTL_JSON) {
		fault_set(fault, FAULT_USAGE,
			  "trace: --pcap - and -o json: stdout can have one of them");
		return fault_hint(fault, "--pcap FILE");
	}
	output.file = output.lines ? fopen(output.path, "we") : stdout;
	if (!output.file)
		return file_fault(errno, fault);
	error = pcapng_begin(&output.pcapng, output.file, "lbctl " LIMPET_VERSION);
	return error ? file_fault(-error, fault) : 0;
}

/* ---- the command ---- */

static void on_line(const struct ctl *ctl, char *text, void *context)
{
	json_t *line = json_loads(text, 0, NULL);
	bool is_packet = json_object_get(line, "verdict");
	struct fault fault;
	int error;

	(void)context;
	output.shown += is_packet;
	error = is_packet && output.file ? write_packet(line) : 0;
	if (error) {
		/* There is no end to wait for. */
		file_fault(-error, &fault);
		exit(ctl_report(ctl, &fault));
	}
	if (ctl->output == CTL_JSON)
		puts(text);
	else if (!is_packet)
		print_about(line);
	else if (output.lines)
		print_packet(line);
	json_decref(line);
	fflush(stdout);
}

int ctl_trace(struct ctl *ctl, struct fault *fault)
{
	const char *count = ctl_value(ctl, "count");
	const struct ctl_request request = {
		.method = "GET",
		.path = {"trace"},
		.query = {{"address", ctl_value(ctl, "address")},
			  {"port", ctl_value(ctl, "port")},
			  {"proto", ctl_value(ctl, "proto")},
			  {"service", ctl_value(ctl, "service")},
			  {"backend", ctl_value(ctl, "backend")},
			  {"verdict", ctl_value(ctl, "verdict")},
			  {"rate", ctl_value(ctl, "rate")},
			  {"count", count},
			  {"frames", ctl_value(ctl, "pcap") ? "1" : NULL}},
	};
	int error = file_open(ctl, fault);

	if (!error)
		error = ctl_stream(ctl, &request, on_line, fault);
	if (output.file && output.file != stdout && fclose(output.file) != 0 && !error)
		return file_fault(errno, fault);
	if (error || (count && output.shown >= strtoull(count, NULL, 10)))
		return error;
	fault_set(fault, FAULT_UNREACHABLE, "lbd: tracing: it ended the connection");
	return fault_hint(fault, "it was stopped or started anew: `lbctl status`, and trace again");
}
