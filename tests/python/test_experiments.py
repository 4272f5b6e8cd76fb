"""The experiments on images with a known answer: what is trained on streamed images must find it, too."""
import os
import re
import subprocess
import sys
import unittest

import made
from servers import SOURCE

try:
    import torch  # noqa: F401
except ImportError:
    print("skipped: there is no torch", file=sys.stderr)
    sys.exit(77)
sys.path.insert(0, str(SOURCE / "experiments"))
import common  # noqa: E402
import numpy  # noqa: E402


def run(name, *arguments):
    result = subprocess.run([sys.executable, SOURCE / "experiments" / name, *map(str, arguments)], capture_output=True, text=True,
                            timeout=200, env={**os.environ, "PYTHONPATH": str(SOURCE / "python")})
    assert result.returncode == 0, result.stderr
    return result.stdout


def figures(text):
    """{way: (mean, MB fetched)} of a report."""
    return {line.split()[0]: (float(line.split()[1]), float(re.search(r"([0-9.]+) MB", line)[1]))
            for line in text.splitlines() if line.startswith(tuple(common.ARMS))}


class Experiments(made.Case):
    def source(self, layout, count):
        target = made.base() / layout
        if not target.exists():
            run("synthetic.py", layout, target, count)
        return target

    def test_classification(self):
        found = figures(run("classify.py", self.source("nih", 80), "--positive", "Mass", "--size", 64, "--seeds", 2, "--epochs",
                            14, "--width", 8, "--arms", "conventional", "exact"))
        for value, _ in found.values():
            self.assertGreater(value, 0.9)
        self.assertLess(found["exact"][1], 0.15 * found["conventional"][1])

    def test_curriculum(self):
        told = run("curriculum.py", self.source("nih", 80), "--positive", "Mass", "--sizes", 32, 64, "--seeds", 1, "--epochs", 10,
                   "--width", 8)
        for name in ("curriculum", "largest only"):
            line = next(line for line in told.splitlines() if line.startswith(name + " "))
            self.assertGreater(float(line[len(name):].split()[0]), 0.9)

    def test_segmentation(self):
        found = figures(run("segment.py", self.source("busi", 32), "--size", 48, "--seeds", 1, "--epochs", 20, "--width", 8))
        self.assertEqual(set(found), set(common.ARMS))
        for value, _ in found.values():
            self.assertGreater(value, 0.8)
        volumes = self.source("msd", 8)
        for options in ((), ("--3d",)):
            found = figures(run("segment.py", volumes, "--size", 24, "--seeds", 1, "--epochs", 2, "--width", 4, "--arms",
                                "conventional", "exact", *options))
            self.assertLess(found["exact"][1], 0.6 * found["conventional"][1])

    def test_statistics(self):
        self.assertEqual(common.auc([1, 2, 3, 4], [False, False, True, True]), 1.0)
        self.assertEqual(common.auc([4, 3, 2, 1], [False, False, True, True]), 0.0)
        self.assertEqual(common.auc([1, 1, 1, 1], [False, True, False, True]), 0.5)
        self.assertEqual(common.auc([1, 2, 2, 3], [False, False, True, True]), 0.875)  # three pairs won, one tied
        random = numpy.random.default_rng(0)
        scores, truth = random.normal(size=60).round(1), random.uniform(size=60) < 0.4
        pairs = [(p > n) + 0.5 * (p == n) for p in scores[truth] for n in scores[~truth]]
        self.assertAlmostEqual(common.auc(scores, truth), numpy.mean(pairs))
        mean, (low, high), p = common.paired([0.8] * 8, [0.7] * 8)
        self.assertAlmostEqual(mean, 0.1)
        self.assertAlmostEqual(p, 2 / 256)
        self.assertTrue(low <= mean + 1e-9 and high >= mean - 1e-9)
        self.assertEqual(common.paired([0.1, 0.2, 0.3], [0.1, 0.2, 0.3])[2], 1.0)


if __name__ == "__main__":
    unittest.main()
