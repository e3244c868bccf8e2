/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * lbctl_top_screen: draws `lbctl top` on a terminal, through ncurses, and reads its keys. The only
 * file that knows ncurses; what is drawn comes from lbctl_top_rows.c.
 */
#include <curses.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lbctl_top.h"

enum { GAP = 2, SHRINK_MIN = 12, LINE_MESSAGE = TOP_HEAD_LINES, LINE_TITLES, LINE_ROWS };
enum pair { PAIR_NONE, PAIR_GOOD, PAIR_BAD, PAIR_WARN };

struct top_screen {
	const struct ctl *ctl;
	SCREEN *screen;
	bool colour;
};

struct top_screen *top_screen_open(const struct ctl *ctl, struct fault *fault)
{
	struct top_screen *screen = calloc(1, sizeof(*screen));
	const char *term = getenv("TERM");

	setlocale(LC_CTYPE, "");
	if (screen)
		screen->screen = newterm(NULL, stdout, stdin);
	if (!screen || !screen->screen) {
		free(screen);
		fault_set(fault, FAULT_USAGE, "top: this terminal (TERM=%s) is not known",
			  term ? term : "");
		fault_hint(fault, "set TERM, or see it once with --once");
		return NULL;
	}
	screen->ctl = ctl;
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, true);
	set_escdelay(50);
	screen->colour = ctl->colour && has_colors();
	if (screen->colour) {
		start_color();
		use_default_colors();
		init_pair(PAIR_GOOD, COLOR_GREEN, -1);
		init_pair(PAIR_BAD, COLOR_RED, -1);
		init_pair(PAIR_WARN, COLOR_YELLOW, -1);
	}
	return screen;
}

void top_screen_close(struct top_screen *screen)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen->screen);
	free(screen);
}

size_t top_screen_rows(const struct top_screen *screen)
{
	(void)screen;
	return LINES > LINE_ROWS + 1 ? (size_t)(LINES - LINE_ROWS - 1) : 0;
}

/* ---- the table ---- */

/* Where a column stands; width 0: there is no room for it. */
struct place {
	int left, width;
};

static int text_width(const struct top_column *column, const struct ctl *ctl, const json_t *item)
{
	char text[TOP_CELL_SIZE];

	column->text(ctl, item, text);
	return (int)strlen(text);
}

/* As wide as what is in them, and what may shrink as little as it can. */
static void measure(const struct ctl *ctl, enum top_view view, const json_t *const *items,
		    size_t count, struct place *places)
{
	size_t column_count;
	const struct top_column *columns = top_columns(view, &column_count);

	for (size_t c = 0; c < column_count; c++) {
		places[c].width = (int)strlen(columns[c].title) + 1;
		for (size_t i = 0; i < count; i++) {
			int width = text_width(&columns[c], ctl, items[i]);

			if (width > places[c].width)
				places[c].width = width;
		}
	}
}

static int total(const struct place *places, size_t count)
{
	int width = 0;

	for (size_t c = 0; c < count; c++)
		width += places[c].width ? places[c].width + GAP : 0;
	return width - GAP;
}

/* Takes away from what may shrink, then whole columns, those with the highest rank first. */
static void fit(enum top_view view, struct place *places)
{
	size_t count;
	const struct top_column *columns = top_columns(view, &count);

	for (size_t c = count; c-- > 0;) {
		int excess = total(places, count) - COLS;

		if (excess <= 0 || !(columns[c].flags & CTL_SHRINK))
			continue;
		places[c].width = places[c].width - excess > SHRINK_MIN ? places[c].width - excess
				  : places[c].width < SHRINK_MIN        ? places[c].width
									: SHRINK_MIN;
	}
	while (total(places, count) > COLS) {
		size_t last = 0;

		for (size_t c = 1; c < count; c++)
			if (places[c].width && (!last || columns[c].rank > columns[last].rank))
				last = c;
		if (!last)
			break;
		places[last].width = 0;
	}
	for (size_t c = 0, left = 0; c < count; c++) {
		places[c].left = (int)left;
		left += places[c].width ? (size_t)places[c].width + GAP : 0;
	}
}

static attr_t state_attribute(const struct top_screen *screen, const char *word)
{
	static const struct {
		const char *word;
		enum pair pair;
	} words[] = {{"up", PAIR_GOOD},    {"down", PAIR_BAD},   {"unknown", PAIR_WARN},
		     {"drain", PAIR_WARN}, {"maint", PAIR_WARN}, {"backup", PAIR_WARN},
		     {"panic", PAIR_BAD}};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(word, words[i].word))
			return screen->colour ? (attr_t)COLOR_PAIR(words[i].pair) : A_BOLD;
	return A_NORMAL;
}

static void put(int line, const struct place *place, unsigned flags, const char *text)
{
	int size = (int)strlen(text);
	int left = place->left;

	if (size > place->width)
		size = place->width;
	if (flags & CTL_RIGHT)
		left += place->width - size;
	mvaddnstr(line, left, text, size);
}

static void draw_titles(const struct top_order *order, const struct place *places)
{
	size_t count;
	const struct top_column *columns = top_columns(order->view, &count);
	char title[64];

	attron(A_REVERSE);
	mvhline(LINE_TITLES, 0, ' ', COLS);
	for (size_t c = 0; c < count; c++) {
		bool sorts = c == order->column;
		bool down = columns[c].downward != order->reversed;

		if (!places[c].width)
			continue;
		snprintf(title, sizeof(title), "%s%s", columns[c].title,
			 !sorts ? ""
			 : down ? "v"
				: "^");
		put(LINE_TITLES, &places[c], columns[c].flags, title);
	}
	attroff(A_REVERSE);
}

