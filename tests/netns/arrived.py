# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""arrived.py INTERFACE PORT | arrived.py HEX: a UDP packet without payload as it comes in from that
source port, or as it was told, as hex, with zeros where each packet differs from the next: numbers
(IPv4 identification, IPv6 flow label), TTLs, and the checksums over them. Prints "ready" first where
it listens."""
import socket
import sys

GUE = 6080


def plain(frame):
    out = bytearray(frame)
    at = 14
    while at + 8 < len(out):
        version = out[at] >> 4
        if version == 4:
            out[at + 4 : at + 6] = bytes(2)
            out[at + 8] = 0
            out[at + 10 : at + 12] = bytes(2)
            proto, at = out[at + 9], at + 20
        else:
            out[at : at + 4] = b"\x60\0\0\0"
            out[at + 7] = 0
            proto, at = out[at + 6], at + 40
        if proto == socket.IPPROTO_UDP:
            out[at + 6 : at + 8] = bytes(2)
            if int.from_bytes(out[at + 2 : at + 4], "big") != GUE:
                break
            at += 8
    return out.hex()


if len(sys.argv) == 2:
    print(plain(bytes.fromhex(sys.argv[1])))
    sys.exit()
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind((sys.argv[1], 0))
print("ready", flush=True)
while True:
    got = wire.recv(2048)
    if got[12:14] in (b"\x08\x00", b"\x86\xdd") and got[-8:-6] == int(sys.argv[2]).to_bytes(2, "big"):
        print(plain(got), flush=True)
