/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * overrides_file: a state file that was cut, has a byte that is another one, or a block of zeroes,
 * as disks leave them: it is read, or set aside, or refused with a reason; and what was read makes
 * a model as a start of lbd would. A failure prints the case's number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../user/config.h"
#include "../../user/overrides.h"

enum { CASES = 1500 };

static const char file[] = "version: 1\n"
			   "pools:\n"
			   "- name: web\n"
			   "  backends:\n"
			   "  - {name: web1, address: 10.0.0.11}\n"
			   "  - {name: web2, address: 10.0.0.12}\n"
			   "services:\n"
			   "- {name: http, listen: \"tcp://192.0.2.10:80\", pool: web}\n";

static const char other[] = "version: 1\n"
			    "global: {metrics: \"127.0.0.1:9555\"}\n"
			    "pools:\n"
			    "- name: web\n"
			    "  track: always\n"
			    "  backends:\n"
			    "  - {name: web1, address: 10.0.0.11, admin: drain}\n"
			    "  - {name: web3, address: 10.0.0.13, weight: 3}\n"
			    "- {name: more, forward: l2}\n"
			    "services:\n"
			    "- {name: http, listen: \"tcp://192.0.2.10:81\", pool: web}\n"
			    "- {name: dns, listen: \"udp://192.0.2.10:53\", pool: more}\n";

static uint64_t random_state = 7;

static size_t below(size_t limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(random_state >> 33) % limit;
}

static struct model *parse(const char *text)
{
	struct config_errors errors = {0};
	struct model *model = config_parse(text, strlen(text), NULL, &errors);

	assert_non_null(model);
	return model;
}

static size_t read_file(const char *path, char *out, size_t room)
{
	FILE *in = fopen(path, "r");
	size_t size;

	assert_non_null(in);
	size = fread(out, 1, room, in);
	fclose(in);
	return size;
}

static void write_file(const char *path, const char *text, size_t size)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_int_equal(fwrite(text, 1, size, out), size);
	fclose(out);
	assert_int_equal(chmod(path, 0600), 0);
}

static size_t damage(char *text, size_t size)
{
	size_t at = below(size), length;

	switch (below(4)) {
	case 0:
		return at;
	case 1:
		text[at] = (char)below(256);
		return size;
	case 2:
		/* Still text, so that what is behind the parser sees it. */
		text[at] = "{}[]\",:0a-"[below(10)];
		return size;
	default:
		length = size - at < 64 ? size - at : 64;
		memset(text + at, 0, length);
		return size;
	}
}

static void test_damaged_anywhere(void **state)
{
	static char whole[65536], text[65536];
	char directory[] = "/tmp/limpet-damage-XXXXXX", path[64], aside[80];
	struct model *base = parse(file), *wanted = parse(other), *model;
	struct overrides *set = overrides_create(), *made;
	unsigned loaded = 0, set_aside = 0;
	struct fault fault = {0};
	size_t size;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/state.json", directory);
	snprintf(aside, sizeof(aside), "%s.damaged", path);
	made = overrides_whole(set, base, wanted, &fault);
	assert_non_null(made);
	model = overrides_apply(made, base, &fault);
	assert_int_equal(overrides_drains(made, model, NULL, 1700000000000, &fault), 0);
	model_free(model);
	assert_int_equal(overrides_save(made, path, &fault), 0);
	overrides_free(made);
	overrides_free(set);
	size = read_file(path, whole, sizeof(whole));
	for (unsigned i = 0; i < CASES; i++) {
		memcpy(text, whole, size);
		write_file(path, text, damage(text, size));
		fault = (struct fault){0};
		set = overrides_load(path, &fault);
		set_aside += access(aside, F_OK) == 0;
		unlink(aside);
		if (!set && !fault.message[0])
			fail_msg("case %u: refused without a reason", i);
		if (!set)
			continue;
		loaded++;
		overrides_rebase(set, base, NULL, NULL);
		model = overrides_apply(set, base, &fault);
		if (!model)
			fail_msg("case %u: %s", i, fault.message);
		if (overrides_drains(set, model, NULL, 1700000000000, &fault) != 0)
			fail_msg("case %u: drains: %s", i, fault.message);
		model_free(model);
		overrides_free(set);
	}
	/* The cases reach both. */
	assert_true(set_aside > CASES / 4 && loaded > set_aside);
	unlink(path);
	rmdir(directory);
	model_free(base);
	model_free(wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
