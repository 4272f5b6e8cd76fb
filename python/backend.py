# SPDX-License-Identifier: BSD-2-Clause
"""Builds pymist's wheel: the package, libmist-core and the libraries that it links with, for all Pythons of a platform.

A build backend of PEP 517, so that `pip install ./python` works; `scripts/wheel` calls it without pip. The library is that
of MIST_LIBRARY, else of ../build (built by scripts/build where it is not there). Nothing but Python's own modules is needed.
"""
import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sysconfig
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
NAME = "pymist"
# Of the C library everybody has one; the rest comes along.
SYSTEM = re.compile(r"^(linux-vdso|ld-linux.*|libc|libm|libpthread|libdl|librt|libgcc_s)\.so")


def version():
    return re.search(r'__version__ = "(.+?)"', (HERE / "pymist/__init__.py").read_text()).group(1)


def core():
    """The library's file."""
    named = os.environ.get("MIST_LIBRARY")
    if named:
        return pathlib.Path(named)
    path = ROOT / "build/src/libmist-core.so"
    if not path.exists():
        print("pymist: building libmist-core", flush=True)
        subprocess.run([ROOT / "scripts/build", "build"], check=True)
    return path


def needed(path):
    """What it links with but the C library: [(name that it is loaded by, file)], each behind what it needs itself."""
    found = []
    for line in subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout.splitlines():
        match = re.match(r"\s*(\S+) => (/\S+)", line)
        if match and not SYSTEM.match(match.group(1)):
            found.append((match.group(1), pathlib.Path(match.group(2))))
    return sorted(found)


def stripped(path):
    """The file without its symbols for debuggers."""
    with tempfile.TemporaryDirectory() as directory:
        made = pathlib.Path(directory) / "library"
        subprocess.run(["strip", "--strip-unneeded", "-o", made, path.resolve()], check=True)
        return made.read_bytes()


def glibc(paths):
    """The newest version of glibc of which any of these files needs something: (2, 34)."""
    newest = (2, 0)
    for path in paths:
        text = subprocess.run(["objdump", "-T", path], check=True, capture_output=True, text=True).stdout
        for major, minor in re.findall(r"GLIBC_(\d+)\.(\d+)", text):
            newest = max(newest, (int(major), int(minor)))
    return newest


def tag():
    return f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"


def metadata(newest):
    return f"""Metadata-Version: 2.1
Name: {NAME}
Version: {version()}
Summary: MIST, the Medical Image Streaming Toolkit: arrays at the size that you train at
License: BSD-2-Clause
Requires-Python: >=3.8
Requires-Dist: numpy
Description-Content-Type: text/plain

Images of a MIST dataset, from a host, a bucket or a directory, at the resolution wanted. The library inside needs glibc
{newest[0]}.{newest[1]} or newer.
"""


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    library = core()
    libraries = [("libmist-core.so", library), *needed(library)]
    newest = glibc(path for _, path in libraries)
    info = f"{NAME}-{version()}.dist-info"
    files = [(f"{NAME}/{path.relative_to(HERE / NAME)}", path.read_bytes()) for path in sorted((HERE / NAME).rglob("*"))
             if path.suffix == ".py" or path.name == "py.typed"]
    files += [(f"{NAME}/lib/{name}", stripped(path)) for name, path in libraries]
    files += [(f"{info}/METADATA", metadata(newest).encode()),
              (f"{info}/WHEEL", f"Wheel-Version: 1.0\nGenerator: mist\nRoot-Is-Purelib: false\nTag: {tag()}\n".encode())]
    record = "".join(f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
                     for name, data in files) + f"{info}/RECORD,,\n"
    made = f"{NAME}-{version()}-{tag()}.whl"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / made, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in [*files, (f"{info}/RECORD", record.encode())]:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # the same bytes whenever it is built
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            wheel.writestr(entry, data)
    return made


def build_sdist(sdist_directory, config_settings=None):
    raise RuntimeError("pymist is built in MIST's sources: pip install ./python there")


def get_requires_for_build_wheel(config_settings=None):
    return []
