/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* dataplane_words: names and meanings of verdicts and notes, from the lists that the program has.
 */
#include <ctype.h>

#include "dataplane.h"

static const struct {
	const char *name;
	const char *text;
} verdicts[LB_VERDICT_COUNT] = {[LB_CONTINUE] = {"CONTINUE", "not decided"},
#define VERDICT(name, action, text) [LB_##name] = {#name, text},
				LB_VERDICTS(VERDICT)
#undef VERDICT
};

static const struct {
	const char *name;
	const char *text;
} note_words[LB_NOTE_COUNT] = {
#define NOTE(name, text) [LB_NOTE_##name] = {#name, text},
	LB_NOTES(NOTE)
#undef NOTE
};

static const char *lower(const char *upper, char out[32])
{
	for (size_t i = 0; upper[i] && i < 31; i++)
		out[i] = (char)tolower((unsigned char)upper[i]);
	return out;
}

const char *dataplane_verdict_name(uint32_t verdict)
{
	static char names[LB_VERDICT_COUNT][32];

	return verdict < LB_VERDICT_COUNT ? lower(verdicts[verdict].name, names[verdict])
					  : "unknown";
}

const char *dataplane_note_name(enum lb_note note)
{
	static char names[LB_NOTE_COUNT][32];

	return lower(note_words[note].name, names[note]);
}

const char *dataplane_note_text(enum lb_note note)
{
	return note_words[note].text;
}

const char *dataplane_verdict_text(uint32_t verdict)
{
	return verdict < LB_VERDICT_COUNT ? verdicts[verdict].text : "a verdict of another version";
}
