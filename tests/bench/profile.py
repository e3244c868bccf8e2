#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""profile.py [--rounds N] [ROW...]: where the time of a row of the benchmark goes, by line of the
program's source (root, needs perf).

A timer looks 20,000 times in a second where the core is: machines without counters of cycles have
that, too. What is waited for is the load before the line that is named, or on it. Of the kernel only
the functions that look things up in maps are the program's; all others the floor has as well."""

import argparse
import bisect
import collections
import json
import os
import subprocess
import sys
import tempfile

ROWS = ["path-v4-changed-1m", "path-v4-changed-1m-1000svc", "path-v4-always-1m", "path-v4-client-1m"]
LINES = 12
MAP_FUNCTIONS = {
    "lookup_nulls_elem_raw": "hash look-up: walking to the entry",
    "htab_map_hash": "hash look-up: hashing the key",
    "__htab_map_lookup_elem": "hash look-up: the rest",
    "htab_map_lookup_elem": "hash look-up: the rest",
    "trie_lookup_elem": "trie look-up",
}


class Code:
    """What tests/bench/lines.h writes."""

    def __init__(self, path):
        self.functions, lines = [], []
        with open(path, encoding="utf-8") as file:
            for text in file:
                kind, address, rest = text.rstrip("\n").split(" ", 2)
                if kind == "function":
                    self.functions.append((int(address, 16), int(rest)))
                elif ":0 " not in rest:  # what the compiler added belongs to the line before
                    lines.append((int(address, 16), rest))
        lines.sort()
        self.addresses = [address for address, _ in lines]
        self.texts = [text for _, text in lines]

    def line(self, address):
        """The line at an address of the program's; else None."""
        if not any(start <= address < start + length for start, length in self.functions):
            return None
        return self.texts[max(bisect.bisect_right(self.addresses, address) - 1, 0)]


def samples(data):
    """(address, symbol) of each."""
    script = ["perf", "script", "-i", data, "-F", "ip,sym"]
    with subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        for text in run.stdout:
            fields = text.split()
            if len(fields) > 1:
                yield int(fields[0], 16), fields[1]


def profile(row, rounds, directory):
    data, lines, figures = (f"{directory}/{name}" for name in ("data", "lines", "json"))
    core = max(os.sched_getaffinity(0))  # that the benchmark takes
    record = ["perf", "record", "-q", "-C", str(core), "-e", "cpu-clock:k", "-F", "20000", "-o", data]
    bench = ["tests/bench/run", "--rounds", str(rounds), "--rows", f"^{row}$", "--lines", lines]
    ran = subprocess.run(
        record + ["--"] + bench,
        env=dict(os.environ, BENCH_JSON=figures),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        sys.exit(f"{row}: measuring it under perf: {(ran.stderr or ran.stdout).strip()}")
    with open(figures, encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    if not rows:
        sys.exit(f"{row}: the benchmark has no such row; see tests/bench/rows.c")
    return rows[0], Code(lines), samples(data)


def annotate(row, rounds, directory):
    figure, code, taken = profile(row, rounds, directory)
    where = collections.Counter()
    for address, symbol in taken:
        place = MAP_FUNCTIONS.get(symbol) or code.line(address)
        if place:
            where[place] += 1
    total = sum(where.values())
    if not total:
        sys.exit(f"{row}: no sample met the program; is kernel.perf_event_paranoid above 1?")
    print(f"\n{row}: {figure['value']:.0f} ns above {figure['floor']:.0f}; {total} samples in the program")
    for place, count in where.most_common(LINES):
        print(f"{100 * count / total:6.1f} %  {place}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="*", default=ROWS)
    parser.add_argument("--rounds", type=int, default=31)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        for row in arguments.rows or ROWS:
            annotate(row, arguments.rounds, directory)


if __name__ == "__main__":
    main()