static void draw_row(const struct top_screen *screen, int line, enum top_view view,
		     const json_t *item, const struct place *places)
{
	size_t count;
	const struct top_column *columns = top_columns(view, &count);
	char text[TOP_CELL_SIZE];

	for (size_t c = 0; c < count; c++) {
		attr_t attribute;

		if (!places[c].width)
			continue;
		columns[c].text(screen->ctl, item, text);
		attribute = columns[c].flags & CTL_STATE ? state_attribute(screen, text) : A_NORMAL;
		attron(attribute);
		put(line, &places[c], columns[c].flags, text[0] ? text : "-");
		attroff(attribute);
	}
}

static void draw_table(const struct top_screen *screen, const json_t *answer,
		       struct top_state *state)
{
	struct place places[TOP_COLUMNS_MAX];
	size_t count, rows = top_screen_rows(screen), last;
	const json_t **items = top_select(screen->ctl, answer, &state->order, &count);

	if (!items)
		return;
	last = count > rows ? count - rows : 0;
	if (state->first > last)
		state->first = last;
	if (last && !state->alarm)
		mvprintw(LINE_MESSAGE, COLS > 40 ? COLS - 24 : 0, "%8zu to %zu of %zu",
			 state->first + 1, state->first + rows, count);
	measure(screen->ctl, state->order.view, items, count, places);
	fit(state->order.view, places);
	draw_titles(&state->order, places);
	for (size_t i = 0; i < rows && state->first + i < count; i++)
		draw_row(screen, LINE_ROWS + (int)i, state->order.view, items[state->first + i],
			 places);
	free(items);
}

/* ---- the rest ---- */

static void draw_message(const struct top_screen *screen, const struct top_state *state)
{
	const struct top_order *order = &state->order;
	attr_t bad = screen->colour ? (attr_t)COLOR_PAIR(PAIR_BAD) | A_BOLD : A_BOLD | A_REVERSE;

	move(LINE_MESSAGE, 0);
	if (state->alarm) {
		attron(bad);
		addnstr(state->alarm, COLS);
		attroff(bad);
	} else if (state->editing) {
		printw("filter (Enter: done, Escape: none): %s_", order->filter);
	} else {
		printw("%s%s%s%s", top_view_name(order->view),
		       order->filter[0] ? ", those with " : "", order->filter,
		       state->paused ? "  (paused)" : "");
	}
}

static void draw_help(void)
{
	static const char *const lines[] = {
		"b p s        backends, pools, services",
		"left right   sort by the column before, behind (also < >)",
		"N H S P B F  sort by name, health, slots, packets, bits, new flows",
		"A W L U      by admin, weight, what is left, how many are up",
		"r            the other way round",
		"/            show only what has a text in its names or states, or in",
		"             those of its pool or service",
		"up down      scroll, also PgUp, PgDn, Home, End",
		"+ -          ask more often, less often",
		"space        pause",
		"q            quit",
		"SLOTS/FAIR: of the table, against the weight's share",
		"LEFT: flows (fl), clients (cl) and slots (sl) of one that drains",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (LINE_TITLES + (int)i < LINES - 1)
			mvaddnstr(LINE_TITLES + (int)i, 2, lines[i], COLS - 2);
}

static void draw_foot(const struct top_state *state)
{
	char text[TOP_CELL_SIZE];

	snprintf(text, sizeof(text),
		 "q quit  b/p/s backends, pools, services  <> sort  r reverse  / filter  ? help  "
		 "every %.3g s",
		 state->interval_s);
	attron(A_DIM);
	mvaddnstr(LINES - 1, 0, text, COLS - 1);
	attroff(A_DIM);
}

void top_screen_draw(struct top_screen *screen, const json_t *answer, struct top_state *state)
{
	char head[TOP_HEAD_LINES][TOP_CELL_SIZE];

	erase();
	if (answer) {
		top_head(screen->ctl, answer, head);
		for (int i = 0; i < TOP_HEAD_LINES; i++)
			mvaddnstr(i, 0, head[i], COLS);
	}
	draw_message(screen, state);
	if (state->help)
		draw_help();
	else if (answer)
		draw_table(screen, answer, state);
	draw_foot(state);
	refresh();
}

int top_screen_key(struct top_screen *screen, int wait_ms)
{
	static const struct {
		int curses;
		enum top_key key;
	} keys[] = {{ERR, TOP_KEY_NONE},
		    {KEY_RESIZE, TOP_KEY_RESIZE},
		    {KEY_LEFT, TOP_KEY_LEFT},
		    {KEY_RIGHT, TOP_KEY_RIGHT},
		    {KEY_UP, TOP_KEY_UP},
		    {KEY_DOWN, TOP_KEY_DOWN},
		    {KEY_PPAGE, TOP_KEY_PAGE_UP},
		    {KEY_NPAGE, TOP_KEY_PAGE_DOWN},
		    {KEY_HOME, TOP_KEY_HOME},
		    {KEY_END, TOP_KEY_END},
		    {KEY_BACKSPACE, TOP_KEY_BACKSPACE},
		    {'\b', TOP_KEY_BACKSPACE},
		    {127, TOP_KEY_BACKSPACE},
		    {KEY_ENTER, TOP_KEY_ENTER},
		    {'\r', TOP_KEY_ENTER},
		    {'\n', TOP_KEY_ENTER},
		    {27, TOP_KEY_ESCAPE}};
	int got;

	(void)screen;
	timeout(wait_ms);
	got = getch();
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].curses == got)
			return keys[i].key;
	return got >= ' ' && got < 127 ? got : TOP_KEY_NONE;
}
