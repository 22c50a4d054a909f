#!/usr/bin/env python3
"""No two files define the same inline name. The linker takes definitions of an inline variable or function, or of a
class, with one qualified name for one entity and keeps any of them, without a word: families, which share a namespace
and never include each other, would get each other's. Prints every such name with its files and exits 1.

    check_inline_names.py            the tree
    check_inline_names.py --test     the check itself"""

import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("src", "cluster", "persistence", "tools")
BLANKED = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^"()\\ \n]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\''
    r'|^[ \t]*#(?:\\\n|[^\n])*', re.S | re.M)
NAMESPACE = re.compile(r"^(?:inline\s+)?namespace\b\s*([\w:]*)$")
TYPE = re.compile(r"^(?:template\s*<.*>\s*)?(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(?:\[\[.*?\]\]\s*)?"
                  r"(\w+)\s*(?:final\s*)?(?::[^:].*)?$", re.S)
NAME_BEFORE = r"(~?[\w:]+|operator\s*\S+?)\s*"


def without_texts(text):
    return BLANKED.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def without_angles(text):
    """The text without what stands between < and >."""
    previous = None
    while previous != text:
        previous, text = text, re.sub(r"<[^<>]*>", "", text)
    return text


def parameter_types(text):
    """Parameters without names, defaults and blanks: overloads differ in these."""
    types = []
    for parameter in re.split(r",(?![^<(]*[>)])", text):
        parameter = parameter.split("=")[0].strip()
        named = re.match(r"(.*[\s&*>])(\w+)(\[\w*\])?$", parameter, re.S)
        if named and named.group(1).strip() not in ("const", "unsigned", "signed", "long", "std::"):
            parameter = named.group(1)
        types.append(re.sub(r"\s+", " ", parameter).replace(" &", "&").replace(" *", "*").strip())
    return ",".join(types)


def inline_name(head):
    """The name that a declaration defines inline, with the parameters of a function; None if there is none."""
    head = re.sub(r"\[\[.*?\]\]", "", head).strip()
    is_template = head.startswith("template")
    plain = re.sub(r"^template\s*<.*?>\s*(?=[a-z\w:]+\s)", "", head, flags=re.S) if is_template else head
    specifiers = re.match(r"((?:inline|constexpr|consteval|static|extern|constinit)\s+)*", plain).group().split()
    if "static" in specifiers or plain.startswith(("using", "friend", "typedef", "static_assert", "requires")):
        return None
    function = re.search(NAME_BEFORE + r"\(", without_angles(plain.split("=")[0]))
    if function and not plain.startswith("operator"):
        if not ({"inline", "constexpr", "consteval"} & set(specifiers)) and not is_template:
            return None
        opening = plain.index("(", plain.index(function.group(1).split("::")[-1]))
        depth, end = 0, opening
        for end in range(opening, len(plain)):
            depth += {"(": 1, ")": -1}.get(plain[end], 0)
            if depth == 0:
                break
        name = function.group(1)
        return None if "::" in name else f"{name}({parameter_types(plain[opening + 1:end])})"
    if "inline" not in specifiers:
        return None
    variable = re.search(r"(\w+)\s*(?:\[[^\]]*\]\s*)*$", plain.split("=")[0].strip())
    return variable.group(1) if variable else None


def names_of(text):
    """Yields qualified name and line of what the text defines inline, or as a class, in namespaces that have names."""
    text = without_texts(text)
    scopes = []  # (kind, name); kinds: namespace, hidden, other
    start = at = 0

    def prefix():
        return "::".join(name for kind, name in scopes if name)

    def is_open():
        return all(kind == "namespace" for kind, _ in scopes)

    def skip_braces(position):
        depth = 0
        for position in range(position, len(text)):
            depth += {"{": 1, "}": -1}.get(text[position], 0)
            if depth == 0:
                return position
        return len(text) - 1

    while at < len(text):
        c = text[at]
        head = text[start:at].strip()
        if c == "{":
            space = NAMESPACE.match(head)
            if space:
                scopes.append(("namespace", space.group(1)) if space.group(1) else ("hidden", ""))
                start = at + 1
            elif head == "extern":
                scopes.append(("namespace", ""))
                start = at + 1
            else:
                if is_open():
                    kind = TYPE.match(head)
                    if kind and "(" not in head:
                        yield prefix() + "::" + kind.group(1), text.count("\n", 0, at) + 1
                    else:
                        name = inline_name(head)
                        if name:
                            yield prefix() + "::" + name, text.count("\n", 0, at) + 1
                at = skip_braces(at)
                if "=" not in without_angles(head).split("(")[0]:
                    start = at + 1
                else:  # an initialiser: the declaration ends with its semicolon
                    start = text.find(";", at) + 1 or len(text)
                    at = start - 1
        elif c == "}":
            if scopes:
                scopes.pop()
            start = at + 1
        elif c == ";":
            if is_open() and head.startswith("inline") and ("=" in head or "(" not in head):
                name = inline_name(head)
                if name:
                    yield prefix() + "::" + name, text.count("\n", 0, at) + 1
            start = at + 1
        at += 1


def clashes(files):
    """files: (path, text) pairs. Names that several of them define, with where."""
    where = defaultdict(dict)
    for path, text in files:
        for name, line in names_of(text):
            where[name].setdefault(path, line)
    return {name: places for name, places in sorted(where.items()) if len(places) > 1}


def test_itself():
    a = """namespace hearth::commands {
inline constexpr int kLimit = 3;
inline constexpr std::string_view kTexts[] = {"{", "}"};
inline int sum(int a, const std::string& b = "x") { return a; }
constexpr bool is_even(int n) { return n % 2 == 0; }
struct Options { int a = 0; };
struct Later;
template <typename T> void apply(T&& f) { f(); }
namespace { inline constexpr int kHidden = 1; struct Local { }; }
constexpr int kInternal = 1;
}"""
    b = """namespace hearth { namespace commands {
inline constexpr int kLimit { 4 };
inline constexpr std::string_view kTexts[] = {"a"};
inline int sum(int first, const std::string& second) { return first; }
inline int sum(int a, long b) { return a; }
constexpr bool is_even(int n) { return n % 2 == 0; }
struct Options final : Base { int b = 0; };
struct Later;
template <typename T> void apply(T&& g) { g(); }
namespace { inline constexpr int kHidden = 1; struct Local { }; }
constexpr int kInternal = 1;
} }"""
    found = set(clashes([("a", a), ("b", b)]))
    expected = {"hearth::commands::" + name for name in
                ("kLimit", "kTexts", "sum(int,const std::string&)", "is_even(int)", "Options", "apply(T&&)")}
    if found != expected:
        print(f"missing: {sorted(expected - found)}, too many: {sorted(found - expected)}")
        return 1
    print("finds what it should")
    return 0


def main():
    if "--test" in sys.argv[1:]:
        return test_itself()
    paths = [path for top in FOLDERS for path in sorted((ROOT / top).glob("**/*")) if path.suffix in (".h", ".cc")]
    found = clashes((str(path.relative_to(ROOT)), path.read_text(errors="replace")) for path in paths)
    for name, places in found.items():
        print(f"{name}: " + ", ".join(f"{path}:{line}" for path, line in places.items()))
    print(f"{len(paths)} files, {len(found)} inline names with two definitions")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
