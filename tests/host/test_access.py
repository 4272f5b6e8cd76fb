# SPDX-License-Identifier: BSD-2-Clause
"""Private datasets: who sees and reads what, by tokens and by links, judged by Python's hashlib and hmac."""
import datetime
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from hosting import EXAMPLES, MIST, Host, mist

TOKEN, OTHER, ALL, OLD = "token-of-ct", "token-of-xr", "token-of-all", "token-that-has-ended"


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Access(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-access-"))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        cls.store = cls.work / "store"
        mist("encode", EXAMPLES / "ct-head", "-o", cls.store, "--dataset", "ct")
        mist("encode", EXAMPLES / "cxr", "-o", cls.store, "--dataset", "xr")
        mist("encode", EXAMPLES / "mr-head", "-o", cls.store, "--dataset", "mr")
        (cls.work / "key").write_bytes(bytes(range(32)))

    def setUp(self):
        self.file = self.work / "access"
        yesterday = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
        self.file.write_text(f"# who\n\nct,xr {digest(ALL)}\n  ct\t{digest(TOKEN)} 2999-12-31\nxr {digest(OTHER).upper()}\n"
                             f"ct {digest(OLD)} {yesterday}\n")
        self.host = Host(self.store, "--access", str(self.file), "--link-key", str(self.work / "key"), "--log")
        self.addCleanup(self.end)

    def end(self):
        self.assertEqual(self.host.stop(), 0)

    def status(self, path, headers=None, method="GET"):
        return self.host.request(path, headers, method=method)[0]

    def names(self, headers=None, query=""):
        return {entry["dataset"] for entry in json.loads(self.host.request("/v1/datasets" + query, headers)[2])["datasets"]}

    def paths(self, dataset):
        """Every kind of address below a dataset."""
        item = json.loads(self.host.request(f"/v1/datasets/{dataset}/items?limit=1", bearer(ALL))[2])["items"][0]["path"]
        v1 = f"/v1/datasets/{dataset}"
        return [v1, f"{v1}/items", f"{v1}/files", f"{v1}/plan?size=64", f"{v1}/catalog.jsonl.zst", f"{v1}/tree.jsonl.zst", f"{v1}/items/{item}",
                f"{v1}/items/{item}?reduce=1", f"{v1}/items/{item}/map", f"{v1}/items/{item}/frames/0", f"{v1}/items/{item}?format=npy&reduce=2",
                f"/{dataset}/catalog.jsonl.zst", f"/{dataset}/items/{item}.mist", f"/{dataset}/tree.jsonl.zst"]

    def test_what_is_listed(self):
        self.assertEqual(self.names(), {"mr"})
        self.assertEqual(self.names(bearer(TOKEN)), {"ct", "mr"})
        self.assertEqual(self.names(bearer(OTHER)), {"xr", "mr"})
        self.assertEqual(self.names(bearer(ALL)), {"ct", "xr", "mr"})
        for wrong in (OLD, "nothing", digest(TOKEN), TOKEN + "x", ""):
            self.assertEqual(self.names(bearer(wrong)), {"mr"}, wrong)
        self.assertEqual(self.names({"Authorization": "Basic " + TOKEN}), {"mr"})
        self.assertEqual(self.names({"Authorization": "bearer  " + TOKEN}), {"ct", "mr"})

    def test_what_is_read(self):
        for dataset, token, others in (("ct", TOKEN, (OTHER, OLD)), ("xr", OTHER, (TOKEN,))):
            for path in self.paths(dataset):
                answer = self.host.request(path)
                self.assertEqual((answer[0], answer[1]["www-authenticate"]), (401, 'Bearer realm="mist"'), path)
                self.assertIn("MIST_TOKEN", json.loads(answer[2])["error"])
                self.assertEqual(self.status(path, method="HEAD"), 401, path)
                self.assertEqual(self.status(path, {"Range": "bytes=0-10"}), 401, path)
                for other in others:
                    answer = self.host.request(path, bearer(other))
                    self.assertEqual((answer[0], "invalid_token" in answer[1]["www-authenticate"]), (401, True), path)
                self.assertIn(self.status(path, bearer(token)), (200, 404) if "tree" in path else (200,), path)
                self.assertIn(self.status(path, bearer(ALL)), (200, 404) if "tree" in path else (200,), path)
        for path in self.paths("mr"):
            self.assertIn(self.status(path), (200, 404) if "tree" in path else (200,), path)
        self.assertEqual(self.status("/ct/%69tems/x.mist"), 401)
        self.assertEqual(self.status("/v1/datasets/none/items"), 404)
        for path in ("/", "/healthz", "/metrics", "/openapi.json"):
            answer = self.host.request(path)
            self.assertEqual(answer[0], 200)
            self.assertNotIn(b'"ct"', answer[2])

    def test_dicom_web(self):
        def studies(headers=None, query=""):
            return json.loads(self.host.request("/dicom-web/studies" + query, headers)[2])
        self.assertEqual(studies(), [])
        self.assertEqual(studies(bearer(OTHER)), [])
        found = studies(bearer(TOKEN))
        self.assertEqual(len(found), 1)
        study = found[0]["0020000D"]["Value"][0]
        for path in (f"/dicom-web/studies/{study}", f"/dicom-web/studies/{study}/metadata", f"/dicom-web/studies/{study}/rendered"):
            self.assertEqual(self.status(path), 404, path)
            self.assertEqual(self.status(path, bearer(OTHER)), 404, path)
            self.assertEqual(self.status(path, bearer(TOKEN)), 200, path)
        link = json.loads(self.host.request("/v1/datasets/ct/link", bearer(TOKEN))[2])["access"]
        self.assertEqual(len(studies(query="?access=" + link)), 1)

    def test_mist_get(self):
        def get(token):
            environment = {**os.environ, "MIST_TOKEN": token} if token else {k: v for k, v in os.environ.items() if k != "MIST_TOKEN"}
            return subprocess.run([MIST, "get", f"{self.host.url}/xr", "--size", "128", "-q", "-o", self.work / f"out-{token}"],
                                  capture_output=True, text=True, env=environment)
        self.assertEqual(get(OTHER).returncode, 0)
        self.assertEqual(len(list((self.work / f"out-{OTHER}").rglob("*.png"))), 4)
        for token, words in ((None, "MIST_TOKEN is not set"), (TOKEN, "in spite of MIST_TOKEN")):
            result = get(token)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(words, result.stderr)
            self.assertNotIn(TOKEN, result.stderr)

    def test_links(self):
        path = "/v1/datasets/ct/items?limit=1"
        status, fields, body = self.host.request("/v1/datasets/ct/link?seconds=600", bearer(TOKEN))
        self.assertEqual((status, fields["cache-control"]), (200, "no-store"))
        link = json.loads(body)["access"]
        end, code = link.split(".")
        self.assertLess(abs(int(end) - time.time() - 600), 10)
        self.assertEqual(datetime.datetime.fromisoformat(json.loads(body)["until"].replace("Z", "+00:00")).timestamp(), int(end))

        def sign(dataset, until):
            key = hashlib.sha256((self.work / "key").read_bytes()).digest()
            return f"{until}." + hmac.new(key, f"{dataset}\n{until}".encode(), "sha256").hexdigest()
        self.assertEqual(link, sign("ct", end))
        self.assertEqual(self.status(f"{path}&access={link}"), 200)
        self.assertEqual(self.status(f"/ct/catalog.jsonl.zst?access={link}", {"Range": "bytes=0-3"}), 206)
        self.assertEqual(self.names(query="?access=" + link), {"ct", "mr"})
        past = int(time.time()) - 1
        for wrong in (sign("xr", end), sign("ct", past), f"{int(end) + 1}.{code}", link[:-1], link + "0", code, "." + code, end, "",
                      f"0{end}.{code}", f"{end}.{code.upper()}", f"-{end}.{code}", f"{2**64}.{code}", f"{end}.{'0' * 64}"):
            self.assertEqual(self.status(f"{path}&access={wrong}"), 401, wrong)
        self.assertEqual(self.status(f"{path}&access={sign('ct', int(end))}"), 200)
        self.assertEqual(self.status("/v1/datasets/ct/link"), 401)
        self.assertEqual(self.status(f"/v1/datasets/ct/link?access={link}"), 401)
        self.assertEqual(self.status("/v1/datasets/mr/link", bearer(TOKEN)), 400)
        for seconds in ("0", "604801", "-1", "x"):
            self.assertEqual(self.status(f"/v1/datasets/ct/link?seconds={seconds}", bearer(TOKEN)), 400)
        self.assertEqual(self.status("/v1/datasets/ct/link?hours=1", bearer(TOKEN)), 400)
        self.assertNotIn(code, self.host.log_text())
        self.assertIn("access=...", self.host.log_text())

    def test_the_file_is_read_again(self):
        self.file.write_text(f"* {digest('new')}\n")
        self.assertEqual(self.names(bearer(TOKEN)), {"ct", "mr"})
        self.host.process.send_signal(signal.SIGHUP)
        for _ in range(200):
            if self.names() == set():
                break
            time.sleep(0.02)
        self.assertEqual(self.names(), set())
        self.assertEqual(self.names(bearer(TOKEN)), set())
        self.assertEqual(self.names(bearer("new")), {"ct", "xr", "mr"})
        self.assertEqual(self.status("/v1/datasets/none/items"), 401)
        for broken in ("", "mr\n", "# nobody\n"):
            self.file.write_text(broken)
            before = len(self.host.log_text())
            self.host.process.send_signal(signal.SIGHUP)
            for _ in range(200):
                if "stays as it was" in self.host.log_text()[before:]:
                    break
                time.sleep(0.02)
            self.assertIn("stays as it was", self.host.log_text()[before:])
            self.assertEqual(self.names(bearer("new")), {"ct", "xr", "mr"})
            self.assertEqual(self.names(), set())

    def test_files_that_make_no_sense(self):
        good = digest("x")
        for text, words in ((f"ct {good[:-1]}", "line 1: its second word is the SHA-256"), (f"ct {good}g", "line 1"), (f"a/b {good}", "names of datasets"),
                            (f"\nct {good} tomorrow", "line 2: behind the SHA-256"), (f"ct {good} 2027-02-30", "last day"), (f"ct {good} 2027-01-31 x", "last day"),
                            (f"ct,,xr {good}", "names of datasets"), ("", "no line in it"), ("ct", "line 1"), ("ct\0", "no text"), (f", {good}", "names of datasets")):
            wrong = self.work / "wrong"
            wrong.write_text(text)
            result = subprocess.run([MIST, "serve", self.store, "--listen", "127.0.0.1:0", "--access", wrong], capture_output=True, text=True, timeout=20)
            self.assertNotEqual(result.returncode, 0, text)
            self.assertIn(words, result.stderr, text)
        (self.work / "short").write_bytes(b"short")
        for options, words in ((["--access", self.work / "missing"], "missing"), (["--link-key", self.work / "key"], "--access names"),
                               (["--access", self.file, "--link-key", self.work / "short"], "16 bytes or more")):
            result = subprocess.run([MIST, "serve", self.store, "--listen", "127.0.0.1:0", *options], capture_output=True, text=True, timeout=20)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(words, result.stderr)

    def test_many_lines(self):
        """Ten thousand: nothing is quadratic. One more is refused."""
        lines = [f"ct {digest(str(n))}\n" for n in range(10000)]
        self.file.write_text("".join(lines))
        self.host.process.send_signal(signal.SIGHUP)
        for _ in range(200):
            if self.names(bearer("9999")) == {"ct", "xr", "mr"}:
                break
            time.sleep(0.02)
        self.assertEqual(self.names(bearer("9999")), {"ct", "xr", "mr"})


if __name__ == "__main__":
    unittest.main()
