# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""hold.py HOST PORT COUNT silent|slow|deaf: COUNT TCP connections to an HTTP server, held until this
ends. silent: nothing is sent; slow: half a request, and the other half never; deaf: thousands of
requests for /metrics, and no answer is read. Prints "ready" when all are open and have sent."""
import socket
import sys
import time

host, port, count, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
request = b"GET /metrics HTTP/1.1\r\nHost: lbd\r\n\r\n"
sent = {"silent": b"", "slow": request[:-2], "deaf": request * 4000}[kind]
held = []
for _ in range(count):
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(10)
    connection.connect((host, port))
    connection.setblocking(False)
    try:
        connection.send(sent)
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass  # as much as it takes; a connection that had to make room has ended already
    held.append(connection)
print("ready", flush=True)
while True:
    time.sleep(60)
