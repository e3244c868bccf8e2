# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
tunnel: tunnel packets, good and bad, made byte by byte, for lbdecap.bats.

    tunnel.py cases                        name, expected counter and expected delivery of each case
    tunnel.py send INTERFACE MAC NAME...   sends the named cases to that MAC
    tunnel.py syn INTERFACE MAC NAME       sends a TCP SYN in that case's tunnel; prints "answered"
    tunnel.py listen                       prints "NAME ECN" for each datagram on port 9999
    tunnel.py watch INTERFACE              prints tags, protocol and length of tagged frames

A datagram's payload is its case's name. Needs root and knows nothing of lbdecap.
"""
import socket
import struct
import sys
import time

CLIENT4, VIP4 = "198.51.100.7", "192.0.2.10"
CLIENT6, VIP6 = "2001:db8:c::7", "2001:db8::10"
OUTER4 = ("10.1.0.1", "10.1.0.2")
OUTER6 = ("2001:db8:1::1", "2001:db8:1::2")
OTHER4 = ("10.1.0.1", "10.1.0.99")
IPIP, TCP, UDP, IPV6, OPTIONS = 4, 6, 17, 41, 60
PORT = 9999


def a4(text):
    return socket.inet_aton(text)


def a6(text):
    return socket.inet_pton(socket.AF_INET6, text)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(pair, proto, payload, ecn=0, fragment=0, options=b"", total=None, wrong_sum=0):
    words = 5 + len(options) // 4
    size = words * 4 + len(payload) if total is None else total
    head = struct.pack("!BBHHHBBH4s4s", 4 << 4 | words, ecn, size, 1, fragment, 64, proto, 0,
                       a4(pair[0]), a4(pair[1])) + options
    total = checksum(head) ^ wrong_sum
    return head[:10] + struct.pack("!H", total) + head[12:] + payload


def ip6(pair, proto, payload, ecn=0, size=None):
    head = struct.pack("!IHBB16s16s", 6 << 28 | ecn << 20, len(payload) if size is None else size,
                       proto, 64, a6(pair[0]), a6(pair[1]))
    return head + payload


def limited(proto, payload):
    """A destination-options header with a tunnel encapsulation limit of 4 (RFC 2473)."""
    return bytes([proto, 0, 4, 1, 4, 1, 1, 0]) + payload


def udp(pseudo, source, destination, payload):
    head = struct.pack("!HHHH", source, destination, 8 + len(payload), 0)
    total = checksum(pseudo + struct.pack("!IHBB", 8 + len(payload), 0, 0, UDP) + head + payload)
    return head[:6] + struct.pack("!H", total or 0xFFFF) + payload


def tcp_syn(pseudo):
    head = struct.pack("!HHIIBBHHH", 40000, PORT, 1, 0, 5 << 4, 2, 65535, 0, 0)
    total = checksum(pseudo + struct.pack("!IHBB", 20, 0, 0, TCP) + head)
    return head[:16] + struct.pack("!HH", total, 0)


def inner4(name, **change):
    pseudo = a4(CLIENT4) + a4(VIP4)
    if name is None:
        return ip4((CLIENT4, VIP4), TCP, tcp_syn(pseudo), **change)
    return ip4((CLIENT4, VIP4), UDP, udp(pseudo, 40000, PORT, name.encode()), **change)


def inner6(name, **change):
    pseudo = a6(CLIENT6) + a6(VIP6)
    if name is None:
        return ip6((CLIENT6, VIP6), TCP, tcp_syn(pseudo), **change)
    return ip6((CLIENT6, VIP6), UDP, udp(pseudo, 40000, PORT, name.encode()), **change)


def gue(payload, port=6080, size=None):
    """Without a checksum, as a balancer sends it."""
    return struct.pack("!HHHH", 50000, port, 8 + len(payload) if size is None else size, 0) + payload


def gue0(proto, payload, first=0, fields=b""):
    return gue(struct.pack("!BBH", first | len(fields) // 4, proto, 0) + fields + payload)


# name: (counter it must go to, ECN bits it must be delivered with or None, network packet).
# The builder gets the name, to put it into the innermost packet.
CASES = {
    "4in4": ("ipv4_in_ipv4", 0, lambda n: ip4(OUTER4, IPIP, inner4(n))),
    "6in4": ("ipv6_in_ipv4", 0, lambda n: ip4(OUTER4, IPV6, inner6(n))),
    "4in6": ("ipv4_in_ipv6", 0, lambda n: ip6(OUTER6, IPIP, inner4(n))),
    "6in6": ("ipv6_in_ipv6", 0, lambda n: ip6(OUTER6, IPV6, inner6(n))),
    "4in6 limited": ("ipv4_in_ipv6", 0, lambda n: ip6(OUTER6, OPTIONS, limited(IPIP, inner4(n)))),
    "6in6 limited": ("ipv6_in_ipv6", 0, lambda n: ip6(OUTER6, OPTIONS, limited(IPV6, inner6(n)))),
    "outer options": ("ipv4_in_ipv4", 0,
                      lambda n: ip4(OUTER4, IPIP, inner4(n), options=b"\x01" * 40)),
    "inner options": ("ipv4_in_ipv4", 0,
                      lambda n: ip4(OUTER4, IPIP, inner4(n, options=b"\x01" * 8))),
    "gue1 4 over 4": ("ipv4_in_gue", 0, lambda n: ip4(OUTER4, UDP, gue(inner4(n)))),
    "gue1 6 over 4": ("ipv6_in_gue", 0, lambda n: ip4(OUTER4, UDP, gue(inner6(n)))),
    "gue1 4 over 6": ("ipv4_in_gue", 0, lambda n: ip6(OUTER6, UDP, gue(inner4(n)))),
    "gue1 6 over 6": ("ipv6_in_gue", 0, lambda n: ip6(OUTER6, UDP, gue(inner6(n)))),
    "gue0 4": ("ipv4_in_gue", 0, lambda n: ip4(OUTER4, UDP, gue0(IPIP, inner4(n)))),
    "gue0 6": ("ipv6_in_gue", 0, lambda n: ip4(OUTER4, UDP, gue0(IPV6, inner6(n)))),
    "gue0 fields": ("ipv4_in_gue", 0,
                    lambda n: ip4(OUTER4, UDP, gue0(IPIP, inner4(n), fields=b"\0" * 124))),
    "padded": ("ipv4_in_ipv4", 0, lambda n: ip4(OUTER4, IPIP, inner4(n)) + b"\xff" * 9),
    "not a tunnel": ("other", 0, inner4),
    "other address": ("ipv4_in_ipv4", 0, lambda n: ip4(OTHER4, IPIP, inner4(n))),

    # RFC 6040: outer mark, inner mark.
    "ce on ect0 4": ("ipv4_in_ipv4", 3, lambda n: ip4(OUTER4, IPIP, inner4(n, ecn=2), ecn=3)),
    "ce on ect1 4": ("ipv4_in_ipv6", 3, lambda n: ip6(OUTER6, IPIP, inner4(n, ecn=1), ecn=3)),
    "ce on ect0 6": ("ipv6_in_ipv6", 3, lambda n: ip6(OUTER6, IPV6, inner6(n, ecn=2), ecn=3)),
    "ce on ce 6": ("ipv6_in_ipv4", 3, lambda n: ip4(OUTER4, IPV6, inner6(n, ecn=3), ecn=3)),
    "ect1 on ect0 4": ("ipv4_in_ipv4", 1, lambda n: ip4(OUTER4, IPIP, inner4(n, ecn=2), ecn=1)),
    "ect1 on ect0 6": ("ipv6_in_gue", 1, lambda n: ip6(OUTER6, UDP, gue(inner6(n, ecn=2)), ecn=1)),
    "ect1 on ce 4": ("ipv4_in_ipv4", 3, lambda n: ip4(OUTER4, IPIP, inner4(n, ecn=3), ecn=1)),
    "ect0 on none 4": ("ipv4_in_ipv4", 0, lambda n: ip4(OUTER4, IPIP, inner4(n), ecn=2)),
    "none on ect0 6": ("ipv6_in_ipv4", 2, lambda n: ip4(OUTER4, IPV6, inner6(n, ecn=2))),
    "ce on none 4": ("drop_ecn", None, lambda n: ip4(OUTER4, IPIP, inner4(n), ecn=3)),
    "ce on none 6": ("drop_ecn", None, lambda n: ip6(OUTER6, IPV6, inner6(n), ecn=3)),

    # Not what they say they are.
    "outer cut off": ("drop_truncated", None, lambda n: ip4(OUTER4, IPIP, inner4(n))[:-1]),
    "outer 6 cut off": ("drop_truncated", None, lambda n: ip6(OUTER6, IPIP, inner4(n))[:-1]),
    "inner cut off": ("drop_truncated", None, lambda n: ip4(OUTER4, IPIP, inner4(n)[:19])),
    "inner 6 cut off": ("drop_truncated", None, lambda n: ip4(OUTER4, IPV6, inner6(n)[:39])),
    "gue cut off": ("drop_truncated", None, lambda n: ip4(OUTER4, UDP, gue(b"\x45"))),
    "outer sum": ("drop_bad_outer", None, lambda n: ip4(OUTER4, IPIP, inner4(n), wrong_sum=1)),
    "outer options sum": ("drop_bad_outer", None,
                          lambda n: ip4(OUTER4, IPIP, inner4(n), options=b"\x01" * 40,
                                        wrong_sum=256)),
    "outer length": ("drop_bad_outer", None, lambda n: ip4(OUTER4, IPIP, inner4(n), total=19)),
    "outer version": ("drop_bad_outer", None,
                      lambda n: b"\x55" + ip4(OUTER4, IPIP, inner4(n))[1:]),
    "outer 6 options length": ("drop_bad_outer", None,
                               lambda n: ip6(OUTER6, OPTIONS, limited(IPIP, inner4(n)), size=7)),
    "udp length": ("drop_bad_outer", None, lambda n: ip4(OUTER4, UDP, gue(inner4(n), size=7))),
    "udp length beyond": ("drop_bad_outer", None,
                          lambda n: ip4(OUTER4, UDP, gue(inner4(n), size=999))),
    "gue fields beyond": ("drop_bad_outer", None,
                          lambda n: ip4(OUTER4, UDP, gue0(IPIP, b"", first=31))),
    "inner length": ("drop_bad_inner", None,
                     lambda n: ip4(OUTER4, IPIP, inner4(n, total=1000))),
    "inner length short": ("drop_bad_inner", None,
                           lambda n: ip4(OUTER4, IPIP, inner4(n, total=19))),
    "inner 6 length": ("drop_bad_inner", None,
                       lambda n: ip4(OUTER4, IPV6, inner6(n, size=1000))),
    "inner version": ("drop_bad_inner", None, lambda n: ip4(OUTER4, IPIP, inner6(n))),
    "inner 6 version": ("drop_bad_inner", None,
                        lambda n: ip4(OUTER4, IPV6, inner4(n, options=b"\x01" * 40))),
    "first fragment": ("drop_fragment", None,
                       lambda n: ip4(OUTER4, IPIP, inner4(n), fragment=0x2000)),
    "later fragment": ("drop_fragment", None,
                       lambda n: ip4(OUTER4, IPIP, inner4(n), fragment=10)),
    "gue version": ("drop_gue", None, lambda n: ip4(OUTER4, UDP, gue(b"\xc5" + inner4(n)))),
    "gue1 version": ("drop_gue", None, lambda n: ip4(OUTER4, UDP, gue(b"\x55" + inner4(n)))),
    "gue control": ("drop_gue", None,
                    lambda n: ip4(OUTER4, UDP, gue0(IPIP, inner4(n), first=0x20))),
    "gue protocol": ("drop_gue", None, lambda n: ip4(OUTER4, UDP, gue0(UDP, inner4(n)))),
    "gue elsewhere": ("other", None, lambda n: ip4(OUTER4, UDP, gue(inner4(n), port=6081))),

    # Tags stay on, and no socket of this host gets them.
    "one tag": ("ipv6_in_ipv4", None, lambda n: (b"\x00\x07", ip4(OUTER4, IPV6, inner6(n)))),
    "two tags": ("ipv4_in_ipv6", None,
                 lambda n: (b"\x00\x07\x81\x00\x00\x08", ip6(OUTER6, IPIP, inner4(n)))),

    # Last: once this is delivered, all before it was, or never will be.
    "end": ("ipv4_in_ipv4", 0, lambda n: ip4(OUTER4, IPIP, inner4(n))),
}


def frame(source, mac, packet):
    tags = b""
    if isinstance(packet, tuple):
        tags, packet = packet
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return bytes.fromhex(mac.replace(":", "")) + source + (b"\x81\x00" + tags if tags else b"") \
        + kind + packet


def packet_socket(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((interface, 3))
    return s


def send(interface, mac, names):
    with packet_socket(interface) as s:
        for name in names:
            s.send(frame(s.getsockname()[4], mac, CASES[name][2](name)))


def syn(interface, mac, name):
    """The answer is not in the tunnel: it goes to the client as servers send it."""
    with packet_socket(interface) as s:
        s.send(frame(s.getsockname()[4], mac, CASES[name][2](None)))
        s.settimeout(5)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            answer = s.recv(2048)
            at = 14 + (40 if answer[12:14] == b"\x86\xdd" else 20)
            if answer[at:at + 4] == struct.pack("!HH", PORT, 40000):
                print("answered" if answer[at + 13] == 0x12 else f"flags {answer[at + 13]:#x}")
                return 0
    return 1


def listen():
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    s.bind(("::", PORT))
    t = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
    print("ready", flush=True)
    while t:
        payload, extra, _, _ = s.recvmsg(2048, 256)
        marks = [value[0] & 3 for level, kind, value in extra
                 if (level, kind) in ((socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
                                      (socket.IPPROTO_IP, socket.IP_TOS))]
        print(payload.decode(), marks[0], sep="\t", flush=True)


def watch(interface):
    """The kernel has taken the first tag off and tells it beside the frame."""
    with packet_socket(interface) as s:
        s.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
        print("ready", flush=True)
        while True:
            data, extra, _, _ = s.recvmsg(2048, 256)
            status, _, _, _, _, first, _ = struct.unpack("=IIIHHHH", extra[0][2][:20])
            if not status & 1 << 4:  # TP_STATUS_VLAN_VALID
                continue
            tags, at = [first], 12
            while data[at:at + 2] == b"\x81\x00":
                tags.append(int.from_bytes(data[at + 2:at + 4], "big"))
                at += 4
            print(*tags, data[at:at + 2].hex(), len(data) - at - 2, flush=True)


def main():
    verb, arguments = sys.argv[1], sys.argv[2:]
    if verb == "cases":
        for name, (counter, ecn, _) in CASES.items():
            print(name, counter, "-" if ecn is None else ecn, sep="\t")
        return 0
    if verb == "send":
        return send(arguments[0], arguments[1], arguments[2:])
    return {"syn": syn, "listen": listen, "watch": watch}[verb](*arguments)


sys.exit(main())
