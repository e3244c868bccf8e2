# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""crash.py: kills lbd with SIGKILL where it hurts, and sees that the next one makes it good.

boundaries: for each kind of change, lbd is killed before its N-th write (see kill_at.c), for N from 1
to as many as the change makes, or for some of these, chosen by the seed. Every third time the next lbd
is killed too, at one of its own writes.
random: random changes, several at a time, and a kill at a random moment of them.

After each kill the next lbd has to come to what is wanted: each change that was answered is there,
one that was not is there or not, whole; and maps, state file and API agree (see agree.c; a second
restart says the same). A failure names the seed and the step.
"""
import argparse
import http.client
import json
import mmap
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

parser = argparse.ArgumentParser()
parser.add_argument("mode", choices=["boundaries", "random"])
parser.add_argument("--build", required=True)
parser.add_argument("--dir", required=True, help="of the instance: lbd.yaml, sockets, state")
parser.add_argument("--pins", required=True)
parser.add_argument("--count", type=int, required=True, help="boundaries of each change, or kills; 0: all")
parser.add_argument("--seed", type=int, default=None)
parser.add_argument("--address", action="append", required=True, help="of a backend that may be added")
options = parser.parse_args()
seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "little")
chance = random.Random(seed)
PATIENCE = 60  # seconds, for what takes a fraction of one
SOCKET = f"{options.dir}/lbd.sock"


class Wrong(Exception):
    pass


# ---- lbd, and what it is asked ----

class Connection(http.client.HTTPConnection):
    def __init__(self):
        super().__init__("lbd", timeout=PATIENCE)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def ask(method, path, body=None):
    connection = Connection()
    try:
        connection.request(method, "/v1" + path, None if body is None else json.dumps(body))
        reply = connection.getresponse()
        text = reply.read()
        return reply.status, json.loads(text)
    finally:
        connection.close()


class Lbd:
    """One at a time, with a hand on its next writes."""

    def __init__(self):
        self.control_path = f"{options.dir}/kill_at"
        with open(self.control_path, "wb") as file:
            file.write(bytes(4096))
        with open(self.control_path, "r+b") as file:
            self.control = mmap.mmap(file.fileno(), 4096)
        self.process = None
        self.log = open(f"{options.dir}/lbd.log", "ab")

    def arm(self, left):
        self.control[:16] = struct.pack("=qQ", left, 0)

    def disarm(self, left):
        """Whether the write came that it was armed for; then it is dead."""
        self.control[:8] = struct.pack("=q", 0)
        if not left or self.seen() < left:
            return False
        self.process.wait(PATIENCE)
        return True

    def seen(self):
        return struct.unpack("=qQ", self.control[:16])[1]

    def start(self, left=0, preload=True):
        self.arm(left)
        environment = dict(os.environ)
        if preload:
            environment.update(LD_PRELOAD=f"{options.build}/tests/kill_at.so", KILL_AT=self.control_path)
        self.process = subprocess.Popen(
            [f"{options.build}/lbd", "-c", f"{options.dir}/lbd.yaml", "--pin-dir", options.pins, "--socket",
             SOCKET, "--state-dir", f"{options.dir}/state", "--read-only-socket", "none"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment)

    def answers(self):
        """True when it does; False if it was killed first."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            status = self.process.poll()
            if status == -signal.SIGKILL:
                return False
            if status is not None:
                raise Wrong(f"lbd ended with status {status}")
            try:
                return ask("GET", "/config")[0] == 200
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)
        raise Wrong("lbd does not answer")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def killed(self):
        return self.process.poll() is not None


lbd = Lbd()


def config():
    status, reply = ask("GET", "/config")
    if status != 200:
        raise Wrong(f"GET /config: {status}")
    reply.pop("schema")
    return reply


def agreement(said):
    return subprocess.run([f"{options.build}/tests/agree", options.pins],
                          input=json.dumps(said).encode(), capture_output=True)


def until_agreed():
    """The maps say what lbd says: soon, as next hops have to be asked for."""
    end = time.monotonic() + PATIENCE
    while True:
        said = config()
        agree = agreement(said)
        if agree.returncode == 0:
            return said
        if agree.returncode != 1 or time.monotonic() > end:
            raise Wrong(f"maps and API do not agree: {(agree.stdout + agree.stderr).decode()}")
        time.sleep(0.01)


