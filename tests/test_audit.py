"""The audit: what is planted is found, with its count; what is clean is left alone; figures are right."""

from __future__ import annotations

import ast
import gzip
import json
import math
import re
from collections import Counter
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_data import data_file

from foretaste import audit, load_dataset, read_ratings
from foretaste.auditing import Audit, Finding, timing
from foretaste.auditing.drawing import lines
from foretaste.auditing.rows import markers
from foretaste.datasets import dirty
from foretaste.errors import BadData, InvalidParameter, NotFound
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut, LeaveNOut


def arguments(mend: str) -> dict:
    """Return the arguments of ``read_ratings`` that a mend begins with, by parsing it as Python."""
    found = re.match(r"(\w+)=(\"[^\"]*\")", mend)
    assert found, mend
    return {found[1]: ast.literal_eval(found[2])}


def of(user, item=None, value=None, **more) -> Ratings:
    """Make ratings; items and values of no interest are made up, all different."""
    n = len(user)
    item = list(range(n)) if item is None else item
    value = [1 + k % 5 for k in range(n)] if value is None else value
    return Ratings.from_columns(user, item, value, **more)


def one(ratings, kind: str, **more) -> Finding:
    (finding,) = audit(ratings, **more).of_kind(kind)
    return finding


# The dirty twin ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def twin(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("dirty") / "dirty.csv"
    path.write_text(dirty.text(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def found(twin) -> Audit:
    return audit(twin)


def test_the_bundled_file_is_what_generate_makes(tmp_path):
    packed = (files("foretaste.datasets") / "data" / "sample_dirty.csv.gz").read_bytes()
    assert gzip.decompress(packed) == dirty.generate().encode()
    dirty.write(tmp_path)
    assert gzip.decompress((tmp_path / "sample_dirty.csv.gz").read_bytes()) == dirty.generate().encode()
    with dirty.path() as path:
        assert path.read_bytes() == packed


def test_twelve_kinds_of_defects_are_planted():
    assert len(dirty.PLANTED) == 12
    clean, all_of_it = dirty.generate(dirty.PLANTED).splitlines(), dirty.generate().splitlines()
    assert len(clean) == 1 + len(load_dataset("sample"))
    assert len(all_of_it) == len(clean) + 8 + 60 + 4 * 12
    changed = len(set(clean) - set(all_of_it))
    assert changed == sum(
        p.rows for k, p in dirty.PLANTED.items() if k not in ("duplicate", "burst", "constant_users")
    )


@pytest.mark.parametrize("kind", dirty.PLANTED)
def test_every_planted_defect_is_found_with_its_count(found, kind):
    (finding,) = found.of_kind(kind)
    assert finding.count == dirty.PLANTED[kind].count
    assert finding.effect
    assert finding.mend
    assert finding.where


@pytest.mark.parametrize("kind", dirty.PLANTED)
def test_a_defect_that_is_not_planted_is_not_found_and_the_others_are(tmp_path, kind):
    path = tmp_path / "dirty.csv"
    path.write_text(dirty.generate([kind]), encoding="utf-8")
    counts = {finding.kind: finding.count for finding in audit(path).findings}
    assert kind not in counts
    others = {name: planted.count for name, planted in dirty.PLANTED.items() if name != kind}
    assert {name: counts.get(name) for name in others} == others


def test_without_any_defect_there_is_no_warning(tmp_path):
    path = tmp_path / "clean.csv"
    path.write_text(dirty.generate(dirty.PLANTED), encoding="utf-8")
    result = audit(path)
    assert result.warnings == ()
    assert [note.kind for note in result.notes] == ["one_rating_users"]


def test_every_mend_mends_as_it_is_printed(twin, found):
    for finding in found.findings:
        if finding.mend and not finding.mend.startswith("ratings"):
            after = audit(twin, **arguments(finding.mend))
            assert finding not in after.warnings
            assert all(f.severity == "note" and finding.kind == "ragged" for f in after.of_kind(finding.kind))


def test_all_mends_together_make_a_file_that_is_read_without_complaint(twin, found):
    conditions, others = [], {}
    for finding in found.findings:
        if finding.mend and not finding.mend.startswith("ratings"):
            given = arguments(finding.mend)
            conditions += [given.pop("where")] if "where" in given else []
            others |= given
    assert set(others) == {"on_error", "duplicates"}
    result = audit(twin, where=" AND ".join(conditions), **others)
    assert result.warnings == ()
    # The one rating that was repeated with another value is the later one; the rest is the sample's own.
    assert result.facts["ratings"] == 5946 - 4 - 3 - 5 - 7 - 3 - 3 - 3 - 2 - 5
    assert result.facts["max"] == 10


def test_one_mend_after_the_other_can_be_typed(twin):
    """A condition that is printed holds the one that was given before."""
    given: dict = {"duplicates": "last"}
    for _ in range(12):
        left = [f for f in audit(twin, **given).warnings if f.mend.startswith("where=")]
        if not left:
            break
        given |= arguments(left[0].mend)
    assert [f.kind for f in audit(twin, **given).warnings] == ["ragged"]  # no condition is about these


# What is clean -------------------------------------------------------------------------------------------


def test_the_sample_is_clean():
    result = audit(load_dataset("sample"))
    assert result.warnings == ()
    assert {note.kind: note.count for note in result.notes} == {"one_rating_users": 8}
    assert result.headline == "the ratings: 5,946 ratings, 300 users x 60 items; 0 warnings, 1 note."


@pytest.mark.dataset
def test_the_table_of_the_lecture():
    path = data_file("jester2/jester_ratings_users_1_to_14780.csv.gz")
    result = audit(path, where="userId <= 4000")
    facts = result.facts
    assert (facts["ratings"], facts["users"], facts["items"]) == (141_359, 3_632, 140)
    assert facts["mean"] == pytest.approx(1.2001, abs=0.00005)
    assert facts["filled"] == pytest.approx(0.2780, abs=0.00005)
    assert result.warnings == ()
    assert {f.kind: f.count for f in result.notes} == {"constant_users": 36, "one_rating_users": 78}


@pytest.mark.dataset
def test_only_what_is_true_is_found_in_real_ratings():
    result = audit(data_file("ml-100k/u.data"))
    assert {(f.kind, f.severity, f.count) for f in result.findings} == {
        ("burst", "note", 1940),
        ("one_rating_items", "note", 141),
    }
    # That three pairs stand twice is known of these; all three are found, and told apart.
    result = audit(data_file("filmtrust/ratings.txt"))
    assert [(f.kind, f.count) for f in result.warnings] == [("duplicate", 3)]
    assert "1 with the same rating and 2 with another" in result.warnings[0].what
    assert {f.kind for f in result.notes} == {
        "constant_users", "one_rating_users", "one_rating_items", "parts",
        "cold_hold_out", "cold_leave_one_out",
    }  # fmt: skip


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
def test_marks_for_no_rating(values, marks):
    assert markers(np.array(sorted(values), float)) == marks


def test_a_mark_is_counted_and_named_unless_the_scale_was_declared():
    value = [1, 2, 3, 4, 5] * 10 + [99, 99]
    finding = one(of([*range(52)], value=value), "missing_marker")
    assert (finding.severity, finding.count) == ("warning", 2)
    assert finding.where == ("user 50, item 50: 99", "user 51, item 51: 99")
    assert arguments(finding.mend) == {"where": "rating <> 99"}
    ratings = of([*range(52)], value=value)
    assert audit(ratings, scale=(1, 99)).warnings == ()
    outside = one(ratings, "outside_scale", scale=(1, 5))
    assert (outside.count, outside.severity) == (2, "warning")
    assert outside.where == ("row 50", "row 51")
    assert arguments(outside.mend) == {"where": "rating BETWEEN 1 AND 5"}
    assert len(ratings.where("rating BETWEEN 1 AND 5")) == 50
    facts = audit(ratings, scale=(1, 5)).facts
    assert (facts["ratings"], facts["rows"], facts["unusable_rows"], facts["max"]) == (50, 52, 2, 5)
    assert facts["declared_scale"] == [1, 5]


def test_a_file_with_ratings_outside_a_declared_scale(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating\n" + "".join(f"{n},{n},{n % 5 + 1}\n" for n in range(50)) + "50,1,7\n")
    finding = one(path, "outside_scale", scale=(1, 5))
    assert (finding.count, finding.where) == (1, ("line 52",))
    assert audit(path, scale=(1, 5), **arguments(finding.mend)).warnings == ()


def test_ratings_far_from_the_others_are_a_note():
    value = np.concatenate([np.linspace(-10, 10, 2001), [28.6, -42.3]])
    finding = one(of([*range(2003)], value=value), "far_rating")
    assert (finding.count, finding.severity) == (2, "note")
    assert finding.where[0] == "user 2001, item 2001: 28.6"
    kept = of([*range(2003)], value=value).where(arguments(finding.mend)["where"])
    assert len(kept) == 2001
    assert audit(of([*range(2001)], value=value[:2001])).of_kind("far_rating") == ()


def test_one_value_only():
    assert one(of([1, 2, 3], value=[1, 1, 1]), "one_value").severity == "warning"
    assert audit(of([1, 2, 3], value=[1, 1, 2])).of_kind("one_value") == ()


def test_every_kind_of_unusable_rows(tmp_path):
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
    assert result.facts["rows"] == 108
    assert result.facts["unusable_rows"] == 8
    assert "(108 rows; 8 cannot be used)" in str(result)
    assert "1 with the same rating and 1 with another" in result.of_kind("duplicate")[0].what
    skipped = audit(path, scale=(1, 5), on_error="skip")
    assert skipped.warnings == ()
    assert len(skipped.notes) == len(result.findings)


def test_a_frame_is_read_leniently_too():
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
    (["Ann", "ann"], "case_twins"),
    (["caf\u00e9", "cafe\u0301"], "composed_accents"),
    (["Ann", "\u0410nn"], "look_alikes"),
    (["Kim", "\u039aim"], "look_alikes"),
    (["A10", "A1O"], "digit_twins"),
    (["Ian", "lan"], "digit_twins"),
]


@pytest.mark.parametrize(("ids", "kind"), TWINS)
@pytest.mark.parametrize("role", ["user", "item"])
def test_ids_of_two_writings(ids, kind, role):
    others = ["quince", "gnu", "x-1"] * 6  # 20 ids at least, so that two twins are few
    others = [f"{name}{n}" for n, name in enumerate(others)]
    column = [ids[0], ids[0], ids[1], *others]
    plain = [f"q{n}" for n in range(len(column))]
    ratings = of(column, plain) if role == "user" else of(plain, column)
    (finding,) = [f for f in audit(ratings).findings if "differ" in f.what]
    assert (finding.kind, finding.count) == (kind, 1)
    assert finding.severity == ("note" if kind == "digit_twins" else "warning")
    assert f"1 {role} id of 20 differs" in finding.what
    assert "(1 rating)" in finding.what
    if kind != "stray_spaces" or "\t" not in ids[1]:
        after = audit(ratings.where(arguments(finding.mend)["where"]))
        assert after.of_kind(kind) == ()
        assert after.facts["ratings"] == len(ratings) - 1


def test_ids_that_differ_in_two_ways_are_found_once():
    ratings = of(["Ann", "Ann", " ann", *(f"u{n}" for n in range(20))])
    result = audit(ratings)
    assert [(f.kind, f.count) for f in result.warnings] == [("case_twins", 1)]
    assert [f.kind for f in result.notes if f.kind == "stray_spaces"] == ["stray_spaces"]
    assert result.warnings[0].where == ('" ann" beside "Ann"',)


def test_what_cannot_be_seen_is_spelt_out():
    finding = one(of(["a", "a", "a\u200b", *(f"u{n}" for n in range(20))]), "stray_spaces")
    assert finding.where == (r'"a\u200b" beside "a"',)


def test_letters_that_look_alike_are_named():
    finding = one(of(["Ann", "Ann", "\u0410nn", *(f"u{n}" for n in range(20))]), "look_alikes")
    assert finding.where == ('"\u0410nn" (U+0410) beside "Ann"',)


def test_many_twins_are_left_out_by_a_pattern():
    for kind, odd in (
        ("leading_zeros", [f"0{n}" for n in range(1, 31)]),
        ("stray_spaces", [f"{n}\u200b" if n % 2 else f" {n}" if n % 3 else f"{n}\t" for n in range(1, 31)]),
    ):
        ratings = of([*(str(n) for n in range(1, 501)), *odd])
        finding = one(ratings, kind)
        assert finding.count == 30
        assert "NOT IN" not in finding.mend
        kept = ratings.where(arguments(finding.mend)["where"])
        assert sorted(kept.users, key=int) == [str(n) for n in range(1, 501)]


def test_ids_whose_case_is_part_of_the_code_are_a_note():
    names = [a + b for a in "abcdABCD" for b in "efghEFGH"]
    assert one(of(names), "case_twins").severity == "note"


def test_usual_ids_are_left_alone():
    isbn = ["0195153448", "0002005018", "080442957X", "0393045218", "1552041778", "189518990X"]
    names = ["The Matrix", "Amélie", "Léon", "Москва", "Ὀδύσσεια", "8 1/2", "12 Monkeys", "Se7en"]
    usual = {"one_rating_users", "one_rating_items", "parts", "cold_hold_out", "cold_leave_one_out"}
    for ids in (isbn, names, [f"u{n}" for n in range(50)], list(range(50))):
        assert {finding.kind for finding in audit(of(ids)).findings} <= usual


def test_a_few_ids_that_are_no_numbers():
    finding = one(of([*(str(n) for n in range(100)), "x7"]), "mixed_ids")
    assert (finding.count, finding.severity, finding.where) == (1, "note", ('"x7"',))
    assert audit(of([*(str(n) for n in range(10)), *"abcdefghij"])).of_kind("mixed_ids") == ()


def test_ids_that_mean_no_id():
    finding = one(of(["a", "b", "NULL", "NULL", "nan"]), "placeholder_id")
    assert (finding.count, finding.severity) == (3, "warning")
    assert one(of(["a", "b", "Unknown"]), "placeholder_id").severity == "note"
    assert audit(of(["a", "b", "nancy", "annull"])).of_kind("placeholder_id") == ()


# Times ---------------------------------------------------------------------------------------------------

NOON = 1_500_000_000


def test_times_that_no_clock_shows(monkeypatch):
    when = NOON + 61 * np.arange(1000)
    monkeypatch.setattr(timing.time, "time", lambda: NOON + 100_000.0)
    ratings = of([*range(1000)], when=when)
    assert not {"zero_time", "future_time", "milliseconds"} & {f.kind for f in audit(ratings).findings}
    odd = when.copy()
    odd[[5, 6]] = 0, -1
    odd[[7, 8, 9]] = NOON + 10**7
    odd[10] = NOON * 1000
    ratings = of([*range(1000)], when=odd)
    counts = {f.kind: f.count for f in audit(ratings).warnings}
    assert counts == {"zero_time": 2, "future_time": 3, "milliseconds": 1}
    for kind in ("zero_time", "future_time"):
        kept = ratings.where(arguments(one(ratings, kind).mend)["where"])
        assert audit(kept).of_kind(kind) == ()
    mended = eval(one(ratings, "milliseconds").mend, {"ratings": ratings, "numpy": np})  # noqa: S307 - as printed
    assert audit(mended).of_kind("milliseconds") == ()
    assert mended.when[10] == NOON


def test_a_condition_on_times_is_printed_only_if_it_works(tmp_path, monkeypatch):
    rows = [(n, n % 7, n % 5, f"2026-01-{n % 28 + 1:02}T10:00:{n % 60:02}") for n in range(100)]
    rows[9] = (9, 2, 4, "1970-01-01T00:00:00")
    path = tmp_path / "dates.csv"
    path.write_text("user,item,rating,date\n" + "".join("{},{},{},{}\n".format(*row) for row in rows))
    frame = pl.DataFrame(rows, ["user", "item", "rating", "date"], orient="row")
    monkeypatch.setattr(timing.time, "time", lambda: 1_769_000_000.0)
    later = sum(day >= "2026-01-22T12:53:20" for *_, day in rows)  # a day after that
    for source in (path, frame.with_columns(pl.col("date").str.to_datetime())):
        for kind, left in (("zero_time", 99), ("future_time", 100 - later)):
            mend = one(source, kind).mend
            if mend.startswith("where="):
                mended = read_ratings(source, **arguments(mend))
            else:
                code = mend.split(" leaves")[0]
                mended = eval(code, {"ratings": read_ratings(source)})  # noqa: S307 - as printed
            assert len(mended) == left
            assert audit(mended).of_kind(kind) == ()
    assert one(path, "zero_time").mend == "ratings[ratings.when >= 86400] leaves that row out"


def test_what_is_guessed_is_said_once(tmp_path, caplog):
    caplog.set_level("INFO", "foretaste")
    path = tmp_path / "r.csv"
    path.write_text(
        "user,item,rating,time\n"
        + "".join(f"{n},{n % 7},{n % 5},{NOON + n}\n" for n in range(99))
        + "1,8,3,0\n"
    )
    assert one(path, "zero_time").mend == 'where="timestamp >= 86400" leaves that row out'
    assert len([r for r in caplog.records if r.getMessage().startswith("columns:")]) == 1
    assert audit(path, **arguments(one(path, "zero_time").mend)).warnings == ()


def test_all_times_in_milliseconds():
    ratings = of([*range(100)], when=1000 * (NOON + np.arange(100)))
    finding = one(ratings, "milliseconds")
    assert (finding.count, finding.mend) == (100, "ratings.replace(when=ratings.when // 1000)")
    mended = eval(finding.mend, {"ratings": ratings})  # noqa: S307 - as printed
    assert audit(mended).warnings == ()


def test_times_that_are_no_dates_or_only_one():
    assert one(of([*range(20)], when=np.arange(20)), "small_times").severity == "note"
    assert one(of([*range(20)], when=np.full(20, NOON)), "one_time").count == 20


def test_bursts():
    user = np.r_[np.zeros(40, int), np.ones(12, int), np.arange(2, 300)]
    when = np.r_[np.full(40, NOON + 7), np.full(12, NOON + 9), NOON + 61 * np.arange(2, 300)]
    finding = one(of(user, when=when), "burst")
    assert (finding.count, finding.severity) == (40, "warning")
    assert finding.where == ("user 0: 40 at 2017-07-14 02:40:07",)
    assert arguments(finding.mend) == {"where": "user <> 0"}
    finding = one(of(user[1:], when=when[1:]), "burst")
    assert (finding.count, finding.severity) == (39 + 12, "note")
    when[-200:] += 86_400 * np.arange(200)
    days = of(user, when=when // 86_400 * 86_400)  # dates without a time are no bursts
    assert len(set(days.when.tolist())) > 100
    assert audit(days).of_kind("burst") == ()
    assert audit(days).facts["time"]["resolution"] == "day"


def test_bursts_where_times_are_far_apart():
    user = np.r_[np.zeros(12, int), 1, 2]
    when = np.r_[np.full(12, 5), 2**62, -(2**62)]
    assert one(of(user, when=when), "burst").count == 12


def test_disorder_is_told_only_where_rows_were_meant_to_be_in_order():
    when = NOON + 61 * np.arange(500)
    swapped = when.copy()
    swapped[[100, 101]] = swapped[[101, 100]]
    user = np.arange(500) % 25
    assert one(of(user, when=swapped), "disorder").count == 1
    assert audit(of(user, when=when)).of_kind("disorder") == ()
    shuffled = np.random.default_rng(0).permutation(when)
    assert audit(of(user, when=shuffled)).of_kind("disorder") == ()
    by_user = np.argsort(user, kind="stable")
    assert audit(of(user[by_user], when=when[by_user])).of_kind("disorder") == ()
    swapped = when[by_user]
    swapped[[3, 4]] = swapped[[4, 3]]
    assert one(of(user[by_user], when=swapped), "disorder").count == 1


# Users and items -----------------------------------------------------------------------------------------


def test_users_who_give_the_same_rating():
    user = np.repeat(np.arange(40), 12)
    value = np.tile([1, 2, 3, 4, 5, 2], 80).astype(float)
    value[user == 3] = 4
    value[user == 5] = 4.01
    value[np.flatnonzero(user == 5)[0]] = 4.0
    value[np.flatnonzero(user == 7)[1:]] = 4  # one of twelve is another: an opinion
    finding = one(of(user, value=value), "constant_users")
    assert finding.count == 2
    assert "(1 user exactly), 24 ratings in all" in finding.what
    assert finding.severity == "warning"  # a twentieth of all
    assert finding.where == ("user 3: 4, 12 times", "user 5: 4.009, 12 times")
    nine = np.flatnonzero((user != 3) | (np.arange(480) % 12 < 9))
    assert one(of(user[nine], value=value[nine]), "constant_users").count == 1


def test_users_who_give_the_same_rating_where_nearly_all_ratings_are_the_same():
    """Sums of 0.1 are not exact, and there is no range to compare deviations with."""
    user = np.repeat(np.arange(30), np.arange(11, 41))
    value = np.full(len(user), 0.1)
    value[:11] = 5
    value[0] = 4
    finding = one(of(user, value=value), "constant_users")
    assert finding.count == 29
    assert finding.where[0] == "user 29: 0.1, 40 times"


def test_users_with_far_more_ratings_than_the_others():
    user = np.r_[np.arange(2000) % 200, np.full(150, 999)]
    item = np.r_[np.arange(2000) // 200 + 7 * (np.arange(2000) % 20), np.arange(150)]
    finding = one(of(user, item), "heavy_users")
    assert (finding.count, finding.where) == (1, ("user 999: 150 of 150 items",))
    assert audit(of(user[:2000], item[:2000])).of_kind("heavy_users") == ()
    crowd = np.r_[user[:2000], np.repeat(np.arange(300, 310), 150)]  # ten such users are a way of use
    assert audit(of(crowd, np.r_[item[:2000], np.tile(np.arange(150), 10)])).of_kind("heavy_users") == ()


def test_users_and_items_known_by_one_rating():
    ratings = of([1, 1, 2, 3], [1, 2, 1, 1])
    assert one(ratings, "one_rating_users").where == ("2", "3")
    assert one(ratings, "one_rating_items").where == ("2",)
    kept = eval(one(ratings, "one_rating_items").mend.split(" keeps")[0], {"ratings": ratings})  # noqa: S307
    assert audit(kept).of_kind("one_rating_items") == ()


def test_parts_that_nothing_connects():
    ratings = of([1, 1, 2, 3, 4, 4, 9], [1, 2, 2, 3, 3, 4, 5])
    finding = one(ratings, "parts")
    assert finding.count == 2
    assert finding.where in (("user 1", "user 2", "user 9"), ("user 3", "user 4", "user 9"))
    assert audit(ratings.where(arguments(finding.mend)["where"])).of_kind("parts") == ()


# Against simple Python -----------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
id_lists = st.one_of(
    st.lists(st.integers(0, 6), min_size=1, max_size=40),
    st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=40),
    st.lists(
        st.sampled_from(["7", "07", "a", "A", "a ", "\u0430", "NULL", "e\u0301", "\u00e9"]),
        min_size=1,
        max_size=40,
    ),
    st.lists(texts, min_size=1, max_size=40),
)
values = st.one_of(
    st.integers(1, 5),
    st.sampled_from([-1, 0, 1, 5, 99]),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)
moments = st.one_of(st.integers(0, 3), st.integers(NOON, NOON + 5), st.integers(-(2**62), 2**62))


@st.composite
def any_ratings(draw) -> Ratings:
    users, items = draw(id_lists), draw(id_lists)
    n = min(len(users), len(items))
    value = draw(st.one_of(st.lists(values, min_size=n, max_size=n), st.just([3.0] * n)))
    when = draw(st.none() | st.lists(moments, min_size=n, max_size=n))
    return Ratings.from_columns(users[:n], items[:n], value, when=when, duplicates="first")


@settings(max_examples=150)
@given(any_ratings(), st.integers(0, 3))
def test_no_ratings_are_too_odd_and_the_answer_is_always_the_same(ratings, seed):
    result = audit(ratings, seed=seed)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
    assert str(audit(ratings, seed=seed)) == str(result)
    assert result._repr_html_().startswith("<p><b>")
    ranks = [finding.severity == "note" for finding in result.findings]
    assert ranks == sorted(ranks)


@given(any_ratings())
def test_counts_are_those_of_simple_python(ratings):
    facts = audit(ratings).facts
    users, items = Counter(ratings.user_ids.tolist()), Counter(ratings.item_ids.tolist())
    for counts, key in ((users, "ratings_a_user"), (items, "ratings_an_item")):
        ordered = sorted(counts.values())
        expected = {
            str(q): ordered[max(0, math.ceil(q * len(ordered) / 100) - 1)]
            for q in (0, 10, 25, 50, 75, 90, 99, 100)
        }
        assert facts["quantiles"][key] == expected
    assert facts["single"]["users"] == pytest.approx(sum(c == 1 for c in users.values()) / len(users))
    assert facts["single"]["items"] == pytest.approx(sum(c == 1 for c in items.values()) / len(items))
    assert sum(part["count"] for part in facts["histogram"]) == len(ratings)
    given = Counter(ratings.value.tolist())
    assert facts["distinct"] == len(given)
    if len(given) <= 20:
        assert {part["low"]: part["count"] for part in facts["histogram"]} == given
    ordered = sorted(items.values(), reverse=True)
    for share in (1, 10, 20):
        top = sum(ordered[: math.ceil(share * len(ordered) / 100)])
        assert facts["long_tail"][f"top_{share}"] == pytest.approx(top / len(ratings))
    differences = sum(abs(a - b) for a in ordered for b in ordered)
    assert facts["long_tail"]["gini"] == pytest.approx(
        differences / (2 * len(ordered) * len(ratings)), abs=1e-12
    )


@given(any_ratings())
def test_findings_count_as_simple_python_does(ratings):
    result = audit(ratings)
    users = {}
    for user, value in zip(ratings.user_ids.tolist(), ratings.value.tolist(), strict=True):
        users.setdefault(user, []).append(value)
    exact = sum(len(v) >= 10 and len(set(v)) == 1 for v in users.values())
    if exact and len(set(ratings.value.tolist())) > 1:
        assert one(ratings, "constant_users").count >= exact
        assert f"({exact} user" in one(ratings, "constant_users").what
    parts = _parts(ratings)
    assert sum(f.count for f in result.of_kind("parts")) == parts - 1
    if ratings.when is not None and len(ratings) > 1:
        seconds = Counter(zip(ratings.user_ids.tolist(), ratings.when.tolist(), strict=True))
        many = sum(count for count in seconds.values() if count >= 10)
        burst = result.of_kind("burst")
        assert not burst or burst[0].count == many
        assert facts_in_order(ratings) == result.facts["time"]["in_order"]


def facts_in_order(ratings: Ratings) -> float:
    pairs = list(zip(ratings.when.tolist(), ratings.when.tolist()[1:], strict=False))
    return sum(a <= b for a, b in pairs) / len(pairs)


def _parts(ratings: Ratings) -> int:
    """Count the parts by joining sets, the simple way."""
    parts: list[set] = []
    for user, item in zip(ratings.user_ids.tolist(), ratings.item_ids.tolist(), strict=True):
        ends = {("user", user), ("item", item)}
        touching = [part for part in parts if part & ends]
        parts = [part for part in parts if not part & ends] + [ends.union(*touching)]
    return len(parts)


def test_what_splits_leave_unknown():
    ratings = of([1, 1, 1, 2, 2, 3, 4, 5, 6, 7], [1, 2, 3, 1, 2, 4, 5, 6, 7, 8])
    cold = audit(ratings, seed=3).facts["cold"]
    for key, split in (("hold_out", HoldOut(0.2, 3)), ("leave_one_out", LeaveNOut(1, 3))):
        ((train, test),) = split.split(ratings)
        users, items = set(ratings.user[train]), set(ratings.item[train])
        unknown = [
            (u not in users, i not in items)
            for u, i in zip(ratings.user[test], ratings.item[test], strict=True)
        ]
        assert cold[key] == {
            "rows": len(test),
            "unknown_user": pytest.approx(np.mean([u for u, _ in unknown])),
            "unknown_item": pytest.approx(np.mean([i for _, i in unknown])),
            "unknown_both": pytest.approx(np.mean([u and i for u, i in unknown])),
            "unknown_any": pytest.approx(np.mean([u or i for u, i in unknown])),
        }
    assert cold["hold_out"]["unknown_any"] > 0
    finding = one(ratings, "cold_hold_out", seed=3)
    assert finding.count == round(cold["hold_out"]["unknown_any"] * cold["hold_out"]["rows"])
    assert audit(of([1], [1])).facts["cold"] == {"hold_out": None, "leave_one_out": None}


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        ([1, 2, 5], 1), ([20, 40, 100], 20), ([0.5, 1, 4], 0.5), ([1, 1.25], 0.25), ([-9.9, 0.1, 3], 0.1),
        ([0, 0.125], None), ([1 / 3, 2 / 3], None), ([3], None), ([1, 3e38], None),
    ],
)  # fmt: skip
def test_steps_of_ratings(seen, step):
    assert audit(of([*range(len(seen))], value=seen)).facts["step"] == step


def test_times_are_dates():
    facts = audit(of([1, 2, 3], when=[NOON, NOON + 86_400, NOON + 10])).facts["time"]
    assert facts == {
        "first": "2017-07-14 02:40:00", "last": "2017-07-15 02:40:00", "days": 1.0, "in_order": 0.5,
        "resolution": "second",
    }  # fmt: skip


# How it is said ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [48, 60, 80, 100])
def test_lines_fit_but_for_mends_that_are_copied(found, width):
    for line, _ in lines(found, width):
        assert len(line) <= width or line.startswith("    mend    ")


def test_what_is_to_be_copied_stands_in_one_line_alone_if_it_must(found):
    shown = [line for line, _ in lines(found, 60)]
    place = shown.index("""    mend    where="user NOT IN ('P110', 'P152', 'P192')\"""")
    assert shown[place + 1] == "            leaves those 3 rows out"
    assert """    mend    where="user <> 'p900'" leaves those 60 rows out""" in shown


def test_a_mark_has_a_bar_of_its_own(found):
    *_, last = found.facts["histogram"]
    assert last == {"low": 99.0, "high": 99.0, "count": 7}
    assert len(found.facts["histogram"]) == 21
    assert found.facts["histogram"][0]["low"] == -10


def test_html_escapes_what_people_wrote():
    result = audit(of(["<b>", "<b> ", *(f"u{n}" for n in range(20))]))
    assert "&lt;b&gt; " in result._repr_html_()
    assert "<b> " not in result._repr_html_()


def test_ratings_without_a_row_are_told_so():
    result = audit(of([1, 2], value=[7, 8]), scale=(1, 5))
    assert result.facts["ratings"] == 0
    assert str(result).splitlines()[2:4] == ["ratings     0 (2 rows; 2 cannot be used)", ""]


def test_text_and_figures_are_those_of_the_parts(found):
    text = str(found)
    assert repr(found) == text
    assert text.splitlines()[0] == found.headline
    for finding in found.findings:
        assert " ".join(finding.mend.split()) in " ".join(text.split())
        assert " ".join(finding.effect.split()) in " ".join(text.split())
    assert found.warnings + found.notes == found.findings


# Refusals ------------------------------------------------------------------------------------------------


def test_what_is_refused(tmp_path):
    with pytest.raises(InvalidParameter, match="where= says how to read a source"):
        audit(load_dataset("sample"), where="rating > 0")
    with pytest.raises(InvalidParameter, match="on_error='skp' is not allowed"):
        audit(pl.DataFrame({"user": [1], "item": [1], "rating": [1]}), on_error="skp")
    with pytest.raises(InvalidParameter, match="low end must be below"):
        audit(load_dataset("sample"), scale=(5, 1))
    with pytest.raises(NotFound):
        audit(tmp_path / "missing.csv")
    with pytest.raises(BadData, match="not one row can be used"):
        audit(pl.DataFrame({"user": [1], "item": [1], "rating": ["x"]}))


def test_nothing_is_mended():
    ratings = load_dataset("sample")
    before = (ratings.user.copy(), ratings.value.copy())
    audit(ratings)
    assert np.array_equal(before[0], ratings.user)
    assert np.array_equal(before[1], ratings.value)


def test_reading_a_clean_file_is_the_same_as_reading_it_strictly(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating\n1,1,4\n1,2,3\n2,1,5\n")
    assert audit(path).facts["mean"] == pytest.approx(read_ratings(path).moments()[0])
