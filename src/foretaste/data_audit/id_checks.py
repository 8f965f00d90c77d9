"""Checks ids for several spellings of the same id, placeholders and mixed types.

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

from foretaste._utils.formatting import format_count
from foretaste.data_audit.findings import NOTE, WARNING, Finding
from foretaste.data_audit.source import AuditInput
from foretaste.data_audit.sql_conditions import MAX_EXAMPLES, exclude_ids_hint, quote, where_hint
from foretaste.errors import Hint
from foretaste.typing import Int64Array

# What programs write for a missing id; as an id, it would be one very active user.
PLACEHOLDERS = frozenset(["null", "none", "nan", "n/a", "#n/a", "nil", "undefined", "(null)", "<na>", "\\n"])
# Those that may also be a name or a title.
AMBIGUOUS_PLACEHOLDERS = frozenset(["na", "unknown", "anonymous", "missing", "?", "-", "--", "."])
CASE_SENSITIVE_SHARE = 0.1  # fraction of ids that differ in case only, from which case is part of the id
MAX_MIXED_SHARE = 0.05  # fraction of ids that are not numbers, up to which they are errors

_INVISIBLE = r"[\u{AD}\u{200B}-\u{200F}\u{2028}-\u{202E}\u{2060}-\u{2064}\u{FEFF}\x00-\x08\x0E-\x1F\x7F]"
# Letters of the Cyrillic and Greek alphabets that print like Latin ones (Unicode's confusables).
_HOMOGLYPHS = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеіјорсухѕһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧονα",
    "ABESIJKMHOPCTYXaeijopcyxshdqwABEZHIKMNOPTYXova",
)
_DIGIT_LOOKALIKES = str.maketrans("OoIl", "0011")


@dataclass(frozen=True)
class _Step:
    """One step of normalization."""

    kind: str
    severity: str
    difference: str


_STEPS = (
    _Step("stray_spaces", WARNING, "in blanks or invisible characters"),
    _Step("composed_accents", WARNING, "in how an accent is composed (Unicode NFC and NFD)"),
    _Step("leading_zeros", WARNING, "in leading zeros"),
    _Step("case_variants", WARNING, "in upper and lower case"),
    _Step("look_alikes", WARNING, "in letters of another alphabet that look alike"),
    _Step("digit_variants", NOTE, "in 0 for O or 1 for l or I"),
)


def check_id_spelling(data: AuditInput) -> Iterator[Finding]:
    """Yield findings about text ids of users and items."""
    for entity, index in (("user", data.ratings.users), ("item", data.ratings.items)):
        if index.dtype == "str" and len(index):
            yield from _check_mixed_ids(data, entity, index)
            yield from _check_placeholders(data, entity, index)
            yield from _check_variants(data, entity, index)


def _counts(data: AuditInput, entity: str) -> Int64Array:
    return data.user_counts if entity == "user" else data.item_counts


def normalize_ids(ids: list[str]) -> Any:
    """Return a frame of the ids: column ``0`` as they are, then one column per normalization step."""
    import polars as pl

    raw = pl.Series("0", ids, dtype=pl.String)
    steps = [raw]
    steps.append(raw.str.replace_all(_INVISIBLE, "").str.replace_all(r"\s+", " ").str.strip_chars())
    trimmed = steps[-1].to_list()
    composed = [text if text.isascii() else unicodedata.normalize("NFC", text) for text in trimmed]
    steps.append(pl.Series(composed, dtype=pl.String))
    steps.append(steps[-1].str.replace(r"^0+(\d+)$", "$1"))
    # Homoglyphs come before lower case: I looks like l, i does not.
    latin = [text if text.isascii() else text.translate(_HOMOGLYPHS) for text in steps[-1].to_list()]
    for texts in (steps[-1], latin, [text.translate(_DIGIT_LOOKALIKES) for text in latin]):
        steps.append(pl.Series(values=texts, dtype=pl.String).str.to_lowercase())
    return pl.DataFrame({str(position): step for position, step in enumerate(steps)})


def _check_variants(data: AuditInput, entity: str, index: Any) -> Iterator[Finding]:
    """Find ids that become equal at a step, and ids with stray blanks and no other spelling."""
    import polars as pl

    frame = normalize_ids(index.ids.tolist()).with_row_index("code")
    stray_spaces = _check_stray_spaces(data, entity, index, frame)
    for position, step in enumerate(_STEPS):
        before, after = str(position), str(position + 1)
        groups = frame.filter(pl.col(before).n_unique().over(after) > 1)
        if groups.is_empty():
            if step.kind == "stray_spaces" and stray_spaces is not None:
                yield stray_spaces
            continue
        yield _variant_finding(data, entity, index, step, groups, (before, after))


def _variant_finding(
    data: AuditInput, entity: str, index: Any, step: _Step, groups: Any, keys: tuple[str, str]
) -> Finding:
    """Return the finding of ids that differ in one way; the spelling with most ratings is the main one."""
    counts = _counts(data, entity)
    before, after = keys
    by_group: dict[str, dict[str, list[int]]] = {}
    for code, spelling, normalized in groups.select("code", before, after).iter_rows():
        by_group.setdefault(normalized, {}).setdefault(spelling, []).append(code)
    variants: list[int] = []
    examples: list[str] = []
    for spellings in sorted(by_group.values(), key=lambda group: min(map(min, group.values()))):
        weight = {spelling: int(counts[codes].sum()) for spelling, codes in spellings.items()}
        # Ties: the shorter spelling, then the later in the alphabet.
        main_spelling = max(weight, key=lambda spelling: (weight[spelling], -len(spelling), spelling))
        canonical = quote(index.ids[max(spellings[main_spelling], key=lambda code: int(counts[code]))])
        for spelling, codes in spellings.items():
            if spelling != main_spelling:
                variants += codes
                examples += [
                    f"{_describe_variant(step, index.ids[code])} beside {canonical}" for code in codes
                ]
    n = sum(len(spellings) - 1 for spellings in by_group.values())
    rows = int(counts[variants].sum())
    severity = step.severity
    if step.kind == "case_variants" and n > CASE_SENSITIVE_SHARE * len(index):
        severity = NOTE
    message = f"{format_count(n, f'{entity} id')} of {len(index):,} "
    message += f"{'differs' if n == 1 else 'differ'} from another only "
    message += f"{step.difference} ({format_count(rows, 'rating')})."
    impact = f"One {entity} is learned as two, each from a part of the ratings."
    return Finding(
        step.kind,
        severity,
        message,
        n,
        impact,
        _variant_fix(data, entity, step, variants),
        _truncate_examples(examples),
    )


def _describe_variant(step: _Step, id_: str) -> str:
    """Return an id in quotes, with the code points of its homoglyphs."""
    homoglyphs = sorted({c for c in id_ if ord(c) in _HOMOGLYPHS}) if step.kind == "look_alikes" else []
    note = f" ({', '.join(f'U+{ord(c):04X}' for c in homoglyphs)})" if homoglyphs else ""
    return quote(id_) + note


def _variant_fix(data: AuditInput, entity: str, step: _Step, variants: list[int]) -> Hint | str:
    hint = exclude_ids_hint(data, entity, variants)
    if hint:
        return hint
    ids = [(data.ratings.users if entity == "user" else data.ratings.items).ids[code] for code in variants]
    patterns = {
        "stray_spaces": f"{entity} = TRIM({entity}) AND "
        f"{entity} !~ '[[:space:]]{{2}}|[[:cntrl:]{_invisible_characters(ids)}]'",
        "leading_zeros": f"{entity} !~ '^0[0-9]+$'",
        "case_variants": f"{entity} = LOWER({entity})",
    }
    if step.kind not in patterns:
        return ""
    return where_hint(data, patterns[step.kind], "the rows of all ids written so")


def _invisible_characters(ids: list[str]) -> str:
    """Return the invisible characters and special blanks in some ids, without control codes."""
    invisible = {
        c for id_ in ids for c in id_ if c > "\x7f" and (c.isspace() or unicodedata.category(c) == "Cf")
    }
    return "".join(sorted(invisible - set("\x85\u2028\u2029")))


def _truncate_examples(examples: list[str]) -> tuple[str, ...]:
    return tuple(examples[:MAX_EXAMPLES]) + (("...",) if len(examples) > MAX_EXAMPLES else ())


def _check_stray_spaces(data: AuditInput, entity: str, index: Any, frame: Any) -> Finding | None:
    """Find ids with stray blanks and no other spelling: harmless until they are looked up."""
    codes = np.flatnonzero((frame["0"] != frame["1"]).to_numpy())
    if not len(codes):
        return None
    n = len(codes)
    message = (
        f"{format_count(n, f'{entity} id')} of {len(index):,} {'has' if n == 1 else 'have'} stray blanks or "
    )
    message += "invisible characters in them."
    impact = f"Asked for as it is read by people, such a {entity} is unknown to the model."
    return Finding(
        "stray_spaces", NOTE, message, n, impact, "", _truncate_examples([quote(index.ids[c]) for c in codes])
    )


def _check_mixed_ids(data: AuditInput, entity: str, index: Any) -> Iterator[Finding]:
    """Find the few ids that are not numbers where the others are."""
    import polars as pl

    is_number = pl.Series(index.ids.tolist(), dtype=pl.String).str.contains(r"^\s*[0-9]+\s*$").to_numpy()
    mixed = np.flatnonzero(~is_number)
    if not 0 < len(mixed) <= MAX_MIXED_SHARE * len(index):
        return
    rows = int(_counts(data, entity)[mixed].sum())
    message = f"{format_count(len(mixed), f'{entity} id')} of {len(index):,} "
    message += (
        f"{'is' if len(mixed) == 1 else 'are'} no number, as the others are ({format_count(rows, 'rating')})."
    )
    impact = (
        f"All {entity} ids are kept as text for their sake; asked for as the number 7, a {entity} is unknown."
    )
    examples = _truncate_examples([quote(index.ids[code]) for code in mixed])
    yield Finding(
        "mixed_ids",
        NOTE,
        message,
        len(mixed),
        impact,
        exclude_ids_hint(data, entity, mixed.tolist()),
        examples,
    )


def _check_placeholders(data: AuditInput, entity: str, index: Any) -> Iterator[Finding]:
    """Find placeholders that programs write for a missing id."""
    normalized = [id_.strip().lower() for id_ in index.ids.tolist()]
    placeholders = [
        code for code, id_ in enumerate(normalized) if id_ in PLACEHOLDERS or id_ in AMBIGUOUS_PLACEHOLDERS
    ]
    if not placeholders:
        return
    severity = WARNING if any(normalized[code] in PLACEHOLDERS for code in placeholders) else NOTE
    rows = int(_counts(data, entity)[placeholders].sum())
    message = f"{format_count(rows, 'rating')} {'belongs' if rows == 1 else 'belong'} to "
    message += f"{format_count(len(placeholders), f'{entity} id')} that "
    message += f"{'means' if len(placeholders) == 1 else 'mean'} no id."
    impact = f"Everybody without an id is learned as one {entity}."
    examples = _truncate_examples([quote(index.ids[code]) for code in placeholders])
    yield Finding(
        "placeholder_id",
        severity,
        message,
        rows,
        impact,
        exclude_ids_hint(data, entity, placeholders),
        examples,
    )
