#!/usr/bin/env python3
"""Holds the sources to tools/dev/layers.toml: includes, third-party headers, forbidden calls, and
the DEPS of each hearth_module() line. Prints every violation as file:line: what, and exits 1."""

import fnmatch
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = ("src", "cluster", "persistence", "tools")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')
MODULE_LINE = re.compile(r"^\s*hearth_module\(\s*(\S+)(?:\s+DEPS\s+((?:(?!LINK|PRIVATE_LINK)[^)\s]+\s*)*))?", re.M)


def without_comments_and_texts(text):
    """The code with comments and the inside of literals blanked, line numbers kept."""
    token = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"([^()\\ \n]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)
    return token.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


class Rules:
    def __init__(self, path):
        table = tomllib.loads(path.read_text())
        self.modules = table["modules"]
        self.third_party = table["third_party"]
        self.forbidden = {name: (re.compile(rule["pattern"]), rule["allowed"])
                          for name, rule in table["forbidden"].items()}
        self.exceptions = {}
        self.errors = []
        for entry in table.get("exception", []):
            if not entry.get("reason"):
                self.errors.append(f"layers.toml: exception for {entry.get('file')} has no reason")
            self.exceptions[(entry["file"], entry["rule"])] = False
        for name, rule in self.modules.items():
            for dep in rule["deps"]:
                for other in self.modules:
                    if dep != "*" and fnmatch.fnmatch(other, dep) and self.modules[other]["level"] >= rule["level"]:
                        self.errors.append(f"layers.toml: {name} (level {rule['level']}) may not depend on {other}"
                                           f" (level {self.modules[other]['level']})")

    def module_of(self, file):
        """The rule's name for the folder of a file: the folder itself, or the pattern it matches."""
        folder = str(Path(file).parent)
        if folder in self.modules:
            return folder, folder
        for pattern in self.modules:
            if "*" in pattern and fnmatch.fnmatch(folder, pattern) and folder.count("/") == pattern.count("/"):
                return folder, pattern
        return folder, None

    def may_include(self, folder, rule, other):
        return other == folder or any(dep == "*" or fnmatch.fnmatch(other, dep) for dep in self.modules[rule]["deps"])

    def allowed(self, names, file, folder):
        return any(name in ("*", file, folder) for name in names)

    def excepted(self, file, rule):
        if (file, rule) not in self.exceptions:
            return False
        self.exceptions[(file, rule)] = True
        return True


def check_file(rules, file, text, report):
    folder, rule = rules.module_of(file)
    if rule is None:
        report(file, 1, f"folder {folder} is not in layers.toml")
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        mark, target = match.groups()
        if mark == '"':
            if not (ROOT / target).is_file():
                report(file, number, f'"{target}" is no file under the root')
            elif not rules.may_include(folder, rule, str(Path(target).parent)) and not rules.excepted(file, "include"):
                report(file, number, f"{folder} may not include {target}")
            continue
        for prefix, names in rules.third_party.items():
            if target.startswith(prefix) and not rules.allowed(names, file, folder) \
                    and not rules.excepted(file, "third_party"):
                report(file, number, f"<{target}> is not for {folder}")
    for number, line in enumerate(without_comments_and_texts(text).splitlines(), 1):
        for name, (pattern, names) in rules.forbidden.items():
            if pattern.search(line) and not rules.allowed(names, file, folder) and not rules.excepted(file, name):
                report(file, number, f"forbidden here ({name}): {line.strip()}")


def check_links(rules, report):
    """A module must not link what it may not include."""
    names = {folder.replace("src/", "", 1).replace("/", "_"): folder for folder in all_folders()}
    for path in sorted(ROOT.glob("**/CMakeLists.txt")):
        file = str(path.relative_to(ROOT))
        if not file.startswith(SOURCE_FOLDERS):
            continue
        folder, rule = rules.module_of(file)
        for match in MODULE_LINE.finditer(path.read_text()):
            for dep in (match.group(2) or "").split():
                if dep.startswith("$") or rule is None:
                    continue
                other = names.get(dep)
                if other is None:
                    report(file, 1, f"DEPS {dep} is no module")
                elif not rules.may_include(folder, rule, other):
                    report(file, 1, f"{folder} may not link {other}")


def all_folders():
    return sorted({str(path.parent.relative_to(ROOT)) for top in SOURCE_FOLDERS for path in (ROOT / top).glob("**/CMakeLists.txt")})


def main():
    rules = Rules(ROOT / "tools/dev/layers.toml")
    violations = list(rules.errors)

    def report(file, line, what):
        violations.append(f"{file}:{line}: {what}")

    count = 0
    for top in SOURCE_FOLDERS:
        for path in sorted((ROOT / top).glob("**/*")):
            if path.suffix in (".h", ".cc"):
                count += 1
                check_file(rules, str(path.relative_to(ROOT)), path.read_text(errors="replace"), report)
    check_links(rules, report)
    for (file, rule), used in rules.exceptions.items():
        if not used:
            violations.append(f"layers.toml: the exception of {file} for {rule} is not needed any more")
    print("\n".join(violations) if violations else f"{count} files keep their layers")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
