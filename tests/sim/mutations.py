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
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))

from mutate import change_sources, read_mutations, tell

SOURCES = ["bpf", "user", "tests/host", "tests/sim"]
LINKED = ["user/slots.c", "user/pin_judge.c", "user/maglev.c", "user/siphash.c"]
SECONDS = 120  # for one program, on a machine that is busy


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
            change_sources(mutation, sources)
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
    return tell(
        [("unchanged: " + " ".join(t), lambda t=t: try_unchanged(sys.argv[1], list(t))) for t in tests]
        + [("without: " + m.clause, lambda m=m: try_mutation(m)) for m in mutations]
    )


if __name__ == "__main__":
    sys.exit(main())
