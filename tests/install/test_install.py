# SPDX-License-Identifier: BSD-2-Clause
"""What is installed is enough for programs of others, in C and C++; and the Debian package installs, works and goes."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(os.environ["MIST_SOURCE"])
BUILD = pathlib.Path(os.environ["MIST_PROGRAM"]).parent
EXAMPLE = SOURCE / "examples" / "data" / "cxr" / "00000061_012.png"

CORE = r"""
#include <mist/core.h>
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments)
{
    struct mist_error error = {MIST_OK, ""};
    mist_item *item;
    if (count != 2 || MIST_VERSION_NUMBER != mist_version_number() || strcmp(MIST_VERSION, mist_version()) != 0)
        return 2;
    if (mist_item_open(arguments[1], &item, &error) != MIST_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    const struct mist_item_info *info = mist_item_info(item);
    printf("%u x %u, %u levels\n", (unsigned)info->image.width, (unsigned)info->image.height, info->levels);
    mist_item_close(&item);
    return 0;
}
"""
WHOLE = r"""
#include <mist/mist.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    const char *sources[] = {arguments[1]};
    struct mist_store_encode_options options = {};
    struct mist_store_report report;
    struct mist_error error = {};
    if (count != 3)
        return 2;
    options.sources = sources;
    options.source_count = 1;
    options.dataset = "d";
    if (mist_store_encode(arguments[2], &options, &report, NULL, &error) != MIST_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    printf("%u items\n", (unsigned)report.items);
    return 0;
}
"""


def run(*command, status=0, **options):
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=800, **options)
    assert done.returncode == status, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-install-"))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        run("meson", "install", "-C", BUILD, "--no-rebuild", env={**os.environ, "DESTDIR": str(cls.work / "root")})
        (configuration,) = (cls.work / "root").rglob("mist.pc")
        cls.libraries = configuration.parent.parent
        cls.environment = {**os.environ, "PKG_CONFIG_PATH": str(configuration.parent), "PKG_CONFIG_SYSROOT_DIR": str(cls.work / "root"),
                           "LD_LIBRARY_PATH": str(cls.libraries)}

    def build(self, name, text, compiler, package, *options):
        source = self.work / name
        source.write_text(text)
        flags = run("pkg-config", "--cflags", "--libs", package, env=self.environment).split()
        program = self.work / (name.replace(".", "_") + package)
        run(compiler, *options, "-Wall", "-Wextra", "-Werror", source, "-o", program, *flags)
        return program

    def test_programs_of_others(self):
        programs = [self.build("whole.cc", WHOLE, "c++", "mist", "-std=c++17")]
        store = self.work / "store"
        self.assertEqual(run(programs[0], EXAMPLE, store, env=self.environment), "1 items\n")
        item = store / "d" / "items" / (EXAMPLE.name + ".mist")
        for name, compiler, standard in (("core.c", "cc", "-std=c17"), ("core.c", "cc", "-std=c99"), ("core.cc", "c++", "-std=c++17")):
            for package in ("mist-core", "mist"):
                text = CORE if name.endswith(".c") else CORE.replace("{MIST_OK, \"\"}", "{}")
                program = self.build(name, text, compiler, package, standard)
                self.assertRegex(run(program, item, env=self.environment), r"^\d+ x \d+, \d levels\n$")

    def test_the_core_is_small_and_needs_little(self):
        (library,) = self.libraries.glob("libmist-core.so.*.*.*")
        needed = set(re.findall(r"NEEDED.*\[(.*?)\]", run("readelf", "-d", library)))
        known = ("libc.so", "libm.so", "libzstd.so", "libxxhash.so", "libjpeg.so", "libopenjp2.so", "ld-linux", "libgcc_s.so")
        self.assertEqual({name for name in needed if not name.startswith(known)}, set())
        self.assertRegex(run("readelf", "-d", library), r"SONAME.*\[libmist-core\.so\.\d+\.\d+\]")
        stripped = self.work / "core.so"
        run("strip", "-o", stripped, library)
        self.assertLess(stripped.stat().st_size, 1_000_000)

    def test_the_core_alone(self):
        """Without libjpeg and OpenJPEG it needs libc, zstd and xxHash, reads items all the same, and says what it lacks."""
        build = self.work / "core"
        run("meson", "setup", build, SOURCE, "-Dlibrary=core", "-Djpeg=false", "-Djpeg2000=false", "-Dtests=false", "--prefix=/usr",
            "--libdir=lib")
        run("ninja", "-C", build)
        run("meson", "install", "-C", build, "--no-rebuild", env={**os.environ, "DESTDIR": str(self.work / "alone")})
        installed = {path.name for path in (self.work / "alone").rglob("*") if path.is_file()}
        self.assertIn("libmist-core.a", installed)
        self.assertFalse({"mist", "libmist.a", "mist.pc", "mist.1"} & installed)
        (library,) = (self.work / "alone").rglob("libmist-core.so.*.*.*")
        needed = set(re.findall(r"NEEDED.*\[(.*?)\]", run("readelf", "-d", library)))
        self.assertEqual({name.split(".so")[0] for name in needed} - {"ld-linux-x86-64"}, {"libc", "libm", "libzstd", "libxxhash"})
        photo = self.work / "photos"
        photo.mkdir()
        run("cjpeg", "-outfile", photo / "a.jpg", self.picture())
        shutil.copy(EXAMPLE, photo)
        run(BUILD / "mist", "encode", photo, "-o", self.work / "photo-store", "--dataset", "d", "-q")
        for name, says in ((EXAMPLE.name, "(1024, 1024)"), ("a.jpg", "no libjpeg")):
            program = ("import pymist, sys\ntry: print(pymist.open(sys.argv[1]).read().shape)\n"
                       "except pymist.MistError as error: print(error)")
            found = run(sys.executable, "-c", program, self.work / "photo-store/d/items" / (name + ".mist"),
                        env={**os.environ, "MIST_LIBRARY": str(library), "PYTHONPATH": str(SOURCE / "python")})
            self.assertIn(says, found)

    def picture(self):
        path = self.work / "ramp.ppm"
        path.write_bytes(b"P6 128 96 255\n" + bytes((x * 2 + c * 40) % 256 for y in range(96) for x in range(128) for c in range(3)))
        return path

    def test_parts_that_belong_together(self):
        for options, word in ((["-Djpeg=false"], "core"), (["-Djpeg2000=false"], "core"), (["-Dhost=false"], "tests"), (["-Dclient=false"], "tests")):
            done = subprocess.run(["meson", "setup", self.work / "wrong", SOURCE, *options], capture_output=True, text=True, timeout=120)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(word, done.stdout)
            shutil.rmtree(self.work / "wrong", ignore_errors=True)

    def test_only_declared_functions_are_seen(self):
        """Whatever the shared libraries export is declared in a header."""
        declared = "".join(p.read_text() for p in (SOURCE / "include" / "mist").glob("*.h"))
        for library in self.libraries.glob("libmist*.so.*.*.*"):
            names = re.findall(r" [TDBR] (\w+)$", run("nm", "-D", "--defined-only", library), re.M)
            self.assertGreater(len(names), 20)
            self.assertEqual([name for name in names if not re.search(rf"\b{name}\b", declared)], [])

    def test_manual_and_completions(self):
        root = self.work / "root"
        (manual,) = root.rglob("mist.1")
        self.assertTrue(manual.read_text().startswith(".TH MIST 1"))
        (bash,) = root.rglob("bash-completion/completions/mist")
        run("bash", "-n", bash)
        for name in ("zsh/vendor-completions/_mist", "fish/vendor_completions.d/mist.fish"):
            (script,) = root.rglob(name)
            self.assertIn("encode", script.read_text())

    def test_the_debian_package(self):
        missing = [tool for tool in ("dpkg-deb", "dpkg-shlibdeps") if not shutil.which(tool)]
        if missing:
            self.skipTest(f"{missing[0]} is not installed")
        package = run(SOURCE / "scripts" / "deb", self.work / "deb").split()[-1]
        about = run("dpkg-deb", "-I", package)
        self.assertIn("Depends: ", about)
        self.assertRegex(about, r"libc6 \(>= ")
        root = self.work / "unpacked"
        run("dpkg-deb", "-x", package, root)
        run("dpkg-deb", "-e", package, self.work / "control")
        (library,) = root.rglob("libmist.so.*.*.*")
        environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent)}
        self.assertRegex(run(root / "usr/bin/mist", "--version", env=environment), r"\d+\.\d+\.\d+")
        if os.geteuid() != 0 or subprocess.run(["dpkg-query", "-W", "mist"], capture_output=True).returncode == 0:
            print("skipped: the package is not installed into this system: no root, or it is there already")
            return
        # Into this system, used, and away again.
        try:
            run("dpkg", "-i", package)
            self.assertRegex(run("/usr/bin/mist", "--version"), r"\d+\.\d+\.\d+")
            run("/usr/bin/mist", "encode", EXAMPLE, "-o", self.work / "store2", "--dataset", "d")
            run("/usr/bin/mist", "verify", self.work / "store2")
            self.assertEqual(run("pkg-config", "--modversion", "mist").strip(), run("pkg-config", "--modversion", "mist-core").strip())
        finally:
            subprocess.run(["dpkg", "-P", "mist"], capture_output=True)
        self.assertFalse(pathlib.Path("/usr/bin/mist").exists())


if __name__ == "__main__":
    unittest.main()
