/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* agent_words: see agent_words.h. */
#include "agent_words.h"

#include <string.h>
#include <strings.h>

static bool is_word(const char *text, size_t size, const char *word)
{
	return strlen(word) == size && strncasecmp(text, word, size) == 0;
}

/* N% or weight:N%; -1: neither. */
static int percent(const char *text, size_t size)
{
	static const char prefix[] = "weight:";
	size_t skip = sizeof(prefix) - 1;
	int value = 0;

	if (size > skip && strncasecmp(text, prefix, skip) == 0) {
		text += skip;
		size -= skip;
	}
	if (size < 2 || size > 6 || text[size - 1] != '%')
		return -1;
	for (size_t i = 0; i + 1 < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value > 100 ? 100 : value;
}

static bool take_word(const char *text, size_t size, struct agent_says *says)
{
	int share = percent(text, size);

	if (is_word(text, size, "up"))
		says->down = false;
	else if (is_word(text, size, "down") || is_word(text, size, "fail") ||
		 is_word(text, size, "failed") || is_word(text, size, "stopped"))
		says->down = true;
	else if (is_word(text, size, "ready"))
		says->admin = ADMIN_READY;
	else if (is_word(text, size, "drain"))
		says->admin = ADMIN_DRAIN;
	else if (is_word(text, size, "maint"))
		says->admin = ADMIN_MAINT;
	else if (share >= 0)
		says->weight_less = (uint8_t)(100 - share);
	else
		return false;
	return true;
}

bool agent_words_take(const char *line, struct agent_says *says)
{
	static const char blanks[] = " \t,\r\n";
	size_t end = strcspn(line, "#\n");
	bool known = false;

	for (size_t at = strspn(line, blanks); at < end;) {
		size_t size = strcspn(line + at, " \t,\r\n#");

		known |= take_word(line + at, size, says);
		at += size;
		at += strspn(line + at, blanks);
	}
	return known;
}
