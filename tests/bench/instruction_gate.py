#!/usr/bin/env python3
"""Counts instructions per operation with callgrind and holds them against a stored baseline.

  instruction_gate.py BINARY BASELINE.json            fails above baseline * (1 + tolerance)
  instruction_gate.py BINARY BASELINE.json --update   writes what it measured

Two runs of different length are subtracted, so that start-up and population don't count.
"""
import json
import re
import subprocess
import sys
import tempfile

SHORT, LONG = 8_000, 40_000
TOLERANCE = 0.08  # compilers of the same version still lay code out differently


def instructions(binary, operation, count):
    with tempfile.NamedTemporaryFile() as out:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}", binary, operation, str(count)],
            capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or not found:
        sys.exit(f"{operation}: callgrind failed:\n{run.stderr}")
    return int(found.group(1))


def main():
    binary, path = sys.argv[1], sys.argv[2]
    update = "--update" in sys.argv[3:]
    with open(path) as f:
        baseline = json.load(f)
    failed = False
    for operation, limit in baseline.items():
        measured = (instructions(binary, operation, LONG) - instructions(binary, operation, SHORT)) / (LONG - SHORT)
        if update:
            baseline[operation] = round(measured)
            verdict = "stored"
        elif measured > limit * (1 + TOLERANCE):
            verdict, failed = "TOO MANY", True
        else:
            verdict = "ok" if measured > limit * (1 - TOLERANCE) else "ok, fewer: update the baseline"
        print(f"{operation:12} {measured:8.0f} instructions per operation, baseline {limit:6}  {verdict}")
    if update:
        with open(path, "w") as f:
            json.dump(baseline, f, indent=2)
            f.write("\n")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
