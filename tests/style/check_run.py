"""Every file tests/*/test_*.c is built and every tests/*/test_*.py is run by some test: one that a merge left out of the
meson.build files would pass for ever. Arguments: the source directory, the build directory."""
import json
import pathlib
import sys

source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
tests = json.loads((build / "meson-info/intro-tests.json").read_text())
targets = json.loads((build / "meson-info/intro-targets.json").read_text())
run = {pathlib.Path(word).resolve() for test in tests for word in test["cmd"]}
programs = {target["id"]: target for target in targets}
for test in tests:
    for name in test["depends"]:
        for group in programs.get(name, {}).get("target_sources", []):
            run.update(pathlib.Path(file).resolve() for file in group.get("sources", []))
missing = [path.relative_to(source) for path in sorted(source.glob("tests/*/test_*.*"))
           if path.suffix in (".c", ".py") and path.resolve() not in run]
for path in missing:
    print(f"{path}: no test runs it", file=sys.stderr)
if len(run) < 50:
    sys.exit("the list of tests could not be read")
sys.exit(bool(missing))
