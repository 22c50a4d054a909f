#!/usr/bin/env python3
"""Every header compiles on its own. A header that is the first include of its own .cc is shown to
do so by the build; the others are compiled here, alone, in as many processes as there are cores.

    check_headers.py COMPILER [FLAGS...]"""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "cluster", "persistence", "tools", "tests")
FIRST_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.M)


def proven_by_build(header):
    source = (ROOT / header).with_suffix(".cc")
    if not source.is_file():
        return False
    first = FIRST_INCLUDE.search(source.read_text(errors="replace"))
    return first is not None and first.group(1) == header


def compile_alone(command, header):
    stub = f'#include "{header}"\n'
    result = subprocess.run(command + ["-x", "c++", "-"], input=stub, text=True, cwd=ROOT, capture_output=True)
    return header, result.returncode == 0, result.stderr


def main():
    compiler = sys.argv[1:] or ["c++"]
    command = compiler + ["-std=c++20", "-fsyntax-only", "-I.", "-O0"]
    headers = [str(path.relative_to(ROOT)) for top in FOLDERS for path in sorted((ROOT / top).glob("**/*.h"))]
    alone = [header for header in headers if not proven_by_build(header)]
    failed = 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for header, good, output in pool.map(lambda h: compile_alone(command, h), alone):
            if not good:
                failed += 1
                print(f"{header} does not compile on its own:\n{output}")
    print(f"{len(headers)} headers, {len(alone)} compiled alone, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
