"""Every example of pymist's documentation runs, and prints what is written there."""
import doctest
import importlib
import os
import pathlib
import pkgutil
import re
import subprocess
import unittest

import made
from made import pymist
from servers import EXAMPLES, MIST, SOURCE, Serve

# What an adapter needs that may not be here.
NEEDS = {"pymist.nibabel": "nibabel", "pymist.torch": "torch", "pymist.monai": "monai", "pymist.torchio": "torchio",
         "pymist.nnunet": "nnunetv2", "pymist.pydicom": "pydicom"}


def there(module):
    try:
        importlib.import_module(module)
        return True
    except ImportError:
        return False


class Documents(made.Case):
    def setUp(self):
        path = os.environ["PATH"]
        os.environ["PATH"] = str(pathlib.Path(MIST).parent) + ":" + path
        self.addCleanup(os.environ.__setitem__, "PATH", path)

    def test_docstrings(self):
        modules = ["pymist"] + ["pymist." + found.name for found in pkgutil.iter_modules(pymist.__path__)]
        self.assertGreater(len(modules), 10)
        ran = 0
        for name in modules:
            if name in NEEDS and not there(NEEDS[name]):
                print(f"skipped: the examples of {name}: there is no {NEEDS[name]}")
                continue
            said = []
            result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS, report=False,
                                     extraglobs={"DATASET": str(made.examples()), "TEMPORARY": str(made.base()),
                                                 "pymist": pymist})
            self.assertEqual(result.failed, 0, (name, said))
            ran += result.attempted
        self.assertGreater(ran, 15)

    def test_page(self):
        """docs/python.md: its Python, one block after the other, against the example data behind `mist serve`."""
        server = Serve(made.examples().parent)
        work = made.base() / "page"
        work.mkdir()
        try:
            text = (SOURCE / "docs/python.md").read_text()
            blocks = re.findall(r"(?:<!-- needs (\w+) -->\n)?```python\n(.*?)```", text, re.S)
            self.assertGreater(len(blocks), 3)
            space, before = {"__name__": "page", "EXAMPLES": str(EXAMPLES)}, os.getcwd()
            os.chdir(work)
            self.addCleanup(os.chdir, before)
            for needs, block in blocks:
                if needs and not there(needs):
                    print(f"skipped: an example of docs/python.md: there is no {needs}")
                    continue
                exec(compile(block.replace("http://localhost:8080/demo", f"{server.url}/examples"),  # noqa: S102
                             "docs/python.md", "exec"), space)
        finally:
            server.stop()

    def test_every_page_names_functions_that_are_there(self):
        text = (SOURCE / "docs/python.md").read_text() + (SOURCE / "README.md").read_text()
        for name in set(re.findall(r"`pymist\.(\w+)(?:\(|`)", text)):
            self.assertTrue(hasattr(pymist, name) or there("pymist." + name), name)
        self.assertTrue(subprocess.run([MIST, "--version"], capture_output=True).stdout)


if __name__ == "__main__":
    unittest.main()
