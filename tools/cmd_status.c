/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* cmd_status: `lbctl status`. See lbctl.h. */
#include <inttypes.h>
#include <stdio.h>

#include "lbctl.h"

enum { PINS_TOLD = 5 };
enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };

static void uptime_text(uint64_t s, char out[32])
{
	if (s >= DAY_S)
		snprintf(out, 32, "%" PRIu64 "d %" PRIu64 "h", s / DAY_S, s % DAY_S / HOUR_S);
	else if (s >= HOUR_S)
		snprintf(out, 32, "%" PRIu64 "h %" PRIu64 "m", s / HOUR_S, s % HOUR_S / MINUTE_S);
	else if (s >= MINUTE_S)
		snprintf(out, 32, "%" PRIu64 "m %" PRIu64 "s", s / MINUTE_S, s % MINUTE_S);
	else
		snprintf(out, 32, "%" PRIu64 "s", s);
}

static void print_interfaces(const json_t *interfaces)
{
	const json_t *item;
	size_t i;

	json_array_foreach (interfaces, i, item)
		ctl_line(i ? "" : "interfaces", "%s (%s), %s", ctl_text(item, "interface"),
			 ctl_text(item, "mode"), ctl_text(item, "state"));
	if (!json_array_size(interfaces))
		ctl_line("interfaces", "none (`lbload attach IF`)");
}

static void print_traffic(const struct ctl *ctl, const json_t *reply)
{
	const json_t *totals = json_object_get(reply, "totals");
	const json_t *rates = json_object_get(reply, "rates");
	char packets[CTL_NUMBER_SIZE], bytes[CTL_NUMBER_SIZE];
	double over_s;

	ctl_line("forwarded", "%s packets, %s bytes",
		 ctl_count(ctl, ctl_integer(totals, "packets"), packets),
		 ctl_count(ctl, ctl_integer(totals, "bytes"), bytes));
	ctl_line("dropped", "%s packets",
		 ctl_count(ctl, ctl_integer(totals, "dropped_packets"), packets));
	if (!json_is_object(rates))
		return;
	over_s = json_number_value(json_object_get(rates, "over_s"));
	ctl_line("rate", "%s packets/s, %s bit/s (over the last %.*f s)",
		 ctl_count(ctl,
			   (uint64_t)json_number_value(json_object_get(rates, "packets_per_s")),
			   packets),
		 ctl_count(ctl, (uint64_t)json_number_value(json_object_get(rates, "bits_per_s")),
			   bytes),
		 over_s < 10 ? 1 : 0, over_s);
}

static void print_table_use(const struct ctl *ctl, const char *title, const json_t *use)
{
	char entries[CTL_NUMBER_SIZE], limit[CTL_NUMBER_SIZE];

	ctl_line(title, "%s of %s entries", ctl_count(ctl, ctl_integer(use, "entries"), entries),
		 ctl_count(ctl, ctl_integer(use, "limit"), limit));
}

/* What found no room; that there is nothing of it needs no line. */
static void print_untracked(const struct ctl *ctl, const json_t *untracked)
{
	const char *title = "untracked";
	const json_t *item;
	size_t i;

	json_array_foreach (untracked, i, item) {
		char count[CTL_NUMBER_SIZE];

		if (!ctl_integer(item, "count"))
			continue;
		ctl_line(title, "%s times: %s", ctl_count(ctl, ctl_integer(item, "count"), count),
			 ctl_text(item, "meaning"));
		title = "";
	}
}

/* Pins are for a while, so that there are none needs no line, either. */
static void print_pins(const json_t *pins)
{
	const json_t *pin;
	size_t i;

	json_array_foreach (pins, i, pin) {
		if (i == PINS_TOLD) {
			ctl_line("", "and %zu more (`lbctl client list POOL`)",
				 json_array_size(pins) - i);
			return;
		}
		ctl_line(i ? "" : "pinned clients", "%s of %s to %s, for another %" PRIu64 " s%s",
			 ctl_text(pin, "client"), ctl_text(pin, "pool"), ctl_text(pin, "backend"),
			 ctl_integer(pin, "left_s"),
			 json_is_true(json_object_get(pin, "in_effect"))
				 ? ""
				 : " (not in effect: it takes no new flows)");
	}
}

int ctl_status(struct ctl *ctl, struct fault *fault)
{
	const struct ctl_request request = {.method = "GET", .path = {"status"}};
	char uptime[32];
	json_t *reply;

	if (ctl_ask(ctl, &request, &reply, fault) != 0)
		return -1;
	if (!ctl_print_json(ctl, reply)) {
		uptime_text(ctl_integer(reply, "uptime_s"), uptime);
		ctl_line("version", "%s", ctl_text(reply, "version"));
		ctl_line("uptime", "%s", uptime);
		if (json_is_false(json_object_get(reply, "published")))
			ctl_line("starting",
				 "the first checks are awaited; until then packets go by "
				 "what was in force before");
		ctl_line("pin directory", "%s", ctl_text(reply, "pin_dir"));
		print_interfaces(json_object_get(reply, "interfaces"));
		ctl_line("services", "%" PRIu64, ctl_integer(reply, "services"));
		ctl_line("pools", "%" PRIu64, ctl_integer(reply, "pools"));
		ctl_line("backends up", "%" PRIu64 " of %" PRIu64,
			 ctl_integer(reply, "backends_up"), ctl_integer(reply, "backends"));
		ctl_line("overrides", "%" PRIu64, ctl_integer(reply, "overrides"));
		print_table_use(ctl, "flow table", json_object_get(reply, "flow_table"));
		print_table_use(ctl, "client table", json_object_get(reply, "client_table"));
		print_table_use(ctl, "NAT table", json_object_get(reply, "nat_table"));
		print_untracked(ctl, json_object_get(reply, "untracked"));
		print_pins(json_object_get(reply, "pins"));
		print_traffic(ctl, reply);
	}
	json_decref(reply);
	return 0;
}
