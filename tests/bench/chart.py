#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""chart.py JSON_FILE SVG_FILE: the benchmark's rows as a picture."""

import json
import sys
from html import escape

WIDTH, MARGIN, LABEL, BAR = 1000, 24, 250, 15
COLOURS = {
    "changed": "#2a6f97",
    "client": "#61a5c2",
    "always": "#e07a5f",
    "nftables": "#8d99ae",
    "other": "#2a6f97",
}
FLOWS = ("1", "1k", "100k", "1m")


class Canvas:
    def __init__(self):
        self.parts, self.y = [], MARGIN

    def text(self, x, y, words, **style):
        attributes = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in style.items())
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}"{attributes}>{escape(words)}</text>')

    def title(self, words, note=""):
        self.y += 26
        self.text(MARGIN, self.y, words, font_weight="bold", font_size="16")
        if note:
            self.y += 18
            self.text(MARGIN, self.y, note, fill="#555")
        self.y += 12

    def bar(self, label, value, most, unit, colour):
        room = WIDTH - LABEL - 2 * MARGIN - 110
        length = max(room * value / most, 1) if most > 0 else 1
        middle = self.y + BAR - 4
        self.text(LABEL + MARGIN - 8, middle, label, text_anchor="end")
        self.parts.append(
            f'<rect x="{LABEL + MARGIN}" y="{self.y}" width="{length:.1f}" height="{BAR - 3}"'
            f' fill="{colour}"/>'
        )
        self.text(LABEL + MARGIN + length + 6, middle, f"{value:,.0f} {unit}", fill="#333")
        self.y += BAR

    def svg(self):
        height = self.y + MARGIN
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
            f' viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(self.parts) + "\n</svg>\n"
        )


def paths(canvas, rows, family):
    kinds = ("changed", "client", "always")
    shown = [
        (f"{kind}, {flows} flow{'s' if flows != '1' else ''}", rows.get(name), kind)
        for flows in FLOWS
        for kind, name in [(k, f"path-{family}-{k}-{flows}") for k in kinds]
        + ([("nftables", f"peer-nftables-{flows}")] if family == "v4" else [])
    ]
    shown = [entry for entry in shown if entry[1]]
    if not shown:
        return
    most = max(row["value"] for _, row, _ in shown)
    canvas.title(
        f"Whole path, IP{family}", "ns above a program that adds a constant outer header; less is better"
    )
    last = None
    for label, row, kind in shown:
        flows = label.split(", ")[1]
        canvas.y += 6 if last not in (None, flows) else 0
        last = flows
        canvas.bar(label, row["value"], most, "ns", COLOURS[kind])


def rest(canvas, rows, title, note, wanted):
    shown = [row for name, row in rows.items() if wanted(name)]
    if not shown:
        return
    canvas.title(title, note)
    most = max(row["value"] for row in shown)
    for row in shown:
        ours = not row["name"].startswith("peer-") or "limpet" in row["name"]
        canvas.bar(
            row["name"].removeprefix("peer-"), row["value"], most, row["unit"],
            COLOURS["other" if ours else "nftables"],
        )  # fmt: skip


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = {row["name"]: row for row in json.load(file)["rows"]}
    canvas = Canvas()
    for family in ("v4", "v6"):
        paths(canvas, rows, family)
    others = ("path-v4-changed-1m-1000svc", "path-v4-syn-1m")
    rest(
        canvas, rows, "Whole path, IPv4, other traffic", "a million flows over 1,000 services;"
        " packets that open flows", others.__contains__,
    )  # fmt: skip
    program = [n for n, r in rows.items() if r["unit"] == "ns" and n[:5] not in ("path-", "peer-")]
    rest(canvas, rows, "Program alone", "ns above its floor; less is better", program.__contains__)
    for what, title in (("connections", "TCP connections"), ("bulk", "TCP, one way")):
        rest(
            canvas, rows, title, "client, balancer and server on one core together; more is better",
            lambda name, what=what: name.startswith("peer-") and name.endswith(what),
        )  # fmt: skip
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        file.write(canvas.svg())


main()