def restart(left=0, preload=True):
    """Until one lives. The first may be killed, too."""
    lbd.start(left, preload)
    lives = lbd.answers()
    if lbd.disarm(left) or not lives:
        lbd.start(0, preload)
        if not lbd.answers():
            raise Wrong("lbd was killed by somebody else")


def restart_and_compare(allowed, left=0, preload=True):
    """Returns what is wanted now; it has to be one of `allowed`."""
    restart(left, preload)
    said = until_agreed()
    if said not in allowed:
        raise Wrong(f"after the restart: {json.dumps(said)}\nwhich is none of:\n" +
                    "\n".join(json.dumps(one) for one in allowed))
    return said


# ---- boundaries ----

ADDED = options.address[0]
CHANGES = [
    ("add a backend", "POST", "/pools/web/backends/new", {"address": ADDED, "weight": 50}),
    ("another address", "PATCH", "/pools/web/backends/web3", {"address": options.address[1]}),
    ("a weight", "PATCH", "/pools/web/backends/web3", {"weight": 7}),
    ("drain", "PATCH", "/pools/web/backends/web3", {"admin": "drain"}),
    ("maint", "PATCH", "/pools/web/backends/web3", {"admin": "maint"}),
    ("remove a backend", "DELETE", "/pools/web/backends/web3", None),
    ("add a service and a pool", "POST", "/services/more",
     {"listen": ["tcp://192.0.2.10:8080", "udp://192.0.2.10:8000-8007"], "forward": "l2", "table_size": 61,
      "backends": [{"name": "a", "address": ADDED}]}),
    ("remove a service", "DELETE", "/services/second", None),
    ("everything at once", "PUT", "/config?break_flows=1", "all"),
]


def everything(base):
    other = json.loads(json.dumps(base))
    web = next(pool for pool in other["pools"] if pool["name"] == "web")
    web["backends"] = [one for one in web["backends"] if one["name"] != "web3"]
    web["backends"].append({"name": "b", "address": ADDED, "weight": 3})
    web["idle_timeout"]["udp"] = "9s"
    other["pools"].append({"name": "other", "forward": "l2", "table_size": 67,
                           "backends": [{"name": "a", "address": options.address[1]}]})
    other["services"] = [one for one in other["services"] if one["name"] != "second"]
    other["services"].append({"name": "third", "listen": "tcp://192.0.2.10:9000", "pool": "other"})
    return other


def do(change, base):
    name, method, path, body = change
    status, reply = ask(method, path, everything(base) if body == "all" else body)
    if status != 200:
        raise Wrong(f"{name}: {status} {reply}")


def back_to(base):
    status, reply = ask("PUT", "/config?break_flows=1", base)
    if status != 200:
        raise Wrong(f"back to the beginning: {status} {reply}")
    return until_agreed()


def one_boundary(change, base, after, place, left):
    """Kills before write `place` of the change; the next lbd before its own write `left`.

    False if there was no such write this time: which ones follow the answer is a matter of time."""
    answered = False
    lbd.arm(place)
    try:
        do(change, base)
        answered = True
        # It was answered before its last writes.
        deadline = time.monotonic() + 0.2
        while not lbd.killed() and time.monotonic() < deadline:
            time.sleep(0.002)
    except (OSError, http.client.HTTPException):
        pass
    met = lbd.disarm(place)
    if not met:
        lbd.kill()
    restart_and_compare([after] if answered else [base, after], left)
    return met


