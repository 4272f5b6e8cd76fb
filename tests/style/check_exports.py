"""Each library exports the functions of its public headers, all of them, and nothing else."""
import pathlib
import re
import subprocess
import sys

from check_includes import core_headers


def declared(headers):
    """The functions that headers declare as MIST_API."""
    names = set()
    for header in headers:
        text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
        names |= set(re.findall(r"^MIST_API\b[^;(]*?\b(\w+)\(", text, flags=re.M))
    return names


def exported(library):
    """What a shared library exports, besides weak symbols of C++ templates and inline functions, which are not ours."""
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in lines.splitlines() if line.split()[-2] not in "VWvwu"}


root, core, whole = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
headers = sorted(root.glob("include/mist/*.h"))
status = 0
for library, wanted in ((core, declared(h for h in headers if h.stem in core_headers)), (whole, declared(headers))):
    found = exported(library)
    print(f"{pathlib.Path(library).name}: {len(found)} symbols; missing {sorted(wanted - found)}; "
          f"strays {sorted(found - wanted)[:10]}")
    assert len(wanted) > 40, "the headers were not understood"
    status |= found != wanted
sys.exit(status)
