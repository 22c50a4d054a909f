#!/usr/bin/env python3
"""Lists the files that clang-format would change. Exits 1 with --strict if there is any, 77 (the
test is skipped) when clang-format is not installed."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "cluster", "persistence", "tools", "tests")


def differs(path):
    formatted = subprocess.run(["clang-format", "--style=file", str(path)], cwd=ROOT, capture_output=True)
    return path if formatted.returncode != 0 or formatted.stdout != path.read_bytes() else None


def main():
    if shutil.which("clang-format") is None:
        print("clang-format is not installed")
        return 77
    files = [path for top in FOLDERS for path in sorted((ROOT / top).glob("**/*")) if path.suffix in (".h", ".cc")]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        changed = [path.relative_to(ROOT) for path in pool.map(differs, files) if path is not None]
    for path in changed:
        print(path)
    print(f"{len(files)} files, {len(changed)} not formatted")
    return 1 if changed and "--strict" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
