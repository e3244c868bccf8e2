# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""bulk.py serve ADDRESS PORT | bulk.py send ADDRESS PORT MEGABYTES: data over one TCP connection.

The sender sends blocks of which no two are alike, closes its side, and compares its digest with the
one that the server computed and returns. Exit status 0 if they agree."""
import hashlib
import os
import socket
import sys

MEGABYTE = 1 << 20


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve(address, port):
    listener = socket.create_server((address, port), family=family(address))
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        digest, size, buffer = hashlib.sha256(), 0, bytearray(MEGABYTE)
        while count := connection.recv_into(buffer):
            digest.update(memoryview(buffer)[:count])
            size += count
        connection.sendall(f"{size} {digest.hexdigest()}".encode())
        connection.close()


def send(address, port, megabytes):
    digest, random = hashlib.sha256(), os.urandom(MEGABYTE - 8)
    with socket.create_connection((address, port), timeout=60) as connection:
        for number in range(megabytes):
            block = number.to_bytes(8, "big") + random
            connection.sendall(block)
            digest.update(block)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile().read()
    wanted = f"{megabytes * MEGABYTE} {digest.hexdigest()}"
    print(f"sent     {wanted}\nreceived {answer}")
    return 0 if answer == wanted else 1


if sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]))
sys.exit(send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
