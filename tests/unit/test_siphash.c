/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SipHash-2-4 against its authors' vectors (user/siphash.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../user/siphash.h"

/* Key 00 01 .. 0f; the input of the n-th row is the n bytes 00 01 02 ... The row of 15 bytes is the
 * example of the paper's appendix A, the others go with the authors' reference code. */
static const uint64_t vectors[] = {
	0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
	0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
	0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
	0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
	0x3f2acc7f57c29bdb,
};

static const uint8_t key[LB_SEED_SIZE] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

static void test_reference_vectors(void **state)
{
	uint8_t input[sizeof(vectors) / sizeof(*vectors)];

	(void)state;
	for (size_t i = 0; i < sizeof(input); i++) {
		input[i] = (uint8_t)i;
		assert_int_equal(siphash(key, input, i), vectors[i]);
	}
}

static void test_alignment_does_not_matter(void **state)
{
	uint8_t buffer[16 + 8];

	(void)state;
	for (size_t shift = 0; shift < 8; shift++) {
		for (size_t i = 0; i < 15; i++)
			buffer[shift + i] = (uint8_t)i;
		assert_int_equal(siphash(key, buffer + shift, 15), vectors[15]);
	}
}

static void test_every_bit_of_the_key_counts(void **state)
{
	(void)state;
	for (int bit = 0; bit < LB_SEED_SIZE * 8; bit++) {
		uint8_t other[LB_SEED_SIZE];

		for (int i = 0; i < LB_SEED_SIZE; i++)
			other[i] = key[i];
		other[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_not_equal(siphash(other, "x", 1), siphash(key, "x", 1));
	}
}

/* All nodes of a site derive the same keys, whatever program version they run. */
static void test_expand(void **state)
{
	uint64_t keys[LB_HASH_KEYS];

	(void)state;
	siphash_expand(key, keys);
	assert_int_equal(keys[0], 0x91c336f202019780);
	assert_int_equal(keys[11], 0x30a6d87c78390901);
	for (int i = 0; i < LB_HASH_KEYS; i++) {
		assert_int_equal(keys[i], siphash(key, (uint8_t[]){'l', 'b', (uint8_t)i}, 3));
		for (int j = 0; j < i; j++)
			assert_int_not_equal(keys[i], keys[j]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference_vectors),
		cmocka_unit_test(test_alignment_does_not_matter),
		cmocka_unit_test(test_every_bit_of_the_key_counts),
		cmocka_unit_test(test_expand),
	};

	return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
