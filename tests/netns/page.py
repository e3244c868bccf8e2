#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the status page shows, from the DOM a browser dumped: a line of JSON for each backend, service,
pool, pinned client, verdict and event."""
import html.parser
import json
import sys

SYMBOLS = "●✕?↘⏸ "


class Page(html.parser.HTMLParser):
    """Text of elements with data-field, in the row (data-key) and pool (data-pool) around them."""

    def __init__(self):
        super().__init__()
        self.depth = 0
        self.pool = self.section = self.row = self.field = None
        self.rows = {}

    def place(self):
        return (self.section, self.pool, self.row)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag in ("meta", "link", "input", "br"):
            return
        if "data-pool" in attrs:
            self.pool, self.row = attrs["data-pool"], None
        if attrs.get("id") in ("pins", "pools", "services", "verdicts", "events", "figures"):
            self.section, self.row = attrs["id"], None
            if self.section != "pools":
                self.pool = None
        if "data-key" in attrs:
            self.row = attrs["data-key"]
        if "data-field" in attrs:
            self.field = attrs["data-field"]
            self.rows.setdefault(self.place(), {})[self.field] = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th", "b"):
            self.field = None
        if tag == "table":
            self.row = None

    def handle_data(self, data):
        if self.field:
            self.rows[self.place()][self.field] += data


def line(place, fields):
    section, pool, row = place
    fields = {name: text.strip() for name, text in fields.items()}
    if section == "pools" and row:
        fields.pop("why", None)
        fields["pool"] = pool
        for word in ("admin", "health"):
            fields[word] = fields[word].strip(SYMBOLS)
    elif section == "pools":
        fields["pool"] = pool
        fields = {name: text.replace(",", "") for name, text in fields.items()}
    elif section == "pins":
        fields["pinned"] = fields.pop("client")
    elif section == "services":
        fields["service"] = fields.pop("name")
        fields["packets"] = fields["packets"].replace(",", "")
    elif section == "verdicts" and fields["verdict"].startswith(("drop_", "refused_")):
        fields["packets"] = fields["packets"].replace(",", "")
    elif section == "events":
        fields["told"] = fields["told"].replace("→", "->")
    else:
        return None
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


page = Page()
with open(sys.argv[1], encoding="utf-8") as dom:
    page.feed(dom.read())
for each in page.rows.items():
    text = line(*each)
    if text:
        print(text)
