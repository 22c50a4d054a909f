#!/usr/bin/env python3
"""Sums what gcovr counted, one line a folder: coverage_by_folder.py LINES.csv"""
import collections
import csv
import os
import sys


def main():
    lines = collections.defaultdict(lambda: [0, 0])
    with open(sys.argv[1], newline="") as f:
        for row in csv.DictReader(f):
            folder = "/".join(os.path.dirname(row["filename"]).split("/")[:2])
            for name in (folder, "all"):
                lines[name][0] += int(row["line_covered"])
                lines[name][1] += int(row["line_total"])
    for name, (reached, total) in sorted(lines.items()):
        if total:
            print(f"{name:28} {reached:6} of {total:6} lines  {100 * reached / total:5.1f} %")


if __name__ == "__main__":
    main()
