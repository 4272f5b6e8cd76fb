# SPDX-License-Identifier: BSD-2-Clause
"""What one client asks does not keep others out: a bounded queue for what takes long, room for new connections, time for
headers."""
import concurrent.futures
import contextlib
import pathlib
import shutil
import socket
import struct
import tempfile
import time
import unittest
import zlib

from hosting import Host, mist

SIDE = 3000
PICTURE = "/v1/datasets/big/items/a.png/frames/0?accept=image/png"


def png(path):
    rows = b"".join(b"\0" + bytes((x * x + y * 7) >> 3 & 255 for x in range(2 * SIDE)) for y in range(50)) * (SIDE // 50)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 16, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
                                                   for name, body in chunks))


class Fair(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-fair-"))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        (cls.work / "src").mkdir()
        png(cls.work / "src" / "a.png")
        mist("encode", cls.work / "src", "-o", cls.work / "store", "--dataset", "big")

    def host(self, *options):
        host = Host(self.work / "store", *map(str, options))
        self.addCleanup(lambda: self.assertEqual(host.stop(), 0))
        return host

    def half(self, host):
        """A connection that sends half a header."""
        s = socket.create_connection((host.name, host.port), timeout=10)
        self.addCleanup(s.close)
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        return s

    def closed(self, s, seconds):
        s.settimeout(seconds)
        try:
            return s.recv(1000) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def test_a_full_queue_says_when_to_come_again(self):
        host = self.host("-j", 1, "--queue", 2)
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            first = pool.submit(host.request, PICTURE)
            while host.metric("mist_http_requests_in_flight") < 2:  # this and that
                self.assertFalse(first.done(), "it was made too fast for this test")
            time.sleep(0.1)  # the worker has it by now, and the queue is empty
            answers = [*pool.map(lambda _: host.request(PICTURE), range(11)), first.result()]
        statuses = [status for status, _, _ in answers]
        self.assertEqual(set(statuses), {200, 503})
        self.assertGreaterEqual(statuses.count(200), 3)
        for status, fields, body in answers:
            if status == 503:
                self.assertEqual(fields["retry-after"], "2")
                self.assertIn(b"try again", body)
        self.assertEqual(host.metric("mist_http_turned_away_total"), statuses.count(503))
        self.assertEqual(host.request(PICTURE)[0], 200)

    def test_others_are_served_meanwhile(self):
        """What needs no decoder does not wait for those that do, however many."""
        host = self.host("-j", 1, "--queue", 100)
        with concurrent.futures.ThreadPoolExecutor(30) as pool:
            pictures = [pool.submit(host.request, PICTURE) for _ in range(10)]
            while host.metric("mist_http_requests_in_flight") < 11:
                pass
            for path in ("/healthz", "/v1/datasets", "/v1/datasets/big/items", "/v1/datasets/big/items/a.png?reduce=5",
                         "/v1/datasets/big/items/a.png/map", "/v1/datasets/big/items/a.png/frames/0?reduce=5", "/dicom-web/studies",
                         "/v1/datasets/big/plan?reduce=3"):
                self.assertIn(host.request(path)[0], (200, 204), path)
            self.assertFalse(pictures[-1].done(), "they were made too fast for this test")
            self.assertEqual({future.result()[0] for future in pictures}, {200})

    def test_pictures_share_memory(self):
        """More than all of it is made alone; all are made in the end."""
        host = self.host("-j", 3, "--picture-memory", "1MiB")
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda _: host.request(PICTURE), range(6)))
        self.assertEqual([status for status, _, _ in answers], [200] * 6)
        self.assertEqual(len({body for _, _, body in answers}), 1)

    def test_who_has_gone_is_made_no_picture(self):
        host = self.host("-j", 1, "--queue", 100)
        with contextlib.ExitStack() as stack:
            for _ in range(40):
                s = stack.enter_context(socket.create_connection((host.name, host.port), timeout=10))
                s.sendall(b"GET " + PICTURE.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            while host.metric("mist_http_requests_in_flight") < 30:
                pass
        self.assertTrue(host.idle())
        self.assertGreater(host.metric("mist_http_cancelled_total"), 0)
        self.assertEqual(host.request("/healthz")[0], 200)

    def test_the_idlest_makes_room(self):
        host = self.host("--connections", 8, "--connections-per-address", 8)
        held = [self.half(host) for _ in range(8)]
        for _ in range(30):
            self.assertEqual(host.request("/healthz")[0], 200)
        self.assertGreater(host.metric("mist_http_connections_evicted_total"), 0)
        self.assertTrue(self.closed(held[0], 5))

    def test_many_slow_ones_keep_nobody_out(self):
        host = self.host("--connections", 40)
        held = [self.half(host) for _ in range(150)]
        for _ in range(100):
            self.assertEqual(host.request("/healthz")[0], 200)
        self.assertLess(sum(not self.closed(s, 0.01) for s in held), 40)

    def test_connections_of_one_address(self):
        host = self.host("--connections", 100, "--connections-per-address", 4)
        held = [self.half(host) for _ in range(4)]
        self.assertEqual(host.request("/healthz")[0], 200)
        self.assertTrue(self.closed(held[0], 5))
        self.assertFalse(self.closed(held[3], 0.3))
        other = self.host("--connections", 100, "--connections-per-address", 4, "--trusted-proxy", "127.0.0.1")
        held = [self.half(other) for _ in range(20)]
        self.assertEqual(other.request("/healthz")[0], 200)
        self.assertFalse(any(self.closed(s, 0.02) for s in held))
        self.assertEqual(other.metric("mist_http_connections_evicted_total"), 0)

    def test_connections_that_are_used_are_not_closed(self):
        """Where none is idle the new one goes."""
        host = self.host("-j", 1, "--connections", 4, "--connections-per-address", 4)
        with contextlib.ExitStack() as stack:
            used = []
            for _ in range(4):
                used.append(stack.enter_context(socket.create_connection((host.name, host.port), timeout=60)))
                used[-1].sendall(b"GET " + PICTURE.encode() + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            time.sleep(0.2)
            new = stack.enter_context(socket.create_connection((host.name, host.port), timeout=10))
            self.assertTrue(self.closed(new, 5))
            for s in used:
                self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 200"))

    def test_time_for_a_header(self):
        host = self.host("--header-timeout", 1, "--timeout", 30)
        kept = host.connect()
        self.addCleanup(kept.close)
        self.assertEqual(host.request("/healthz", connection=kept)[0], 200)
        start = time.monotonic()
        self.assertTrue(self.closed(self.half(host), 10))
        self.assertGreater(time.monotonic() - start, 0.7)
        self.assertEqual(host.request("/healthz", connection=kept)[0], 200)
        # Also of a later request of a connection.
        kept.sock.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        self.assertTrue(self.closed(kept.sock, 10))


if __name__ == "__main__":
    unittest.main()
