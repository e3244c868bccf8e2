/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * metrics_text: writes Prometheus' text format, version 0.0.4: one family after the other, each
 * with HELP and TYPE and then all its samples. Knows the format and no metric. Pure.
 *
 * Running out of memory is noted and met at the end: what is written after that goes nowhere.
 */
#ifndef LIMPET_METRICS_TEXT_H
#define LIMPET_METRICS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct metrics_text {
	char *bytes; /* no NUL at the end */
	size_t size;
	size_t capacity;
	bool failed;
	const char *family; /* that is being written */
};

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE };

/* Begins a family. `name` must outlive its samples. */
void metrics_family(struct metrics_text *text, const char *name, enum metrics_type type,
		    const char *help);

/* Labels of a sample, written once and used for many: "{pool=\"web\",backend=\"web1\"}". */
struct metrics_labels {
	char text[256];
	size_t size;
};
/* Up to two pairs; the second key may be NULL, the first one too. Values are escaped, and cut
 * behind 96 bytes; bytes that a reader might not take (not ASCII, or not to be printed) become
 * \xNN. */
void metrics_labels(struct metrics_labels *labels, const char *key, const char *value,
		    const char *key2, const char *value2);

/* One sample of the family. `labels` NULL: none. */
void metrics_sample(struct metrics_text *text, const struct metrics_labels *labels, uint64_t value);
/* The same with a fraction: `value` counts thousandths, millionths, ...: `digits` behind the point.
 */
void metrics_sample_fraction(struct metrics_text *text, const struct metrics_labels *labels,
			     uint64_t value, unsigned digits);

#endif
