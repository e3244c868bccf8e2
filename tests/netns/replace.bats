#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The program is replaced while packets pass through it without pause, hundreds of thousands a second,
# each of which is counted where it comes back. `make bench-control` does it 1,000 times.

bats_require_minimum_version 1.5.0
cd "$BATS_TEST_DIRNAME/../.." || exit

@test "lbload replace, 20 times under load: no packet is lost" {
	run tests/replace/run 20
	echo "$output"
	[[ $status == 0 && $output == *" 0 lost"* ]]
}
