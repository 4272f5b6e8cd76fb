# SPDX-License-Identifier: BSD-2-Clause
"""s3://: signed requests before a judge that makes each signature again with botocore, AWS's own signer, and an S3 server
(moto, where scripts/check-python has installed it); anonymous ones; what is wrong with the environment."""
import http.server
import os
import pathlib
import re
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse
import urllib.request

from servers import EXAMPLES, SOURCE, free_port, mist

try:
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
except ImportError:
    print("skipped: botocore is not here (Debian's python3-botocore)")
    sys.exit(77)

KEY, SECRET, SESSION = "AKIAEXAMPLE0123", "secret/with+signs=and/slashes", "session/token+with=signs=="
ODD = "a b+c=d'(e),@~ü%25"


class Judge(http.server.BaseHTTPRequestHandler):
    """GET with a range, of files below server.root, for who signs right; 403 with the reason for all others."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def wrong(self):
        server = self.server
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})",
                             self.headers.get("Authorization", ""))
        if server.anonymous:
            return "signed" if self.headers.get("Authorization") else None
        if not found or found[1] != KEY or found[3] != server.region:
            return f"Authorization: {self.headers.get('Authorization')}"
        if "x-amz-content-sha256" not in self.headers:
            return "Missing required header for this request: x-amz-content-sha256"
        if server.session != self.headers.get("x-amz-security-token"):
            return "InvalidToken"
        signed = found[4].split(";")
        needed = {"host"} | {name.lower() for name in self.headers if name.lower().startswith("x-amz-")}
        if not needed <= set(signed):
            return f"not signed: {needed - set(signed)}"
        request = botocore.awsrequest.AWSRequest("GET", f"http://{self.headers['Host']}{self.path}")
        for name in signed:
            request.headers[name] = self.headers[name]
        request.context["timestamp"] = self.headers["x-amz-date"]
        judge = botocore.auth.S3SigV4Auth(botocore.credentials.Credentials(KEY, SECRET), "s3", server.region)
        text = judge.string_to_sign(request, judge.canonical_request(request))
        return None if judge.signature(text, request) == found[5] else "SignatureDoesNotMatch"

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, dict(self.headers)))
        why = self.wrong()
        if why:
            server.refused.append(why)
        path = server.root / urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/")
        status, body, fields = 200, b"", {}
        if server.answer:
            status, fields = server.answer
        elif why:
            status, body = 403, why.encode()
        elif not path.is_file():
            status = 404
        else:
            body = path.read_bytes()
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            fields["ETag"] = f'"{path.stat().st_mtime_ns:x}"'
            if found:
                first, last = int(found[1]), int(found[2] or len(body) - 1)
                fields["Content-Range"] = f"bytes {first}-{min(last, len(body) - 1)}/{len(body)}"
                status, body = 206, body[first:last + 1]
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


class S3(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-s3-"))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        tree = cls.work / "source"
        shutil.copytree(EXAMPLES / "cxr", tree / "cxr")
        shutil.copytree(EXAMPLES / "mr-brain", tree / ODD)
        (tree / "folder +&").mkdir()
        (tree / "folder +&" / f"{ODD}.txt").write_text("odd")
        cls.tree = tree
        mist("encode", tree, "-o", cls.work / "bucket/pre fix/é", "--dataset", "d", "-q")
        cls.server = Server(("127.0.0.1", 0), Judge)
        cls.server.root = cls.work
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.server.server_close)
        cls.addClassCleanup(cls.server.shutdown)

    def setUp(self):
        self.server.asked, self.server.refused, self.server.answer = [], [], None
        self.server.region, self.server.session, self.server.anonymous = "eu-central-1", None, False
        self.out = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        self.environment = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-central-1",
                            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_address[1]}/", "AWS_ENDPOINT_URL_S3": "",
                            "AWS_SESSION_TOKEN": "", "AWS_DEFAULT_REGION": "", "MIST_TOKEN": "never-for-a-bucket"}

    def get(self, *arguments, check=0, url="s3://bucket/pre fix/é/d", **environment):
        return mist("get", "--identical", url, "-o", self.out / "got", *arguments, check=check, env={**self.environment, **environment})

    def compare(self):
        for path in self.tree.rglob("*"):
            if path.is_file() and path.suffix != ".gz":
                self.assertEqual((self.out / "got" / path.relative_to(self.tree)).read_bytes(), path.read_bytes(), path)

    def test_signed(self):
        self.get("-q")
        self.assertEqual(self.server.refused, [])
        self.assertGreater(len(self.server.asked), 8)
        self.compare()
        for path, fields in self.server.asked:
            self.assertNotIn("never-for-a-bucket", str(fields))
            self.assertTrue(path.startswith("/bucket/pre%20fix/%C3%A9/d/"), path)

    def test_reduced_then_larger(self):
        self.get("--size", 64, "-q")
        before = len(self.server.asked)
        self.get("-q")
        self.assertEqual(self.server.refused, [])
        self.assertGreater(len(self.server.asked), before)
        self.assertTrue(any(fields.get("Range", "").startswith("bytes=") and not fields["Range"].startswith("bytes=0-")
                            for _, fields in self.server.asked[before:]))
        self.compare()

    def test_with_a_session(self):
        self.server.session = SESSION
        self.get("-q", AWS_SESSION_TOKEN=SESSION)
        self.assertEqual(self.server.refused, [])
        self.compare()

    def test_region_and_endpoint_of_the_other_variables(self):
        self.get("-q", AWS_REGION="", AWS_DEFAULT_REGION="eu-central-1", AWS_ENDPOINT_URL="http://127.0.0.1:9",
                 AWS_ENDPOINT_URL_S3=self.environment["AWS_ENDPOINT_URL"])
        self.assertEqual(self.server.refused, [])

    def test_anonymous(self):
        self.server.anonymous = True
        self.get("-q", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
        self.assertEqual(self.server.refused, [])
        self.compare()

    def test_refused(self):
        for changed, word in (({"AWS_SECRET_ACCESS_KEY": "wrong"}, "AWS_SECRET_ACCESS_KEY"), ({"AWS_ACCESS_KEY_ID": "AKIAOTHER"}, "AWS_ACCESS_KEY_ID"),
                              ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, "are not set"), ({"AWS_SESSION_TOKEN": "no"}, "403")):
            result = self.get(check=1, **changed)
            self.assertIn(word, result.stderr)
            for secret in SECRET, "wrong", KEY:
                self.assertNotIn(secret, result.stderr + result.stdout)
        for status, fields, word in ((301, {"Location": "http://127.0.0.1:9/", "x-amz-bucket-region": "us-west-2"}, "AWS_REGION"),
                                     (307, {"Location": f"{self.environment['AWS_ENDPOINT_URL']}elsewhere"}, "AWS_REGION"), (400, {}, "AWS_REGION"),
                                     (404, {}, "no MIST dataset")):
            self.server.answer = (status, fields)
            before = len(self.server.asked)
            self.assertIn(word, self.get(check=1).stderr)
            self.assertEqual(len(self.server.asked), before + 1, "a redirection is followed, with the token of the session")

    def test_what_makes_no_sense(self):
        for url in "s3://", "s3:///d", "s3://b/d", "s3://UPPER/d", "s3://-bucket/d", "s3://bu cket/d", "s3://" + "b" * 64 + "/d":
            self.assertIn("bucket", self.get(check=None, url=url).stderr, url)
        for changed, word in (({"AWS_SECRET_ACCESS_KEY": ""}, "AWS_SECRET_ACCESS_KEY is not"), ({"AWS_ACCESS_KEY_ID": ""}, "AWS_ACCESS_KEY_ID is not"),
                              ({"AWS_REGION": "eu central"}, "AWS_REGION"), ({"AWS_REGION": "x\r\nEvil: 1"}, "AWS_REGION"),
                              ({"AWS_ENDPOINT_URL": "ftp://x"}, "AWS_ENDPOINT_URL"), ({"AWS_ENDPOINT_URL": "http://"}, "AWS_ENDPOINT_URL"),
                              ({"AWS_ENDPOINT_URL": "http://user:word@host"}, "AWS_ENDPOINT_URL"), ({"AWS_ENDPOINT_URL": "http://h?q"}, "AWS_ENDPOINT_URL"),
                              ({"AWS_SESSION_TOKEN": "a\r\nEvil: 1"}, "AWS_SESSION_TOKEN")):
            result = self.get(check=None, **changed)
            self.assertNotEqual(result.returncode, 0)
            self.assertIn(word, result.stderr)
            self.assertNotIn(SECRET, result.stderr)
        self.assertEqual(self.server.asked, [])
        result = self.get(check=None, AWS_ENDPOINT_URL="", AWS_REGION="eu-none-9")
        self.assertRegex(result.stderr, r"bucket\.s3\.eu-none-9\.amazonaws\.com|resolve")

    def test_a_real_server(self):
        """moto's, which checks who signs; the store goes there by botocore, as `aws s3 cp --recursive` sends it."""
        python = pathlib.Path(os.environ.get("MIST_S3_PYTHON", SOURCE / "build/python-environment/bin/python"))
        if not python.exists() or subprocess.run([python, "-c", "import moto.server"], capture_output=True).returncode:
            self.skipTest("moto is not here: scripts/check-python installs it")
        port = free_port()
        server = subprocess.Popen([python, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        endpoint = f"http://127.0.0.1:{port}"
        for _ in range(150):
            try:
                urllib.request.urlopen(endpoint + "/moto-api/", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        upload = """
import sys, pathlib, boto3
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="eu-central-1")
s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
root = pathlib.Path(sys.argv[2])
for path in root.rglob("*"):
    if path.is_file():
        s3.upload_file(str(path), "bucket", "pre fix/\\u00e9/" + path.relative_to(root).as_posix())
"""
        subprocess.run([python, "-c", upload, endpoint, self.work / "bucket/pre fix/é"], check=True, capture_output=True,
                       env={**os.environ, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET})
        self.get("-q", AWS_ENDPOINT_URL=endpoint)
        self.compare()


if __name__ == "__main__":
    unittest.main()
