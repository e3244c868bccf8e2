# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""judge.py OUT SCENARIO...: makes rows of what scenarios left beside OUT, writes them to OUT and
prints a table. Exit status 1 if something broke that should not have.

A break is allowed where the client's own log shows why: its last answer came from a backend that was
killed or failed its checks since, or it had been silent for longer than its timeout. A connection that
never got an answer is no flow yet: that is a failed opening, allowed while some backend was down. A
client's move is allowed where the backend of its last visit went away since, or it was away for longer
than the timeout.
"""
import collections
import json
import os
import sys

TICK_MS = 1074 # what the data plane counts time in; its timeouts may last two of them longer
SLACK_MS = 20  # clocks are read in steps of 10
WINDOW = 200   # arrivals, to see a share in
NEVER = float("inf")


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return [json.loads(line) for line in file if line.strip()]


def absences(events, begin, end):
    """By backend, the times [from, to] between events of the kinds `begin` and `end`."""
    times = collections.defaultdict(list)
    for event in events:
        spans = times[event["backend"]]
        if event["what"] in begin and not (spans and spans[-1][1] == NEVER):
            spans.append([event["t"] - SLACK_MS, NEVER])
        elif event["what"] in end and spans and spans[-1][1] == NEVER:
            spans[-1][1] = event["t"] + SLACK_MS
    return times


def absent_since(spans, answered, now):
    """Whether one of the times touches that between the last answer and now."""
    return any(answered <= end and now >= start for start, end in spans)


class Scenario:
    def __init__(self, directory, name):
        self.name = name
        self.meta = lines(os.path.join(directory, "meta.json"))[0]
        with open(os.path.join(directory, "client.json"), encoding="ascii") as file:
            self.log = json.load(file)
        self.events = lines(os.path.join(directory, "events.jsonl"))
        self.samples = lines(os.path.join(directory, "samples.jsonl"))
        self.entries = lines(os.path.join(directory, "entries.jsonl"))
        self.facts = {fact.pop("phase"): fact
                      for fact in lines(os.path.join(directory, "facts.jsonl"))}
        self.down = absences(self.events, ("down", "maint"), ("up", "ready"))
        self.away = absences(self.events, ("down", "maint", "drain", "del"), ("up", "ready", "add"))

    # ---- what was allowed ----

    def idle_limit(self, happening):
        udp = self.log["groups"][happening["group"]]["proto"] == "udp"
        return self.meta["idle_udp_ms" if udp else "idle_tcp_ms"]

    def break_allowed(self, item):
        return (absent_since(self.down[item["from"]], item["last_answer"], item["t"]) or
                item["quiet_ms"] > self.idle_limit(item))

    def opening_allowed(self, item):
        return any(absent_since(spans, item["opened"], item["t"]) for spans in self.down.values())

    def move_allowed(self, item):
        answered = item["last_answer"]
        # No datagram says that it begins a flow: a client that moved to another backend goes on to
        # be served by the old one, if that can, for as long as an old flow of its may live.
        if self.log["groups"][item["group"]]["proto"] == "udp":
            answered -= self.meta["idle_udp_ms"] + 2 * TICK_MS
        return (absent_since(self.away[item["from"]], answered, item["t"]) or
                item["quiet_ms"] > self.meta.get("client_timeout_ms", NEVER))

    # ---- backends over time ----

    def weights_at(self, time):
        """What each backend shall get of new clients, as parts of 1."""
        weights = dict(self.meta["backends"])
        away = collections.defaultdict(set)
        for event in self.events:
            if event["t"] > time:
                break
            backend, what = event["backend"], event["what"]
            if what in ("add", "weight"):
                weights[backend] = event["weight"]
            if what == "del":
                weights.pop(backend, None)
            if what in ("down", "drain", "retire"):
                away[backend].add(what)
            elif what == "up":
                away[backend].discard("down")
            elif what in ("ready", "add"):
                away[backend] -= {"drain", "retire"}
        usable = {name: weight for name, weight in weights.items() if not away[name]}
        total = sum(usable.values()) or 1
        return {name: weight / total for name, weight in usable.items()}

    @staticmethod
    def imbalance(counts, shares):
        """The fullest backend against its share: 1 is perfect."""
        total = sum(counts.get(name, 0) for name in shares)
        if not total:
            return None
        return round(max(counts.get(name, 0) / total / share
                         for name, share in shares.items() if share), 3)

    def share_delay(self, start, end):
        """Milliseconds from the event that brought a backend to the first of WINDOW arrivals of which
        four fifths of its share are its; None if no backend came, -1 if it never got it."""
        came = [event for event in self.events if start <= event["t"] < end and
                event["what"] in ("add", "ready")]
        if len(came) != 1:
            return None
        backend = came[0]["backend"]
        share = self.weights_at(came[0]["t"]).get(backend, 0)
        arrivals = [(t, name) for t, name in self.log["arrivals"] if start <= t < end]
        since = came[0].get("since", came[0]["t"])
        for i, (t, name) in enumerate(arrivals[:max(0, len(arrivals) - WINDOW + 1)]):
            window = arrivals[i:i + WINDOW]
            if name == backend and t >= since and \
                    sum(n == backend for _, n in window) >= 0.8 * share * WINDOW:
                return t - since
        return -1

    # ---- rows ----

    def rows(self):
        marks = self.log["marks"]
        return [self.row(marks[i], marks[i + 1]) for i in range(len(marks) - 1)]

    def row(self, mark, after):
        start, end = mark["t"], after["t"]

        def within(items):
            return [item for item in items if start <= item["t"] < end]

        def grown(field):
            return sum(after["groups"][name][field] - group[field]
                       for name, group in mark["groups"].items())

        breaks = within(self.log["breaks"])
        broken = [item for item in breaks if item["from"] is not None]
        failed = [item for item in breaks if item["from"] is None]
        allowed = [item for item in broken if self.break_allowed(item)]
        samples = within(self.samples)
        row = {
            "name": f"{self.name}: {mark['name']}",
            "flows": sum(group["live"] for group in mark["groups"].values()) + grown("opened"),
            "at_once": sum(group["live"] for group in mark["groups"].values()),
            "broken": len(broken),
            "broken_allowed": len(allowed),
            "causes": dict(collections.Counter(item["cause"] for item in broken)),
            "openings_failed": len(failed),
            "openings_failed_allowed": sum(self.opening_allowed(item) for item in failed),
            "answers": grown("answers"),
            "datagrams_lost": grown("lost"),
            "peak_entries": max((count["entries"] for count in within(self.entries)), default=None),
            "unsettled_slots": samples[-1]["unsettled_slots"] if samples else None,
            "seconds": round((end - start) / 1000, 1),
        }
        if self.meta.get("affinity"):
            row.update(self.affinity(mark, after))
        row.update(self.facts.get(mark["name"], {}))
        row["goal"] = "not set" if row.get("judged") is False else \
            "met" if self.goal(row) else "missed"
        return row

    def affinity(self, mark, after):
        start, end = mark["t"], after["t"]
        moves = [item for item in self.log["moves"] if start <= item["t"] < end]
        known = sum(mark["clients"].values())
        shares = self.weights_at(end - SLACK_MS)
        half = [name for t, name in self.log["arrivals"] if (start + end) / 2 <= t < end]
        return {
            "clients": known,
            "moved": len(moves),
            "moved_allowed": sum(self.move_allowed(item) for item in moves),
            "moved_share": round(len(moves) / known, 4) if known else None,
            "imbalance_known": self.imbalance(after["clients"], shares),
            "imbalance_new": self.imbalance(collections.Counter(half), shares),
            "share_after_ms": self.share_delay(start, end),
            "peak_client_records": max((count["client_records"] for count in self.entries
                                        if start <= count["t"] < end), default=None),
            "clients_remembered": self.meta["affinity"] == "timeout",
        }

    def goal(self, row):
        good = (row["broken"] == row["broken_allowed"] and
                row["openings_failed"] == row["openings_failed_allowed"] and
                row.get("fact_good", True))
        if row.get("clients_remembered"):
            delay = row["share_after_ms"]
            good = good and row["moved"] == row["moved_allowed"] and \
                (delay is None or 0 <= delay <= (self.meta["check_ms"] or NEVER))
        return good


# ---- the table ----

COLUMNS = [("name", "scenario", 46), ("flows", "flows", 8), ("broken", "broken", 7),
           ("broken_allowed", "allowed", 8), ("peak_entries", "peak", 8), ("seconds", "s", 6)]


def remarks(row):
    out = []
    if row["causes"]:
        out.append(", ".join(f"{count} {cause}" for cause, count in sorted(row["causes"].items())))
    if row["openings_failed"]:
        out.append(f"{row['openings_failed']} openings failed"
                   f" ({row['openings_failed_allowed']} allowed)")
    if "moved" in row:
        out.append(f"{row['moved']} of {row['clients']} clients moved ({row['moved_allowed']} allowed)")
        if row["imbalance_new"]:
            out.append(f"new ones even to {row['imbalance_new']}")
        if row["share_after_ms"] is not None:
            out.append(f"its share after {row['share_after_ms']} ms")
    if row.get("remark"):
        out.append(row["remark"])
    if row["goal"] == "missed":
        out.append("MISSED")
    return "; ".join(out)


def print_table(rows):
    print("".join(f"{title:>{width}}" if key != "name" else f"{title:<{width}}"
                  for key, title, width in COLUMNS))
    for row in rows:
        cells = "".join(f"{'-' if row[key] is None else row[key]:>{width}}"
                        if key != "name" else f"{row[key]:<{width}}" for key, _, width in COLUMNS)
        print(f"{cells}  {remarks(row)}".rstrip())


def main():
    out, names = sys.argv[1], sys.argv[2:]
    rows = []
    for name in names:
        rows += Scenario(os.path.join(os.path.dirname(out), name), name).rows()
    with open(out, "w", encoding="ascii") as file:
        json.dump(rows, file, indent=1)
        file.write("\n")
    print_table(rows)
    judged = [row for row in rows if row["goal"] != "not set"]
    missed = [row for row in judged if row["goal"] != "met"]
    wrong = sum(row["broken"] - row["broken_allowed"] for row in judged)
    print(f"\n{len(rows)} scenarios, {wrong} flows broken that should not have been,"
          f" {len(missed)} goals missed")
    sys.exit(1 if missed or not rows else 0)


main()
