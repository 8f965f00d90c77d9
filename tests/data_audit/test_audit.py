"""The audit: planted defects are found with their count; clean data gives no finding."""

from __future__ import annotations

import gzip
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from audit_helpers import arguments, of
from real_data import data_file

from foretaste import audit, load_dataset, read_ratings
from foretaste.data_audit import Audit
from foretaste.data_audit.rendering import lines
from foretaste.datasets import dirty_sample
from foretaste.errors import DataError, Hint, InvalidParameterError, NotFoundError

# The dirty sample ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def twin(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("dirty") / "dirty.csv"
    path.write_text(dirty_sample.read_text(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def found(twin) -> Audit:
    return audit(twin)


def test_the_bundled_file_is_what_generate_makes(tmp_path):
    packed = (files("foretaste.datasets") / "data" / "sample_dirty.csv.gz").read_bytes()
    assert gzip.decompress(packed) == dirty_sample.generate().encode()
    dirty_sample.write_file(tmp_path)
    assert (
        gzip.decompress((tmp_path / "sample_dirty.csv.gz").read_bytes()) == dirty_sample.generate().encode()
    )
    with dirty_sample.as_path() as path:
        assert path.read_bytes() == packed


def test_twelve_kinds_of_defects_are_planted():
    assert len(dirty_sample.DEFECTS) == 12
    clean, all_of_it = (
        dirty_sample.generate(dirty_sample.DEFECTS).splitlines(),
        dirty_sample.generate().splitlines(),
    )
    assert len(clean) == 1 + len(load_dataset("sample"))
    assert len(all_of_it) == len(clean) + 8 + 60 + 4 * 12
    changed = len(set(clean) - set(all_of_it))
    assert changed == sum(
        p.n_rows for k, p in dirty_sample.DEFECTS.items() if k not in ("duplicate", "burst", "constant_users")
    )


@pytest.mark.parametrize("kind", dirty_sample.DEFECTS)
def test_every_planted_defect_is_found_with_its_count(found, kind):
    (finding,) = found.findings_of_kind(kind)
    assert finding.count == dirty_sample.DEFECTS[kind].count
    assert finding.impact
    assert finding.fix
    assert finding.where


@pytest.mark.parametrize("kind", dirty_sample.DEFECTS)
def test_a_defect_that_is_not_planted_is_not_found_and_the_others_are(tmp_path, kind):
    path = tmp_path / "dirty.csv"
    path.write_text(dirty_sample.generate([kind]), encoding="utf-8")
    counts = {finding.kind: finding.count for finding in audit(path).findings}
    assert kind not in counts
    others = {name: planted.count for name, planted in dirty_sample.DEFECTS.items() if name != kind}
    assert {name: counts.get(name) for name in others} == others


def test_without_any_defect_there_is_no_warning(tmp_path):
    path = tmp_path / "clean.csv"
    path.write_text(dirty_sample.generate(dirty_sample.DEFECTS), encoding="utf-8")
    result = audit(path)
    assert result.warnings == ()
    assert [note.kind for note in result.notes] == ["one_rating_users"]


def test_every_printed_fix_works(twin, found):
    for finding in found.findings:
        if isinstance(finding.fix, Hint):
            after = audit(twin, **arguments(finding.fix))
            assert finding not in after.warnings
            assert all(
                f.severity == "note" and finding.kind == "ragged"
                for f in after.findings_of_kind(finding.kind)
            )


def test_all_fixes_together_give_a_clean_file(twin, found):
    conditions, others = [], {}
    for finding in found.findings:
        if isinstance(finding.fix, Hint):
            given = arguments(finding.fix)
            conditions += [given.pop("where")] if "where" in given else []
            others |= given
    assert set(others) == {"on_error", "duplicates"}
    result = audit(twin, where=" AND ".join(conditions), **others)
    assert result.warnings == ()
    # The one rating that was repeated with another value is the later one; the rest is the sample's own.
    assert result.summary["ratings"] == 5946 - 4 - 3 - 5 - 7 - 3 - 3 - 3 - 2 - 5
    assert result.summary["max"] == 10


def test_fixes_can_be_applied_one_by_one(twin):
    """A condition that is printed holds the one that was given before."""
    given: dict = {"duplicates": "last"}
    for _ in range(12):
        left = [f for f in audit(twin, **given).warnings if str(f.fix).startswith("where=")]
        if not left:
            break
        given |= arguments(left[0].fix)
    assert [f.kind for f in audit(twin, **given).warnings] == ["ragged"]  # no condition is about these


# What is clean -------------------------------------------------------------------------------------------


def test_sample_is_clean():
    result = audit(load_dataset("sample"))
    assert result.warnings == ()
    assert {note.kind: note.count for note in result.notes} == {"one_rating_users": 8}
    assert result.headline == "the ratings: 5,946 ratings, 300 users x 60 items; 0 warnings, 1 note."


@pytest.mark.dataset
def test_lecture_table():
    path = data_file("jester2/jester_ratings_users_1_to_14780.csv.gz")
    result = audit(path, where="userId <= 4000")
    facts = result.summary
    assert (facts["ratings"], facts["users"], facts["items"]) == (141_359, 3_632, 140)
    assert facts["mean"] == pytest.approx(1.2001, abs=0.00005)
    assert facts["density"] == pytest.approx(0.2780, abs=0.00005)
    assert result.warnings == ()
    assert {f.kind: f.count for f in result.notes} == {"constant_users": 36, "one_rating_users": 78}


@pytest.mark.dataset
def test_real_ratings_give_no_false_findings():
    result = audit(data_file("ml-100k/u.data"))
    assert {(f.kind, f.severity, f.count) for f in result.findings} == {
        ("burst", "note", 1940),
        ("one_rating_items", "note", 141),
    }
    # These files are known to have three repeated pairs; all three are found.
    result = audit(data_file("filmtrust/ratings.txt"))
    assert [(f.kind, f.count) for f in result.warnings] == [("duplicate", 3)]
    assert "1 with the same rating and 2 with another" in result.warnings[0].message
    assert {f.kind for f in result.notes} == {
        "constant_users", "one_rating_users", "one_rating_items", "parts",
        "cold_hold_out", "cold_leave_one_out",
    }  # fmt: skip


# Output --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [48, 60, 80, 100])
def test_lines_fit_except_copyable_fixes(found, width):
    for line, _ in lines(found, width):
        assert len(line) <= width or line.startswith("    fix     ")


def test_copyable_fixes_stay_on_one_line(found):
    shown = [line for line, _ in lines(found, 60)]
    place = shown.index("""    fix     where="user NOT IN ('P110', 'P152', 'P192')\"""")
    assert shown[place + 1] == "            leaves those 3 rows out"
    assert """    fix     where="user <> 'p900'" leaves those 60 rows out""" in shown


def test_missing_marker_has_its_own_bar(found):
    *_, last = found.summary["histogram"]
    assert last == {"low": 99.0, "high": 99.0, "count": 7}
    assert len(found.summary["histogram"]) == 21
    assert found.summary["histogram"][0]["low"] == -10


def test_html_is_escaped():
    result = audit(of(["<b>", "<b> ", *(f"u{n}" for n in range(20))]))
    assert "&lt;b&gt; " in result._repr_html_()
    assert "<b> " not in result._repr_html_()


def test_no_valid_ratings_are_reported():
    result = audit(of([1, 2], value=[7, 8]), scale=(1, 5))
    assert result.summary["ratings"] == 0
    assert str(result).splitlines()[2:4] == ["ratings     0 (2 rows; 2 cannot be used)", ""]


def test_text_and_dict_agree_with_findings_and_summary(found):
    text = str(found)
    assert repr(found) == text
    assert text.splitlines()[0] == found.headline
    for finding in found.findings:
        assert " ".join(str(finding.fix).split()) in " ".join(text.split())
        assert " ".join(finding.impact.split()) in " ".join(text.split())
    assert found.warnings + found.notes == found.findings


# Refusals ------------------------------------------------------------------------------------------------


def test_invalid_arguments_raise(tmp_path):
    with pytest.raises(InvalidParameterError, match="where= applies to files"):
        audit(load_dataset("sample"), where="rating > 0")
    with pytest.raises(InvalidParameterError, match='on_error="skp" is not allowed'):
        audit(pl.DataFrame({"user": [1], "item": [1], "rating": [1]}), on_error="skp")
    with pytest.raises(InvalidParameterError, match="low end must be below"):
        audit(load_dataset("sample"), scale=(5, 1))
    with pytest.raises(NotFoundError):
        audit(tmp_path / "missing.csv")
    with pytest.raises(DataError, match="no valid row"):
        audit(pl.DataFrame({"user": [1], "item": [1], "rating": ["x"]}))


def test_audit_changes_nothing():
    ratings = load_dataset("sample")
    before = (ratings.user.copy(), ratings.value.copy())
    audit(ratings)
    assert np.array_equal(before[0], ratings.user)
    assert np.array_equal(before[1], ratings.value)


def test_lenient_reading_of_a_clean_file_equals_strict_reading(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating\n1,1,4\n1,2,3\n2,1,5\n")
    assert audit(path).summary["mean"] == pytest.approx(read_ratings(path).mean_std()[0])
