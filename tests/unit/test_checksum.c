/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Checksums (bpf/checksum.h): one that is brought up to date by a difference is the one that
 * counting everything again gives, for any data and any replaced part; and what came damaged leaves
 * as damaged. The other way of counting is byte by byte, after RFC 1071.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../bpf/checksum.h"

enum { ROUNDS = 300000, WORDS = 12 };

/* Xorshift (Marsaglia, 2003), so that each run makes the same data. */
static uint32_t any(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* Zeros and ones are where sums carry and where they do not. */
static uint32_t any_word(void)
{
	switch (any() % 4) {
	case 0:
		return UINT32_MAX;
	case 1:
		return any() % 3 ? 0 : 1;
	default:
		return any();
	}
}

/* As it is written into a header: in the order of memory. */
static uint16_t counted(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;
	uint8_t out[2];
	uint16_t check;

	for (size_t i = 0; i < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	out[0] = (uint8_t)(~sum >> 8);
	out[1] = (uint8_t)~sum;
	memcpy(&check, out, sizeof(check));
	return check;
}

static uint64_t sum_words(const uint32_t *words, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

static void fold_is_the_sum(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t words[WORDS];

		for (int w = 0; w < WORDS; w++)
			words[w] = any_word();
		assert_int_equal((uint16_t)~checksum_fold(sum_words(words, WORDS)),
				 counted(words, sizeof(words)));
	}
	assert_int_equal(checksum_fold(0), 0);
	assert_int_equal(checksum_fold(UINT64_MAX), 0xffff);
	assert_int_equal(checksum_fold(0xffff0001), 1);
}

/* Data of all zeros has two checksums that hold; no packet is that. */
static void update_is_counting_again(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t words[WORDS], first = any() % WORDS, count = 1 + any() % (WORDS - first);
		uint64_t difference, old;
		uint16_t check;

		for (int w = 0; w < WORDS; w++)
			words[w] = any_word();
		words[first ? 0 : WORDS - 1] |= 0x450000; /* some of it stays, and is not zero */
		if (!first && count == WORDS)
			count--;
		check = counted(words, sizeof(words));
		old = sum_words(words + first, count);
		for (uint32_t w = first; w < first + count; w++)
			words[w] = any_word();
		difference = checksum_difference(old, sum_words(words + first, count));
		if (checksum_update(check, difference) != counted(words, sizeof(words)))
			fail_msg("round %d: %04x is updated to %04x, counted again it is %04x", i,
				 check, checksum_update(check, difference),
				 counted(words, sizeof(words)));
	}
}

static void differences_add_up(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS / 10; i++) {
		uint32_t a = any_word(), b = any_word(), c = any_word(), d = any_word();
		uint16_t check = (uint16_t)(1 + any() % 0xfffe);
		uint16_t once = checksum_update(check, checksum_difference(a, b) +
							       checksum_difference(c, d));
		uint16_t twice = checksum_update(checksum_update(check, checksum_difference(a, b)),
						 checksum_difference(c, d));

		/* Zero has two forms. */
		assert_int_equal(once % 0xffff, twice % 0xffff);
	}
}

/* The difference between what it says and what holds stays. */
static void damage_stays(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS / 10; i++) {
		uint32_t words[2] = {0x45454545, any_word()}, fresh = any_word();
		uint16_t right = counted(words, sizeof(words));
		uint16_t wrong = right ^ (uint16_t)(1 + any() % 0xfffe), after;
		uint64_t difference = checksum_difference(words[1], fresh);

		if (wrong % 0xffff == right % 0xffff)
			continue;
		words[1] = fresh;
		after = checksum_update(wrong, difference);
		assert_int_not_equal(after % 0xffff, counted(words, sizeof(words)) % 0xffff);
		assert_int_equal((after + 0xffffU - counted(words, sizeof(words))) % 0xffff,
				 (wrong + 0xffffU - right) % 0xffff);
	}
}

static void udp_zeros(void **state)
{
	(void)state;
	/* None stays none. */
	assert_int_equal(checksum_update_udp(0, checksum_difference(1, 2)), 0);
	/* One that comes out as zero is sent as all ones. */
	assert_int_equal(checksum_update(0x0001, checksum_difference(0, 1)), 0);
	assert_int_equal(checksum_update_udp(0x0001, checksum_difference(0, 1)), 0xffff);
	assert_int_equal(checksum_update_udp(0xffff, checksum_difference(1, 2)), 0xfffe);
}

static void addresses(void **state)
{
	const union lb_addr v4 = {.v4 = 0x01020304}, v6 = {.v6 = {1, 2, 3, UINT32_MAX}};

	(void)state;
	assert_int_equal(checksum_sum_address(4, &v4), 0x01020304);
	assert_int_equal(checksum_sum_address(6, &v6), 6ULL + UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fold_is_the_sum),    cmocka_unit_test(update_is_counting_again),
		cmocka_unit_test(differences_add_up), cmocka_unit_test(damage_stays),
		cmocka_unit_test(udp_zeros),          cmocka_unit_test(addresses),
	};

	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
