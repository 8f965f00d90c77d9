"""Findings about ids written in more than one way, so that one person counts as two.

Ids are compared after each of several steps that make them plainer: invisible characters and stray blanks,
accents composed, leading zeros, case, letters of other alphabets, look-alike digits. Two ids that become one
at a step differ by just that.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import plural
from foretaste.data_audit.findings import NOTE, WARNING, Finding
from foretaste.data_audit.source import Case
from foretaste.data_audit.sql_conditions import SHOWN, leaving_out, quoted, without_ids

# What programs write where there was no id; as an id, all of them become one busy person.
PLACEHOLDERS = frozenset(["null", "none", "nan", "n/a", "#n/a", "nil", "undefined", "(null)", "<na>", "\\n"])
# Those that may also be a name or a title.
PERHAPS = frozenset(["na", "unknown", "anonymous", "missing", "?", "-", "--", "."])
CASE_MATTERS = 0.1  # of the ids: with so many twins in case, upper and lower case are part of the code
FEW = 0.05  # of the ids: so few of the other kind are slips rather than a way of numbering

_INVISIBLE = r"[\u{AD}\u{200B}-\u{200F}\u{2028}-\u{202E}\u{2060}-\u{2064}\u{FEFF}\x00-\x08\x0E-\x1F\x7F]"
# Letters of the Cyrillic and Greek alphabets that print like Latin ones (Unicode's confusables).
_ALIKE = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеіјорсухѕһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧονα",
    "ABESIJKMHOPCTYXaeijopcyxshdqwABEZHIKMNOPTYXova",
)
_DIGITS = str.maketrans("OoIl", "0011")


@dataclass(frozen=True)
class _Step:
    """One way in which ids are made plainer."""

    kind: str
    severity: str
    differ: str


_STEPS = (
    _Step("stray_spaces", WARNING, "in blanks or invisible characters"),
    _Step("composed_accents", WARNING, "in how an accent is composed (Unicode NFC and NFD)"),
    _Step("leading_zeros", WARNING, "in leading zeros"),
    _Step("case_twins", WARNING, "in upper and lower case"),
    _Step("look_alikes", WARNING, "in letters of another alphabet that look alike"),
    _Step("digit_twins", NOTE, "in 0 for O or 1 for l or I"),
)


def ids_of_many_writings(case: Case) -> Iterator[Finding]:
    """Yield what is suspicious about the ids of users and items, where they are text."""
    for role, index in (("user", case.ratings.users), ("item", case.ratings.items)):
        if index.kind == "text" and len(index):
            yield from _mixed(case, role, index)
            yield from _placeholders(case, role, index)
            yield from _twins(case, role, index)


def _counts(case: Case, role: str) -> npt.NDArray[np.int64]:
    return case.user_counts if role == "user" else case.item_counts


def plainer(ids: list[str]) -> Any:
    """Return a frame of the ids and what becomes of them: column ``0`` as they are, then one a step."""
    import polars as pl

    raw = pl.Series("0", ids, dtype=pl.String)
    steps = [raw]
    steps.append(raw.str.replace_all(_INVISIBLE, "").str.replace_all(r"\s+", " ").str.strip_chars())
    tidy = steps[-1].to_list()
    composed = [text if text.isascii() else unicodedata.normalize("NFC", text) for text in tidy]
    steps.append(pl.Series(composed, dtype=pl.String))
    steps.append(steps[-1].str.replace(r"^0+(\d+)$", "$1"))
    # Letters are compared before their case is lost: I prints like l, i does not.
    latin = [text if text.isascii() else text.translate(_ALIKE) for text in steps[-1].to_list()]
    for texts in (steps[-1], latin, [text.translate(_DIGITS) for text in latin]):
        steps.append(pl.Series(values=texts, dtype=pl.String).str.to_lowercase())
    return pl.DataFrame({str(place): step for place, step in enumerate(steps)})


def _twins(case: Case, role: str, index: Any) -> Iterator[Finding]:
    """Find ids that become one at a step, and tidy those that only have stray blanks of their own."""
    import polars as pl

    frame = plainer(index.ids.tolist()).with_row_index("code")
    alone = _untidy(case, role, index, frame)
    for place, step in enumerate(_STEPS):
        before, after = str(place), str(place + 1)
        groups = frame.filter(pl.col(before).n_unique().over(after) > 1)
        if groups.is_empty():
            if step.kind == "stray_spaces" and alone is not None:
                yield alone
            continue
        yield _of_twins(case, role, index, step, groups, (before, after))


def _of_twins(case: Case, role: str, index: Any, step: _Step, groups: Any, keys: tuple[str, str]) -> Finding:
    """Make the finding of ids that differ only in one way; the writing with most ratings is the plain one."""
    counts = _counts(case, role)
    before, after = keys
    by_group: dict[str, dict[str, list[int]]] = {}
    for code, early, late in groups.select("code", before, after).iter_rows():
        by_group.setdefault(late, {}).setdefault(early, []).append(code)
    odd: list[int] = []
    shown: list[str] = []
    for writings in sorted(by_group.values(), key=lambda group: min(map(min, group.values()))):
        weight = {early: int(counts[codes].sum()) for early, codes in writings.items()}
        # Of equally many ratings the plainer writing counts as the right one: the shorter, then the later.
        best = max(weight, key=lambda early: (weight[early], -len(early), early))
        plain = quoted(index.ids[max(writings[best], key=lambda code: int(counts[code]))])
        for early, codes in writings.items():
            if early != best:
                odd += codes
                shown += [f"{_told_apart(step, index.ids[code])} beside {plain}" for code in codes]
    n = sum(len(writings) - 1 for writings in by_group.values())
    rows = int(counts[odd].sum())
    severity = step.severity
    if step.kind == "case_twins" and n > CASE_MATTERS * len(index):
        severity = NOTE
    what = (
        f"{plural(n, f'{role} id')} of {len(index):,} {'differs' if n == 1 else 'differ'} from another only "
    )
    what += f"{step.differ} ({plural(rows, 'rating')})."
    effect = f"One {role} is learned as two, each from a part of the ratings."
    return Finding(step.kind, severity, what, n, effect, _mend(case, role, step, odd), _few(shown))


def _told_apart(step: _Step, id_: str) -> str:
    """Return an id in quotes, letters named that look like others."""
    foreign = sorted({c for c in id_ if ord(c) in _ALIKE}) if step.kind == "look_alikes" else []
    named = f" ({', '.join(f'U+{ord(c):04X}' for c in foreign)})" if foreign else ""
    return quoted(id_) + named


def _mend(case: Case, role: str, step: _Step, odd: list[int]) -> str:
    listed = without_ids(case, role, odd)
    if listed:
        return listed
    ids = [(case.ratings.users if role == "user" else case.ratings.items).ids[code] for code in odd]
    patterns = {
        "stray_spaces": f"{role} = TRIM({role}) AND {role} !~ '[[:space:]]{{2}}|[[:cntrl:]{_unseen(ids)}]'",
        "leading_zeros": f"{role} !~ '^0[0-9]+$'",
        "case_twins": f"{role} = LOWER({role})",
    }
    if step.kind not in patterns:
        return ""
    return leaving_out(case, patterns[step.kind], "the rows of all ids written so")


def _unseen(ids: list[str]) -> str:
    """Return the characters in some ids that leave no mark or another one than a blank; no control codes."""
    odd = {c for id_ in ids for c in id_ if c > "\x7f" and (c.isspace() or unicodedata.category(c) == "Cf")}
    return "".join(sorted(odd - set("\x85\u2028\u2029")))


def _few(shown: list[str]) -> tuple[str, ...]:
    return tuple(shown[:SHOWN]) + (("...",) if len(shown) > SHOWN else ())


def _untidy(case: Case, role: str, index: Any, frame: Any) -> Finding | None:
    """Find ids with stray blanks of which there is no other writing: harmless until they are looked up."""
    codes = np.flatnonzero((frame["0"] != frame["1"]).to_numpy())
    if not len(codes):
        return None
    n = len(codes)
    what = f"{plural(n, f'{role} id')} of {len(index):,} {'has' if n == 1 else 'have'} stray blanks or "
    what += "invisible characters in them."
    effect = f"Asked for as it is read by people, such a {role} is unknown to the model."
    return Finding("stray_spaces", NOTE, what, n, effect, "", _few([quoted(index.ids[c]) for c in codes]))


def _mixed(case: Case, role: str, index: Any) -> Iterator[Finding]:
    """Find the few ids that are no numbers where the others are."""
    import polars as pl

    number = pl.Series(index.ids.tolist(), dtype=pl.String).str.contains(r"^\s*[0-9]+\s*$").to_numpy()
    odd = np.flatnonzero(~number)
    if not 0 < len(odd) <= FEW * len(index):
        return
    rows = int(_counts(case, role)[odd].sum())
    what = (
        f"{plural(len(odd), f'{role} id')} of {len(index):,} {'is' if len(odd) == 1 else 'are'} no number, "
    )
    what += f"as the others are ({plural(rows, 'rating')})."
    effect = (
        f"All {role} ids are kept as text for their sake; asked for as the number 7, a {role} is unknown."
    )
    shown = _few([quoted(index.ids[code]) for code in odd])
    yield Finding("mixed_ids", NOTE, what, len(odd), effect, without_ids(case, role, odd.tolist()), shown)


def _placeholders(case: Case, role: str, index: Any) -> Iterator[Finding]:
    """Find ids that are what programs write where there is none."""
    plain = [id_.strip().lower() for id_ in index.ids.tolist()]
    odd = [code for code, id_ in enumerate(plain) if id_ in PLACEHOLDERS or id_ in PERHAPS]
    if not odd:
        return
    severity = WARNING if any(plain[code] in PLACEHOLDERS for code in odd) else NOTE
    rows = int(_counts(case, role)[odd].sum())
    what = f"{plural(rows, 'rating')} {'belongs' if rows == 1 else 'belong'} to "
    what += f"{plural(len(odd), f'{role} id')} that {'means' if len(odd) == 1 else 'mean'} no id."
    effect = f"Everybody without an id is learned as one {role}."
    shown = _few([quoted(index.ids[code]) for code in odd])
    yield Finding("placeholder_id", severity, what, rows, effect, without_ids(case, role, odd), shown)
