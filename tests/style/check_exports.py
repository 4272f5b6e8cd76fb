"""The shared library exports mist_* and nothing else."""
import subprocess
import sys

lines = subprocess.run(["nm", "-D", "--defined-only", sys.argv[1]], check=True, capture_output=True, text=True).stdout
names = [line.split()[-1].split("@")[0] for line in lines.splitlines()]
# Weak symbols of C++ templates and inline functions are not ours to hide (DCMTK's headers).
weak = {line.split()[-1].split("@")[0] for line in lines.splitlines() if line.split()[-2] in "VWvwu"}
stray = [name for name in names if not name.startswith("mist_") and name not in weak]
print(f"{len(names)} exported symbols, {len(stray)} strays: {stray[:10]}")
assert sum(name.startswith("mist_") for name in names) > 0
sys.exit(bool(stray))
