"""mist get from hosts that do not answer, stall, drip, or fail again and again."""
import json
import shutil
import socket
import threading
import unittest

from datasets import Served, cache_of, read_catalog, tree, write_catalog

ITEM = "cxr/00000061_012.png"
REMOTE = f"/ex/items/{ITEM}.mist"


class Case(Served):
    size = "512"

    def setUp(self):
        super().setUp()
        self.over = threading.Event()  # ends answers that would never end

    def tearDown(self):
        self.over.set()
        super().tearDown()

    def get(self, *arguments, **options):
        return super().get("--size", self.size, *arguments, **options)


class Stalls(Case):
    def lie(self, path, answer, times):
        """The first `times` requests for the path are answered by answer(handler, data, first, end)."""
        self.asked = []

        def lie(handler, asked, data, first, end):
            if asked != path:
                return False
            self.asked.append((first, end))
            if len(self.asked) > times:
                return False
            handler.close_connection = True
            try:
                answer(handler, data, first, end)
            except OSError:
                pass
            return True
        self.server.lie = lie

    def begin(self, handler, data, first, end):
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{end - 1}/{len(data)}")
        handler.send_header("Content-Length", str(end - first))
        handler.end_headers()

    def send(self, handler, bytes):
        handler.wfile.write(bytes)
        with self.server.lock:
            self.server.log.append((REMOTE, handler.headers.get("Range"), len(bytes)))

    def silent(self, handler, *_):
        self.over.wait(60)

    def half(self, handler, data, first, end):
        self.begin(handler, data, first, end)
        self.send(handler, data[first:first + (end - first) // 2])
        self.over.wait(60)

    def drip(self, handler, data, first, end):
        self.begin(handler, data, first, end)
        for at in range(first, end):
            self.send(handler, data[at:at + 1])
            if self.over.wait(0.1):
                return

    def assert_all_is_well(self, report, stderr):
        self.assertEqual((report["failed"], stderr), (0, ""))
        self.assertEqual(tree(self.out), self.right)

    def test_a_host_that_accepts_and_never_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            url = f"http://127.0.0.1:{server.getsockname()[1]}/ex"
            _, stderr = self.get("--timeout", "1", url=url, check=1)
            self.assertEqual(stderr, f"mist get: {url}/catalog.jsonl.zst: no answer in 1 second; "
                                     "nothing was downloaded\n")
            self.assertFalse(self.out.exists())
            # It was asked once: nobody waits through six time limits to hear that an address is wrong.
            server.settimeout(1)
            server.accept()[0].close()
            with self.assertRaises(TimeoutError):
                server.accept()

    def test_a_host_that_never_accepts(self):
        """Its queue of connections is full, so the kernel lets no more be made."""
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            address = server.getsockname()
            waiting = []
            for _ in range(8):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(address)
            url = f"http://127.0.0.1:{address[1]}/ex"
            _, stderr = self.get("--timeout", "2", url=url, check=1)
            self.assertRegex(stderr, rf"^mist get: {url}/catalog.jsonl.zst: .*(timed out|[Tt]imeout).*; "
                                     r"nothing was downloaded\n$")
            for client in waiting:
                client.close()

    def test_an_item_that_is_not_answered(self):
        self.lie(REMOTE, self.silent, times=1)
        self.assert_all_is_well(*self.get("--timeout", "1"))
        self.assertEqual(len(self.asked), 2)
        self.assertEqual(self.asked[0], self.asked[1])

    def test_a_body_that_stalls(self):
        """Goes on where it stopped."""
        self.lie(REMOTE, self.half, times=2)
        report, stderr = self.get("--timeout", "1")
        self.assert_all_is_well(report, stderr)
        (first, end), second, third = self.asked
        self.assertEqual(first, 0)
        half = end // 2
        self.assertEqual((second, third), ((half, end), (half + (end - half) // 2, end)))
        self.assertEqual((report["fetched_bytes"], self.server.body_bytes()), (report["planned_bytes"],) * 2)

    def test_a_body_that_drips(self):
        """Ten bytes a second are no progress; what has come is not asked for again."""
        self.lie(REMOTE, self.drip, times=1)
        self.assert_all_is_well(*self.get("--timeout", "1"))
        (first, end), (second, second_end) = self.asked
        self.assertEqual((first, end), (0, second_end))
        self.assertTrue(0 < second < 1000, second)

    def test_a_slow_body_is_waited_for(self):
        """It takes longer than the time limit, but never stops."""
        def slowly(handler, data, first, end):
            self.begin(handler, data, first, end)
            for at in range(first, end, (end - first + 15) // 16):
                self.send(handler, data[at:min(at + (end - first + 15) // 16, end)])
                self.over.wait(0.25)
        self.lie(REMOTE, slowly, times=9)
        self.assert_all_is_well(*self.get("--timeout", "3"))
        self.assertEqual(len(self.asked), 1)

    def test_an_attachment_that_stalls(self):
        path = "/ex/files/cxr/labels.csv"
        self.lie(path, self.half, times=1)
        self.assert_all_is_well(*self.get("--timeout", "1"))
        (first, end), second = self.asked
        self.assertEqual((first, second), (0, (end // 2, end)))

    def test_the_catalog_that_stalls(self):
        """It has begun to answer: so it is asked again, for the rest."""
        def half(handler, data, first, end):
            self.server.send(handler, REMOTE, 200, {}, data[:len(data) // 2], length=len(data))
            self.over.wait(60)
        self.lie("/ex/catalog.jsonl.zst", half, times=1)
        self.assert_all_is_well(*self.get("--timeout", "1"))
        size = (self.store / "ex/catalog.jsonl.zst").stat().st_size
        self.assertEqual(self.asked, [(0, size), (size // 2, size)])

    def test_one_that_stays_so(self):
        """The tries end; the sentence says where, of what address and what next. The next run asks for the rest."""
        self.lie(REMOTE, self.half, times=99)
        report, stderr = self.get("--timeout", "1", "--retries", "0", check=1)
        (_, end), = self.asked
        self.assertEqual(stderr, f"mist get: {ITEM}: {self.server.url}{REMOTE}: next to nothing came in 1 second, at "
                                 f"byte {end // 2} of {end}; run again to go on\n")
        self.assertEqual((report["failed"], set(tree(self.out))), (1, set(self.right) - {ITEM}))
        _, stderr = self.get("--timeout", "1", "--retries", "1", check=1)
        self.assertIn("; tried 2 times; run again to go on\n", stderr)
        reached = [first for first, _ in self.asked]
        self.assertEqual(reached, sorted(reached))
        self.server.lie = None
        self.assert_all_is_well(*self.get())
        self.assertEqual(self.server.body_bytes(), report["selected_bytes"], "each byte once")

    def test_options(self):
        for option, value in [("timeout", "0"), ("timeout", "3601"), ("timeout", "x"), ("retries", "101")]:
            self.assertIn(option, self.get(f"--{option}", value, check=2)[1])


class Again(Case):
    """Failures of network or disk, one after another."""

    def many(self, count):
        """A dataset `many` of `count` copies of one item under other names."""
        row = next(row for row in read_catalog(self.store / "ex") if row.get("path") == ITEM)
        dataset = self.base / "many" / "many"
        self.addCleanup(shutil.rmtree, dataset.parent)
        names = [f"{i:03}.png" for i in range(count)]
        write_catalog(dataset, [json.dumps({**row, "path": name, "files": [{"path": ITEM, "frames": 1}]})
                                for name in names], count, 0)
        return dataset

    def refuse(self, refused):
        """403 for the requests for which refused(its number) says so; else an empty answer that is no failure of
        network or disk."""
        lock, numbers = threading.Lock(), iter(range(10 ** 6))

        def lie(handler, path, data, first, end):
            if path.endswith(".zst"):
                return False
            with lock:
                number = next(numbers)
            self.server.send(handler, path, 403 if refused(number) else 404, {}, b"")
            return True
        self.server.store, self.server.lie = self.base / "many", lie

    def test_many_end_the_run(self):
        self.many(300)
        self.refuse(lambda number: True)
        _, stderr = self.get("-j", "1", url=f"{self.server.url}/many", check=1)
        lines = stderr.splitlines()
        self.assertIn("mist get: given up after 24 failures in a row; run again to go on", lines)
        self.assertTrue(24 <= len(lines) - 1 < 24 + 20, len(lines))  # some were under way
        self.assertLess(len(self.server.log), 60)

    def test_fewer_do_not(self):
        self.many(60)
        self.refuse(lambda number: number < 23)
        report, stderr = self.get("-j", "1", url=f"{self.server.url}/many", check=1)
        self.assertEqual((report["failed"], stderr.count("refuses access"), stderr.count("no such file")),
                         (60, 23, 37))

    def test_others_between_them_start_the_count_anew(self):
        """Of what is under way at once at most 17 may pass one another: so there are always others between."""
        self.many(300)
        self.refuse(lambda number: number % 60 < 6)
        report, stderr = self.get("-j", "1", url=f"{self.server.url}/many", check=1)
        self.assertEqual((report["failed"], stderr.count("refuses access")), (300, 30))

    def test_a_disk(self):
        """The same where files cannot be written."""
        self.many(60)
        for i in range(60):
            (cache_of(self.out) / "many/items" / f"{i:03}.png.mist-part").mkdir(parents=True)
        _, stderr = self.get("-j", "1", url=self.base / "many/many", check=1)
        self.assertIn("mist get: given up after 24 failures in a row; run again to go on", stderr.splitlines())


if __name__ == "__main__":
    unittest.main()
