# SPDX-License-Identifier: BSD-2-Clause
"""examples/hosting as it stands, but for addresses and certificates: nginx with TLS and a password in front of mist serve; and
what systemd says of the unit, where it is here."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest

from hosting import EXAMPLES, SOURCE, Host, mist

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@unittest.skipUnless(NGINX and shutil.which("openssl"), "nginx or openssl is not here")
class Hosting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-hosting-"))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        os.chmod(cls.work, 0o755)
        mist("encode", EXAMPLES / "cxr", "-o", cls.work / "store", "--dataset", "cxr")
        cls.host = Host(cls.work / "store", "--trusted-proxy", "127.0.0.1")
        cls.addClassCleanup(lambda: cls.host.stop())
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", cls.work / "key.pem", "-out",
                        cls.work / "cert.pem", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                       check=True, capture_output=True)
        (cls.work / "users").write_text("doctor:{PLAIN}s3cret@word\n")
        os.chmod(cls.work / "users", 0o644)

    def nginx(self, *changes):
        text = (SOURCE / "examples/hosting/nginx.conf").read_text()
        port = free_port()
        for old, new in [("127.0.0.1:8080", f"127.0.0.1:{self.host.port}"), ("listen 443", f"listen 127.0.0.1:{port}"),
                         ("/etc/ssl/images.example.org.pem", str(self.work / "cert.pem")), ("/etc/ssl/images.example.org.key", str(self.work / "key.pem")),
                         ("server_name images.example.org", "server_name localhost"), *changes]:
            self.assertIn(old, text)
            text = text.replace(old, new)
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.work))
        os.chmod(folder, 0o755)
        temporary = "".join(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
                                           f"http {{ access_log off; {temporary}\n{text}\n}}")
        server = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.terminate)
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            self.assertIsNone(server.poll(), "nginx ended; its error.log says why")
            time.sleep(0.05)
        else:
            self.fail((folder / "error.log").read_text())
        return port, folder

    def get(self, address, folder, *arguments, check=0):
        result = mist("get", "--identical", address, "-o", folder / "got", "--cacert", self.work / "cert.pem", *arguments, check=check)
        if not check:
            for path in (EXAMPLES / "cxr").iterdir():
                self.assertEqual((folder / "got" / path.name).read_bytes(), path.read_bytes())
        return result

    def test_tls(self):
        port, folder = self.nginx()
        self.get(f"https://localhost:{port}/cxr", folder)
        mist("get", f"https://localhost:{port}/cxr", "-o", folder / "other", check=1)  # who does not know the certificate

    def test_a_password(self):
        port, folder = self.nginx(("# auth_basic ", "auth_basic "), ("/etc/nginx/mist.users", str(self.work / "users")))
        refused = self.get(f"https://localhost:{port}/cxr", folder, check=1)
        self.assertIn("401", refused.stderr)
        done = self.get(f"https://doctor:s3cret%40word@localhost:{port}/cxr", folder)
        self.assertNotIn("s3cret", done.stdout + done.stderr)

    def test_the_unit(self):
        unit = (SOURCE / "examples/hosting/mist.service").read_text()
        self.assertEqual(len(re.findall(r"^\[(Unit|Service|Install)\]$", unit, re.MULTILINE)), 3)
        command = re.search(r"^ExecStart=/usr/bin/mist (serve .*)$", unit, re.MULTILINE)[1].split()
        known = mist("serve", "--help").stdout
        for word in command:
            if word.startswith("--"):
                self.assertIn(word, known)
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not here")
        path = self.work / "mist.service"
        path.write_text(unit.replace("/usr/bin/mist", "/bin/true"))
        done = subprocess.run(["systemd-analyze", "verify", path], capture_output=True, text=True)
        self.assertNotRegex(done.stderr, r"Unknown|Failed to parse|Invalid")


if __name__ == "__main__":
    unittest.main()
