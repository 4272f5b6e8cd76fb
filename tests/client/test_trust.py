"""Whom mist get believes and what it tells whom: certificates, .netrc, and room on the disk."""
import base64
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import unittest

from servers import EXAMPLES, MIST, Counting


class Trust(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.work)
        source = cls.work / "source"
        source.mkdir()
        for path in sorted((EXAMPLES / "cxr").glob("*.png"))[:2]:
            shutil.copy(path, source)
        subprocess.run([MIST, "encode", source, "-o", cls.work / "store", "--dataset", "d", "-q"], check=True)
        cls.source = source
        for name in "host", "me":
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", cls.work / f"{name}.key",
                            "-out", cls.work / f"{name}.pem"], check=True, capture_output=True)

    def setUp(self):
        self.server = Counting(self.work / "store")
        self.addCleanup(self.server.stop)
        self.out = self.work / self.id().rsplit(".", 1)[1]

    def secure(self, ask_client=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.work / "host.pem", self.work / "host.key")
        if ask_client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.work / "me.pem")
        self.server.server.socket = context.wrap_socket(self.server.server.socket, server_side=True)
        return self.server.url.replace("http:", "https:") + "/d"

    def get(self, url, *options, **environment):
        return subprocess.run([MIST, "get", "--identical", url, "-o", self.out, "-q", *map(str, options)], capture_output=True, text=True,
                              timeout=60, env={**os.environ, "HOME": str(self.work), **environment})

    def assert_right(self):
        for path in self.source.iterdir():
            self.assertEqual((self.out / path.name).read_bytes(), path.read_bytes())

    def test_a_certificate_that_nobody_knows(self):
        url = self.secure()
        done = self.get(url)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"\Amist get: https[^\n]*certificate[^\n]*\n\Z")
        self.assertFalse(self.out.exists() and any(self.out.iterdir()))
        self.assertEqual(self.get(url, "--cacert", self.work / "me.pem").returncode, 1)
        done = self.get(url, "--cacert", self.work / "host.pem")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assert_right()
        done = self.get(url, "--cacert", self.work / "nowhere.pem")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_who_we_are(self):
        url = self.secure(ask_client=True)
        self.assertEqual(self.get(url, "--cacert", self.work / "host.pem", "--retries", 0).returncode, 1)
        done = self.get(url, "--cacert", self.work / "host.pem", "--cert", self.work / "me.pem", "--cert-key", self.work / "me.key")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assert_right()
        both = self.work / "both.pem"
        both.write_text((self.work / "me.pem").read_text() + (self.work / "me.key").read_text())
        shutil.rmtree(self.out)
        self.assertEqual(self.get(url, "--cacert", self.work / "host.pem", "--cert", both).returncode, 0)

    def test_netrc(self):
        netrc = self.work / ".netrc"
        netrc.write_text("machine 127.0.0.1 login ann password s3cret\nmachine example.org login bob password other\n")
        netrc.chmod(0o600)
        self.addCleanup(netrc.unlink)
        url = self.server.url + "/d"
        self.assertEqual(self.get(url).returncode, 0)
        sent = {headers.get("Authorization") for _, headers in self.server.headers}
        self.assertEqual(sent, {"Basic " + base64.b64encode(b"ann:s3cret").decode()})
        shutil.rmtree(self.out)
        self.server.reset()
        self.assertEqual(self.get(url, MIST_TOKEN="abc").returncode, 0)  # what is nearer counts
        self.assertEqual({headers.get("Authorization") for _, headers in self.server.headers}, {"Bearer abc"})

    def test_no_room(self):
        """On a file system of 64 kB, where this machine lets one be made."""
        self.out.mkdir()
        command = ["unshare", "-Urm", "sh", "-c", 'mount -t tmpfs -o size=64k none "$0" || exit 77; "$@"; code=$?; '
                   'ls -A "$0" >&3; exit $code', str(self.out), MIST, "get", str(self.work / "store" / "d"), "-o", str(self.out),
                   "--cache", str(self.out / "cache"), "-q"]
        with open(self.work / "listed", "w") as listed:
            done = subprocess.run(["sh", "-c", 'exec 3>&1 1>/dev/null; exec "$@"', "sh", *command], stdout=listed,
                                  stderr=subprocess.PIPE, text=True, timeout=60)
        if done.returncode == 77 or "unshare:" in done.stderr:
            self.skipTest("no file system can be mounted here")
        self.assertRegex(done.stderr, r"bytes are free there and \d+ are to be fetched; nothing was\.")
        self.assertEqual(done.returncode, 1)


if __name__ == "__main__":
    unittest.main()
