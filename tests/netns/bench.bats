#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The benchmark itself: that it measures what it says, and writes the rows that others read. How long
# anything takes is no matter here.

bats_require_minimum_version 1.5.0

setup_file()
{
	cd "$BATS_TEST_DIRNAME/../.." || return
	export BENCH_JSON=$BATS_FILE_TMPDIR/bench.json
}

names() { jq -r '.rows[].name' "$BENCH_JSON"; }

# has NAME...: a row for each, with all fields and no others.
has()
{
	local name
	for name; do
		jq -e --arg name "$name" '[.rows[] | select(.name == $name)] |
			length == 1 and all(.[]; keys == ["floor", "metric", "name", "ratio",
				"rounds", "spread", "unit", "value"])' "$BENCH_JSON" >/dev/null || {
			echo "no such row, or not one: $name" >&2
			return 1
		}
	done
}

@test "a few packets of every row end as the row says" {
	run -0 tests/bench/run --tiny --rounds 1
	echo "$output"
	[[ $output == *"peer-ipvs-1m SKIPPED: no IPVS in this run"* ]]
	[[ $output == *"drop-v4-frag"*"Limpet forwards it"* ]]
}

@test "whole-path rows are all there" {
	local family pool flows
	for family in v4 v6; do
		for pool in changed always client; do
			for flows in 1 1k 100k 1m; do has "path-$family-$pool-$flows"; done
		done
	done
	has path-v4-changed-1m-1000svc path-v4-syn-1m scale-2cores memory-10m-flows memory-pool \
		memory-flow-v4 memory-flow-v6 memory-10m-tracked-v4 memory-10m-tracked-v4-slab
}

@test "so are the rows of the kernel's benchmark, and those it has not" {
	has tcp-v4-lru-hit tcp-v4-ch tcp-v6-lru-hit tcp-v6-ch udp-v4-lru-hit udp-v6-lru-hit \
		tcp-v4v6-lru-hit tcp-v4-lru-diverse tcp-v4-ch-diverse tcp-v6-lru-diverse \
		tcp-v6-ch-diverse udp-v4-lru-diverse tcp-v4-lru-miss udp-v4-lru-miss \
		tcp-v4-lru-warmup tcp-v4-syn tcp-v4-rst-miss pass-v4-no-vip pass-v6-no-vip \
		pass-v4-icmp pass-non-ip drop-v4-frag drop-v4-options drop-v6-frag
	has unsettled-entry unsettled-fallback known-client new-client gue l2 nat
}

@test "flows that pass through a settled pool leave nothing" {
	jq -e '.rows[] | select(.name == "memory-10m-flows") | .value == 0' "$BENCH_JSON"
}

@test "connections pass through Limpet and its peers, or it is said why not" {
	local peer
	run -0 tests/bench/peers/run 1 0.2 "$BENCH_JSON"
	echo "$output"
	has peer-limpet-connections peer-limpet-bulk
	for peer in haproxy nginx nftables; do
		jq -e --arg peer "peer-$peer" '.skipped[$peer] != null' "$BENCH_JSON" ||
			has "peer-$peer-connections" "peer-$peer-bulk"
	done
	jq -e '.rows[] | select(.name | test("^peer-.*-(connections|bulk)$")) | .value > 0' "$BENCH_JSON"
}

@test "the lines of the program's source are told by address" {
	local told=$BATS_TEST_TMPDIR/lines
	BENCH_JSON=$BATS_TEST_TMPDIR/one.json run -0 tests/bench/run --tiny --rounds 1 \
		--rows '^path-v4-changed-1$' --lines "$told"
	grep -Eq '^function [0-9a-f]{16} [1-9][0-9]*$' "$told"
	grep -Eq '^line [0-9a-f]{16} lb\.bpf\.c:[0-9]+ int limpet\(struct xdp_md \*ctx\)$' "$told"
	grep -Eq '^line [0-9a-f]{16} slot\.h:[0-9]+ .*LOAD_ONCE' "$told"
}

@test "the chart shows what the rows say" {
	run -0 tests/bench/chart.py "$BENCH_JSON" "$BATS_TEST_TMPDIR/bench.svg"
	grep -q '<text[^>]*>tcp-v4-ch</text>' "$BATS_TEST_TMPDIR/bench.svg"
}

@test "an option that is none, and a pattern that is none, are refused" {
	run -2 tests/bench/run --rounds 0
	run -2 tests/bench/run --rows '('
}
