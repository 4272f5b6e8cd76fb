"""The command line's frame: help with an example for each command, exit statuses, completion, the man page."""
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time
import unittest

MIST = os.environ["MIST_PROGRAM"]


def run(*arguments):
    return subprocess.run([MIST, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def commands():
    text = run("--help").stdout
    return re.findall(r"^  (\w+) +\S", text.split("Commands:")[1].split("\n\n")[0], re.M)


class Frame(unittest.TestCase):
    def test_every_command_has_help_with_an_example(self):
        self.assertGreater(len(commands()), 1)
        for name in commands():
            result = run(name, "--help")
            self.assertEqual(result.returncode, 0, name)
            self.assertIn(f"Usage: mist {name}", result.stdout)
            self.assertRegex(result.stdout, rf"Example:\n  .*mist {name}", name)
            self.assertEqual(run("help", name).stdout, result.stdout)

    def test_wrong_usage_is_2_and_says_where_to_look(self):
        self.assertEqual(run().returncode, 2)
        self.assertEqual(run("no-such-command").returncode, 2)
        for name in commands():
            result = run(name, "--no-such-option")
            self.assertEqual(result.returncode, 2, name)
            self.assertIn("--no-such-option", result.stderr)
            self.assertIn(f"mist {name} --help", result.stderr)
            self.assertEqual(result.stdout, "")

    def test_completion_is_valid_shell_and_knows_every_command(self):
        script = run("completion", "bash").stdout
        self.assertEqual(subprocess.run(["bash", "-n"], input=script, text=True).returncode, 0)
        for name in commands():
            probe = f'{script}\nCOMP_WORDS=(mist {name[:-1]}) COMP_CWORD=1; _mist; echo "${{COMPREPLY[@]}}"'
            words = subprocess.run(["bash", "-c", probe], capture_output=True, text=True).stdout.split()
            self.assertIn(name, words)
        self.assertEqual(run("completion", "csh").returncode, 2)

    @unittest.skipUnless(shutil.which("fish"), "there is no fish")
    def test_completion_of_fish(self):
        script = run("completion", "fish").stdout
        def asked(line):
            done = subprocess.run(["fish", "--no-config", "-c", f"{script}\ncomplete -C {line!r}"], capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            return dict(row.split("\t") for row in done.stdout.splitlines() if "\t" in row)
        found = asked("mist ")
        for name in commands():
            self.assertIn(name, found)
            options = asked(f"mist {name} --")
            for option in re.findall(r"^ +(?:-., )?--([\w-]+)", run(name, "--help").stdout, re.M):
                self.assertIn(f"--{option}", options, name)

    @unittest.skipUnless(shutil.which("zsh"), "there is no zsh")
    def test_completion_of_zsh(self):
        """As at a terminal: what is shown after a press of the tabulator."""
        def asked(line):
            pid, terminal = pty.fork()
            if pid == 0:
                os.execvpe("zsh", ["zsh", "-f", "-i"], {**os.environ, "PATH": f"{os.path.dirname(MIST)}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "> "})
            fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 200, 200, 0, 0))
            shown = b""
            def until(end):
                nonlocal shown
                shown, stop = b"", time.monotonic() + 60
                while not (end in shown and b"\x1b[?2004h" in shown.split(end)[-1]) and time.monotonic() < stop:  # it reads lines again
                    if select.select([terminal], [], [], 1)[0]:
                        shown += os.read(terminal, 65536)
                self.assertIn(end, shown)
            os.write(terminal, b"autoload -Uz compinit; compinit -D -u; setopt no_list_beep; LISTMAX=1000; eval \"$(mist completion zsh)\"; compdef _mist mist; echo rea''dy\n")
            until(b"ready\r\n")
            os.write(terminal, line.encode() + b"\t\x15echo en''d\n")
            until(b"end\r\n")
            os.write(terminal, b"exit\n")
            os.close(terminal)
            os.waitpid(pid, 0)
            return shown.decode(errors="replace")
        found = asked("mist ")
        for name in commands():
            self.assertRegex(found, rf"{name} +--? ")
        for name, option, words in (("get", "--keep-uids", "identifiers"), ("encode", "--labels", "label maps"), ("serve", "--listen", "address|port|where")):
            self.assertRegex(asked(f"mist {name} --"), rf"{option} +--? .*({words})")

    def test_man_page_names_every_command(self):
        page = run("man").stdout
        self.assertTrue(page.startswith(".TH MIST 1"))
        for name in commands():
            self.assertIn(f".SS mist {name}", page)

    def test_a_full_disk_is_a_failure(self):
        """Of every output: longer ones fail before they end, short ones in the last flush."""
        for arguments in [["man"], ["--help"], ["--version"], ["help", "get"], ["get", "--help"]]:
            with self.subTest(arguments), open("/dev/full", "w") as full:
                result = subprocess.run([MIST, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
                self.assertEqual(result.returncode, 1)
                self.assertEqual(result.stderr, "mist: standard output: No space left on device\n")


if __name__ == "__main__":
    unittest.main()