def boundaries():
    kills = 0
    restart()
    base = until_agreed()
    for change in CHANGES:
        lbd.arm(0)
        do(change, base)
        writes, after = lbd.seen(), config()
        # The last writes follow when the next hop of what is new is known.
        if agreement(after).returncode:
            until_agreed()
            writes = lbd.seen()
        if after == base:
            raise Wrong(f"{change[0]}: it changed nothing")
        # The state file has it, too.
        lbd.kill()
        restart_and_compare([after])
        back_to(base)
        places = range(1, writes + 1)
        if options.count and options.count < writes:
            places = sorted(chance.sample(places, options.count))
        met = 0
        for place in places:
            left = chance.randint(1, 40) if place % 3 == 0 else 0
            try:
                met += one_boundary(change, base, after, place, left)
                back_to(base)
            except Wrong as wrong:
                raise Wrong(f"{change[0]}, killed before write {place} of {writes} "
                            f"(then {left}): {wrong}") from None
        kills += met
        print(f"{change[0]}: {writes} writes, killed before {met} of them, behind {len(places) - met}",
              flush=True)
    print(f"{kills} kills")
    if kills * 2 < options.count * len(CHANGES):
        raise Wrong("that is too few to say anything")


# ---- random ----

def random_change(model):
    """What to ask, and what the configuration is then, as far as `model` says it."""
    web = model["backends"]
    name = f"x{chance.randrange(6)}"
    kind = chance.choice(["backend", "backend", "weight", "admin", "service"])
    if kind == "service":
        name = f"s{chance.randrange(4)}"
        if name in model["services"]:
            del model["services"][name]
            return "DELETE", f"/services/{name}", None
        port = 7000 + int(name[1:])
        model["services"][name] = port
        return "POST", f"/services/{name}", {"listen": f"tcp://192.0.2.10:{port}", "pool": "web"}
    path = f"/pools/web/backends/{name}"
    if name not in web:
        body = {"address": options.address[int(name[1:])], "weight": chance.randint(0, 200)}
        web[name] = {"weight": body["weight"], "admin": "ready"}
        return "POST", path, body
    if kind == "backend":
        del web[name]
        return "DELETE", path, None
    body = {"weight": chance.randint(0, 200)} if kind == "weight" else \
        {"admin": chance.choice(["ready", "drain", "maint"])}
    web[name].update(body)
    return "PATCH", path, body


def summary(said):
    """Of a configuration, in the form that random_change keeps."""
    web = next(pool for pool in said["pools"] if pool["name"] == "web")
    return {"backends": {one["name"]: {"weight": one["weight"], "admin": one["admin"]}
                         for one in web["backends"] if one["name"].startswith("x")},
            "services": {one["name"]: int(one["listen"][0].rsplit(":", 1)[1])
                         for one in said["services"] if one["name"].startswith("s") and one["name"] != "second"}}


def copied(model):
    return json.loads(json.dumps(model))


def send_all(changes, answered):
    for method, path, body in changes:
        try:
            status, reply = ask(method, path, body)
        except (OSError, http.client.HTTPException):
            return
        if status != 200:
            answered.append(f"{method} {path} {body}: {status} {reply}")
            return
        answered.append(None)


def random_kill(model):
    """Several changes, and a kill in the middle. Returns the model after it."""
    models, changes, answered = [copied(model)], [], []
    for _ in range(chance.randint(1, 4)):
        changes.append(random_change(model))
        models.append(copied(model))
    sender = threading.Thread(target=send_all, args=(changes, answered))
    sender.start()
    time.sleep(chance.random() ** 2 * 0.06)
    lbd.kill()
    sender.join()
    refused = [one for one in answered if one]
    if refused:
        raise Wrong(f"refused: {refused}")
    restart(preload=False)
    said = summary(until_agreed())
    allowed = models[len(answered):len(answered) + 2]
    if said not in allowed:
        raise Wrong(f"{len(answered)} of {changes} were answered, and now there is {said}, not one of {allowed}")
    return said


def random_kills():
    restart(preload=False)
    model = summary(until_agreed())
    for step in range(1, options.count + 1):
        try:
            model = random_kill(copied(model))
        except Wrong as wrong:
            raise Wrong(f"kill {step}: {wrong}") from None
    print(f"{options.count} kills")


print(f"seed {seed}", flush=True)
try:
    {"boundaries": boundaries, "random": random_kills}[options.mode]()
    # What is kept is what was said: with nothing asked in between.
    end = config()
    lbd.kill()
    restart_and_compare([end], preload=False)
    lbd.process.terminate()
    lbd.process.wait()
except Wrong as wrong:
    print(f"seed {seed}: {wrong}")
    if lbd.process and lbd.process.poll() is None:
        lbd.kill()
    sys.exit(1)
