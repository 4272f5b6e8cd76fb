"""No two files of the sources need each other, not even by way of others.

A file needs another when it uses a function or table that the other defines, as the linker sees it: nm says so of the
library and of the command line's objects. check_includes.py looks at the directions between modules.
"""
import pathlib
import re
import subprocess
import sys

# Circles within these modules are printed but let pass until the modules are rebuilt: format_archive_free() stands in the
# table of readers that need it, and codec's encode_transfer() beside the caller of encode_strips().
REBUILT = ("format_", "codec_")


def needs_of(paths):
    """{file: {needed file: a name that it uses}} of objects and archives, files named MODULE_NAME."""
    defined, used, file = {}, {}, None
    for path in paths:
        file = pathlib.Path(path).name
        for line in subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout.splitlines():
            if line.endswith(":"):
                file = line[:-1].split("/")[-1]
            fields = line.split()
            if len(fields) < 2 or len(fields[-2]) != 1:
                continue
            name = re.sub(r"^src_|\.(c|cc)\.o$", "", file)
            if fields[-2] == "U":
                used.setdefault(name, set()).add(fields[-1])
            elif fields[-2] in "TDRBC":
                defined.setdefault(fields[-1], name)
    return {file: {defined[s]: s for s in sorted(symbols) if defined.get(s, file) != file}
            for file, symbols in used.items()}


def circles_of(needs):
    """The circles: strongly connected components of more than one file (Tarjan's algorithm)."""
    order, low, stack, circles = {}, {}, [], []

    def visit(file):
        order[file] = low[file] = len(order)
        stack.append(file)
        for target in needs.get(file, ()):
            if target not in order:
                visit(target)
            if target in stack:
                low[file] = min(low[file], low[target])
        if low[file] == order[file]:
            circle = set()
            while file not in circle:
                circle.add(stack.pop())
            if len(circle) > 1:
                circles.append(sorted(circle))

    for file in sorted(needs):
        if file not in order:
            visit(file)
    return circles


# The check itself: a circle over three files is found, a diamond is none.
assert circles_of({"a": {"b": ""}, "b": {"c": ""}, "c": {"a": ""}, "d": {"a": ""}}) == [["a", "b", "c"]]
assert circles_of({"a": {"b": "", "c": ""}, "b": {"d": ""}, "c": {"d": ""}, "d": {}}) == []

library, objects = sys.argv[1:]
needs = needs_of([library, *sorted(pathlib.Path(objects).glob("*.o"))])
assert len(needs) > 20 and any(needs.values()), "nothing was found in the objects"
circles = circles_of(needs)
for circle in circles:
    print("a circle of", ", ".join(circle))
    for file in circle:
        for target, name in needs[file].items():
            if target in circle:
                print(f"    {file} needs {name}() of {target}")
print(f"{len(needs)} files, {len(circles)} circles")
sys.exit(not all(file.startswith(REBUILT) for circle in circles for file in circle))
