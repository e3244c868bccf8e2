# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
mutate: changes of sources that some test has to notice, read from a text file, and how they are
made and told. Knows neither the sources nor the tests: those who call it do (sim/mutations.py,
packet/mutations.py).

A block of the file is:

  clause: what is taken out, or done wrong
  seen by: WORD...               the test that has to fail then, in words of the caller
  file: PATH
  -LINE                          to be replaced; in the file exactly once, indented or not
  +LINE                          what comes in its place

A block may change several places, and several files.
"""
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field


@dataclass
class Mutation:
    clause: str
    test: list = None
    changes: list = field(default_factory=list)  # of [file, lines out, lines in]


def read_mutations(path):
    mutations = []
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            if line.startswith("clause: "):
                mutations.append(Mutation(line[8:]))
            elif line.startswith("seen by: "):
                mutations[-1].test = line[9:].split()
            elif line.startswith("file: "):
                mutations[-1].changes.append([line[6:], [], []])
            elif line[0] in "-+":
                # A line to take out after one to put in begins another place in the file.
                change = mutations[-1].changes[-1]
                if line[0] == "-" and change[2]:
                    change = [change[0], [], []]
                    mutations[-1].changes.append(change)
                change[1 if line[0] == "-" else 2].append(line[1:].strip())
            else:
                sys.exit(f"{path}:{number}: neither a heading nor a line to change")
    return mutations


def change_file(path, out, into):
    """Replaces the lines, whatever their indentation; they have to be there exactly once."""
    with open(path, encoding="utf-8") as source:
        text = source.read()
    pattern = r"^[ \t]*" + r"\n[ \t]*".join(re.escape(line) for line in out) + r"$"
    found = len(re.findall(pattern, text, re.MULTILINE))
    if found != 1:
        raise ValueError(f"{os.path.basename(path)} has {found} times: {' '.join(out)}")
    new = "\n".join(into)
    with open(path, "w", encoding="utf-8") as source:
        source.write(re.sub(pattern, lambda _: new, text, flags=re.MULTILINE))


def change_sources(mutation, sources):
    for path, out, into in mutation.changes:
        change_file(os.path.join(sources, path), out, into)


def tell(tests):
    """Runs pairs of a name and a function without arguments, which returns None or what is wrong, two
    at a time, and speaks TAP. Returns an exit status."""
    print(f"1..{len(tests)}")
    bad = 0
    with ThreadPoolExecutor(2) as pool:
        running = [(name, pool.submit(function)) for name, function in tests]
        for number, (name, future) in enumerate(running, 1):
            wrong = future.result()
            bad += wrong is not None
            print(f"{'ok' if wrong is None else 'not ok'} {number} {name}", flush=True)
            if wrong is not None:
                print("\n".join("# " + line for line in wrong.splitlines()), flush=True)
    return 1 if bad else 0
