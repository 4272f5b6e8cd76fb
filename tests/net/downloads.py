#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""540 X-rays at 256 x 256 over slow lines (tests/net/slow_link.c), from 'mist serve' and from nginx with the files of the store:
tests/net/downloads.py MIST SLOW_LINK DIRECTORY. Needs root.

Every file that came is compared with what a download from the store's directory wrote: more than that fails the test. What it
prints is a table: seconds beside those that the same number of bytes takes over the same line, as one file by curl over one
connection that is there already, and the limit that we set ourselves, 1.10 times bytes / bandwidth and 10 round trips.
"""
import contextlib
import hashlib
import pathlib
import subprocess
import sys
import time

import xrays

MIST, SLOW_LINK, HERE = (pathlib.Path(value).resolve() for value in sys.argv[1:4])
FAR = "10.44.0.2"
LINES = [(100, 50, 0), (100, 50, 1), (100, 10, 0), (1000, 2, 0)]  # Mbit/s, ms of a round trip, per cent lost
HEADERS = 40 / 1500  # TCP and IP in each packet


@contextlib.contextmanager
def line(rate, round_trip, loss):
    """Commands that begin what runs at its two ends."""
    link = subprocess.Popen([SLOW_LINK, str(rate), str(round_trip), str(loss)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        words = link.stdout.readline().split()
        if not words:
            sys.exit("downloads: no slow line can be made here: network namespaces and /dev/net/tun are needed")
        yield ["nsenter", f"--net={words[1]}"], ["nsenter", f"--net={words[2]}"]
    finally:
        link.stdin.close()
        link.wait()


@contextlib.contextmanager
def running(command, near, url):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            if subprocess.run([*near, "curl", "-s", "-o", "/dev/null", url]).returncode == 0:
                break
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait()


def hosts(store, far):
    configuration = HERE / "nginx.conf"
    configuration.write_text(f"""daemon off; master_process off; pid {HERE}/nginx.pid; error_log {HERE}/nginx.log;
user root; events {{ worker_connections 256; }}
http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; root {store}; server {{ listen {FAR}:8081; }} }}
""")
    yield "mist serve", [*far, MIST, "serve", store, "--listen", f"{FAR}:8080", "-q"], f"http://{FAR}:8080"
    yield "nginx, files", [*far, "nginx", "-c", configuration], f"http://{FAR}:8081"


def contents(directory):
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).digest()
            for path in directory.rglob("*") if path.is_file()}


def get(source, output, *before, options=()):
    start = time.monotonic()
    subprocess.run([*before, MIST, "get", source, "--size", "256", "-q", "-o", output, *options], check=True)
    return time.monotonic() - start


def main():
    HERE.mkdir(parents=True, exist_ok=True)
    store, images = HERE / "store", HERE / "images"
    if not store.exists():
        if not images.exists():
            print(f"downloads: 540 X-rays made of those in {xrays.make(images)}", file=sys.stderr)
        subprocess.run([MIST, "encode", images, "-o", HERE / "store.made", "--dataset", "xr", "-q"], check=True)
        (HERE / "store.made").rename(store)
    runs = HERE / f"runs-{time.time_ns()}"
    local = get(store / "xr", runs / "local")
    expected = contents(runs / "local")
    plan = subprocess.run([MIST, "get", store / "xr", "--size", "256", "--dry-run"], check=True, capture_output=True, text=True).stdout
    size = int(plan.split(" other files; ")[1].split(" bytes")[0]) + (store / "xr" / "catalog.jsonl.zst").stat().st_size
    (store / "one-file").write_bytes(bytes(1) + hashlib.shake_128(b"noise").digest(size - 1))
    print(f"{len(expected)} files, {size / 1e6:.1f} MB; from the directory itself in {local:.2f} s\n")
    print("| line | host | one file, curl | mist get | times bytes/bandwidth | limit | mist get --format npy |")
    print("|---|---|---:|---:|---:|---:|---:|")
    failed = 0
    for number, (rate, round_trip, loss) in enumerate(LINES):
        with line(rate, round_trip, loss) as (near, far):
            for name, command, url in hosts(store, far):
                with running(command, near, f"{url}/xr/catalog.jsonl.zst"):
                    one = float("nan")
                    if "nginx" in name:
                        one = float(subprocess.run([*near, "curl", "-s", "-o", "/dev/null", "-w", "%{time_total}", f"{url}/one-file"],
                                                   check=True, capture_output=True, text=True).stdout)
                    times = []
                    for turn in range(3):
                        output = runs / f"{number}-{name.split()[0]}-{turn}"
                        times.append(get(f"{url}/xr", output, *near))
                        if contents(output) != expected:
                            print(f"FAIL: {name} over {rate} Mbit/s, {round_trip} ms, {loss} %: other files than from the directory", file=sys.stderr)
                            failed = 1
                    arrays = get(f"{url}/xr", runs / f"{number}-{name.split()[0]}-npy", *near, options=["--format", "npy"])
                    ideal = size * 8e-6 / rate * (1 + HEADERS)
                    limit = 1.1 * size * 8e-6 / rate + 10e-3 * round_trip
                    print(f"| {rate} Mbit/s, {round_trip} ms, {loss} % lost | {name} | {'' if one != one else f'{one:.2f} s'} | {min(times):.2f} s "
                          f"| {min(times) / ideal:.2f} | {limit:.2f} s | {arrays:.2f} s |", flush=True)
    subprocess.run(["rm", "-rf", runs])
    return failed


sys.exit(main())
