# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Senders of packets that are not of the common kind, for pieces.bats.

  pieces.py datagrams SOURCE VIP PORT SIZE COUNT    COUNT datagrams of SIZE bytes, each from a port of
                                                    its own; prints who answered, each answer whole
  pieces.py backwards SOURCE VIP PORT SIZE          one datagram in fragments, the last one first;
                                                    prints who answered, or "nobody"
  pieces.py tagged IF MAC SOURCE VIP PORT TYPE:ID...  a datagram in a frame with VLAN tags
  pieces.py hops IF MAC SOURCE VIP PORT             a datagram over IPv6 behind hop-by-hop options
"""
import fcntl
import os
import socket
import struct
import sys

SECONDS = 20  # an answer that takes longer is none
FRAGMENT = 1024


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def datagrams(source, vip, port, size, count):
    for number in range(int(count)):
        data = os.urandom(int(size) - 4) + struct.pack("!I", number)
        with socket.socket(family(vip), socket.SOCK_DGRAM) as sender:
            sender.settimeout(SECONDS)
            sender.bind((source, 0))
            sender.connect((vip, int(port)))
            sender.send(data)
            name, _, answer = sender.recv(65535).partition(b" ")
        print(name.decode() if answer == data else "broken")


def udp(source_port, port, data):
    # No checksum, which IPv4 allows.
    return struct.pack("!4H", source_port, int(port), 8 + len(data), 0) + data


def ipv4(source, vip, payload, identification=7, fragment=0):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identification, fragment, 64, 17,
                         0, socket.inet_aton(source), socket.inet_aton(vip))
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xFFFF) + (total >> 16)
    check = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    return header[:10] + struct.pack("!H", check) + header[12:] + payload


def backwards(source, vip, port, size):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver, socket.socket(
        socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW
    ) as sender:
        receiver.bind((source, 0))
        receiver.settimeout(2)
        whole = udp(receiver.getsockname()[1], port, b"x" * int(size))
        for offset in reversed(range(0, len(whole), FRAGMENT)):
            piece = whole[offset : offset + FRAGMENT]
            more = 0x2000 if offset + FRAGMENT < len(whole) else 0
            sender.sendto(ipv4(source, vip, piece, os.getpid() & 0xFFFF, more | offset // 8), (vip, 0))
        try:
            print(receiver.recv(65535).partition(b" ")[0].decode())
        except TimeoutError:
            print("nobody")


def frame_send(interface, mac, types, packet):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        own = fcntl.ioctl(sender, 0x8927, struct.pack("16s16x", interface.encode()))[18:24]
        sender.send(bytes.fromhex(mac.replace(":", "")) + own + types + packet)


def tagged(interface, mac, source, vip, port, *tags):
    types = b""
    for tag in tags:
        kind, number = tag.split(":")
        types += struct.pack("!HH", int(kind, 16), int(number))
    frame_send(interface, mac, types + b"\x08\x00", ipv4(source, vip, udp(4000, port, b"tagged")))


def hops(interface, mac, source, vip, port):
    """The checksum is that of the transport and addresses, whatever lies between them."""
    addresses = socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, vip)
    datagram = udp(4000, port, b"options.")
    total = sum(struct.unpack(f"!{len(datagram) // 2}H", datagram)) + len(datagram) + 17
    total += sum(struct.unpack("!16H", addresses))
    total = (total & 0xFFFF) + (total >> 16)
    check = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    datagram = datagram[:6] + struct.pack("!H", check) + datagram[8:]
    payload = bytes([17, 0, 1, 4, 0, 0, 0, 0]) + datagram
    header = struct.pack("!IHBB", 6 << 28, len(payload), 0, 64) + addresses
    frame_send(interface, mac, b"\x86\xdd", header + payload)


globals()[sys.argv[1]](*sys.argv[2:])
