"""The audit of ratings, ids and rows: anomalies are found, usual data is not flagged."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from audit_helpers import arguments, of, one

from foretaste import audit
from foretaste.data_audit.row_checks import find_missing_markers

# Ratings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "marks"),
    [
        ([1, 2, 3, 4, 5, 99], [99]),
        ([-99, 1, 2, 3, 4, 5, 99], [-99, 99]),
        ([*np.arange(-10, 10.1, 0.3), 99], [99]),
        (list(range(101)), []),  # 99 of 100 points
        ([*range(1, 61), 99], []),  # counts
        ([0, 1, 2, 3, 4, 5], []),
        ([-1, 0, 1, 2, 3, 4, 5], [-1]),
        ([-1, *range(1, 11)], [-1]),
        ([-1, 0, 1], []),  # dislike, nothing, like
        ([0, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5], [0]),  # halves from 1 on
        ([0, 0.5, 1, 1.5, 2, 2.5, 3], []),
        ([-2, -1, 0, 1, 2], []),
        ([1, 99], []),  # two values are no scale
        ([5], []),
        ([1, 2, 3, 4, 5, 9], []),
    ],
)
def test_missing_markers_are_found(values, marks):
    assert find_missing_markers(np.array(sorted(values), float)) == marks


def test_missing_marker_is_reported_unless_a_scale_is_declared():
    value = [1, 2, 3, 4, 5] * 10 + [99, 99]
    finding = one(of([*range(52)], value=value), "missing_marker")
    assert (finding.severity, finding.count) == ("warning", 2)
    assert finding.where == ("user 50, item 50: 99", "user 51, item 51: 99")
    assert arguments(finding.fix) == {"where": "rating <> 99"}
    ratings = of([*range(52)], value=value)
    assert audit(ratings, scale=(1, 99)).warnings == ()
    outside = one(ratings, "outside_scale", scale=(1, 5))
    assert (outside.count, outside.severity) == (2, "warning")
    assert outside.where == ("row 50", "row 51")
    assert arguments(outside.fix) == {"where": "rating BETWEEN 1 AND 5"}
    assert len(ratings.where("rating BETWEEN 1 AND 5")) == 50
    facts = audit(ratings, scale=(1, 5)).summary
    assert (facts["ratings"], facts["rows"], facts["unusable_rows"], facts["max"]) == (50, 52, 2, 5)
    assert facts["declared_scale"] == [1, 5]


def test_a_file_with_ratings_outside_a_declared_scale(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating\n" + "".join(f"{n},{n},{n % 5 + 1}\n" for n in range(50)) + "50,1,7\n")
    finding = one(path, "outside_scale", scale=(1, 5))
    assert (finding.count, finding.where) == (1, ("line 52",))
    assert audit(path, scale=(1, 5), **arguments(finding.fix)).warnings == ()


def test_rating_outliers_are_a_note():
    value = np.concatenate([np.linspace(-10, 10, 2001), [28.6, -42.3]])
    finding = one(of([*range(2003)], value=value), "far_rating")
    assert (finding.count, finding.severity) == (2, "note")
    assert finding.where[0] == "user 2001, item 2001: 28.6"
    kept = of([*range(2003)], value=value).where(arguments(finding.fix)["where"])
    assert len(kept) == 2001
    assert audit(of([*range(2001)], value=value[:2001])).findings_of_kind("far_rating") == ()


def test_single_rating_value():
    assert one(of([1, 2, 3], value=[1, 1, 1]), "one_value").severity == "warning"
    assert audit(of([1, 2, 3], value=[1, 1, 2])).findings_of_kind("one_value") == ()


def test_every_kind_of_invalid_row(tmp_path):
    path = tmp_path / "r.csv"
    good = "".join(
        f"{n},{m},{(n + m) % 5 + 1},{1_500_000_000 + 97 * n + m}\n" for n in range(20) for m in range(5)
    )
    bad = "1,9\n,9,3,1500000000\n2,,3,1500000000\n3,9,nan,1500000000\n4,9,3,soon\n5,9,7,1500000000\n"
    path.write_text("user,item,rating,time\n" + good + bad + "6,1,1,1500000000\n7,1,4,1500000000\n")
    result = audit(path, scale=(1, 5))
    counts = Counter()
    for finding in result.warnings:
        counts[finding.kind] += finding.count
    assert counts == {
        "ragged": 1, "missing_id": 2, "not_a_number": 1, "bad_time": 1, "outside_scale": 1, "duplicate": 2,
    }  # fmt: skip
    assert result.summary["rows"] == 108
    assert result.summary["unusable_rows"] == 8
    assert "(108 rows; 8 cannot be used)" in str(result)
    assert "1 with the same rating and 1 with another" in result.findings_of_kind("duplicate")[0].message
    skipped = audit(path, scale=(1, 5), on_error="skip")
    assert skipped.warnings == ()
    assert len(skipped.notes) == len(result.findings)


def test_frame_is_read_leniently():
    frame = pd.DataFrame({"user": [1, 2, None, 3], "item": [1, 1, 1, 1], "rating": [1, 2, 3, np.nan]})
    result = audit(frame)
    assert {f.kind: f.count for f in result.warnings} == {"missing_id": 1, "not_a_number": 1}
    assert result.name == "the frame"


# Ids -----------------------------------------------------------------------------------------------------

TWINS = [
    (["7", "007"], "leading_zeros"),
    (["ann", "ann "], "stray_spaces"),
    (["ann", "\tann"], "stray_spaces"),
    (["ann lee", "ann\u00a0lee"], "stray_spaces"),
    (["ann lee", "ann  lee"], "stray_spaces"),
    (["ann", "an\u200bn"], "stray_spaces"),
    (["Ann", "ann"], "case_variants"),
    (["caf\u00e9", "cafe\u0301"], "composed_accents"),
    (["Ann", "\u0410nn"], "look_alikes"),
    (["Kim", "\u039aim"], "look_alikes"),
    (["A10", "A1O"], "digit_variants"),
    (["Ian", "lan"], "digit_variants"),
]


@pytest.mark.parametrize(("ids", "kind"), TWINS)
@pytest.mark.parametrize("role", ["user", "item"])
def test_ids_with_two_spellings(ids, kind, role):
    others = ["quince", "gnu", "x-1"] * 6  # 20 ids at least, so that two variants are few
    others = [f"{name}{n}" for n, name in enumerate(others)]
    column = [ids[0], ids[0], ids[1], *others]
    plain = [f"q{n}" for n in range(len(column))]
    ratings = of(column, plain) if role == "user" else of(plain, column)
    (finding,) = [f for f in audit(ratings).findings if "differ" in f.message]
    assert (finding.kind, finding.count) == (kind, 1)
    assert finding.severity == ("note" if kind == "digit_variants" else "warning")
    assert f"1 {role} id of 20 differs" in finding.message
    assert "(1 rating)" in finding.message
    if kind != "stray_spaces" or "\t" not in ids[1]:
        after = audit(ratings.where(arguments(finding.fix)["where"]))
        assert after.findings_of_kind(kind) == ()
        assert after.summary["ratings"] == len(ratings) - 1


def test_ids_that_differ_in_two_ways_are_found_once():
    ratings = of(["Ann", "Ann", " ann", *(f"u{n}" for n in range(20))])
    result = audit(ratings)
    assert [(f.kind, f.count) for f in result.warnings] == [("case_variants", 1)]
    assert [f.kind for f in result.notes if f.kind == "stray_spaces"] == ["stray_spaces"]
    assert result.warnings[0].where == ('" ann" beside "Ann"',)


def test_invisible_characters_are_spelled_out():
    finding = one(of(["a", "a", "a\u200b", *(f"u{n}" for n in range(20))]), "stray_spaces")
    assert finding.where == (r'"a\u200b" beside "a"',)


def test_homoglyphs_are_named():
    finding = one(of(["Ann", "Ann", "\u0410nn", *(f"u{n}" for n in range(20))]), "look_alikes")
    assert finding.where == ('"\u0410nn" (U+0410) beside "Ann"',)


def test_many_spelling_variants_are_fixed_by_a_pattern():
    for kind, odd in (
        ("leading_zeros", [f"0{n}" for n in range(1, 31)]),
        ("stray_spaces", [f"{n}\u200b" if n % 2 else f" {n}" if n % 3 else f"{n}\t" for n in range(1, 31)]),
    ):
        ratings = of([*(str(n) for n in range(1, 501)), *odd])
        finding = one(ratings, kind)
        assert finding.count == 30
        assert "NOT IN" not in str(finding.fix)
        kept = ratings.where(arguments(finding.fix)["where"])
        assert sorted(kept.users, key=int) == [str(n) for n in range(1, 501)]


def test_ids_whose_case_is_part_of_the_code_are_a_note():
    names = [a + b for a in "abcdABCD" for b in "efghEFGH"]
    assert one(of(names), "case_variants").severity == "note"


def test_usual_ids_give_no_finding():
    isbn = ["0195153448", "0002005018", "080442957X", "0393045218", "1552041778", "189518990X"]
    names = ["The Matrix", "Amélie", "Léon", "Москва", "Ὀδύσσεια", "8 1/2", "12 Monkeys", "Se7en"]
    usual = {"one_rating_users", "one_rating_items", "parts", "cold_hold_out", "cold_leave_one_out"}
    for ids in (isbn, names, [f"u{n}" for n in range(50)], list(range(50))):
        assert {finding.kind for finding in audit(of(ids)).findings} <= usual


def test_few_non_numeric_ids():
    finding = one(of([*(str(n) for n in range(100)), "x7"]), "mixed_ids")
    assert (finding.count, finding.severity, finding.where) == (1, "note", ('"x7"',))
    assert audit(of([*(str(n) for n in range(10)), *"abcdefghij"])).findings_of_kind("mixed_ids") == ()


def test_placeholder_ids():
    finding = one(of(["a", "b", "NULL", "NULL", "nan"]), "placeholder_id")
    assert (finding.count, finding.severity) == (3, "warning")
    assert one(of(["a", "b", "Unknown"]), "placeholder_id").severity == "note"
    assert audit(of(["a", "b", "nancy", "annull"])).findings_of_kind("placeholder_id") == ()
