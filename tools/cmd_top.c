/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * cmd_top: `lbctl top`: what is there and what it carries, live. Asks, waits for keys until it is
 * time to ask again, and draws. See lbctl_top.h for who does what.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../user/clock.h"
#include "lbctl_top.h"

enum { INTERVAL_MS = 1000, INTERVAL_LEAST_MS = 100, INTERVAL_MOST_MS = 3600 * 1000 };

static volatile sig_atomic_t ended_by; /* a signal */

struct top {
	struct ctl *ctl;
	struct top_state state;
	uint64_t interval_ms;
	struct top_sample before, now;
	json_t *answer; /* NULL: none yet */
	char alarm[sizeof(((struct fault *)0)->message) + 32];
	bool ends;
};

/* ---- what is asked for ---- */

static int parse_view(struct top *top, struct fault *fault)
{
	const char *view = ctl_value(top->ctl, "view");

	if (!view)
		return 0;
	top->state.order.view = top_view_parse(view);
	if (top->state.order.view < TOP_VIEW_COUNT)
		return 0;
	fault_set(fault, FAULT_USAGE, "top: unknown view \"%s\"", view);
	return fault_hint(fault, "there are: backends, pools, services");
}

static int parse_sort(struct top *top, struct fault *fault)
{
	const char *title = ctl_value(top->ctl, "sort");
	char list[TOP_CELL_SIZE] = "";
	size_t count, used = 0;
	const struct top_column *columns = top_columns(top->state.order.view, &count);

	if (!title)
		return 0;
	top->state.order.column = top_column_find(top->state.order.view, title);
	if (top->state.order.column < count)
		return 0;
	for (size_t i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 columns[i].title);
	fault_set(fault, FAULT_USAGE, "top: %s have no column \"%s\"",
		  top_view_name(top->state.order.view), title);
	return fault_hint(fault, "there are: %s", list);
}

static int parse(struct top *top, struct fault *fault)
{
	const char *filter = ctl_value(top->ctl, "filter");

	if (ctl_duration(top->ctl, "interval", &top->interval_ms, fault) != 0 ||
	    parse_view(top, fault) != 0 || parse_sort(top, fault) != 0)
		return -1;
	if (!ctl_value(top->ctl, "interval"))
		top->interval_ms = INTERVAL_MS;
	if (top->interval_ms < INTERVAL_LEAST_MS || top->interval_ms > INTERVAL_MOST_MS)
		return fault_set(fault, FAULT_USAGE,
				 "top: --interval \"%s\": not a time from 100ms to 1h",
				 ctl_value(top->ctl, "interval"));
	if (filter && strlen(filter) >= TOP_FILTER_SIZE)
		return fault_set(fault, FAULT_USAGE,
				 "top: --filter: it is longer than the %d bytes that it may have",
				 TOP_FILTER_SIZE - 1);
	snprintf(top->state.order.filter, TOP_FILTER_SIZE, "%s", filter ? filter : "");
	return 0;
}

/* ---- asking ---- */

static int look(struct top *top, struct fault *fault)
{
	struct top_sample sample;
	json_t *answer;

	if (top_sample_take(top->ctl, &sample, fault) != 0)
		return -1;
	top_sample_destroy(&top->before);
	top->before = top->now;
	top->now = sample;
	answer = top_answer(&top->before, &top->now);
	if (!answer)
		return fault_set(fault, FAULT_FAILED, "top: out of memory");
	json_decref(top->answer);
	top->answer = answer;
	return 0;
}

/* A look that may fail: lbd may be just about to start anew. */
static void look_again(struct top *top)
{
	struct fault fault = {0};

	if (look(top, &fault) == 0) {
		top->state.alarm = NULL;
		return;
	}
	/* Rates over the time that it was away would be no rates of now. */
	top_sample_destroy(&top->now);
	snprintf(top->alarm, sizeof(top->alarm), "%s%s",
		 fault.code == FAULT_UNREACHABLE ? "lbd cannot be reached: " : "", fault.message);
	top->state.alarm = top->alarm;
}

/* ---- without a terminal ---- */

