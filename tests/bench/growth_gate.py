#!/usr/bin/env python3
"""Refuses commands whose cost grows faster than what one client sends or holds.

  growth_gate.py BINARY [N]

Runs `BINARY --growth N` under callgrind and compares, case by case, the instructions with N and with 4N of something:
linear work gives 4, n log n less than 5, quadratic work 16. More than 6 is refused, except for what documents it."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

MOST = 6.0
# Cases that may grow as the square, each with its reason.
EXPECTED = {
    "value lcs": "two strings of n: the command documents O(N*M)",
    "same xread key": "a stream that is named n times is sent n times",
    "same xreadgroup key": "a stream that is named n times is sent n times",
    "words sort get-pattern": "n patterns for each of n elements: the command documents O(N+M*log(M)) per pattern",
    "words sort_ro get-pattern": "as SORT",
    "value himport|set": "a hash that grows past hash-max-listpack-entries changes its form, once",
    "words pfadd element": "a sparse HyperLogLog is searched from its start; hll-sparse-max-bytes bounds it",
    "held rules of a user, one by one": "ACL SETUSER replaces the user, with all rules that it has",
}
# Fewer cases that the server accepts than this would mean that the requests are wrong, and nothing is measured.
ACCEPTED_LEAST = 300


def main():
    binary, n = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "700"
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out", binary, "--growth", n],
            capture_output=True, text=True, check=False)
        if run.returncode != 0:
            sys.exit(f"callgrind failed:\n{run.stderr[-2000:]}")
        counts = {}
        for path in Path(folder).iterdir():
            head = path.read_text(errors="replace")[:4000] + path.read_text(errors="replace")[-400:]
            reason = re.search(r"desc: Trigger: Client Request: (\d+)\t(\d+)\t(.*)", head)
            total = re.search(r"^(?:summary|totals): (\d+)", head, re.M)
            if reason and total:
                counts.setdefault(reason[3], {})[int(reason[1])] = (int(total[1]), int(reason[2]))
    failed, accepted = [], 0
    for case, by_size in sorted(counts.items()):
        small, large = min(by_size), max(by_size)
        ratio = by_size[large][0] / max(by_size[small][0], 1)
        accepted += by_size[large][1] == 0
        note = "" if by_size[large][1] == 0 else f"  ({by_size[large][1]} refused)"
        if case in EXPECTED:
            note += f"  (expected: {EXPECTED[case]})"
        elif ratio > MOST:
            failed.append(case)
            note += "  GROWS TOO FAST"
        print(f"{case:60} {by_size[small][0]:>12} {by_size[large][0]:>12}  x{ratio:.1f}{note}")
    print(f"{len(counts)} cases, {accepted} of them accepted by the server")
    if accepted < ACCEPTED_LEAST:
        sys.exit("too few requests were accepted")
    if failed:
        sys.exit("grow faster than n log n: " + ", ".join(failed))


if __name__ == "__main__":
    main()
