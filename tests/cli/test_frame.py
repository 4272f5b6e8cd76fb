"""The command line's frame: help with an example for each command, exit statuses, completion, the man page."""
import os
import re
import subprocess
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