static void print_table(struct top *top)
{
	struct ctl_column titles[TOP_COLUMNS_MAX];
	size_t column_count, count;
	const struct top_column *columns = top_columns(top->state.order.view, &column_count);
	const json_t **items = top_select(top->ctl, top->answer, &top->state.order, &count);
	struct ctl_table *table;

	for (size_t c = 0; c < column_count; c++)
		titles[c] = (struct ctl_column){columns[c].title, columns[c].flags};
	table = ctl_table_create(titles, column_count);
	for (size_t i = 0; items && i < count; i++) {
		char text[TOP_COLUMNS_MAX][TOP_CELL_SIZE];
		const char *cells[TOP_COLUMNS_MAX];

		for (size_t c = 0; c < column_count; c++) {
			columns[c].text(top->ctl, items[i], text[c]);
			cells[c] = text[c];
		}
		ctl_table_add(table, cells);
	}
	ctl_table_finish(top->ctl, table);
	free(items);
}

/* Rates need two looks. */
static int run_once(struct top *top, struct fault *fault)
{
	const struct timespec pause = {.tv_sec = (time_t)(top->interval_ms / 1000),
				       .tv_nsec = (long)(top->interval_ms % 1000) * 1000000};
	char head[TOP_HEAD_LINES][TOP_CELL_SIZE];

	if (look(top, fault) != 0)
		return -1;
	nanosleep(&pause, NULL);
	if (look(top, fault) != 0)
		return -1;
	if (ctl_print_json(top->ctl, top->answer))
		return 0;
	top_head(top->ctl, top->answer, head);
	for (int i = 0; i < TOP_HEAD_LINES; i++)
		puts(head[i]);
	putchar('\n');
	print_table(top);
	return 0;
}

/* ---- keys ---- */

static void set_view(struct top *top, enum top_view view)
{
	struct top_order *order = &top->state.order;
	size_t old_count, count;
	const struct top_column *old = top_columns(order->view, &old_count);
	size_t column = top_column_find(view, old[order->column].title);

	top_columns(view, &count);
	order->view = view;
	/* By the same, where that view has it. */
	order->column = column < count ? column : 0;
	top->state.first = 0;
}

static void step_column(struct top *top, int by)
{
	size_t count;

	top_columns(top->state.order.view, &count);
	top->state.order.column = (top->state.order.column + count + (size_t)by) % count;
	top->state.order.reversed = false;
}

static void scroll(struct top *top, long by)
{
	long first = (long)top->state.first + by;

	top->state.first = first > 0 ? (size_t)first : 0;
}

static void set_interval(struct top *top, double factor)
{
	double wanted = (double)top->interval_ms * factor;

	if (wanted >= INTERVAL_LEAST_MS && wanted <= INTERVAL_MOST_MS)
		top->interval_ms = (uint64_t)wanted;
}

static void edit_filter(struct top *top, int key)
{
	char *filter = top->state.order.filter;
	size_t size = strlen(filter);

	if (key == TOP_KEY_ESCAPE)
		filter[0] = '\0';
	if (key == TOP_KEY_ESCAPE || key == TOP_KEY_ENTER)
		top->state.editing = false;
	else if (key == TOP_KEY_BACKSPACE && size)
		filter[size - 1] = '\0';
	else if (key < TOP_KEY_NONE && size + 1 < TOP_FILTER_SIZE) {
		filter[size] = (char)key;
		filter[size + 1] = '\0';
	}
	top->state.first = 0;
}

static void take_letter(struct top *top, char letter)
{
	struct top_order *order = &top->state.order;
	size_t count, column = top_column_of(order->view, letter);

	top_columns(order->view, &count);
	if (column >= count)
		return;
	/* Once more: the other way round. */
	order->reversed = order->column == column && !order->reversed;
	order->column = column;
}

