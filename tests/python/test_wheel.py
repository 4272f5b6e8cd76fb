"""The wheel: built by the project's script, installed by pip into a clean environment, and used there without our
sources or build directory."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

import made
from servers import SOURCE


class Wheel(made.Case):
    def run_all(self, *command, **options):
        result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=200, **options)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_wheel(self):
        directory = pathlib.Path(tempfile.mkdtemp(dir=made.base()))
        wheel = pathlib.Path(self.run_all(sys.executable, SOURCE / "scripts/wheel", directory).strip())
        self.assertLess(wheel.stat().st_size, 3e6)
        self.assertRegex(wheel.name, r"^pymist-[0-9.]+-py3-none-linux_\w+\.whl$")
        names = zipfile.ZipFile(wheel).namelist()
        self.assertIn("pymist/lib/libmist-core.so", names)
        self.assertIn("pymist/py.typed", names)
        again = pathlib.Path(self.run_all(sys.executable, SOURCE / "scripts/wheel", directory / "again").strip())
        self.assertEqual(wheel.read_bytes(), again.read_bytes())
        subprocess.run([sys.executable, "-m", "venv", "--help"], check=True, capture_output=True)
        made_here = subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", directory / "venv"],
                                   capture_output=True, text=True)
        if made_here.returncode:
            self.skipTest("no venv: " + (made_here.stdout + made_here.stderr).strip().replace("\n", " "))
        python = directory / "venv/bin/python"
        clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MIST_LIBRARY")}
        self.run_all(python, "-m", "pip", "install", "--no-index", "--no-deps", wheel, env=clean)
        told = self.run_all(python, "-c", """
import sys, pymist, pymist._library
print(pymist.__file__, pymist._library.library._name)
print(pymist.open((sys.argv[1], "mr/scaled.nii.gz"), size=32).read().sum(dtype="i8"))
for line in open("/proc/self/maps"):
    if "/lib" in line and any(name in line for name in ("libmist", "libzstd", "libxxhash", "libopenjp2", "libjpeg")):
        print(line.split()[-1])
""", made.kinds(), env=clean, cwd="/").split("\n")
        wanted = made.pymist.open((made.kinds(), "mr/scaled.nii.gz"), size=32).read().sum(dtype="i8")
        self.assertEqual(told[1], str(wanted))
        for path in " ".join([told[0], *told[2:]]).split():
            self.assertTrue(path.startswith(str(directory / "venv")), path)


if __name__ == "__main__":
    unittest.main()
