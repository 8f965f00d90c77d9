"""Finds and runs the code blocks of the documentation, and compares their output with the page."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from foretaste.cli import cli

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *(p for p in sorted(DOCS.rglob("*.md")) if "_build" not in p.parts)]

_FENCE = re.compile(r"^(`{3,})(.*)$")


@dataclass
class Block:
    """A fenced block: its language, the line that it starts in, its text, its caption if it has one.

    ``is_cell`` is whether Sphinx runs it when it builds the pages.
    """

    language: str
    line: int
    text: str
    caption: str = ""
    is_cell: bool = False

    @property
    def is_python(self) -> bool:
        """Whether it is Python to be run."""
        return self.language in ("python", "py")

    @property
    def is_console(self) -> bool:
        """Whether it shows command lines."""
        return self.language in ("console", "sh", "shell", "bash")


@dataclass
class Command:
    """A command line shown on a page, and the lines shown below it."""

    words: list[str]
    line: int
    shown: list[str] = field(default_factory=list)
    exit_code: int = 0


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page; ``{code-cell} python`` is ``python``."""
    found: list[Block] = []
    fence, info, start, lines = "", "", 0, list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        match = _FENCE.match(line)
        if not fence and match:
            fence, info, start, lines = match[1], match[2].strip(), number, []
        elif fence and line == fence:
            found.append(_block(info, start, lines))
            fence = ""
        elif fence:
            lines.append(line)
    assert not fence, f"{page.name}, line {start}: this block is never closed"
    return found


def _block(info: str, start: int, lines: list[str]) -> Block:
    language, caption = re.sub(r"^\{code(-cell|-block)?\}\s*", "", info), ""
    while lines and info.startswith("{") and (option := re.match(r":([\w-]+):\s*(.*)", lines[0])):
        caption = option[2] if option[1] == "caption" else caption
        lines, start = lines[1:], start + 1
    while lines and info.startswith("{") and not lines[0].strip():
        lines, start = lines[1:], start + 1
    return Block(language, start, "\n".join(lines), caption, info.startswith("{code-cell}"))


def run_page(page: Path, selected: Iterable[Block] | None = None) -> dict[str, Any]:
    """Run blocks of a page, by default all, in the working directory; return what their Python defined.

    A block whose caption is a file name becomes that file. Of console blocks the commands that start with
    ``$ foretaste`` are run.
    """
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page) if selected is None else selected:
        if block.is_python:
            # The empty lines make tracebacks show the line of the page.
            code = compile("\n" * block.line + block.text, str(page), "exec")
            exec(code, namespace)  # noqa: S102 - the blocks of this repository's own pages
        elif block.is_console:
            for command in commands(block):
                _run_command(command, page)
        elif re.fullmatch(r"[\w-]+\.\w+", block.caption):
            Path(block.caption).write_text(block.text + "\n", encoding="utf-8")
    return namespace


def blocks_to_run(page: Path) -> list[Block]:
    """Return the blocks that building the pages does not run, with the cells that their Python may need."""
    found = blocks(page)
    others = [block for block in found if not block.is_cell]
    if not any(block.is_python or (block.is_console and commands(block)) for block in others):
        return []
    return found if any(block.is_python for block in others) else others


def commands(block: Block) -> list[Command]:
    """Return the foretaste commands of a block, each with the output that the page shows."""
    code = re.fullmatch(r"exit code (\d+)", block.caption)
    found: list[Command] = []
    current: Command | None = None
    for number, line in enumerate(block.text.replace("\\\n", " ").splitlines(), block.line + 1):
        if line.startswith("$ "):
            words = shlex.split(line[2:], comments=True)
            current = Command(words[1:], number, [], int(code[1]) if code else 0)
            if words[0] == "foretaste":
                found.append(current)
        elif current is not None:
            current.shown.append(line)
    return found


def _run_command(command: Command, page: Path) -> None:
    words, target = command.words, None
    if ">" in words:
        words, (_, target) = words[: words.index(">")], words[words.index(">") :]
    result = CliRunner().invoke(cli, words, prog_name="foretaste")
    where = f"{page.name}, line {command.line}: foretaste {shlex.join(command.words)}"
    assert result.exit_code == command.exit_code, f"{where}\n{result.output}\n{result.exception!r}"
    if target is not None:
        Path(target).write_text(result.stdout, encoding="utf-8")
    else:
        compare_output(command.shown, result.output.splitlines(), where)


def compare_output(shown: list[str], printed: list[str], where: str) -> None:
    """Fail if a line shown is not among those printed, in their order."""
    place = 0
    for line in shown:
        if not line.strip() or line.strip() == "...":
            continue
        while place < len(printed) and not same_line(line, printed[place]):
            place += 1
        assert place < len(printed), f"{where}\nshows\n{line}\nbut prints\n" + "\n".join(printed)
        place += 1


def same_line(shown: str, printed: str) -> bool:
    """Whether a line shown is what was printed: ``...`` is any word, and numbers may differ by 1 %."""
    left, right = _words(shown), _words(printed)
    return len(left) == len(right) and all(map(_same_word, left, right))


def _words(line: str) -> list[str]:
    """Split a line at blanks and at commas, but for those between thousands."""
    return [word for word in re.split(r"\s+|(?<=,)(?!\d{3}(?!\d))", line) if word]


def _same_word(shown: str, printed: str) -> bool:
    if shown in ("...", printed) or set(shown) == set(printed) == {"-"}:
        return True
    numbers = [re.fullmatch(r"(\W*?)(-?[\d,]*\.?\d+)(\D*)", word) for word in (shown, printed)]
    if None in numbers:
        return False
    (before, one, after), (before_, other, after_) = (match.groups() for match in numbers)
    close = math.isclose(
        float(one.replace(",", "")), float(other.replace(",", "")), rel_tol=0.01, abs_tol=0.006
    )
    return (before, after) == (before_, after_) and close


def tables(page: Path) -> list[list[list[str]]]:
    """Return the tables of a page, each a list of rows of cells without the line below the head."""
    found: list[list[list[str]]] = []
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            if not inside:
                found.append([])
            if not set(line) <= set("|-: "):
                found[-1].append([cell.strip() for cell in line.strip("|").split("|")])
        inside = line.startswith("|")
    return found
