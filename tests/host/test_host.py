"""mist serve: every endpoint, judged by the files of the store, http.client, curl, OpenJPEG, OpenJPH and PIL."""
import concurrent.futures
import gzip
import io
import json
import urllib.request
import re
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.parse

try:
    import numpy as np
    import pydicom
    from PIL import Image
except ImportError as missing:
    print(f"skipped: a judge is not installed: {missing}")
    raise SystemExit(77)

from hosting import EXAMPLES, SOURCE, Host, mist, quote

sys.path.insert(0, str(SOURCE / "tests" / "item"))
import reader

CXR = "cxr/00000061_012.png"
ANGIOGRAPHY = "ct-angiography/images/CT_AVM.nii.gz"
LABELS = "ct-angiography/labels/CT_AVM.nii.gz"
ODD = "odd names/a b+c%d &e#é?.txt"


class HostTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-host-"))
        sources = cls.work / "ex"
        shutil.copytree(EXAMPLES, sources)
        (sources / "odd names").mkdir()
        (sources / ODD).write_text("odd")
        (sources / "empty.txt").write_text("")
        (sources / "page.html").write_text("<script>alert(1)</script>")
        cls.store = cls.work / "store"
        mist("encode", sources, "-o", cls.store)
        (cls.work / "secret").write_text("secret")
        cls.host = Host(cls.store, "--log")

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        shutil.rmtree(cls.work)

    def file(self, path):
        return (self.store / "ex" / "items" / (path + ".mist")).read_bytes()

    def json(self, path, **kwargs):
        return json.loads(self.host.get(path, **kwargs))

    def refused(self, path, status, headers=None, method="GET"):
        """A JSON reason of one sentence; returned."""
        got, fields, data = self.host.request(path, headers, method)
        self.assertEqual(got, status, (path, data[:200]))
        self.assertEqual(fields["content-type"], "application/json")
        self.assertEqual(int(fields["content-length"]), len(data))
        reason = json.loads(data)
        self.assertEqual(list(reason), ["error"])
        return reason["error"]

    def item_paths(self):
        return [row["path"] for row in self.json("/v1/datasets/ex/items")["items"]]

    # ---- listings ----

    def test_datasets(self):
        listed = self.json("/v1/datasets")["datasets"]
        self.assertEqual([d["dataset"] for d in listed], ["ex"])
        self.assertEqual(self.json("/v1/datasets/ex"), listed[0])
        told = json.loads(mist("info", self.store, "--json").stdout)
        for key in ["dataset", "items", "files", "source_bytes", "item_bytes", "file_bytes", "id"]:
            self.assertEqual(listed[0][key], told[key])
        self.assertIn("nowhere", self.refused("/v1/datasets/nowhere", 404))
        self.refused("/v1/datasets?x=1", 400)
        self.assertEqual(self.json("/")["datasets"], "/v1/datasets")
        self.assertEqual(self.json("/healthz"), {"status": "ok"})

    def test_the_page_for_browsers(self):
        """HTML for who asks for it, JSON for all others; nothing but the host's own files may run."""
        browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
        def ask(path, headers):
            with urllib.request.urlopen(urllib.request.Request(self.host.url + path, headers=headers), timeout=20) as answer:
                return answer.headers, answer.read().decode()
        head, page = ask("/", browser)
        self.assertEqual((head["Content-Type"], head.get_all("Vary")), ("text/html; charset=utf-8", ["Accept", "Accept-Encoding"]))
        policy = head["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe-inline", policy)
        self.assertNotRegex(page, r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=")
        for headers in {}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "text/html;q=0"}:
            self.assertEqual(json.loads(ask("/", headers)[1])["datasets"], "/v1/datasets")
        names = set(re.findall(r'(?:src|href)="(page/[^"]+)"', page))
        self.assertEqual(names, {"page/page.css", "page/page.js", "page/icon.svg"})
        web = pathlib.Path(os.environ["MIST_SOURCE"]) / "web"
        self.assertLessEqual({name[5:] for name in names} | {"mist.js", "elements.js", "host.js", "viewer.js", "picture.js", "niivue.js"},
                             {file.name for file in web.iterdir()})
        for file in web.iterdir():
            if file.name == "index.html":
                continue
            head, text = ask("/page/" + file.name, {})
            self.assertEqual(text, file.read_text())
            self.assertEqual(head["Content-Type"].split(";")[0],
                             {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}[file.suffix])
            code = re.sub(r"^\s*(//|/?\*).*$", "", text.replace("http://www.w3.org/2000/svg", ""), flags=re.MULTILINE)
            self.assertNotRegex(code, r"https?://|innerHTML|eval\(|new Function")
            for module in re.findall(r'from "(.*?)"', code):
                self.assertTrue((web / module).is_file(), module)

    def test_page_files_by_gzip(self):
        """Packed for who takes it; another tag then, so that caches never mix them; ranges are of the plain file."""
        plain = self.host.request("/page/mist.js")
        for accepted in "gzip", "br, gzip;q=0.5", "*", "GZIP", "deflate;q=0, gzip":
            status, fields, body = self.host.request("/page/mist.js", {"Accept-Encoding": accepted})
            self.assertEqual((status, fields["content-encoding"], gzip.decompress(body)), (200, "gzip", plain[2]), accepted)
            self.assertLess(len(body), len(plain[2]) / 2)
            self.assertNotEqual(fields["etag"], plain[1]["etag"])
            self.assertEqual(self.host.request("/page/mist.js", {"Accept-Encoding": accepted, "If-None-Match": fields["etag"]})[0], 304)
        for refused in "identity", "gzip;q=0", "gzip;q=0.000", "br", "", "gzipped", ",,;;", "gzip;q=0, br":
            status, fields, body = self.host.request("/page/mist.js", {"Accept-Encoding": refused})
            self.assertEqual((status, fields.get("content-encoding"), body), (200, None, plain[2]), refused)
        status, fields, body = self.host.request("/page/mist.js", {"Accept-Encoding": "gzip", "Range": "bytes=3-9"})
        self.assertEqual((status, fields.get("content-encoding"), body), (206, None, plain[2][3:10]))

    def test_openapi(self):
        """What it tells of is there, each parameter is taken, and no other; what docs/http.md lists is told of."""
        text = self.json("/openapi.json")
        self.assertEqual(text["openapi"][:2], "3.")
        item = next(row for row in self.json("/v1/datasets/ex/items")["items"] if row["format"] == "png")["path"]
        fill = {"{dataset}": "ex", "{frame}": "0"}
        values = {"size": "64", "reduce": "1", "spacing": "1", "policy": "closest", "format": "png", "exact": "0", "grid": "native", "file": "0",
                  "accept": "image/png", "after": "a", "limit": "3", "path": item, "include": "*", "exclude": "x", "sample": "1", "seed": "1",
                  "max-bytes": "99999999", "max-memory": "99999999", "where": "Patient%20Age%3E1"}
        for pattern, methods in text["paths"].items():
            path = pattern.replace("{path}", quote("cxr/labels.csv") if "/files/" in pattern else quote(item))
            for name, value in fill.items():
                path = path.replace(name, value)
            operation = methods["get"]
            self.assertEqual({one["name"] for one in operation["parameters"] if one["in"] == "path"}, set(re.findall(r"{(.*?)}", pattern)))
            status, fields, _ = self.host.request(path)
            if path.endswith("/link"): # which a public dataset has not; test_access.py
                self.assertEqual(status, 400)
                continue
            self.assertEqual(status, 200, path)
            types = operation["responses"]["200"]["content"]
            self.assertTrue("*/*" in types or fields["content-type"].split(";")[0] in types, (path, fields["content-type"]))
            query = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
            for name in query:
                status, _, body = self.host.request(f"{path}?{name}={values[name]}" + ("&format=png" if name in ("exact", "grid", "file") and "/items/" in path else ""))
                self.assertNotIn(b"there is no parameter", body, (path, name))
                if name != "where":
                    self.assertIn(status, (200, 404) if name == "path" else (200,), (path, name, body[:200]))
            if query or pattern.endswith(("/map", "/datasets", "{dataset}")):
                status, _, body = self.host.request(f"{path}?nonsense=1")
                self.assertEqual((status, b"there is no parameter 'nonsense'" in body), (400, True), path)
            if query and query[0] not in ("include", "exclude", "where"):
                self.assertEqual(self.host.request(f"{path}?{query[0]}={values[query[0]]}&{query[0]}={values[query[0]]}")[0], 400)
        told = (pathlib.Path(os.environ["MIST_SOURCE"]) / "docs/http.md").read_text()
        for resource in re.findall(r"^\| `(/v1[^`?]*|/healthz|/metrics|/openapi.json)` \|", told, re.MULTILINE):
            self.assertIn(resource.replace("{d}", "{dataset}").replace("{n}", "{frame}"), text["paths"])

    def test_one_row(self):
        rows = self.json("/v1/datasets/ex/items")["items"]
        for row in rows:
            self.assertEqual(self.json(f"/v1/datasets/ex/items?path={quote(row['path'])}"), {"items": [row], "next": None})
        self.assertEqual(self.json("/v1/datasets/ex/files?path=cxr/labels.csv")["files"][0]["file"], "cxr/labels.csv")
        for wrong in "nothing", "", "cxr", "../ex", "cxr/labels.csv", "%00", "a" * 3000:
            self.refused(f"/v1/datasets/ex/items?path={wrong}", 400 if wrong == "%00" else 404)
        self.refused("/v1/datasets/ex/items?path=a&limit=1", 400)
        self.refused("/v1/datasets/ex/items?path=a&after=b", 400)
        self.refused("/v1/datasets/ex/items?path=a&path=b", 400)
        self.refused("/v1/datasets/none/items?path=a", 404)

    def test_wrong_page_files(self):
        for wrong in "/page/", "/page/nothing.js", "/page/../page.js", "/page/page.js/", "/page":
            self.refused(wrong, 404)

    def test_another_store_in_its_place(self):
        """The new one is seen by the next request; without one, nothing is answered from the old; SIGHUP ends nothing."""
        folder = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        for name in "one", "two":
            (folder / f"{name}-source").mkdir()
            (folder / f"{name}-source" / f"{name}.txt").write_text(name)
            mist("encode", folder / f"{name}-source", "-o", folder / name, "--dataset", name)
        host = Host(folder / "one")
        self.addCleanup(host.stop)
        def listed():
            return [row["dataset"] for row in json.loads(host.get("/v1/datasets"))["datasets"]]
        self.assertEqual(listed(), ["one"])
        (folder / "one").rename(folder / "old")
        for path in "/healthz", "/v1/datasets", "/one/files/one.txt":
            self.assertEqual(host.request(path)[0], 500, path)
        (folder / "two").rename(folder / "one")
        host.process.send_signal(signal.SIGHUP)
        self.assertEqual(listed(), ["two"])
        self.assertEqual(host.get("/two/files/two.txt"), b"two")
        host.get("/one/files/one.txt", status=404)
        self.assertEqual(json.loads(host.get("/healthz")), {"status": "ok"})
        (folder / "one" / "mist.sqlite").unlink()
        mist("index", folder / "one")
        self.assertEqual(listed(), ["two"])
        self.assertIsNone(host.process.poll())

    def test_listings_are_paged(self):
        rows = [json.loads(line) for line in mist("info", self.store, "--items", "--json").stdout.splitlines()]
        self.assertEqual(self.json("/v1/datasets/ex/items"), {"items": rows, "next": None})
        for limit in [1, 2, 5, len(rows), len(rows) + 1]:
            seen, after = [], ""
            while after is not None:
                page = self.json(f"/v1/datasets/ex/items?limit={limit}&after={urllib.parse.quote_plus(after)}")
                self.assertLessEqual(len(page["items"]), limit)
                seen += page["items"]
                after = page["next"]
            self.assertEqual(seen, rows)
        files = self.json("/v1/datasets/ex/files")
        self.assertEqual([f["file"] for f in files["files"]],
                         ["README.md", "cxr/labels.csv", "empty.txt", ODD, "page.html"])
        page = self.json("/v1/datasets/ex/files?limit=2&after=cxr/labels.csv")
        self.assertEqual(([f["file"] for f in page["files"]], page["next"]), (["empty.txt", ODD], ODD))
        for query in ["limit=0", "limit=10001", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "off=1",
                      "limit=99999999999999999999999"]:
            self.refused("/v1/datasets/ex/items?" + query, 400)

    def test_plan(self):
        rows = {row["path"]: row for row in self.json("/v1/datasets/ex/items")["items"]}
        for query, expected in [("reduce=1", lambda row: 1), ("", lambda row: 0), ("reduce=32", lambda row: 99),
                                ("size=128", None), ("spacing=1.5", None), ("size=100x200&policy=at-least", None)]:
            lines = [json.loads(line) for line in self.host.get("/v1/datasets/ex/plan?" + query).splitlines()]
            self.assertEqual(lines[0]["dataset"], "ex")
            items = [line for line in lines if "path" in line]
            files = [line for line in lines if "file" in line]
            self.assertEqual([item["path"] for item in items], list(rows))
            self.assertEqual(lines[-1], {"items": len(items), "files": len(files),
                                         "bytes": sum(line["bytes"] for line in items + files)})
            for item in items:
                row = rows[item["path"]]
                if expected:
                    self.assertEqual(item["reduce"], min(expected(row), row["levels"] - 1))
                steps = row.get("steps", 0) + 1
                body = row["ends"][(row["levels"] - item["reduce"]) * steps - 1]
                tail = row["size"] - row["ends"][-1] if item["reduce"] == 0 or row["format"] == "dicom" else 0
                if item["step"] == 0:
                    self.assertEqual(item["bytes"], body + tail)
                self.assertEqual(item["bytes"], sum(end - start for start, end in item["ranges"]))
                self.assertEqual(item["width"], -(-row["width"] // 2 ** item["reduce"]))
                if query:  # without a query an item comes with its tail
                    prefix = self.host.get(f"/v1/datasets/ex/items/{quote(item['path'])}?{query}")
                    self.assertEqual(len(prefix), body, (item["path"], query))

    def test_plan_selects(self):
        def names(query):
            lines = map(json.loads, self.host.get("/v1/datasets/ex/plan?" + query).splitlines())
            return [line.get("path", line.get("file")) for line in list(lines)[1:-1]]
        self.assertEqual(set(names("include=cxr")), {p for p in names("") if p.startswith("cxr/")})
        self.assertEqual(set(names("include=*/labels&include=*.csv")),
                         {p for p in names("") if "/labels" in p})
        self.assertEqual(names("include=cxr&exclude=*.png"), ["cxr/labels.csv"])
        self.assertEqual(len(names("include=ct-head/I210")), 1)  # a source file of the series
        self.assertEqual(names("include=nothing"), [])

    def test_plan_fits_a_budget(self):
        levels = range(6)
        totals = [json.loads(self.host.get(f"/v1/datasets/ex/plan?reduce={r}").splitlines()[-1])["bytes"]
                  for r in levels]
        for r in levels:
            got = json.loads(self.host.get(f"/v1/datasets/ex/plan?max-bytes={totals[r]}").splitlines()[-1])["bytes"]
            self.assertEqual(got, totals[r])
        self.assertIn(str(min(totals)), self.refused(f"/v1/datasets/ex/plan?max-bytes={min(totals) - 1}", 400))
        for query in ["max-bytes=x", "max-bytes=0", "grid=middle", "exact=yes", "exact=1", "format=gif", "size=1x1x1x1", "reduce=1,99", "size=0", "size=1x", "size=70000", "size=1&reduce=1",
                      "reduce=-1", "reduce=33", "spacing=0", "spacing=nan", "spacing=-1", "spacing=1x", "policy=best",
                      "sise=256", "size=1&size=2"]:
            self.refused("/v1/datasets/ex/plan?" + query, 400)
        self.refused("/v1/datasets/no/plan", 404)

    # ---- bytes ----

    def test_items_are_the_files(self):
        for path in self.item_paths():
            data = self.file(path)
            for url in [f"/v1/datasets/ex/items/{quote(path)}", f"/ex/items/{quote(path)}.mist"]:
                status, fields, got = self.host.request(url)
                self.assertEqual((status, got == data), (200, True), url)
                self.assertEqual(fields["content-length"], str(len(data)))
                self.assertEqual(fields["etag"], '"%016x"' % reader.Item(data).id)
                self.assertEqual(fields["accept-ranges"], "bytes")
                self.assertNotIn("content-encoding", fields)
                self.assertNotIn("transfer-encoding", fields)

    def test_prefixes(self):
        for path in self.item_paths():
            data, rows = self.file(path), reader.Item(self.file(path))
            for reduce in range(rows.levels):
                status, fields, got = self.host.request(f"/v1/datasets/ex/items/{quote(path)}?reduce={reduce}")
                end = rows.ends[rows.levels - 1 - reduce]
                self.assertEqual((status, got == data[:end]), (200, True))
                self.assertEqual(len(reader.Item(got).ends), rows.levels)
                prefix = self.work / "prefix.mist"
                prefix.write_bytes(got)
                told = json.loads(mist("info", prefix, "--json").stdout)
                self.assertGreaterEqual(told["levels_present"], rows.levels - reduce)
                mist("verify", "--quick", prefix)
                self.assertNotEqual(fields["etag"], '"%016x"' % rows.id)
        sized = self.host.get(f"/v1/datasets/ex/items/{CXR}?size=256")
        self.assertEqual(sized, self.host.get(f"/v1/datasets/ex/items/{CXR}?reduce=2"))
        self.assertEqual(self.host.request(f"/v1/datasets/ex/items/{CXR}?reduce=2", {"Range": "bytes=-5"})[2], sized[-5:])
        self.refused(f"/v1/datasets/ex/items/{CXR}?size=x", 400)
        self.refused(f"/v1/datasets/ex/items/{CXR}?sise=1", 400)

    def test_attachments_and_catalog(self):
        for name, content in [("README.md", (EXAMPLES / "README.md").read_bytes()), (ODD, b"odd"), ("empty.txt", b"")]:
            for base in ["/v1/datasets/ex/files/", "/ex/files/"]:
                self.assertEqual(self.host.get(base + quote(name)), content)
        catalog = (self.store / "ex" / "catalog.jsonl.zst").read_bytes()
        for url in ["/ex/catalog.jsonl.zst", "/v1/datasets/ex/catalog.jsonl.zst"]:
            status, fields, got = self.host.request(url)
            self.assertEqual((status, got), (200, catalog))
            self.assertEqual(self.host.request(url, {"If-None-Match": fields["etag"]})[0], 304)
        self.assertEqual(self.host.request("/ex/files/empty.txt", {"Range": "bytes=0-"})[0], 416)
        fields = self.host.request("/ex/files/page.html")[1]
        self.assertEqual(fields["content-type"], "application/octet-stream")
        self.assertEqual(fields["x-content-type-options"], "nosniff")

    def test_ranges(self):
        data, url = self.file(CXR), f"/v1/datasets/ex/items/{CXR}"
        size = len(data)
        for value, first, end in [("0-0", 0, 1), ("0-99", 0, 100), ("1000-1999", 1000, 2000), (f"{size - 1}-", size - 1, size),
                                  ("-7", size - 7, size), (f"-{size * 2}", 0, size), (f"5-{size * 9}", 5, size),
                                  ("7-" + "9" * 40, 7, size)]:
            for target in [url, f"/ex/items/{CXR}.mist"]:
                status, fields, got = self.host.request(target, {"Range": "bytes=" + value})
                self.assertEqual((status, got == data[first:end]), (206, True), value)
                self.assertEqual(fields["content-range"], f"bytes {first}-{end - 1}/{size}")
                self.assertEqual(fields["content-length"], str(end - first))
        for value in [f"{size}-", "-0", "9" * 40 + "-", f"{size + 5}-{size + 9}"]:
            status, fields, got = self.host.request(url, {"Range": "bytes=" + value})
            self.assertEqual((status, fields["content-range"]), (416, f"bytes */{size}"), value)
            self.assertIn(str(size), json.loads(got)["error"])
        for value in ["bytes=5-2", "bytes=0-1,5-6", "bytes=x", "items=0-5", "bytes=", "0-5"]:
            status, fields, got = self.host.request(url, {"Range": value})
            self.assertEqual((status, got == data), (200, True), value)
            self.assertNotIn("content-range", fields)

    def test_ranges_are_for_get_alone(self):
        """RFC 9110, 14.2: a Range field of any other method is ignored."""
        for path in [f"/v1/datasets/ex/items/{CXR}", "/ex/catalog.jsonl.zst", f"/v1/datasets/ex/items/{CXR}?reduce=2",
                     f"/v1/datasets/ex/items/{CXR}/frames/0"]:
            whole = self.host.request(path, method="HEAD")
            for value in ["bytes=0-9", "bytes=-5", "bytes=999999999999-"]:
                status, fields, body = self.host.request(path, {"Range": value}, "HEAD")
                self.assertEqual((status, fields["content-length"], body), (200, whole[1]["content-length"], b""), path)
                self.assertNotIn("content-range", fields)

    def test_ranges_of_a_prefix_join_up(self):
        """What a client does: a level, then the bytes behind it; curl is the judge of the protocol."""
        target = self.work / "joined.mist"
        item = reader.Item(self.file(ANGIOGRAPHY))
        url = f"{self.host.url}/ex/items/{ANGIOGRAPHY}.mist"
        subprocess.run(["curl", "-sSf", "-r", f"0-{item.ends[0] - 1}", url, "-o", target], check=True)
        self.assertEqual(target.stat().st_size, item.ends[0])
        subprocess.run(["curl", "-sSf", "-C", "-", url, "-o", target], check=True)
        self.assertEqual(target.read_bytes(), self.file(ANGIOGRAPHY))

    def test_conditions(self):
        data, url = self.file(CXR), f"/v1/datasets/ex/items/{CXR}"
        etag = self.host.request(url, method="HEAD")[1]["etag"]
        for value, status in [(etag, 304), ('"x", ' + etag, 304), ("*", 304), ("W/" + etag, 304), ('"x"', 200), ("x", 200)]:
            got, fields, body = self.host.request(url, {"If-None-Match": value, "Range": "bytes=0-1"})
            self.assertEqual(got, 304 if status == 304 else 206, value)
            self.assertEqual(fields["etag"], etag)
            self.assertEqual(len(body), 0 if status == 304 else 2)
        for value, status in [(etag, 200), ("*", 200), ('"x"', 412), ("W/" + etag, 412)]:
            self.assertEqual(self.host.request(url, {"If-Match": value})[0], status, value)
        for value, status in [(etag, 206), ('"x"', 200), ("W/" + etag, 200), ("Sun, 06 Nov 1994 08:49:37 GMT", 200)]:
            got, fields, body = self.host.request(url, {"If-Range": value, "Range": "bytes=3-4"})
            self.assertEqual((got, body == (data[3:5] if status == 206 else data)), (status, True), value)

    def test_conditions_on_a_map(self):
        """Maps are made while they are sent, and obey the same fields."""
        url = f"/v1/datasets/ex/items/{CXR}/map"
        status, fields, body = self.host.request(url)
        etag = fields["etag"]
        self.assertEqual((status, etag), (200, '"%016x-map"' % reader.Item(self.file(CXR)).id))
        for method in ["GET", "HEAD"]:
            got = self.host.request(url, {"If-None-Match": etag}, method)
            self.assertEqual((got[0], got[1]["etag"], got[2]), (304, etag, b""))
        self.assertEqual(self.host.request(url, {"If-None-Match": '"x"'})[2], body)
        self.assertEqual(self.host.request(url, {"If-Match": etag})[2], body)
        self.refused(url, 412, {"If-Match": '"x"'})

    def test_head_is_get_without_its_body(self):
        for path in [f"/v1/datasets/ex/items/{CXR}", f"/v1/datasets/ex/items/{CXR}?reduce=1", "/ex/catalog.jsonl.zst",
                     f"/v1/datasets/ex/items/{CXR}/frames/0", "/v1/datasets", "/healthz", "/nowhere", "/ex/files/empty.txt",
                     f"/v1/datasets/ex/items/{CXR}/map", "/v1/datasets/ex/plan"]:
            with self.subTest(path):
                get, head = self.host.request(path), self.host.request(path, method="HEAD")
                self.assertEqual(head[0], get[0])
                self.assertEqual(head[2], b"")
                for fields in [get[1], head[1]]:
                    fields.pop("date")
                self.assertEqual(head[1], get[1])
        answer = self.host.raw(f"HEAD /v1/datasets/ex/items/{CXR} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        self.assertTrue(answer.endswith(b"\r\n\r\n"))

    # ---- parts of items ----

    def test_maps(self):
        for path in self.item_paths():
            item = reader.Item(self.file(path))
            told = self.json(f"/v1/datasets/ex/items/{quote(path)}/map")
            self.assertEqual((told["id"], told["head_end"], told["size"]),
                             ("%016x" % item.id, item.head_size, item.size))
            self.assertEqual([level["end"] for level in told["levels"]], list(item.ends))
            self.assertEqual(told["frames"], item.frames)
            self.assertEqual(told.get("label"), item.extras[1].decode() if 1 in item.extras else None)
            edges = [item.head_size, *item.ends]
            for number, level in enumerate(told["levels"]):
                self.assertEqual((level["offset"], level["end"]), (edges[number], edges[number + 1]))
                self.assertEqual(level["ranges"], [self.picture_range(item, number, frame) for frame in range(item.frames)])
                if len(item.streams) == 1:  # nothing else is in the level but what other classes of a unit have
                    stretches = sorted(set(map(tuple, level["ranges"])))
                    ends = [offset + size for offset, size in stretches]
                    self.assertTrue(all(end <= offset for end, (offset, _) in zip(ends, stretches[1:])), path)
                    self.assertLessEqual(sum(size for _, size in stretches), level["end"] - level["offset"])
                    if item.streams[0].unit == 1:
                        self.assertEqual([level["offset"], *ends], [*(offset for offset, _ in stretches), level["end"]])

    @staticmethod
    def picture_range(item, level, frame):
        """As docs/format.md places it: the chunks of the picture's coded levels that are in this level."""
        picture, z = item.streams[0], frame % item.slices
        t = next((t for t in range(item.steps) if z >> t & 1), item.steps)
        unit = frame // item.slices * picture.volume_units + z // picture.unit
        places = [picture.places[k, t, unit] for k in range(picture.coded_levels) if picture.level_of(k) == level]
        return [places[0][0], sum(size for _, size in places)]

    def test_frames_decode_elsewhere(self):
        """Each frame at each level: what mist decode writes, and OpenJPEG and OpenJPH decode it to the same samples."""
        for path in [CXR, ANGIOGRAPHY, LABELS]:
            base = f"/v1/datasets/ex/items/{path}"
            item = reader.Item(self.file(path))
            for reduce in range(item.levels):
                out = self.work / "decoded"
                shutil.rmtree(out, ignore_errors=True)
                mist("decode", self.store / "ex" / "items" / (path + ".mist"), "-o", out, "--format", "npy", "--reduce", reduce,
                     "--grid", "center" if item.centred else "native")  # frames are on the item's own grid
                expected = np.load(next(out.rglob("*.npy")))
                frames = expected.reshape((-1,) + expected.shape[-2:])
                for frame in sorted({0, len(frames) // 2, len(frames) - 1}):
                    status, fields, stream = self.host.request(f"{base}/frames/{frame}?reduce={reduce}")
                    self.assertEqual((status, fields["content-type"]), (200, "image/jphc"))
                    self.assertEqual(fields["content-length"], str(len(stream)))
                    self.check_stream(stream, frames[frame], (path, reduce, frame))

    def test_frames_at_levels_that_are_not_there(self):
        for path in [CXR, ANGIOGRAPHY]:
            item = reader.Item(self.file(path))
            for reduce in (item.levels, item.levels + 1, 99):
                said = self.refused(f"/v1/datasets/ex/items/{path}/frames/0?reduce={reduce}", 404)
                self.assertIn(f"the item has 0 to {item.levels - 1}", said or "")

    def check_stream(self, stream, expected, what):
        source, openjpeg, openjph = (self.work / name for name in ["frame.j2c", "openjpeg.pgm", "openjph.pgm"])
        source.write_bytes(stream)
        subprocess.run(["opj_decompress", "-i", source, "-o", openjpeg], check=True, capture_output=True)
        subprocess.run(["ojph_expand", "-i", source, "-o", openjph], check=True, capture_output=True)
        precision = stream[42] + 1  # Ssiz of the first component
        for judge in [openjpeg, openjph]:
            got = np.asarray(Image.open(judge)).astype(int)
            self.assertEqual(got.shape, expected.shape, (what, judge))
            if precision == 8:
                self.assertTrue(np.array_equal(got, expected), (what, judge))

    def test_frame_codestreams_are_those_of_the_item(self):
        for path in self.item_paths():
            item = self.store / "ex" / "items" / (path + ".mist")
            info = json.loads(mist("info", item, "--json").stdout)
            frames = info["slices"] * info.get("volumes", 1)
            for reduce in range(info["levels"]):
                out = self.work / "streams"
                shutil.rmtree(out, ignore_errors=True)
                mist("decode", item, "-o", out, "--format", "j2c", "--reduce", reduce,
                     "--grid", "center" if info.get("centred") else "native")
                streams = sorted(out.rglob("*.j2c"))
                self.assertEqual(len(streams), frames)
                if len(info["files"]) > 1:
                    continue  # the order of the names is not that of the frames
                for frame in {0, len(streams) // 3, len(streams) - 1}:
                    got = self.host.get(f"/v1/datasets/ex/items/{quote(path)}/frames/{frame}?reduce={reduce}")
                    self.assertEqual(got, streams[frame].read_bytes(), (path, reduce, frame))

    def test_ranges_of_frames(self):
        url = f"/v1/datasets/ex/items/{ANGIOGRAPHY}/frames/70?reduce=1"
        whole = self.host.get(url)
        for first, last in [(0, 0), (0, 99), (5, 200), (100, len(whole) - 1), (len(whole) - 1, len(whole) - 1)]:
            status, fields, got = self.host.request(url, {"Range": f"bytes={first}-{last}"})
            self.assertEqual((status, got), (206, whole[first:last + 1]))
        pieces = b"".join(self.host.request(url, {"Range": f"bytes={at}-{at + 36}"})[2] for at in range(0, len(whole), 37))
        self.assertEqual(pieces, whole)
        etag = self.host.request(url)[1]["etag"]
        self.assertEqual(self.host.request(url, {"If-None-Match": etag})[0], 304)

    def test_pictures(self):
        original = np.asarray(Image.open(EXAMPLES / CXR))
        base = f"/v1/datasets/ex/items/{CXR}/frames/0"
        for headers, query in [({"Accept": "image/png"}, ""), ({}, "?accept=image/png")]:
            status, fields, png = self.host.request(base + query, headers)
            self.assertEqual((status, fields["content-type"], fields["vary"]), (200, "image/png", "Accept"))
            self.assertTrue(np.array_equal(np.asarray(Image.open(io.BytesIO(png))), original))
        jpeg = Image.open(io.BytesIO(self.host.get(base, {"Accept": "text/html;q=0.9, image/jpeg"})))
        self.assertEqual(jpeg.format, "JPEG")
        self.assertLess(np.abs(np.asarray(jpeg).astype(int) - original).mean(), 2)
        reduced = Image.open(io.BytesIO(self.host.get(base + "?reduce=3", {"Accept": "image/png"})))
        self.assertEqual(reduced.size, (128, 128))
        series = next(p for p in self.item_paths() if p.startswith("ct-head/"))
        base = f"/v1/datasets/ex/items/{quote(series)}/frames/2"
        png = np.asarray(Image.open(io.BytesIO(self.host.get(base, {"Accept": "image/png"})))).astype(int)
        jpeg = np.asarray(Image.open(io.BytesIO(self.host.get(base, {"Accept": "image/jpeg"})))).astype(int)
        slices = [pydicom.dcmread(p) for p in sorted((EXAMPLES / "ct-head").iterdir())]
        frames = [one.pixel_array.astype(int) for one in slices]
        shift = 32768 if slices[0].PixelRepresentation else 0
        matching = [f for f in frames if np.array_equal(png, f + shift)]
        self.assertEqual(len(matching), 1)
        window = (matching[0] - matching[0].min()) / np.ptp(matching[0]) * 255
        self.assertLess(np.abs(jpeg - window).mean(), 2)
        for accept in ["text/html", "image/webp", "image/jph", "image/png;q=0"]:
            self.assertIn("image/jphc", self.refused(base, 406, {"Accept": accept}))

    def test_paths_that_only_begin_alike(self):
        for path in ("/v1x", "/v1xdatasets", "/v1xdatasets/ex", "/dicom-webx", "/dicom-webxstudies", "/healthzx", "/metricsx"):
            self.refused(path, 404)

    def test_what_frames_there_are_not(self):
        base = f"/v1/datasets/ex/items/{CXR}"
        for path, status in [("/frames/1", 404), ("/frames/0?reduce=5", 404), ("/frames/99999999999999999999", 404),
                             ("/frames/0?reduce=x", 400), ("/frames/0?size=5", 400), ("/frames/", 404), ("/frames/-1", 404),
                             ("/frames/x", 404), ("/frames", 404), ("/maps", 404), ("/map?x", 400), ("/frames/0/", 404)]:
            self.refused(base + path, status)
        self.refused("/v1/datasets/ex/items/no/such.png/frames/0", 404)
        self.refused("/v1/datasets/ex/items/no/such.png/map", 404)

    def test_an_item_called_like_a_part(self):
        """Items whose own names look like parts of items are served all the same."""
        sources, store = self.work / "parts", self.work / "parts-store"
        for name in ["a/frames/3", "a/map", "b"]:
            (sources / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(EXAMPLES / CXR, sources / name)
        mist("encode", sources, "-o", store, "--dataset", "p")
        host = Host(store)
        try:
            for name in ["a/frames/3", "a/map"]:
                self.assertEqual(host.get(f"/v1/datasets/p/items/{name}"), (store / "p/items" / (name + ".mist")).read_bytes())
                self.assertEqual(host.get(f"/v1/datasets/p/items/{name}/frames/0?accept=image/png")[:4], b"\x89PNG")
                self.assertEqual(json.loads(host.get(f"/v1/datasets/p/items/{name}/map"))["frames"], 1)
                whole, prefix = (store / "p/items" / (name + ".mist")).read_bytes(), host.get(f"/v1/datasets/p/items/{name}?size=64")
                self.assertTrue(whole.startswith(prefix) and len(prefix) < len(whole) / 10)
                self.assertEqual(host.get(f"/v1/datasets/p/items/{name}?format=npy&size=64"), host.get("/v1/datasets/p/items/b?format=npy&size=64"))
                host.get(f"/v1/datasets/p/items/{name}?nonsense=1", status=400)
        finally:
            self.assertEqual(host.stop(), 0)

    # ---- many at once ----

    def test_parallel_requests(self):
        urls = [f"/v1/datasets/ex/items/{CXR}/frames/0?reduce={r % 5}&accept=image/png" for r in range(40)]
        urls += [f"/v1/datasets/ex/items/{ANGIOGRAPHY}/frames/{f}?reduce={f % 3}" for f in range(100)]
        urls += [f"/ex/items/{quote(p)}.mist" for p in self.item_paths()] * 5
        urls += ["/v1/datasets/ex/plan?size=64", "/v1/datasets/ex/items", "/healthz"] * 20
        expected = {url: self.host.get(url) for url in set(urls)}
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            for url, got in zip(urls, pool.map(self.host.get, urls)):
                self.assertEqual(got, expected[url], url)
        self.assertTrue(self.host.idle())

    def test_keep_alive(self):
        connection = self.host.connect()
        before = self.host.metric("mist_http_connections_total")
        for path in [f"/ex/items/{CXR}.mist", "/nowhere", f"/v1/datasets/ex/items/{CXR}/frames/0", "/v1/datasets/ex/plan"] * 5:
            self.host.request(path, connection=connection)
        connection.close()
        self.assertEqual(self.host.metric("mist_http_connections_total") - before, 2)

    def test_cross_origin(self):
        page = {"Origin": "https://viewer.example"}
        for path in [f"/ex/items/{CXR}.mist", "/nowhere", "/v1/datasets"]:
            fields = self.host.request(path, page)[1]
            self.assertEqual(fields["access-control-allow-origin"], "*")
            exposed = {name.strip() for name in fields["access-control-expose-headers"].split(",")}
            self.assertEqual(exposed, {"Content-Range", "Content-Length", "Accept-Ranges", "ETag"})
        for path in [f"/ex/items/{CXR}.mist", "*", "/nowhere"]:
            status, fields, body = self.host.request(path, {**page, "Access-Control-Request-Method": "GET"}, "OPTIONS")
            self.assertEqual((status, body), (204, b""))
            self.assertEqual(fields["access-control-allow-methods"], "GET, HEAD, OPTIONS")
            self.assertIn("Range", fields["access-control-allow-headers"])

    def test_log(self):
        self.host.get("/healthz?log-me")
        self.host.raw(b"GET /\x1b[31m\"x HTTP/1.1\r\nHost: x\r\n\r\n")
        text = self.host.log_text()
        self.assertRegex(text, r'127\.0\.0\.1 "GET /healthz\?log-me" 200 17 0\.\d{3}\n')
        self.assertNotIn("\x1b", text)


if __name__ == "__main__":
    unittest.main()
