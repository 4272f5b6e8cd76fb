"""Includes go one way: libmist-core is base <- {image, kind} <- codec <- coder <- item <- source, and libmist has on top of
it {format, transport} <- convert <- store <- {host, client} <- cli."""
import pathlib
import re
import sys

below = {"base": set(), "image": {"base"}, "kind": {"base"}}
below["codec"] = {"base", "image"}
below["coder"] = {"base", "image", "codec"}
below["item"] = {"base", "image", "kind", "codec", "coder"}
below["source"] = below["item"] | {"item"}
core = below["source"] | {"source"}  # libmist-core is these modules and no more
below["format"] = {"base", "image", "kind", "codec", "coder"}
below["convert"] = core | {"format"}
below["transport"] = core
below["store"] = core | {"format", "convert"}
below["host"] = below["store"] | {"store"}
below["client"] = below["store"] | {"store", "transport"}
below["wasm"] = core | {"format"}
below["cli"] = set()  # only include/mist
# The headers of libmist-core, which need none of the others.
core_headers = {"buffer", "codec", "core", "image", "item", "source", "status", "structures", "version"}


def main():
    """Prints what goes the wrong way; returns the exit status."""
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
            public = re.match(r"\s*#\s*include\s+<mist/(\w+)\.h>", line)
            if public and module in core and public[1] not in core_headers:
                problems.append(f"{name}:{number}: <mist/{public[1]}.h> is not of libmist-core")
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
            public = re.match(r"\s*#\s*include\s+<mist/(\w+)\.h>", line)
            if public and path.stem in core_headers and public[1] not in core_headers:
                problems.append(f"{path.relative_to(root)}:{number}: <mist/{public[1]}.h> is not of libmist-core")
    print("\n".join(problems) or f"{files} files, all includes go one way")
    assert files > 20, "the sources were not found"
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
