"""mist serve against clients that are hostile, broken or slow, and what happens when it is told to stop."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import tempfile
import threading
import unittest

from hosting import EXAMPLES, Host, mist

CXR = "cxr/00000061_012.png"


class HostileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-hostile-"))
        cls.store = cls.work / "store"
        mist("encode", EXAMPLES / "cxr", "-o", cls.store, "--dataset", "ex")
        (cls.work / "secret.txt").write_text("SECRET")
        (cls.store / "secret.txt").write_text("SECRET")
        files = cls.store / "ex" / "files"
        (files / "out.txt").symlink_to(cls.work / "secret.txt")
        (files / "up.txt").symlink_to("../../../secret.txt")
        (files / "outside").symlink_to(cls.work)
        (files / "device").symlink_to("/dev/zero")
        os.mkfifo(files / "pipe")
        shutil.copy(cls.store / "ex" / "items" / "00000061_012.png.mist", cls.work / "stray.mist")
        (cls.store / "ex" / "items" / "stray.mist").symlink_to(cls.work / "stray.mist")
        cls.host = Host(cls.store)

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        shutil.rmtree(cls.work)

    def status(self, answer):
        match = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
        return int(match[1]) if match else None

    def ask(self, target, method=b"GET", fields=b"Host: x\r\n"):
        return self.host.raw(method + b" " + target + b" HTTP/1.1\r\n" + fields + b"Connection: close\r\n\r\n")

    def alive(self):
        self.assertEqual(self.host.get("/healthz"), b'{"status": "ok"}\n')

    # ---- paths ----

    def test_no_path_leaves_the_store(self):
        climbs = [b"../secret.txt", b"../../secret.txt", b"../../../secret.txt", b"../../../../../../../../etc/passwd",
                  b"%2e%2e/secret.txt", b"%2e%2e/%2e%2e/%2e%2e/secret.txt", b"..%2f..%2f..%2fsecret.txt",
                  b"%2e%2e%2f%2e%2e%2f%2e%2e%2fsecret.txt", b"..%5c..%5csecret.txt", b"..\\..\\secret.txt",
                  b"/etc/passwd", b"//etc/passwd", b"%2fetc%2fpasswd", b"./x/../../../secret.txt", b"labels.csv/../../../secret.txt",
                  b"%252e%252e/secret.txt", b"..%c0%af..%c0%afsecret.txt", b"%c0%ae%c0%ae/secret.txt",
                  b"out.txt", b"up.txt", b"outside/secret.txt", b"outside/../secret.txt", b"device", b"pipe", b".", b"..", b"",
                  b"labels.csv/", b"labels.csv/.", b"./labels.csv", b"x/../labels.csv", b"labels.csv%00", b"labels.csv%00.txt",
                  b"%00", b"~root", b"a" * 300, b"a/" * 600, b"stray", b"....//secret.txt"]
        for base in [b"/ex/files/", b"/v1/datasets/ex/files/", b"/v1/datasets/ex/items/", b"/ex/items/", b"/ex/", b"/",
                     b"/v1/datasets/", b"/v1/datasets/../", b"/v1/datasets/%2e%2e/files/", b"/../files/", b"/.././"]:
            for climb in climbs:
                for target in [base + climb, base + climb + b".mist", base + climb + b"/map", base + climb + b"/frames/0"]:
                    answer = self.ask(target)
                    self.assertNotIn(b"SECRET", answer, target)
                    self.assertNotIn(b"root:x:", answer, target)
                    found = {b"/": 200, b"/ex/": 404}.get(target)
                    self.assertIn(self.status(answer), [found] if found else [200, 400, 404], target)
                    if self.status(answer) == 200 and target != b"/":
                        self.assertIn(target, [b"/v1/datasets/"])
        self.alive()

    def test_the_index_is_no_file_to_fetch(self):
        for name in [b"mist.sqlite", b"mist.sqlite-wal", b"mist.sqlite/catalog.jsonl.zst", b"secret.txt"]:
            self.assertEqual(self.status(self.ask(b"/" + name)), 404)
            self.assertEqual(self.status(self.ask(b"/v1/datasets/" + name)), 404)

    # ---- requests ----

    def test_clients_that_shut_down_their_side_are_answered(self):
        """Several at once, of what a worker answers: the end of the request may be seen before the answer is made."""
        request = b"GET /v1/datasets/ex/items/stray/map HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        statuses = []

        def ask():
            statuses.extend([self.status(self.host.raw(request)) for _ in range(200)])

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [404] * 600)

    def test_methods(self):
        for method in [b"POST", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"X"]:
            answer = self.ask(b"/v1/datasets", method, b"Host: x\r\nContent-Length: 0\r\n")
            self.assertEqual(self.status(answer), 405, method)
            self.assertIn(b"\r\nAllow: GET, HEAD, OPTIONS\r\n", answer)
        status, fields, data = self.host.request("/v1/datasets", method="POST", body=b"x" * 200000)
        self.assertEqual((status, list(json.loads(data))), (405, ["error"]))

    def test_bodies_are_refused(self):
        for fields in [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 99999999999\r\n"]:
            answer = self.host.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + fields +
                                   b"\r\n5\r\nGET /v1/datasets HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertIn(self.status(answer), [400, 413], fields)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, fields)
        self.alive()

    def test_what_rfc_9112_forbids(self):
        """400, and the connection is closed: a second request behind such a one is not answered."""
        for fields in [b"Host: a\r\nHost: b", b"Host: a\r\nHost: a", b"Host: a\r\nContent-Length: 0\r\nContent-Length: 5",
                       b"Host: a\r\nContent-Length: 0\r\ncontent-length: 0", b"Host: a\r\nContent-Length : 0",
                       b"Host : a", b"Host: a\r\nX: a\x01b", b"Host: a b", b"Host: a\r\nX(y): 1", b"Host: a\r\nX\x80: 1",
                       b"Host: a\r\nContent-Length: +0", b"Host: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"]:
            answer = self.host.raw(b"GET /healthz HTTP/1.1\r\n" + fields + b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n",
                                   half_close=False)
            self.assertEqual((self.status(answer), b"HTTP/1.1 200" in answer), (400, False), (fields, answer))
        for fields in [b"Host: a\r\nX: a\tb", b"Host: a\r\nX: \xe9", b"Host:", b"Host: [::1]:80\r\nContent-Length: 0"]:
            self.assertEqual(self.status(self.ask(b"/healthz", fields=fields + b"\r\n")), 200, fields)
        self.alive()

    def test_malformed_requests(self):
        for data in [b"\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                     b"GET  HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00\x01\x02", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9,
                     b"GET / HTTP/1.1\r\nHost: x\r\nNo colon here\r\n\r\n", b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /a\x00b HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: " + b"b" * 100000 + b"\r\n\r\n",
                     b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000 + b"\r\n", b"GET /?" + b"a=b&" * 70 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /?%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]:
            answer = self.host.raw(data)
            self.assertNotEqual(self.status(answer), 200, data[:60])
        answer = self.host.raw(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(self.status(answer), 414)
        self.assertIn(b'{"error"', answer)
        self.alive()
        self.assertTrue(self.host.idle())

    def test_absolute_form(self):
        self.assertEqual(self.status(self.ask(b"http://somewhere/healthz")), 200)
        self.assertEqual(self.status(self.ask(b"http://somewhere")), 200)

    def test_random_bytes(self):
        generator = random.Random(11)
        valid = f"GET /v1/datasets/ex/items/{CXR}?reduce=1 HTTP/1.1\r\nHost: x\r\nRange: bytes=0-5\r\nIf-Range: \"a\"\r\n\r\n".encode()
        for number in range(200):
            if number % 3 == 0:
                data = generator.randbytes(generator.randrange(1, 3000))
            else:
                data = bytearray(valid)
                for _ in range(generator.randrange(1, 8)):
                    data[generator.randrange(len(data))] = generator.randrange(256)
                data = bytes(data[:generator.randrange(1, len(data) + 1)])
            self.host.raw(data)
        self.alive()
        self.assertTrue(self.host.idle())

    def test_pipelined_requests(self):
        one = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        answer = self.host.raw(one * 9 + last, half_close=False)
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 10)

    # ---- slow clients ----

    def test_slow_clients_do_not_block_others(self):
        """Half a header, and bodies that nobody reads, on more connections than there are threads."""
        item = next((self.store / "ex" / "items").rglob("*.mist"))
        name = item.relative_to(self.store)
        with contextlib.ExitStack() as stack:
            for number in range(60):
                s = stack.enter_context(socket.create_connection((self.host.name, self.host.port), timeout=10))
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                s.sendall(b"GET /healthz HTT" if number % 2 else b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % str(name).encode())
            for _ in range(20):
                self.alive()
                self.assertEqual(self.host.get("/" + str(name)), item.read_bytes())
        self.alive()

    def test_who_does_not_send_is_cut_off(self):
        """A byte now and then does not keep a connection open, and neither does silence."""
        host = Host(self.store, "--timeout", "1")
        try:
            with socket.create_connection((host.name, host.port), timeout=30) as silent, \
                    socket.create_connection((host.name, host.port), timeout=30) as dripping:
                dripping.settimeout(0.2)
                closed = False
                for byte in b"GET /healthz HTTP/1.1\r\nHost: " + b"x" * 200:
                    try:
                        dripping.sendall(bytes([byte]))
                        closed = dripping.recv(100) == b""
                    except TimeoutError:
                        pass
                    except OSError:
                        closed = True
                    if closed:
                        break
                self.assertTrue(closed)
                self.assertIn(silent.recv(1000)[:12], [b"", b"HTTP/1.1 408"])
            self.assertGreaterEqual(host.metric("mist_http_connections_timed_out_total"), 1)
        finally:
            self.assertEqual(host.stop(), 0)

    # ---- starting and stopping ----

    def test_addresses(self):
        result = mist("serve", self.store, "--listen", f"127.0.0.1:{self.host.port}", check=1)
        self.assertEqual(result.stderr.count("\n"), 1)
        self.assertIn(f"127.0.0.1:{self.host.port}", result.stderr)
        self.assertIn("in use", result.stderr)
        for listen in ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "[::1:80", "::1:80"]:
            mist("serve", self.store, "--listen", listen, check=2)
        mist("serve", self.work / "nowhere", check=1)
        mist("serve", check=2)
        with socket.socket(socket.AF_INET6) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                print("skipped: no IPv6 on this machine")
                return
        host = Host(self.store, listen="[::1]:0")
        self.assertEqual(host.name, "::1")
        host.get("/healthz")
        self.assertEqual(host.stop(), 0)

    def test_stopping_finishes_what_is_in_flight(self):
        for number in [signal.SIGTERM, signal.SIGINT]:
            host = Host(self.store)
            item = max((self.store / "ex" / "items").rglob("*.mist"), key=lambda path: path.stat().st_size)
            with socket.create_connection((host.name, host.port), timeout=30) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
                s.sendall(b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % str(item.relative_to(self.store)).encode())
                got = s.recv(1000)
                host.process.send_signal(number)
                while block := s.recv(65536):
                    got += block
            self.assertEqual(got.split(b"\r\n\r\n", 1)[1], item.read_bytes())
            self.assertEqual(host.stop(None), 0)  # a second signal would end it at once

    def test_stopping_under_load(self):
        """Workers and senders busy, requests waiting: still an orderly end, and no answer is cut short."""
        host = Host(self.store)
        answered, stopping = [], threading.Event()

        def ask(number):
            while not stopping.is_set():
                try:
                    answer = host.get(f"/v1/datasets/ex/items/00000061_012.png/frames/0?reduce={number % 5}&accept=image/png")
                except (OSError, AssertionError, http.client.RemoteDisconnected):
                    return  # not accepted any more
                self.assertEqual(answer[-8:-4], b"IEND")
                answered.append(number)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            asking = [pool.submit(ask, number) for number in range(8)]
            while len(answered) < 20 and not all(future.done() for future in asking):
                threading.Event().wait(0.01)
            status = host.stop()
            stopping.set()
            for future in asking:
                future.result()
        self.assertGreaterEqual(len(answered), 20)
        self.assertEqual(status, 0)

    # ---- the store changes ----

    def test_a_store_encoded_anew_is_seen(self):
        sources, store = self.work / "changing", self.work / "changing-store"
        shutil.copytree(EXAMPLES / "cxr", sources)
        mist("encode", sources, "-o", store, "--dataset", "d")
        host = Host(store)
        try:
            url = "/v1/datasets/d/items/00000061_012.png"
            before = {key: host.request(url + part)[1]["etag"] for key, part in
                      [("item", ""), ("frame", "/frames/0"), ("prefix", "?reduce=1")]}
            old = host.get("/v1/datasets/d")
            frame = host.get(url + "/frames/0?reduce=4")
            shutil.copy(sources / "00000150_002.png", sources / "00000061_012.png")
            (sources / "new.txt").write_text("new")
            mist("encode", sources, "-o", store, "--dataset", "d")
            mist("encode", sources, "-o", store, "--dataset", "second")
            item = (store / "d" / "items" / "00000061_012.png.mist").read_bytes()
            self.assertEqual(host.get(url), item)
            after = {key: host.request(url + part)[1]["etag"] for key, part in
                     [("item", ""), ("frame", "/frames/0"), ("prefix", "?reduce=1")]}
            for key in before:
                self.assertNotEqual(before[key], after[key])
            self.assertNotEqual(host.get(url + "/frames/0?reduce=4"), frame)
            self.assertEqual(host.request(url, {"If-Range": before["item"], "Range": "bytes=0-9"})[0], 200)
            self.assertNotEqual(host.get("/v1/datasets/d"), old)
            self.assertEqual(host.get("/d/files/new.txt"), b"new")
            self.assertEqual([d["dataset"] for d in json.loads(host.get("/v1/datasets"))["datasets"]], ["d", "second"])
            mist("index", store)
            self.assertEqual(len(json.loads(host.get("/v1/datasets/d/items"))["items"]), 4)
        finally:
            self.assertEqual(host.stop(), 0)

    def test_damaged_items(self):
        store = self.work / "damaged-store"
        shutil.copytree(self.store / "ex" / "items", store / "ex" / "items", symlinks=False)
        mist("index", store)
        host = Host(store)
        path = store / "ex" / "items" / "00000061_012.png.mist"
        whole = path.read_bytes()
        url = "/v1/datasets/ex/items/00000061_012.png"
        try:
            for data in [b"", b"x", whole[:40], whole[:100], whole[:20000], whole[:70] + b"\xff" * 50 + whole[120:]]:
                path.unlink()
                path.write_bytes(data)
                self.assertEqual(host.get(url), data)
                for part in ["/map", "/frames/0?reduce=0", "?reduce=0", "?size=512"]:
                    status, fields, answer = host.request(url + part)
                    if part == "/map" and status == 200:
                        self.assertEqual(data, whole[:20000])
                        continue
                    self.assertEqual(status, 500, (len(data), part))
                    self.assertNotIn(str(self.work), answer.decode())
            self.assertIn("00000061_012.png", host.log_text())
        finally:
            self.assertEqual(host.stop(), 0)


if __name__ == "__main__":
    unittest.main()
