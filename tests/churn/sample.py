# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""sample.py SOCKET POOL OUT: asks lbd about the pool five times a second until SIGTERM, and writes a
line of JSON for each answer: when, tracked flows, unsettled slots, clients. While no lbd answers there
is no line."""
import http.client
import json
import signal
import socket
import sys
import time

path, pool, out_path = sys.argv[1:]
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(5)
        self.sock.connect(path)


with open(out_path, "a", encoding="ascii") as out:
    while True:
        connection = Connection("localhost")
        try:
            connection.request("GET", f"/v1/pools/{pool}")
            answer = json.load(connection.getresponse())
            print(json.dumps({"t": int(time.clock_gettime(time.CLOCK_BOOTTIME) * 1000),
                              **{key: answer.get(key) for key in
                                 ("tracked_flows", "unsettled_slots", "clients")}}),
                  file=out, flush=True)
        except (OSError, ValueError, http.client.HTTPException):
            pass
        connection.close()
        time.sleep(0.2)
