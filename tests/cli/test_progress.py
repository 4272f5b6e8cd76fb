"""The progress line: drawn on a terminal only, within its width, gone at the end; nothing of it where it is not wanted."""
import fcntl
import os
import pathlib
import pty
import re
import shutil
import struct
import subprocess
import tempfile
import termios
import unittest

MIST = os.environ["MIST_PROGRAM"]
EXAMPLES = pathlib.Path(os.environ["MIST_SOURCE"]) / "examples" / "data"


def on_terminal(columns, *arguments):
    """(exit status, what the terminal got on standard error) of a command."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([MIST, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    got = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux: EIO when the other side is closed
            break
        if not part:
            break
        got += part
    os.close(ours)
    return process.wait(timeout=120), got.decode()


def lines_drawn(text):
    """What was drawn over one another, without the sequences that clear the rest of the line."""
    return [re.sub(r"\x1b\[K.*", "", part, flags=re.DOTALL) for part in text.split("\r") if "\x1b[K" in part]


class Progress(unittest.TestCase):
    def setUp(self):
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="mist-progress-"))
        self.addCleanup(shutil.rmtree, self.work)

    def test_drawn_and_gone(self):
        code, text = on_terminal(100, "encode", EXAMPLES, "-o", self.work / "store", "--dataset", "d")
        self.assertEqual(code, 0, text)
        drawn = [line for line in lines_drawn(text) if line]
        self.assertTrue(drawn, text)
        for line in drawn:
            self.assertRegex(line, r"^ *\d+% [\d.]+( [kMG]?B)?/([\d.]+( [kMG]?B)?|\?).*/s ", line)
        self.assertTrue(any(line.startswith("100%") for line in drawn), drawn)
        self.assertTrue(any("left" in line for line in drawn[:-1]) or len(drawn) < 3, drawn)
        last = text.rsplit("\x1b[K", 1)
        self.assertEqual(len(last), 2)
        self.assertNotIn("%", last[1].splitlines()[0] if last[1].strip() else "", "the line is taken away at the end")

    def test_narrow_terminals(self):
        for columns in (20, 41):
            code, text = on_terminal(columns, "encode", EXAMPLES, "-o", self.work / f"{columns}", "--dataset", "d")
            self.assertEqual(code, 0)
            for line in lines_drawn(text):
                self.assertLess(len(line), columns)

    def test_names_of_several_bytes_a_character(self):
        """Never half a character, wherever the terminal ends: on_terminal() would not decode it."""
        source = self.work / "source"
        source.mkdir()
        shutil.copy(next((EXAMPLES / "cxr").glob("*.png")), source / ("胸部" * 30 + ".png"))
        for columns in range(60, 66):
            code, text = on_terminal(columns, "encode", source, "-o", self.work / f"u{columns}", "--dataset", "d")
            self.assertEqual(code, 0)
            self.assertIn("胸", text)

    def test_not_where_it_is_not_wanted(self):
        code, text = on_terminal(100, "encode", EXAMPLES, "-o", self.work / "quiet", "--dataset", "d", "-q")
        self.assertEqual((code, lines_drawn(text)), (0, []))
        done = subprocess.run([MIST, "encode", EXAMPLES, "-o", self.work / "file", "--dataset", "d"], capture_output=True,
                              text=True, timeout=120)
        self.assertEqual(done.returncode, 0)
        self.assertNotIn("\r", done.stderr)
        self.assertNotIn("\x1b", done.stderr + done.stdout)


if __name__ == "__main__":
    unittest.main()