static void take_command(struct top *top, int key)
{
	switch (key) {
	case 'q':
		top->ends = true;
		break;
	case 'b':
		set_view(top, TOP_BACKENDS);
		break;
	case 'p':
		set_view(top, TOP_POOLS);
		break;
	case 's':
		set_view(top, TOP_SERVICES);
		break;
	case 'r':
		top->state.order.reversed = !top->state.order.reversed;
		break;
	case '/':
		top->state.editing = true;
		break;
	case ' ':
		top->state.paused = !top->state.paused;
		break;
	case '?':
	case 'h':
		top->state.help = true;
		break;
	case '+':
		set_interval(top, 0.5);
		break;
	case '-':
		set_interval(top, 2);
		break;
	default:
		if (key > ' ' && key < 127)
			take_letter(top, (char)key);
	}
}

static void take_key(struct top *top, const struct top_screen *screen, int key)
{
	long page = (long)top_screen_rows(screen);

	if (top->state.help && key < TOP_KEY_NONE && key != 'q') {
		top->state.help = false;
		return;
	}
	if (top->state.editing) {
		if (key != TOP_KEY_RESIZE)
			edit_filter(top, key);
		return;
	}
	if (key == TOP_KEY_LEFT || key == '<')
		step_column(top, -1);
	else if (key == TOP_KEY_RIGHT || key == '>')
		step_column(top, 1);
	else if (key == TOP_KEY_UP)
		scroll(top, -1);
	else if (key == TOP_KEY_DOWN)
		scroll(top, 1);
	else if (key == TOP_KEY_PAGE_UP)
		scroll(top, -page);
	else if (key == TOP_KEY_PAGE_DOWN)
		scroll(top, page);
	else if (key == TOP_KEY_HOME)
		top->state.first = 0;
	else if (key == TOP_KEY_END)
		scroll(top, 1000000);
	else if (key == TOP_KEY_ESCAPE)
		top->state.order.filter[0] = '\0';
	else
		take_command(top, key);
}

/* ---- on a terminal ---- */

static void on_signal(int signal)
{
	ended_by = signal;
}

/* Without SA_RESTART, so that waiting for a key ends. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static void watch(struct top *top, struct top_screen *screen)
{
	uint64_t due_ms = clock_ms(CLOCK_MONOTONIC) + top->interval_ms;

	while (!top->ends && !ended_by) {
		uint64_t time_ms = clock_ms(CLOCK_MONOTONIC);
		int key;

		top->state.interval_s = (double)top->interval_ms / 1000;
		top_screen_draw(screen, top->answer, &top->state);
		key = top_screen_key(screen, due_ms > time_ms ? (int)(due_ms - time_ms) : 0);
		if (key != TOP_KEY_NONE)
			take_key(top, screen, key);
		if (due_ms > clock_ms(CLOCK_MONOTONIC) + top->interval_ms)
			due_ms = clock_ms(CLOCK_MONOTONIC) +
				 top->interval_ms; /* it was made shorter */
		if (clock_ms(CLOCK_MONOTONIC) < due_ms || ended_by || top->ends)
			continue;
		if (!top->state.paused)
			look_again(top);
		due_ms = clock_ms(CLOCK_MONOTONIC) + top->interval_ms;
	}
}

static int run_live(struct top *top, struct fault *fault)
{
	struct top_screen *screen;

	/* To begin with lbd has to be there, as for any command. */
	if (look(top, fault) != 0)
		return -1;
	catch_signals();
	screen = top_screen_open(top->ctl, fault);
	if (!screen)
		return -1;
	/* ncurses has handlers of its own for those that end it. */
	catch_signals();
	watch(top, screen);
	top_screen_close(screen);
	if (ended_by) {
		signal(ended_by, SIG_DFL);
		raise(ended_by);
	}
	return 0;
}

int ctl_top(struct ctl *ctl, struct fault *fault)
{
	struct top top = {.ctl = ctl};
	bool plain = ctl_value(ctl, "once") || ctl->output == CTL_JSON || !isatty(STDOUT_FILENO) ||
		     !isatty(STDIN_FILENO);
	int error = parse(&top, fault);

	if (!error)
		error = plain ? run_once(&top, fault) : run_live(&top, fault);
	top_sample_destroy(&top.before);
	top_sample_destroy(&top.now);
	json_decref(top.answer);
	return error;
}
