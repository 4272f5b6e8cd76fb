"""What the host's tests share: a store of the example images, `mist serve` on a free port, raw requests."""
import contextlib
import errno
import http.client
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import urllib.parse

MIST = os.environ["MIST_PROGRAM"]
SOURCE = pathlib.Path(os.environ["MIST_SOURCE"])
EXAMPLES = SOURCE / "examples" / "data"


def mist(*arguments, check=0):
    result = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    if result.returncode != check:
        raise AssertionError(f"mist {arguments} gave {result.returncode}, not {check}:\n{result.stdout}{result.stderr}")
    return result


@contextlib.contextmanager
def hung_up_on():
    """The host may close at any moment on what it does not like."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
            raise


class Host:
    """A running `mist serve`."""

    def __init__(self, store, *arguments, listen="127.0.0.1:0"):
        self.log = open(store.parent / "serve.log", "w+")
        self.process = subprocess.Popen([MIST, "serve", str(store), "--listen", listen, *arguments],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        match = re.fullmatch(r"mist serve: (http://(.*):(\d+)/)\n", line)
        if not match:
            self.process.kill()
            raise AssertionError(f"mist serve said {line!r} and {self.log_text()!r}")
        self.url, self.name, self.port = match[1].rstrip("/"), match[2].strip("[]"), int(match[3])

    def log_text(self):
        self.log.flush()
        return pathlib.Path(self.log.name).read_text()

    def connect(self):
        return http.client.HTTPConnection(self.name, self.port, timeout=30)

    def request(self, path, headers=None, method="GET", body=None, connection=None):
        """Status, header fields in lower case, body. The path is sent as it is."""
        with contextlib.closing(self.connect()) if connection is None else contextlib.nullcontext(connection) as c:
            c.request(method, path, body=body, headers=headers or {})
            response = c.getresponse()
            data = response.read()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, data

    def get(self, path, headers=None, status=200):
        got, fields, data = self.request(path, headers)
        if got != status:
            raise AssertionError(f"{path} {headers}: {got}, not {status}: {data[:300]}")
        return data

    def raw(self, data, timeout=10, half_close=True):
        """All that is answered to these bytes."""
        with socket.create_connection((self.name, self.port), timeout=timeout) as s:
            got = b""
            with hung_up_on():
                s.sendall(data)
                if half_close:
                    s.shutdown(socket.SHUT_WR)
                while block := s.recv(65536):
                    got += block
            return got

    def metric(self, name):
        return int(re.search(rf"^{re.escape(name)} (\d+)$", self.get("/metrics").decode(), re.M)[1])

    def idle(self):
        """Whether, soon, nothing but this question is in flight: answers are counted a moment after they arrive."""
        for _ in range(500):
            if self.metric("mist_http_requests_in_flight") == 1:
                return True
            threading.Event().wait(0.01)
        return False

    def stop(self, number=signal.SIGTERM):
        if number and self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        self.log.close()
        return status


def quote(path):
    return urllib.parse.quote(str(path))
