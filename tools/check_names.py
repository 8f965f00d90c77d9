"""Refuse names that CONTRIBUTING forbids: bare participles, stray array aliases, banned words.

Run as ``python tools/check_names.py [FOLDER ...]`` (default: ``src/foretaste`` and ``benchmarks``). Prints
one line per offender and ends with exit code 1 if there is one; ``--count`` prints the totals alone.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

# A word of the list has a better one in docs/glossary.md, or meant several things.
_BANNED = """
told kept heed heeds judge judged judges judging judgement said mend mends mended mending moment
moments house room rooms door doors stranger strangers anew aloud people person persons folk thing
things lap sieve wanted twin twins crew ladder rung spread glance place places side sides asked
taken drawn
"""
BANNED = frozenset(_BANNED.split())
# Irregular participles; regular ones end in -ed or -ing.
_PARTICIPLES = """
begun bent bound broken brought built bought caught chosen cut done drawn driven fed felt found
forgotten given gone ground grown heard held hidden hit kept known laid learnt led left lent lost
made meant met paid put read recalled said sat seen sent set shown shut sold sorted spent split
spread stood struck swept taken taught thought thrown told torn understood upheld won worn woven
written
"""
PARTICIPLES = frozenset(_PARTICIPLES.split())
# verbs in their base form, nouns and adjectives that only look like participles
_NOT_PARTICIPLES = """
bed embed feed need seed speed exceed proceed red set put read cut hit split string thing king ring
ping rating ratings mapping encoding setting settings warning heading rounding binding padding
spacing ceiling bring sing spring pooling ranking embedding everything nothing anything training
tuning rendering timing folding blending boosting bagging sampling formatting typing plotting
"""
NOT_PARTICIPLES = frozenset(_NOT_PARTICIPLES.split())
_AFTER_PARTICIPLE = "of by in at to on up out apart away down off from with for as into again"
AFTER_PARTICIPLE = frozenset(_AFTER_PARTICIPLE.split())
# Names that others dictate, by folder: scikit-surprise's own interface.
FOREIGN = {"compat/surprise": frozenset({"sides"})}


def split_words(name: str) -> list[str]:
    """Return the lower-case words of an identifier in snake or camel case."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [word for word in spaced.lower().split("_") if word]


def is_bare_participle(name: str) -> bool:
    """Whether a name is a participle alone or followed by small words: ``drawn``, ``taken_from``."""
    words = split_words(name)
    if not words or words[0] in NOT_PARTICIPLES or name.startswith("__"):
        return False
    participle = words[0] in PARTICIPLES or (len(words[0]) > 4 and words[0].endswith(("ed", "ing")))
    return participle and all(word in AFTER_PARTICIPLE for word in words[1:])


def find_definitions(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """Yield kind, name and line of everything that a module defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield "function", node.name, node.lineno
        elif isinstance(node, ast.ClassDef):
            yield "class", node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield "parameter", node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield "variable", node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield "attribute", node.attr, node.lineno


def find_array_aliases(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield name and line of each module-level alias of an array type."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = ast.unparse(node.value)
            if re.search(r"\bNDArray\[", value) or re.fullmatch(r"\w*Array", value):
                yield node.targets[0].id, node.lineno


def check_file(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the kind of offense and its line for one file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    foreign = next((names for part, names in FOREIGN.items() if part in path.as_posix()), frozenset())
    if path.name != "typing.py":
        for name, line in find_array_aliases(tree):
            yield "array alias", f"{path}:{line}: array alias {name}; it belongs in foretaste/typing.py"
    seen = set()
    for kind, name, line in find_definitions(tree):
        if kind == "function" and is_bare_participle(name):
            yield "bare participle", f"{path}:{line}: {kind} {name} is a bare participle; name what it does"
        banned = sorted(set(split_words(name)) & (BANNED - foreign))
        if banned and (kind, name) not in seen:
            seen.add((kind, name))
            yield "banned word", f"{path}:{line}: {kind} {name}: {', '.join(banned)}; see docs/glossary.md"
    module = path.stem if path.stem != "__init__" else path.parent.name
    if is_bare_participle(module) or set(split_words(module)) & BANNED:
        yield "module name", f"{path}: module {module}; a module is named by a noun"


def main(arguments: list[str]) -> int:
    """Check the folders given and return the exit code."""
    folders = [Path(folder) for folder in arguments if folder != "--count"]
    counts: Counter[str] = Counter()
    for folder in folders or [Path("src/foretaste"), Path("benchmarks")]:
        for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder]:
            for kind, text in check_file(path):
                counts[kind] += 1
                if "--count" not in arguments:
                    print(text)
    for kind, number in sorted(counts.items()):
        print(f"{kind}: {number}", file=sys.stderr)
    return 1 if counts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
