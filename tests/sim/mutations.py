#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Takes each clause out of the rules, and sees that a test notices.

  mutations.py DIRECTORY [WORD...]    all of mutations.txt, or those whose clause has one of the
                                      words; DIRECTORY has the programs as the sources are

The sources are copied to a directory of their own, changed there as mutations.txt says, and the
program that it names is compiled against them: it has to fail. First the same programs have to
pass with the sources as they are, with the same arguments. Speaks TAP.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SOURCES = ["bpf", "user", "tests/host", "tests/sim"]
LINKED = ["user/slots.c", "user/maglev.c", "user/siphash.c"]
SECONDS = 120  # for one program, on a machine that is busy


@dataclass
class Mutation:
    clause: str
    test: list = None  # program and arguments
    changes: list = field(default_factory=list)  # of [file, lines out, lines in]


def read_mutations(path):
    """Blocks as described in mutations.txt itself."""
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


def copy_sources(to):
    for directory in SOURCES:
        os.makedirs(os.path.join(to, directory))
        for name in os.listdir(os.path.join(ROOT, directory)):
            if name.endswith((".c", ".h")):
                shutil.copy(os.path.join(ROOT, directory, name), os.path.join(to, directory))


def compile_program(name, sources, program):
    # Not optimised: compiling is most of the work.
    command = ["gcc", "-std=gnu11", "-O0", "-w", "-D_GNU_SOURCE", "-Itests/host"]
    command += ["-o", program, f"tests/sim/{name}.c"] + LINKED
    subprocess.run(command, cwd=sources, check=True, capture_output=True, text=True)


def run_program(program, arguments):
    """The exit status, and the last line of what it says."""
    done = subprocess.run([program] + arguments, capture_output=True, text=True, timeout=SECONDS)
    said = done.stdout.strip().splitlines()
    return done.returncode, said[-1] if said else done.stderr.strip()


def try_mutation(mutation):
    """None if the test sees it, else what is wrong."""
    with tempfile.TemporaryDirectory(prefix="limpet-mutation-") as sources:
        program = os.path.join(sources, "program")
        try:
            copy_sources(sources)
            for path, out, into in mutation.changes:
                change_file(os.path.join(sources, path), out, into)
            compile_program(mutation.test[0], sources, program)
            status, said = run_program(program, mutation.test[1:])
        except ValueError as error:
            return str(error)
        except subprocess.CalledProcessError as error:
            return error.stderr
        except subprocess.TimeoutExpired:
            return f"it took longer than {SECONDS} s"
    if status == 0:
        return "nobody noticed: " + said
    return None if status == 1 else f"it did not fail but ended with status {status}"


def try_unchanged(build, test):
    status, said = run_program(os.path.join(build, test[0]), test[1:])
    return None if status == 0 else "it fails as it is: " + said


def main():
    mutations = read_mutations(os.path.join(HERE, "mutations.txt"))
    if sys.argv[2:]:
        mutations = [m for m in mutations if any(word in m.clause for word in sys.argv[2:])]
    tests = sorted({tuple(mutation.test) for mutation in mutations})
    print(f"1..{len(tests) + len(mutations)}")
    with ThreadPoolExecutor(2) as pool:
        unchanged = [pool.submit(try_unchanged, sys.argv[1], list(test)) for test in tests]
        mutated = [pool.submit(try_mutation, mutation) for mutation in mutations]
        names = ["unchanged: " + " ".join(test) for test in tests]
        names += ["without: " + mutation.clause for mutation in mutations]
        bad = 0
        for number, (name, future) in enumerate(zip(names, unchanged + mutated), 1):
            wrong = future.result()
            bad += wrong is not None
            print(f"{'ok' if wrong is None else 'not ok'} {number} {name}", flush=True)
            if wrong is not None:
                print("\n".join("# " + line for line in wrong.splitlines()), flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
