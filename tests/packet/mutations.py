#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Makes the packet program wrong in one way after another, and sees that a packet case notices.

  mutations.py PACKET [WORD...]    all of mutations.txt, or those whose clause has one of the words;
                                   PACKET is the program that runs the cases
  mutations.py --some PACKET       one in four of them, for each takes seconds of the compiler
  mutations.py --fuzz FUZZ [WORD...]   whether the model of tests/fuzz notices, too, of those that
                                   "seen by" says so of by the word `fuzz`

The sources of the packet program are copied to a directory of their own, changed there as
mutations.txt says (tests/mutate.py) and compiled; the kernel has to take what comes of it, and a case
of the topic that is named there has to fail. First, all those have to pass with the sources as they
are. Speaks TAP. Root.
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

SECONDS = 120  # for one program, on a machine that is busy
PACKETS = 500000
MULTIARCH = subprocess.run(
    ["gcc", "-print-multiarch"], capture_output=True, text=True, check=True
).stdout.strip()


def compile_program(sources, program):
    command = ["clang", "-target", "bpf", "-mcpu=v3", "-O2", "-g", "-w"]
    command += [f"-I/usr/include/{MULTIARCH}", "-c", "bpf/lb.bpf.c", "-o", program]
    subprocess.run(command, cwd=sources, check=True, capture_output=True, text=True)


def run_cases(packet, program, topics):
    """None if all pass, else the first line of a case that did not; raises what prevented it."""
    done = subprocess.run(
        [packet, "--program", program] + topics, capture_output=True, text=True, timeout=SECONDS
    )
    failed = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
    if done.returncode == 0 and not failed:
        return None
    if done.returncode != 1 or not failed:
        raise RuntimeError(f"no case was judged (status {done.returncode}):\n{done.stderr}")
    return failed[0]


def run_fuzz(fuzz, program):
    """None if program and model agree, else what differs; raises what prevented it."""
    done = subprocess.run(
        [fuzz, "--program", program, "--seed", "1", "--count", str(PACKETS)],
        capture_output=True, text=True, timeout=SECONDS,
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("#")]
    if done.returncode == 0:
        return None
    if done.returncode != 1 or not told:
        raise RuntimeError(f"nothing was judged (status {done.returncode}):\n{done.stderr}")
    return told[0]


def try_sources(packet, changes, topics):
    """What run_cases says of the sources with the changes made; without topics, run_fuzz."""
    with tempfile.TemporaryDirectory(prefix="limpet-mutation-") as sources:
        program = os.path.join(sources, "lb.bpf.o")
        shutil.copytree(os.path.join(ROOT, "bpf"), os.path.join(sources, "bpf"))
        if changes:
            change_sources(changes, sources)
        compile_program(sources, program)
        return run_cases(packet, program, topics) if topics else run_fuzz(packet, program)


def judge(packet, mutation, topics):
    """None, or what is wrong."""
    try:
        noticed = try_sources(packet, mutation, topics)
    except (ValueError, RuntimeError) as error:
        return str(error)
    except subprocess.CalledProcessError as error:
        return error.stderr
    except subprocess.TimeoutExpired:
        return f"it took longer than {SECONDS} s"
    if mutation:
        return None if noticed else f"no case of {' '.join(topics) or 'tests/fuzz'} noticed"
    return noticed


def main():
    option = sys.argv[1] if sys.argv[1].startswith("--") else None
    program, *words = sys.argv[2:] if option else sys.argv[1:]
    program = os.path.abspath(program)
    mutations = read_mutations(os.path.join(HERE, "mutations.txt"))
    for m in mutations:
        m.fuzz = "fuzz" in m.test
        m.test = [] if option == "--fuzz" else [topic for topic in m.test if topic != "fuzz"]
    if option == "--some":
        mutations = mutations[::4]
    if option == "--fuzz":
        mutations = [m for m in mutations if m.fuzz]
    if words:
        mutations = [m for m in mutations if any(word in m.clause for word in words)]
    topics = sorted({topic for mutation in mutations for topic in mutation.test})
    unchanged = "unchanged: " + (" ".join(topics) or "fuzz")
    tests = [(unchanged, lambda: judge(program, None, topics))]
    for m in mutations:
        tests.append(("changed: " + m.clause, lambda m=m: judge(program, m, m.test)))
    return tell(tests)


if __name__ == "__main__":
    sys.exit(main())
