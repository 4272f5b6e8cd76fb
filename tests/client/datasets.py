"""Catalogs of the tests' own making, and what a download has left."""
import json
import pathlib
import subprocess


def tree(root):
    """Every file but those that mist get keeps for itself: path -> content."""
    root = pathlib.Path(root)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*")
            if p.is_file() and ".mist" not in p.relative_to(root).parts}


def write_catalog(dataset, lines, items, files):
    header = {"format": "mist-catalog", "version": 1, "dataset": dataset.name, "items": items, "files": files,
              "source_bytes": 0, "item_bytes": 0, "file_bytes": 0, "id": "0" * 16}
    dataset.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(["zstd", "-q", "-f", "-", "-o", str(dataset / "catalog.jsonl.zst")], stdin=subprocess.PIPE,
                          text=True) as process:
        process.stdin.write(json.dumps(header) + "\n")
        for line in lines:
            process.stdin.write(line + "\n")
    assert process.returncode == 0


def read_catalog(dataset):
    data = subprocess.run(["zstd", "-dcq", str(dataset / "catalog.jsonl.zst")], capture_output=True, check=True).stdout
    return [json.loads(line) for line in data.splitlines()][1:]
