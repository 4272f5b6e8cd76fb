# SPDX-License-Identifier: BSD-2-Clause
"""What the host tells of its requests: the formats of --log, who asked from behind a proxy, how long answers took."""
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

from hosting import EXAMPLES, MIST, Host, mist

AGENT = 'A "quoted" agent\\1 \u00fc'


class Log(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-log-"))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        mist("encode", EXAMPLES / "cxr", "-o", cls.work / "store", "--dataset", "xr")

    def lines(self, *options, headers=None):
        host = Host(self.work / "store", *options)
        fields = {"User-Agent": AGENT.encode(), "Referer": "http://x/y", **(headers or {})}
        try:
            self.assertEqual(host.request("/v1/datasets?a=%22", fields)[0], 400)
            self.assertEqual(host.request("/xr/catalog.jsonl.zst", {**fields, "Range": "bytes=0-9"})[0], 206)
            host.request("/v1/datasets", headers or {})
        finally:
            host.stop()
        return pathlib.Path(host.log.name).read_text().splitlines()

    def test_plain(self):
        for options in (["--log"], ["--log-format", "plain"]):
            lines = self.lines(*options)
            self.assertRegex(lines[1], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ 127\.0\.0\.1 "GET /xr/catalog\.jsonl\.zst" 206 10 \d+\.\d{3}$')
        self.assertEqual(self.lines(), [])

    def test_combined(self):
        lines = self.lines("--log-format", "combined")
        self.assertEqual(len(lines), 3)
        whole = re.compile(r'^(\S+) - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "(GET \S+) HTTP/1\.1" (\d{3}) (\d+) "([^"]*)" "([^"]*)"$')
        found = whole.match(lines[1])
        self.assertEqual(found.groups(), ("127.0.0.1", "GET /xr/catalog.jsonl.zst", "206", "10", "http://x/y",
                                          r"A \x22quoted\x22 agent\x5c1 \xc3\xbc"))
        self.assertEqual(whole.match(lines[2]).groups()[4:], ("-", "-"))

    def test_json(self):
        rows = [json.loads(line) for line in self.lines("--log-format", "json")]
        self.assertEqual([row["status"] for row in rows], [400, 206, 200])
        self.assertEqual(set(rows[1]), {"time", "client", "method", "target", "referrer", "user_agent", "status", "bytes", "seconds", "complete"})
        self.assertEqual((rows[1]["method"], rows[1]["bytes"], rows[1]["complete"], rows[1]["user_agent"]),
                         ("GET", 10, True, r"A \x22quoted\x22 agent\x5c1 \xc3\xbc"))
        self.assertIsNone(rows[2]["referrer"])

    def test_forwarded(self):
        """Believed of a proxy that was named only, its own entry only, and only an address."""
        def clients(forwarded, *options):
            return {json.loads(line)["client"] for line in self.lines("--log-format", "json", *options, headers={"X-Forwarded-For": forwarded})}
        trusted = ["--trusted-proxy", "127.0.0.1"]
        self.assertEqual(clients("192.0.2.7"), {"127.0.0.1"})
        self.assertEqual(clients("192.0.2.7", *trusted), {"192.0.2.7"})
        self.assertEqual(clients("203.0.113.1, 2001:db8::1 ", *trusted), {"2001:db8::1"})
        for wrong in ("192.0.2.7,", "", "unknown", "192.0.2.7\\nx", "192.0.2.300", "1" * 100, '" 200 0'):
            self.assertEqual(clients(wrong, *trusted), {"127.0.0.1"}, wrong)

    def test_wrong_format(self):
        result = subprocess.run([MIST, "serve", self.work / "store", "--log-format", "xml"], capture_output=True, text=True, timeout=20)
        self.assertEqual((result.returncode, "plain, combined or json" in result.stderr), (2, True))

    def test_histogram(self):
        host = Host(self.work / "store")
        try:
            for _ in range(3):
                host.request("/v1/datasets")
            host.request("/v1/datasets/xr/items/00000061_012.png?format=npy&reduce=3")
            for _ in range(200): # an answer is counted when its connection has let go of it
                text = host.request("/metrics")[2].decode()
                if 'count{kind="render"} 1' in text:
                    break
                time.sleep(0.02)
        finally:
            host.stop()
        self.assertIn("# TYPE mist_http_answer_seconds histogram", text)
        for kind, count in (("look", 3), ("render", 1)):
            buckets = [int(n) for n in re.findall(rf'mist_http_answer_seconds_bucket{{kind="{kind}",le="[^"]+"}} (\d+)', text)]
            self.assertEqual((len(buckets), buckets[-1]), (10, count), kind)
            self.assertEqual(buckets, sorted(buckets))
            self.assertIn(f'mist_http_answer_seconds_count{{kind="{kind}"}} {count}\n', text)
            total = float(re.search(rf'mist_http_answer_seconds_sum{{kind="{kind}"}} ([\d.]+)\n', text)[1])
            self.assertTrue(0 < total < 10)


if __name__ == "__main__":
    unittest.main()
