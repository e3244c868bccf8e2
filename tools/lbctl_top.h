/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_top: what the files of `lbctl top` share. lbctl_top_sample.c asks lbd and makes rates of
 * two answers, lbctl_top_rows.c says what stands in which column, and in which order;
 * lbctl_top_screen.c draws on a terminal, and cmd_top.c runs it all. For these files alone.
 */
#ifndef LIMPET_LBCTL_TOP_H
#define LIMPET_LBCTL_TOP_H

#include "lbctl.h"

/* ---- lbctl_top_sample.c ---- */

/* Counters at one moment. */
struct top_sample {
	double at_s; /* CLOCK_MONOTONIC */
	json_t *status, *services, *pools, *backends, *drops;
};

/* 0, or -1 with `fault` and nothing in the sample. */
int top_sample_take(const struct ctl *ctl, struct top_sample *sample, struct fault *fault);
void top_sample_destroy(struct top_sample *sample); /* zeroes are fine */

/*
 * What is shown: {"over_s", "status", "totals", "services", "pools", "backends", "drops"}. Each of
 * the lists is lbd's own, with "packets_per_s", "bits_per_s" and "new_flows_per_s" beside its
 * counters: since `before`, null where that is not known. NULL if out of memory.
 */
json_t *top_answer(const struct top_sample *before, const struct top_sample *now);

/* ---- lbctl_top_rows.c ---- */

enum top_view { TOP_BACKENDS, TOP_POOLS, TOP_SERVICES, TOP_VIEW_COUNT };
enum { TOP_COLUMNS_MAX = 16, TOP_CELL_SIZE = 256, TOP_FILTER_SIZE = 64 };

struct top_column {
	const char *title; /* as in ctl_column: CTL_RIGHT, CTL_STATE, CTL_SHRINK */
	unsigned flags;
	int rank;      /* where there is no room those with the highest go first */
	char letter;   /* sorts by it; 0: none does */
	bool downward; /* the largest first, unless it is reversed */
	void (*text)(const struct ctl *ctl, const json_t *item, char out[TOP_CELL_SIZE]);
	/* What it is sorted by; NULL: the text. */
	double (*key)(const json_t *item);
};

const char *top_view_name(enum top_view view);
/* TOP_VIEW_COUNT for an unknown word. */
enum top_view top_view_parse(const char *word);
const struct top_column *top_columns(enum top_view view, size_t *count);
/* The column of that title (in lower case) or letter: its number; the number of columns if there is
 * none. */
size_t top_column_find(enum top_view view, const char *title);
size_t top_column_of(enum top_view view, char letter);

struct top_order {
	enum top_view view;
	size_t column;
	bool reversed;
	char filter[TOP_FILTER_SIZE]; /* in what belongs to the item: pool, service, names, states
				       */
};

/* The items that are wanted, in their order: an array of borrowed items for the caller to free;
 * NULL if out of memory. */
const json_t **top_select(const struct ctl *ctl, const json_t *answer,
			  const struct top_order *order, size_t *count);

enum { TOP_HEAD_LINES = 3 };
/* The lines above the table. */
void top_head(const struct ctl *ctl, const json_t *answer, char out[TOP_HEAD_LINES][TOP_CELL_SIZE]);

/* ---- lbctl_top_screen.c ---- */

struct top_screen;

/* NULL with `fault` set: the terminal is one that nobody knows. Signals that end the program leave
 * a terminal as it was only after top_screen_close. */
struct top_screen *top_screen_open(const struct ctl *ctl, struct fault *fault);
void top_screen_close(struct top_screen *screen); /* NULL is fine */

/* What is drawn beside the answer. */
struct top_state {
	struct top_order order;
	size_t first; /* row that is shown first; brought in range */
	bool editing; /* the filter */
	bool paused, help;
	const char *alarm; /* why what is shown is old; NULL: it is not */
	double interval_s;
};

/* `answer` NULL: there was none yet. */
void top_screen_draw(struct top_screen *screen, const json_t *answer, struct top_state *state);

/* Words for keys that are no letters. */
enum top_key {
	TOP_KEY_NONE = 0x110000, /* above what a character can be */
	TOP_KEY_RESIZE,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_UP,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_BACKSPACE,
	TOP_KEY_ENTER,
	TOP_KEY_ESCAPE,
};

/* Waits for a key for so long, or until a signal comes: a character, or enum top_key. */
int top_screen_key(struct top_screen *screen, int wait_ms);
/* How many rows of the table there is room for. */
size_t top_screen_rows(const struct top_screen *screen);

#endif
