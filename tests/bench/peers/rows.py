#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""rows.py FIGURES SKIPPED JSON_FILE: what tests/bench/peers/run measured, as a table and as rows
that are added to those in the file."""

import json
import os
import statistics
import sys

FLOOR = "router"
UNITS = {"connections": ("conn/s", 1), "bulk": ("Mbit/s", 8e-6)}


def read(path):
    figures = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            kind, what, value = line.split()
            figures.setdefault((what, kind), []).append(float(value) * UNITS[what][1])
    return figures


def row(figures, what, kind):
    values = figures[what, kind]
    floors = figures[what, FLOOR]
    quartiles = statistics.quantiles(values, n=4) if len(values) > 1 else [0, 0, 0]
    return {
        "name": f"peer-{kind}-{what}",
        "metric": "rate_of_one_core",
        "unit": UNITS[what][0],
        "value": statistics.median(values),
        "floor": statistics.median(floors),
        "ratio": statistics.median(v / f for v, f in zip(values, floors)),
        "rounds": len(values),
        "spread": quartiles[2] - quartiles[0],
    }


def main():
    figures_path, skipped_path, json_path = sys.argv[1:]
    figures = read(figures_path)
    rows = [row(figures, what, kind) for what, kind in figures if kind != FLOOR]
    rows.sort(key=lambda r: (r["unit"], -r["value"]))
    print("\nTCP through Limpet and others: client, balancer and server on one core together\n")
    print(f"{'':28} {'value':>10} {'':8} {'spread':>10} {'router':>10} {'ratio':>7}")
    for r in rows:
        print(f"{r['name']:28} {r['value']:10.0f} {r['unit']:8} {r['spread']:10.0f}"
              f" {r['floor']:10.0f} {r['ratio']:7.2f}")
    document = {"rows": []}
    if os.path.exists(json_path):
        with open(json_path, encoding="utf-8") as file:
            document = json.load(file)
    document["rows"] += rows
    with open(skipped_path, encoding="utf-8") as lines:
        for line in lines:
            kind, _, why = line.rstrip("\n").split(" ", 2)
            print(f"peer-{kind} SKIPPED: {why}")
            document.setdefault("skipped", {})[f"peer-{kind}"] = why
    with open(json_path + ".new", "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
    os.replace(json_path + ".new", json_path)


main()
