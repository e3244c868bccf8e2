#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""compare.py TREE TREE [--rounds N] [--rows REGEX]: rows of two builds of the benchmark, each round
of a row once with either, in turn: what the machine does meanwhile hits both. A difference is
beyond the spread if three quarters of the rounds agree about its sign."""

import argparse
import statistics
import subprocess
import sys

ROUNDS_MIN = 8  # with four, equal trees seem to differ once in six times, with eight once in eleven


class Server:
    """tests/bench/run --serve of a tree: see serve.h."""

    def __init__(self, tree, pattern):
        self.tree = tree
        self.process = subprocess.Popen(
            [f"{tree}/tests/bench/run", "--serve", "--rows", pattern],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.names = [line for line in iter(self.line, "")]

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            sys.exit(f"{self.tree}: the benchmark ended")
        return text.rstrip("\n")

    def round(self, name):
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return float(self.line().split()[0])

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def judge(before, after):
    """The change, a word about it, and the quartiles of the differences."""
    differences = [b - a for a, b in zip(before, after)]
    if len(differences) < ROUNDS_MIN:
        return "too few rounds"
    low, _, high = statistics.quantiles(differences, n=4)
    if low > 0:
        return "SLOWER"
    return "faster" if high < 0 else "within the spread"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trees", nargs=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--rows", default="")
    arguments = parser.parse_args()
    old, new = (Server(tree, arguments.rows) for tree in arguments.trees)
    print(f"{'ns above the floor':28} {'base':>9} {'this tree':>9} {'ratio':>7}", flush=True)
    for name in (n for n in new.names if n in old.names):
        rounds = {old: [], new: []}
        for number in range(arguments.rounds):
            for server in (old, new) if number % 2 else (new, old):
                rounds[server].append(server.round(name))
        before, after = (statistics.median(rounds[s]) for s in (old, new))
        print(
            f"{name:28} {before:9.1f} {after:9.1f} {after / before:7.3f}"
            f"  {judge(rounds[old], rounds[new])}",
            flush=True,
        )
    for name in sorted(set(new.names) ^ set(old.names)):
        print(f"{name:28} is in one of them only")
    old.end()
    new.end()


main()
