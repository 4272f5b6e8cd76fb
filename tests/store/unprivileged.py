"""Runs a program as one whom modes of files stop: without capabilities where the tests run as root."""
import os
import pathlib
import subprocess
import tempfile

PREFIX = [] if os.geteuid() else ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def stopped_by_modes():
    """Whether a command behind PREFIX really cannot write into a directory of mode 555."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o555)
        try:
            tried = subprocess.run([*PREFIX, "touch", pathlib.Path(directory) / "x"], capture_output=True, check=False)
        except FileNotFoundError:
            return False
        finally:
            os.chmod(directory, 0o755)
    return tried.returncode == 1
