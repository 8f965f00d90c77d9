"""Pitfalls that scikit-surprise accepts silently give a warning with row and fix, and nothing else does."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest

from foretaste.compat.surprise import AlgoBase, Dataset, Reader
from foretaste.compat.surprise._warnings import SurpriseCompatWarning


def load(rows, **reader):
    return Dataset.load_from_df(pd.DataFrame(rows, columns=["u", "i", "r"]), Reader(**reader))


class ConstantAlgo(AlgoBase):
    def estimate(self, u, i):
        return 3


def collect_warnings(act):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        act()
    assert {one.category for one in found} <= {SurpriseCompatWarning}
    return found


def test_valid_ratings_give_no_warning():
    assert collect_warnings(lambda: load([(1, 1, 1.0), (1, 2, 5.0), (2, 1, 3.0)])) == []


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(1, 1, 1.0), (1, 2, 0.5), (2, 2, 9.0)],
         ["row 1 of", "0.5 is outside the scale 1 to 5", "2 such", "rating_scale=(0.5, 9)"]),
        ([(1, 1, 1.0), (1, 2, float("nan"))], ["row 1 of", "NaN", "leave these rows out"]),
        ([(1, 1, 1.0), (2, 1, 2.0), (1, 1, 2.0)],
         ["row 2 of", "user 1 rates item 1 again, after row 0", "keep one"]),
    ],
)  # fmt: skip
def test_out_of_scale_ratings_warn(rows, words):
    (found,) = collect_warnings(lambda: load(rows))
    for word in words:
        assert word in str(found.message)
    assert found.filename == __file__  # the line of the program, none of ours


def test_out_of_scale_ratings_of_a_file_name_the_line(tmp_path):
    (tmp_path / "file").write_text("titles\na b 3\na c 7\n")
    (found,) = collect_warnings(lambda: Dataset.load_from_file(tmp_path / "file", Reader(skip_lines=1)))
    assert "line 3 of" in str(found.message)


@pytest.mark.parametrize("kind", [int, str])
def test_id_of_another_type_warns(kind):
    other = str if kind is int else int
    algo = ConstantAlgo().fit(load([(kind(1), kind(7), 3.0)]).build_full_trainset())
    (found,) = collect_warnings(lambda: algo.predict(other(1), kind(7)))
    assert f"user {other(1)!r} is unknown, but {kind(1)!r} is not" in str(found.message)
    assert f"raw ids are {kind.__name__} here, not {other.__name__}" in str(found.message)
    assert found.filename == __file__
    (found,) = collect_warnings(lambda: algo.test([(kind(1), kind(7), 3.0), (kind(1), other(7), 3.0)]))
    assert f"item {other(7)!r}" in str(found.message)
    assert collect_warnings(lambda: algo.predict(kind(8), kind(9))) == []  # strangers, whatever their type


def test_warning_can_be_silenced():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", SurpriseCompatWarning)
        load([(1, 1, 9.0)])
