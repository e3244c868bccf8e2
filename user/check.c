/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* check: see check.h. */
#include "check.h"

#include <string.h>

static const char statuses_default[] = "200-299";

enum { STATUS_MIN = 100, STATUS_MAX = 599, STATUS_DIGITS = 3 };

/* Three digits at `*text`, which moves on; 0 if there is no status. */
static unsigned take_status(const char **text)
{
	unsigned status = 0;

	for (int i = 0; i < STATUS_DIGITS; i++, ++*text) {
		if (**text < '0' || **text > '9')
			return 0;
		status = status * 10 + (unsigned)(**text - '0');
	}
	return status >= STATUS_MIN && status <= STATUS_MAX ? status : 0;
}

/* One "200" or "200-299" at `*text`, which moves behind it and a comma. */
static bool take_range(const char **text, unsigned *first, unsigned *last)
{
	*first = *last = take_status(text);
	if (!*first)
		return false;
	if (**text == '-') {
		++*text;
		*last = take_status(text);
	}
	if (*last < *first || (**text && **text != ','))
		return false;
	if (**text == ',' && *++*text == '\0')
		return false;
	return true;
}

const char *check_statuses_problem(const char *text)
{
	unsigned first, last;

	while (*text) {
		if (!take_range(&text, &first, &last))
			return "not statuses from 100 to 599 such as 200-299 or 200,301-303";
	}
	return NULL;
}

bool check_statuses_have(const char *text, unsigned status)
{
	unsigned first, last;

	if (!*text)
		text = statuses_default;
	while (*text && take_range(&text, &first, &last)) {
		if (status >= first && status <= last)
			return true;
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* What stands behind a backslash. Returns the number of characters read; 0: it means nothing. */
static size_t unescape(const char *text, uint8_t *byte)
{
	static const char letters[] = "nrt\\", bytes[] = "\n\r\t\\";
	const char *letter = *text ? strchr(letters, *text) : NULL;
	int high, low;

	if (letter) {
		*byte = (uint8_t)bytes[letter - letters];
		return 1;
	}
	if (*text != 'x')
		return 0;
	high = hex_digit(text[1]);
	low = high < 0 ? -1 : hex_digit(text[2]);
	*byte = (uint8_t)(high * 16 + low);
	return low < 0 ? 0 : 3;
}

const char *check_bytes(const char *text, uint8_t out[CHECK_TEXT_SIZE], size_t *size)
{
	*size = 0;
	while (*text && *size < CHECK_TEXT_SIZE) {
		size_t used = 1;

		if (*text != '\\') {
			out[*size] = (uint8_t)*text;
		} else {
			used = unescape(++text, &out[*size]);
			if (!used)
				return "a backslash stands before xHH, n, r, t or another";
		}
		text += used;
		++*size;
	}
	return NULL;
}

const char *check_command_next(const struct check *check, const char *word)
{
	word = word ? word + strlen(word) + 1 : check->command;
	return *word ? word : NULL;
}

bool check_command_add(struct check *check, const char *word)
{
	const char *last = NULL, *next;
	size_t used = 0, size = strlen(word) + 1;

	while ((next = check_command_next(check, last))) {
		last = next;
		used += strlen(last) + 1;
	}
	/* With the NUL that ends the list. An empty word would end it, too. */
	if (size == 1 || used + size + 1 > sizeof(check->command))
		return false;
	memcpy(check->command + used, word, size);
	return true;
}
