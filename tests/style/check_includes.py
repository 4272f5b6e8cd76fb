"""Includes go one way: base <- image <- codec <- {format, coder} <- item <- source <- store <- {host, client} <- cli."""
import pathlib
import re
import sys

below = {"base": set(), "image": {"base"}}
below["codec"] = {"base", "image"}
below["format"] = below["coder"] = {"base", "image", "codec"}
below["item"] = {"base", "image", "format", "codec", "coder"}
below["source"] = below["item"] | {"item"}
below["store"] = below["source"] | {"source"}
below["host"] = below["client"] = below["store"] | {"store"}
below["cli"] = set()  # only include/mist

root = pathlib.Path(sys.argv[1])
public_only = ["src/cli", "bench", "python", "web", "examples"]
problems, files = [], 0
for path in sorted(root.glob("src/**/*")) + sorted(root.glob("bench/**/*")) + sorted(root.glob("examples/**/*")):
    if path.suffix not in (".c", ".h", ".cc"):
        continue
    files += 1
    name = path.relative_to(root).as_posix()
    module = name.split("/")[1] if name.startswith("src/") else None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not match:
            continue
        target = match[1]
        top = target.split("/")[0] if "/" in target else None
        if not (root / "src" / target).exists() and top in below:
            problems.append(f"{name}:{number}: {target} does not exist")
        if module and top in below and top != module and top not in below[module]:
            problems.append(f"{name}:{number}: {module} must not include {target}")
        if module is None and top in below and not name.startswith("bench/kernels"):
            problems.append(f"{name}:{number}: only include/mist may be used here, not {target}")
# What is installed is read without this repository and its plans beside it.
for path in sorted(root.glob("include/mist/*.h")):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if re.search(r"design\.md|house\.md|\.\./shared", line):
            problems.append(f"{path.relative_to(root)}:{number}: refers to what a reader of the header does not have")
print("\n".join(problems) or f"{files} files, all includes go one way")
assert files > 20, "the sources were not found"
sys.exit(bool(problems))
