# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""echo.py NAME PORT ADDRESS...: a UDP server that answers every datagram with its name and the
datagram. Bound to each address, because an answer has to come from the VIP."""
import selectors
import socket
import sys

name, port, addresses = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
selector = selectors.DefaultSelector()
for address in addresses:
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, port))
    selector.register(server, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in selector.select():
        data, client = key.fileobj.recvfrom(65535)
        key.fileobj.sendto(name.encode() + b" " + data, client)
