/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A neighbour's entries and passing time in, requests and verdicts out (user/neighbour_verify.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../user/neighbour_verify.h"

enum { INTERVAL_US = VERIFY_INTERVAL_US, STEPS_MAX = 12 };

/*
 * A step is three letters: what happens, and after it the request and the verdict.
 *
 *   happens: T  time passes until something is due
 *            c  the kernel confirmed the MAC a;   C  the MAC b
 *            s  it has the MAC a, unconfirmed;    S  the MAC b
 *            f  the MAC a was set by an operator
 *            n  it has no MAC
 *   request: P probe, R resolve, V revive, - none
 *   verdict: ? unknown, ! silent, a or b: answers under this MAC
 */
static const struct {
	const char *what;
	const char *steps[STEPS_MAX];
} cases[] = {
	{"found and kept", {"TR?", "c-a", "TPa", "s-a", "c-a", "TPa", "c-a"}},
	{"one the kernel knows is used, then checked", {"s-a", "TPa", "s-a", "c-a", "TPa"}},
	{"never there", {"TR?", "n-?", "TR?", "TR?", "TV!", "TV!", "n-!", "TV!"}},
	{"comes late", {"TR?", "TR?", "TR?", "TV!", "TV!", "c-a", "TPa"}},
	{"one lost probe", {"c-a", "TPa", "TRa", "n-a", "c-a", "TPa"}},
	{"the kernel's echo of a probe is no answer", {"c-a", "TPa", "s-a", "TRa", "n-a", "c-a"}},
	{"three lost of four", {"c-a", "TPa", "TRa", "n-a", "TRa", "TRa", "c-a", "TPa"}},
	{"goes away", {"c-a", "TPa", "TRa", "n-a", "TRa", "TRa", "TV!", "n-!", "TV!"}},
	{"tries are counted anew", {"TR?", "TR?", "c-a", "TPa", "TRa", "TRa", "TRa", "TV!"}},
	{"MAC changes in silence", {"c-a", "TPa", "TRa", "n-a", "C-b", "TPb", "C-b"}},
	{"MAC changes with an announcement", {"c-a", "S-b", "TPb", "S-b", "C-b", "TPb"}},
	{"an announcement amid a probe", {"c-a", "TPa", "S-b", "TPb", "C-b"}},
	{"an announced MAC that does not answer", {"c-a", "S-b", "TPb", "TRb", "c-a"}},
	{"speaks up while silent", {"TR?", "TR?", "TR?", "TV!", "S-b", "TPb", "C-b"}},
	{"entry deleted", {"c-a", "n-a", "TRa", "c-a"}},
	{"entry deleted amid a probe", {"c-a", "TPa", "n-a", "TRa", "c-a"}},
	{"fixed by the operator", {"f-a", "T-a", "T-a"}},
	{"fixed, then deleted", {"f-a", "n-a", "TRa", "TRa", "TRa", "TV!"}},
	{"fixed while silent", {"TR?", "TR?", "TR?", "TV!", "f-a", "T-a"}},
	{"no longer fixed", {"f-a", "s-a", "TPa"}},
};

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static enum verify_action happen(struct verify *verify, char what, uint64_t *now)
{
	static const struct {
		char letter;
		enum verify_entry entry;
		const uint8_t *mac;
	} entries[] = {
		{'c', VERIFY_ENTRY_CURRENT, mac_a}, {'C', VERIFY_ENTRY_CURRENT, mac_b},
		{'s', VERIFY_ENTRY_STALE, mac_a},   {'S', VERIFY_ENTRY_STALE, mac_b},
		{'f', VERIFY_ENTRY_FIXED, mac_a},   {'n', VERIFY_ENTRY_NONE, NULL},
	};
	size_t i;

	if (what == 'T') {
		if (verify->due_us != UINT64_MAX)
			*now = verify->due_us;
		return verify_due(verify, *now);
	}
	*now += 1000;
	for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		if (entries[i].letter == what)
			verify_entry(verify, entries[i].entry, entries[i].mac, *now, INTERVAL_US);
	}
	return VERIFY_NOTHING;
}

static char verdict_letter(const struct verify *verify)
{
	switch (verify->verdict) {
	case VERIFY_UNKNOWN:
		return '?';
	case VERIFY_SILENT:
		return '!';
	case VERIFY_ANSWERS:
		break;
	}
	return !memcmp(verify->mac, mac_a, 6) ? 'a' : !memcmp(verify->mac, mac_b, 6) ? 'b' : 'x';
}

static void phases(void **state)
{
	static const char action_letters[] = {
		[VERIFY_NOTHING] = '-',
		[VERIFY_PROBE] = 'P',
		[VERIFY_RESOLVE] = 'R',
		[VERIFY_REVIVE] = 'V',
	};
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t now = 1000000;
		struct verify verify;

		verify_init(&verify, now);
		for (j = 0; j < STEPS_MAX && cases[i].steps[j]; j++) {
			const char *step = cases[i].steps[j];
			char action = action_letters[happen(&verify, step[0], &now)];
			char verdict = verdict_letter(&verify);

			if (action != step[1] || verdict != step[2])
				fail_msg("%s: step %zu, %s: found %c%c", cases[i].what, j + 1, step,
					 action, verdict);
		}
	}
}

/* From a MAC's last good moment until the new one is asked for must be well below a second, even
 * with one answer lost. */
static void how_long_a_wrong_mac_lasts(void **state)
{
	uint64_t now = 1000000, changed;
	struct verify verify;

	(void)state;
	verify_init(&verify, now);
	happen(&verify, 'c', &now);
	changed = now;
	assert_int_equal(happen(&verify, 'T', &now), VERIFY_PROBE);
	assert_int_equal(happen(&verify, 'T', &now), VERIFY_RESOLVE);
	assert_true(now - changed <= 700 * 1000);
	assert_int_equal(happen(&verify, 'T', &now), VERIFY_RESOLVE);
	assert_true(now - changed < 1000 * 1000);
}

/* A request that is due is never due at once again: the kernel is not flooded. */
static void requests_keep_their_distance(void **state)
{
	uint64_t now = 1000000;
	struct verify verify;
	int i;

	(void)state;
	verify_init(&verify, now);
	for (i = 0; i < 10; i++) {
		happen(&verify, 'T', &now);
		assert_true(verify.due_us >= now + 250 * 1000);
	}
	happen(&verify, 'c', &now);
	assert_true(verify.due_us >= now + INTERVAL_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(phases),
		cmocka_unit_test(how_long_a_wrong_mac_lasts),
		cmocka_unit_test(requests_keep_their_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
