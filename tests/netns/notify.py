#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""notify.py SOCKET: listens as a service manager does, and prints each message on one line."""
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
    listener.bind(sys.argv[1])
    print("ready", flush=True)
    while True:
        print(listener.recv(4096).decode().strip().replace("\n", " "), flush=True)
