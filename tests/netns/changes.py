# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""changes.py: thousands of changes of every kind on one lbd, and what they left behind in it.

Each round adds, changes and removes a backend and a service, drains, applies a whole configuration,
reloads a file that differs from the last, asks for dry runs and for what is refused, and follows events
for a while. After a number of rounds to warm up, descriptors and overrides have to be as many as before
after each further round, and resident memory may grow by --grow bytes in all.
"""
import argparse
import http.client
import json
import os
import socket
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--socket", required=True)
parser.add_argument("--pid", type=int, required=True)
parser.add_argument("--file", required=True, help="lbd's")
parser.add_argument("--changes", type=int, required=True)
parser.add_argument("--grow", type=int, help="bytes of resident memory that it may have more in the end")
options = parser.parse_args()
PATIENCE = 60  # seconds
WARM_UP = 40   # rounds

text = open(options.file).read()
done = 0


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(options.socket)


connection = Connection("lbd", timeout=PATIENCE)


def ask(wanted, method, path, body=None):
    global done
    connection.request(method, "/v1" + path, None if body is None else json.dumps(body))
    reply = connection.getresponse()
    said = reply.read()
    if reply.status != wanted:
        sys.exit(f"{method} {path}: {reply.status}, not {wanted}: {said.decode()}")
    done += method != "GET"
    return json.loads(said)


def follow():
    """A reader that goes away while it is waited for."""
    reader = Connection("lbd", timeout=PATIENCE)
    reader.request("GET", "/v1/events?history=1")
    reader.getresponse().read(10)
    reader.close()


def one_round(number):
    backend, service = "/pools/web/backends/new", "/services/new"
    ask(200, "POST", backend, {"address": "10.0.0.13"})
    ask(409, "POST", backend, {"address": "10.0.0.13"})
    ask(200, "PATCH", backend, {"weight": 1 + number % 90})
    ask(200, "PATCH", backend, {"admin": "drain", "drain_mode": "clients"})
    ask(200, "PATCH", backend + "?dry_run=1", {"admin": "maint"})
    ask(400, "PATCH", backend, {"weihgt": 1})
    ask(200, "POST", service, {"listen": "tcp://192.0.2.10:8000", "forward": "l2", "table_size": 61,
                               "backends": [{"name": "a", "address": "10.0.0.13"}]})
    config = ask(200, "GET", "/config")
    ask(200, "PUT", "/config", config)
    config["pools"][0]["on_down"] = "keep"
    ask(200, "PUT", "/config", config)
    ask(400, "PUT", "/config", {"version": 1, "pools": 7})
    with open(options.file, "w") as file:
        file.write(text.replace("weight: 100", f"weight: {100 + number % 2}"))
    ask(200, "POST", "/reload")
    with open(options.file, "w") as file:
        file.write("version: 2\n")
    ask(400, "POST", "/reload")
    ask(400, "GET", "/config/diff")
    with open(options.file, "w") as file:
        file.write(text)
    ask(200, "POST", "/reload")
    ask(200, "GET", "/config/diff")
    ask(200, "GET", "/backends")
    ask(200, "DELETE", service)
    ask(200, "DELETE", backend)
    config["pools"][0]["on_down"] = "move"
    config["pools"] = [one for one in config["pools"] if one["name"] == "web"]
    config["services"] = [one for one in config["services"] if one["name"] != "new"]
    config["pools"][0]["backends"] = [one for one in config["pools"][0]["backends"] if one["name"] != "new"]
    ask(200, "PUT", "/config", config)
    if number % 8 == 0:
        follow()


def resident():
    with open(f"/proc/{options.pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def counts():
    return {"descriptors": len(os.listdir(f"/proc/{options.pid}/fd")),
            "overrides": ask(200, "GET", "/status")["overrides"]}


rounds = 0
while rounds < WARM_UP:
    one_round(rounds)
    rounds += 1
before, resident_before, done_before = counts(), resident(), done
while done < options.changes:
    one_round(rounds)
    rounds += 1
    # A reader that went away is noticed when there is something to tell it.
    now = counts()
    if now["descriptors"] > before["descriptors"] + 1 or now["overrides"] != before["overrides"]:
        sys.exit(f"after {done} changes: {now}, and before: {before}")
grown = resident() - resident_before
print(f"{done} changes; {now['descriptors']} descriptors, {now['overrides']} overrides; "
      f"{grown} bytes more of resident memory in the last {done - done_before}")
if options.grow is not None and grown > options.grow:
    sys.exit("which is more than it may be")
