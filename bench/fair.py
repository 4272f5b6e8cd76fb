#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What others notice while one client asks a lot of 'mist serve': bench/fair.py [MIST [NUMBER]] prints two tables.

1. NUMBER (24) requests at a time for a 16-bit PNG of 4096 x 4096: how long /healthz, a listing and a prefix take meanwhile,
   how many pictures came and how many were turned away with 503, the peak of the server's memory.
2. 1,500 connections that send half a header and keep coming back: how many of 100 normal requests are served.
"""
import contextlib
import http.client
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import zlib
import struct
import resource

MIST = sys.argv[1] if len(sys.argv) > 1 else "build/mist"
NUMBER = int(sys.argv[2]) if len(sys.argv) > 2 else 24
SIDE = 4096


def png(path):
    chunk = lambda name, body: struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    noise = os.urandom(SIDE)
    rows = b"".join(b"\0" + bytes(b for x in range(SIDE) for b in ((x + y) >> 5 & 255, noise[(x * 7 + y * 13) % SIDE])) for y in range(64)) * (SIDE // 64)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 16, 0, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


class Server:
    def __init__(self, store, *options):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen([MIST, "serve", store, "--listen", f"127.0.0.1:{self.port}", "-q", *options])
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.01)

    def get(self, path, timeout=120):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def anonymous(self):
        return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{self.process.pid}/status") if line.startswith("RssAnon"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


def pictures(store):
    server = Server(store)
    statuses, waits, peak, done = [], {"/healthz": [], "/v1/datasets": [], "/v1/datasets/big/items/a.png?reduce=6": []}, [0], threading.Event()

    def ask():
        statuses.append(server.get("/v1/datasets/big/items/a.png/frames/0?accept=image/png")[0])

    def watch():
        while not done.is_set():
            for path, times in waits.items():
                start = time.monotonic()
                assert server.get(path)[0] == 200
                times.append(time.monotonic() - start)
            time.sleep(0.02)

    def weigh():
        while not done.is_set():
            peak[0] = max(peak[0], server.anonymous())
            time.sleep(0.005)

    scales = threading.Thread(target=weigh)
    scales.start()
    watcher = threading.Thread(target=watch)
    watcher.start()
    time.sleep(0.3)
    start = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(NUMBER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - start
    done.set()
    watcher.join()
    scales.join()
    print(f"{NUMBER} requests for a PNG of {SIDE} x {SIDE} x 16 bits: {statuses.count(200)} made, {statuses.count(503)} told to come again, {took:.1f} s")
    for path, times in waits.items():
        print(f"  meanwhile GET {path}: {len(times)} times, longest {max(times) * 1000:.0f} ms")
    print(f"  peak of the server's anonymous memory: {peak[0]:.0f} MB")
    server.stop()


def slow(store):
    number = 1500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    server = Server(store)
    held, done = [], threading.Event()

    def come_back():
        while not done.is_set():
            for i, one in enumerate(held):
                if done.is_set():
                    return
                with contextlib.suppress(OSError):
                    one.setblocking(False)
                    if one.recv(1) == b"":
                        one.close()
                        held[i] = connect()
            time.sleep(0.05)

    def connect():
        one = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        return one

    for _ in range(number):
        with contextlib.suppress(OSError):
            held.append(connect())
    back = threading.Thread(target=come_back)
    back.start()
    served, times = 0, []
    for _ in range(100):
        start = time.monotonic()
        with contextlib.suppress(OSError, http.client.HTTPException):
            served += server.get("/healthz", timeout=2)[0] == 200
        times.append(time.monotonic() - start)
    done.set()
    back.join()
    print(f"{number} connections that send half a header: {served} of 100 normal requests served, the slowest in {max(times) * 1000:.0f} ms")
    for one in held:
        one.close()
    server.stop()


def main():
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        (work / "src").mkdir()
        png(work / "src" / "a.png")
        subprocess.run([MIST, "encode", work / "src", "-o", work / "store", "--dataset", "big", "-q"], check=True)
        pictures(work / "store")
        slow(work / "store")


if __name__ == "__main__":
    main()
