"""What the client's tests talk to: nginx, mist serve, and a server of our own that counts, and lies when told to."""
import http.server
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

MIST = os.environ["MIST_PROGRAM"]
SOURCE = pathlib.Path(os.environ["MIST_SOURCE"])
EXAMPLES = SOURCE / "examples" / "data"
SHARED = pathlib.Path(os.environ["MIST_SHARED"])


def mist(*arguments, check=0, **options):
    """Runs mist; check None takes any exit status."""
    environment = {k: v for k, v in os.environ.items() if k.lower() not in ("http_proxy", "https_proxy", "all_proxy")}
    environment.update(options.pop("env", {}))
    result = subprocess.run([MIST, *map(str, arguments)], capture_output=True, text=True, timeout=120, env=environment,
                            **options)
    if check is not None and result.returncode != check:
        raise AssertionError(f"mist {arguments} gave {result.returncode}, not {check}:\n{result.stdout}{result.stderr}")
    return result


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"no server came up on port {port}")


class Process:
    """A server process; `url` is where the store is."""

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        shutil.rmtree(self.work, ignore_errors=True)


class Nginx(Process):
    """A stock static server over the store, below a prefix."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

    def __init__(self, store):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-nginx-"))
        port = free_port()
        (self.work / "nginx.conf").write_text(f"""
            daemon off; master_process off; pid {self.work}/pid; error_log {self.work}/error.log;
            events {{ worker_connections 256; }}
            http {{
                client_body_temp_path {self.work}/body; proxy_temp_path {self.work}/proxy;
                fastcgi_temp_path {self.work}/fastcgi; uwsgi_temp_path {self.work}/uwsgi;
                scgi_temp_path {self.work}/scgi;
                access_log off; default_type application/octet-stream;
                server {{ listen 127.0.0.1:{port}; location /some/prefix/ {{ alias {store}/; }} }}
            }}""")
        # The directories of some Debian users' homes are closed; the test's own are not.
        os.chmod(self.work, 0o755)
        self.process = subprocess.Popen([self.program, "-p", str(self.work), "-c", str(self.work / "nginx.conf")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(port, self.process)
        self.url = f"http://127.0.0.1:{port}/some/prefix"


class Serve(Process):
    """mist serve."""

    def __init__(self, store):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-serve-"))
        port = free_port()
        self.process = subprocess.Popen([MIST, "serve", str(store), "--listen", f"127.0.0.1:{port}"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(port, self.process)
        self.url = f"http://127.0.0.1:{port}"


class Counting:
    """A static server that records every request: (path, range, bytes of the body sent).

    `lie` may be set to a function of (handler, path, data, first, end) that answers itself and returns True.
    """

    def __init__(self, store):
        self.store, self.lie, self.log, self.headers = pathlib.Path(store), None, [], []
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # clients that are killed break their connections

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def reset(self):
        with self.lock:
            self.log, self.headers = [], []

    def body_bytes(self):
        """Bytes of all bodies but the catalog's."""
        return sum(size for path, _, size in self.log if not path.endswith("catalog.jsonl.zst"))

    def requests_for(self, part):
        return [entry for entry in self.log if part in entry[0]]

    def answer(self, handler):
        path = urllib.parse.unquote(handler.path)
        with self.lock:
            self.headers.append((path, dict(handler.headers)))
        try:
            data = (self.store / path.lstrip("/")).read_bytes()
        except OSError:
            data = None
        first, end = 0, len(data or b"")
        asked = handler.headers.get("Range")
        if asked:
            match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked)
            first, end = int(match[1]), min(int(match[2]) + 1 if match[2] else end, end)
        if self.lie and self.lie(handler, path, data, first, end):
            return
        if data is None:
            self.send(handler, path, 404, {}, b"no such file")
        elif asked and first >= len(data):
            self.send(handler, path, 416, {"Content-Range": f"bytes */{len(data)}"}, b"")
        elif asked:
            self.send(handler, path, 206, {"Content-Range": f"bytes {first}-{end - 1}/{len(data)}"}, data[first:end])
        else:
            self.send(handler, path, 200, {}, data)

    def send(self, handler, path, status, headers, body, length=None):
        """Answers; what the client takes of the body is counted piece by piece."""
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        for at in range(0, len(body), 16384):
            piece = body[at:at + 16384]
            handler.wfile.write(piece)
            with self.lock:
                self.log.append((path, handler.headers.get("Range"), len(piece)))
        if not body:
            with self.lock:
                self.log.append((path, handler.headers.get("Range"), 0))
