#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""check_documents.py: README, manual pages and messages say what the programs do.

Every command line that README, a manual page or a message of a program tells a reader to type is one that the
program takes; commands and options of --help and of the manual pages are the same (those of lbctl in
more detail: check-lbctl-manual); `make` has the targets; and what promises.txt promises of commands, options and
metrics is in --help and in the pages. (What it promises of output: tests/netns/promises.bats.)
"""
import os
import re
import subprocess
import sys
from pathlib import Path

os.chdir(Path(__file__).parent.parent)
BUILD = Path(os.environ.get("BUILD", "build"))
PROGRAMS = ("lbd", "lbctl", "lbload", "lbdecap")
bad = []


def complain(text):
    bad.append(text)


def run(program, *words):
    return subprocess.run([BUILD / program, *words], capture_output=True, text=True, timeout=20,
                          check=False, stdin=subprocess.DEVNULL)


HELP = {program: run(program, "--help").stdout for program in PROGRAMS}
COMMANDS = {program: set(re.findall(rf"^  (?:{program} )?([a-z][a-z-]*)", HELP[program], re.M))
            for program in PROGRAMS}


def page(program):
    return Path(f"tools/man/{program}.8").read_text(encoding="utf-8")


# ---- lines to type ----

def check_line(where, line):
    """`line` begins with the name of a program."""
    line = re.split(r" [&|#>;]|[;&]|  #", line)[0].strip()
    program, *words = line.split()
    if program == "lbctl":
        # Help on a command is given only if the parser knows it and every option on the line.
        result = run("lbctl", *words, "--help")
        if result.returncode != 0:
            complain(f"{where}: `{line}`: {result.stderr.splitlines()[0]}")
        return
    valued = {option for option, _ in re.findall(r"(--?[a-zA-Z-]+) ([A-Zng]\S*)", HELP[program])}
    skip = False
    plain = []
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            if not re.search(rf"(^|[ ,]){re.escape(word)}\b", HELP[program], re.M):
                complain(f"{where}: `{line}`: {program} has no option {word}")
            skip = word in valued
        else:
            plain.append(word)
    if COMMANDS[program] and plain and plain[0] not in COMMANDS[program]:
        complain(f"{where}: `{line}`: {program} has no command {plain[0]}")


def typed_in_readme():
    """Code in the text, and lines of code blocks; in a row of a table, commands whose program the
    row has named once."""
    block = False
    for number, line in enumerate(Path("README.md").read_text(encoding="utf-8").splitlines(), 1):
        where = f"README.md:{number}"
        if line.startswith("```"):
            block = not block
        elif block:
            yield where, line.strip()
        else:
            named = None
            for code in re.findall(r"`([^`]+)`", line):
                first = code.split()[0]
                if first in PROGRAMS:
                    named = first
                    yield where, code
                elif line.startswith("|") and named and " " in code and first in COMMANDS[named]:
                    yield where, f"{named} {code}"
                else:
                    yield where, code


def typed_in_manuals():
    for path in sorted(Path("tools/man").glob("*.[1-9]")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            line = re.sub(r"^\.(Ql|Dl|Li) ", "", line).replace("\\-", "-")
            line = re.sub(r" [.,:;)]$", "", line)
            yield f"{path}:{number}", line.strip("\"")


def typed_in_messages():
    for path in sorted([*Path("user").glob("*.c"), *Path("tools").glob("*.c")]):
        # Texts that go on in the next line, as one.
        text = re.sub(r'"\s*\n\s*"', "", path.read_text(encoding="utf-8"))
        text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        for code in re.findall(r"`((?:lbctl|lbload|lbdecap) [^`\"]*)`", text):
            yield str(path), re.sub(r"%[-.0-9]*[a-z]+", "X", code)


def check_lines():
    told = 0
    for source in (typed_in_readme, typed_in_manuals, typed_in_messages):
        for where, line in source():
            words = line.split()
            if len(words) > 1 and words[0] in PROGRAMS and (re.match(r"[a-z-]", words[1])):
                check_line(where, line)
                told += 1
    if told < 60:
        complain(f"only {told} lines to type were found")


def check_targets():
    makefile = Path("Makefile").read_text(encoding="utf-8")
    have = set(re.findall(r"^([a-z-]+):", makefile, re.M)) | {"all"}
    have |= {f"fuzz-{name}" for name in re.search(r"FUZZ_TARGETS = (.*)", makefile)[1].split()}
    for where, line in typed_in_readme():
        match = re.match(r"make ([a-z-]+)$|make ([a-z-]+) ", line)
        target = match and (match[1] or match[2])
        if target and target not in have:
            complain(f"{where}: make has no target {target}")


# ---- --help and the pages ----

def check_pages():
    for program in PROGRAMS:
        text = page(program)
        told = set(re.findall(r"^\.It Fl (?:[a-zA-Z] , )?-([a-z-]+)", text, re.M))
        told |= set(re.findall(r"^\.It Fl [a-zA-Z] , -([a-z-]+)", text, re.M))
        helped = set(re.findall(r"--([a-z][a-z-]+)", HELP[program]))
        if program == "lbctl":
            told &= helped  # options of single commands: check-lbctl-manual
        for option in told ^ helped:
            complain(f"{program}: --{option} is only in " +
                     ("the manual page" if option in told else "--help"))
        if program in ("lbload", "lbdecap"):
            listed = set(re.findall(r"^\.It Cm ([a-z]+)", text, re.M)) & \
                set(re.findall(r"^\.Cm ([a-z]+)", text, re.M))
            for command in listed ^ COMMANDS[program]:
                complain(f"{program}: {command} is only in " +
                         ("the manual page" if command in listed else "--help"))


# ---- promises ----

def check_promises():
    kinds = {"command": 0, "option": 0, "metric": 0}
    for number, line in enumerate(Path("tests/promises.txt").read_text(encoding="utf-8").splitlines(), 1):
        kind, *words = line.split() or ["#"]
        if kind not in kinds:
            continue
        kinds[kind] += 1
        where = f"tests/promises.txt:{number}"
        if kind == "metric":
            if not re.search(rf"\b{words[0]}\b", page("lbd")):
                complain(f"{where}: lbd(8) does not tell of {words[0]}")
        else:
            check_line(where, " ".join(words))
            plain = [word for word in words if not word.startswith("-")]
            if kind == "command" and plain[0] != "lbd" and plain[1] not in COMMANDS[plain[0]]:
                complain(f"{where}: {plain[0]} has no command {plain[1]}")
    for kind, count in kinds.items():
        if count == 0:
            complain(f"tests/promises.txt: nothing of the kind '{kind}'")


check_lines()
check_targets()
check_pages()
check_promises()
print("\n".join(bad))
sys.exit(1 if bad else 0)
