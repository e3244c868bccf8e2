# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""steady.py: keeps many flows busy until SIGTERM and tells what became of each.

TCP: each flow is one connection, with a request after each answer (HTTP, kept alive). UDP: each is
one socket, with a datagram after each answer, sent again after three seconds without one. The answer's
first word names the backend. A flow ends with its first error. The report, also written on SIGUSR1
in between, has for each flow its source and port, the backends that answered (in order, repetitions left
out), how many answers came, how many datagrams were lost, and the error.

The ready file gets a line when all flows were answered once, and one with each further round: how
many answers the slowest flow that still lives has had.
"""
import argparse
import asyncio
import json
import os
import signal
import socket

parser = argparse.ArgumentParser()
parser.add_argument("--target", required=True, help="ADDRESS:PORT, IPv6 in brackets")
parser.add_argument("--connections", type=int, required=True)
parser.add_argument("--source", action="append", help="taken in turn; default: the kernel's choice")
parser.add_argument("--ports-from", type=int, default=0, help="first source port; default: any")
parser.add_argument("--udp", action="store_true")
parser.add_argument("--pause", type=float, default=0.02, help="seconds between answer and request")
parser.add_argument("--patience", type=float, default=10, help="seconds to wait for an answer")
parser.add_argument("--ready", required=True)
parser.add_argument("--report", required=True)
options = parser.parse_args()
# Seconds. Longer than any answer is late on a machine that is busy with other things.
LOST_AFTER = 3
host, port = options.target.rsplit(":", 1)
target = (host.strip("[]"), int(port))


class Flow:
    kind = None

    def __init__(self, source, port):
        self.source = source
        self.port = port
        self.backends = []
        self.answers = 0
        self.lost = 0
        self.error = None

    async def open(self):
        self.loop = asyncio.get_running_loop()
        self.socket = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET,
                                    self.kind)
        self.socket.setblocking(False)
        if self.source:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((self.source, self.port))
        await asyncio.wait_for(self.loop.sock_connect(self.socket, target), options.patience)
        self.source, self.port = self.socket.getsockname()[:2]

    async def ask(self):
        answer = await asyncio.wait_for(self.exchange(), options.patience)
        backend = answer.split()[0].decode()
        if self.backends[-1:] != [backend]:
            self.backends.append(backend)
        self.answers += 1

    def result(self):
        return {"source": self.source, "port": self.port, "backends": self.backends, "answers": self.answers,
                "lost": self.lost, "error": self.error}

    async def run(self, end):
        try:
            await self.open()
            while not end.is_set():
                await self.ask()
                await asyncio.sleep(options.pause)
        except asyncio.TimeoutError:
            self.error = "no answer"
        except OSError as error:
            self.error = str(error)


class TcpFlow(Flow):
    kind = socket.SOCK_STREAM

    async def exchange(self):
        await self.loop.sock_sendall(self.socket, b"GET / HTTP/1.1\r\nHost: vip\r\n\r\n")
        data = b""
        while True:
            more = await self.loop.sock_recv(self.socket, 65536)
            if not more:
                raise ConnectionError("closed by the other side")
            data += more
            head, end, body = data.partition(b"\r\n\r\n")
            if end:
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                if len(body) >= length:
                    return body


class UdpFlow(Flow):
    kind = socket.SOCK_DGRAM

    async def exchange(self):
        number = str(self.answers).encode()
        while True:
            await self.loop.sock_sendall(self.socket, number)
            try:
                return await asyncio.wait_for(self.answer(number), LOST_AFTER)
            except asyncio.TimeoutError:
                self.lost += 1

    async def answer(self, number):
        while True:
            data = await self.loop.sock_recv(self.socket, 65536)
            # Not the late answer to a datagram that was taken for lost.
            if data.split()[1] == number:
                return data


async def tell_progress(flows):
    told = 0
    with open(options.ready, "w", encoding="ascii") as ready:
        while True:
            living = [flow.answers for flow in flows if not flow.error]
            if living and min(living) > told:
                told = min(living)
                print(told, file=ready, flush=True)
            await asyncio.sleep(0.02)


def write_report(flows):
    partial = options.report + ".new"
    with open(partial, "w", encoding="ascii") as report:
        json.dump([flow.result() for flow in flows], report)
    os.rename(partial, options.report)


async def main():
    end = asyncio.Event()
    sources = options.source or [None]
    kind = UdpFlow if options.udp else TcpFlow
    flows = [kind(sources[n % len(sources)], options.ports_from and options.ports_from + n)
             for n in range(options.connections)]
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    loop.add_signal_handler(signal.SIGUSR1, write_report, flows)
    progress = asyncio.create_task(tell_progress(flows))
    tasks = [asyncio.create_task(flow.run(end)) for flow in flows]
    await end.wait()
    await asyncio.gather(*tasks)
    progress.cancel()
    write_report(flows)


asyncio.run(main())
