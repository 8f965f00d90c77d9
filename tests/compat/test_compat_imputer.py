"""``foretaste.compat.sklearn.KNNImputer`` against scikit-learn's: results, names, checks, errors."""

from __future__ import annotations

import inspect
import logging
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.impute import KNNImputer as Theirs
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import nan_euclidean_distances
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from foretaste.compat import sklearn as compat
from foretaste.compat.sklearn import KNNImputer as Ours

pytestmark = pytest.mark.peer


def tied_cells(imputer, fitted, rows):
    """Return the missing cells whose last donor and first one left out are about equally far."""
    missing = np.isnan(rows)
    distance = nan_euclidean_distances(rows, fitted)
    tied = np.zeros(rows.shape, dtype=bool)
    for column in range(fitted.shape[1]):
        far = np.sort(distance[:, ~np.isnan(fitted[:, column])], axis=1)  # NaN, no distance, last
        k = imputer.n_neighbors
        if far.shape[1] > k:
            tied[:, column] = far[:, k] - far[:, k - 1] <= 1e-6 * far[:, k]
    return tied & missing


def random_problem(seed):
    """Return fitted rows, other rows, and the parameters: sizes, shares, empty rows and columns at random."""
    rng = np.random.default_rng(seed)
    columns, sizes = rng.integers(2, 14), rng.integers([2, 1], [160, 60])
    made, filled = [], rng.uniform(0.25, 0.95)
    for size in sizes:
        cells = rng.normal(size=(size, columns)) * rng.choice([1, 30]) + rng.choice([0, 5])
        cells[rng.random(cells.shape) >= filled] = np.nan
        cells[rng.random(size) < 0.04] = np.nan
        made.append(cells)
    made[0][:, rng.random(columns) < 0.1] = np.nan
    if seed % 3 == 0:
        made[1] = made[0]
    return *made, {
        "n_neighbors": int(rng.integers(1, 12)),
        "weights": ["uniform", "distance", None][seed % 5 % 3],
        "missing_values": [np.nan, -999, -999.0][seed % 7 % 3],
        "add_indicator": bool(rng.random() < 0.5),
        "keep_empty_features": bool(rng.random() < 0.5),
        "copy": bool(rng.random() < 0.5),
    }


def test_hundred_random_matrices_equal_scikit_learn(caplog):
    caplog.set_level(logging.INFO, "foretaste")
    compared = left_out = 0
    for seed in range(120):
        fitted, rows, parameters = random_problem(seed)
        free = ~tied_cells(Theirs(n_neighbors=parameters["n_neighbors"]), fitted, rows)
        missing = np.isnan(rows)
        answers = []
        for kind in (Theirs, Ours):
            imputer = kind(**parameters)
            a, b = (np.nan_to_num(x, nan=-999) if parameters["missing_values"] == -999 else x.copy()
                    for x in (fitted, rows))  # fmt: skip
            answers.append(imputer.fit(a).transform(b))
        wanted, got = answers
        assert got.dtype == wanted.dtype
        assert got.shape == wanted.shape
        kept = np.ones(fitted.shape[1], bool) if parameters["keep_empty_features"] else imputer._valid_mask
        width = kept.sum()
        same = free[:, kept]
        np.testing.assert_allclose(
            got[:, :width][same], wanted[:, :width][same], rtol=1e-9, atol=1e-9, err_msg=f"seed {seed}"
        )
        assert np.array_equal(got[:, width:], wanted[:, width:])
        compared += int((missing & free).sum())
        left_out += int((missing & ~free).sum())
    assert compared > 10_000
    assert left_out < 0.001 * compared
    assert caplog.messages == []  # nothing was delegated to scikit-learn


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_integer_matrices_without_ties_equal_scikit_learn(weights):
    """Distances of whole numbers are exact, so equal rows are at distance 0 on both sides."""
    rng = np.random.default_rng(8)
    rows = rng.integers(-50, 50, (200, 9)).astype(float)
    rows[100:] = rows[:100]
    rows[rng.random(rows.shape) < 0.3] = np.nan
    ours, theirs = Ours(n_neighbors=4, weights=weights), Theirs(n_neighbors=4, weights=weights)
    free = ~tied_cells(theirs, rows, rows)
    assert free[np.isnan(rows)].mean() > 0.8
    np.testing.assert_allclose(
        ours.fit_transform(rows)[free], theirs.fit_transform(rows)[free], rtol=1e-9, atol=1e-9
    )


def test_equidistant_rows_are_used_in_order():
    fitted = np.array([[1.0, 10], [1, 20], [1, 30], [1, 40], [0, 50]])
    for k, wanted in [(1, 50), (2, 30), (3, 80 / 3), (5, 30)]:
        assert Ours(n_neighbors=k).fit(fitted).transform([[0.25, np.nan]])[0, 1] == pytest.approx(wanted)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize(
    ("fit_type", "type_"), [(np.float32, np.float32), (np.float64, np.float32), (np.float32, np.float64)]
)
def test_output_dtype_is_the_input_dtype(fit_type, type_, weights):
    """scikit-learn's distances lose digits in float32; ours equal its float64 distances."""
    rng = np.random.default_rng(4)
    cells = rng.normal(size=(90, 7))
    cells[rng.random(cells.shape) < 0.3] = np.nan
    fitted, rows = cells[:60].astype(fit_type), cells[60:].astype(type_)
    got = Ours(weights=weights).fit(fitted).transform(rows)
    theirs = Theirs(weights=weights).fit(fitted).transform(rows)
    assert got.dtype == theirs.dtype == type_
    np.testing.assert_allclose(got, theirs, rtol=0, atol=2e-3)
    wanted = Theirs(weights=weights).fit(fitted.astype(float)).transform(rows.astype(float))
    np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)


# scikit-learn's own checks ---------------------------------------------------------------------------------


def check_outcomes(estimator):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # checks warn of what they skip
        results = check_estimator(estimator, on_fail=None, on_skip=None)
    return sorted((r["check_name"], r["status"], type(r["exception"]).__name__) for r in results)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"weights": "distance", "add_indicator": True},
        {"missing_values": -1, "keep_empty_features": True, "copy": False},
    ],
)
def test_check_estimator_passes_like_the_original(parameters):
    ours = check_outcomes(Ours(**parameters))
    assert ours == check_outcomes(Theirs(**parameters))
    assert sum(status == "passed" for _, status, _ in ours) > 30


def test_parameters_attributes_and_tags_equal_the_original():
    assert str(inspect.signature(Ours)) == str(inspect.signature(Theirs))  # NaN is not equal to itself
    assert Ours().get_params() == pytest.approx(Theirs().get_params(), nan_ok=True)
    assert repr(Ours(n_neighbors=3)) == repr(Theirs(n_neighbors=3))
    for value in (np.nan, -1):
        ours, theirs = (kind(missing_values=value).__sklearn_tags__() for kind in (Ours, Theirs))
        assert ours == theirs
    rows = pd.DataFrame({"a": [1, np.nan, 3], "b": [1.0, 2, 3]})
    ours, theirs = (kind(add_indicator=True).fit(rows) for kind in (Ours, Theirs))
    assert set(vars(ours)) == set(vars(theirs))
    assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
    assert ours.feature_names_in_.tolist() == ["a", "b"]


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output_equals_the_original(container):
    rows = pd.DataFrame({"a": [1, np.nan, 3, 4], "b": [1.0, 2, np.nan, 3], "c": np.nan}, index=[9, 7, 5, 3])
    got, wanted = (
        kind(n_neighbors=2, add_indicator=True).set_output(transform=container).fit_transform(rows)
        for kind in (Ours, Theirs)
    )
    assert type(got) is type(wanted)
    assert got.equals(wanted)


def test_works_in_pipelines_searches_and_clones():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(90, 4))
    target = rows @ [1, 2, 3, 4]
    rows[rng.random(rows.shape) < 0.2] = np.nan
    found = []
    for kind in (Ours, Theirs):
        pipeline = make_pipeline(kind(), Ridge())
        search = GridSearchCV(pipeline, {"knnimputer__n_neighbors": [1, 5, 20]}, cv=3).fit(rows, target)
        found.append(search.cv_results_["mean_test_score"])
        assert clone(search.best_estimator_)[0].get_params()["n_neighbors"] in (1, 5, 20)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-9)


def test_copy_false_imputes_in_place():
    cells = np.array([[1, 2, np.nan], [3, np.nan, np.nan], [np.nan, 6, np.nan], [8, 8, np.nan]])
    for keep in (False, True):
        given = [cells.copy(), cells.copy()]
        for kind, rows in zip((Ours, Theirs), given, strict=True):
            kind(n_neighbors=2, copy=False, keep_empty_features=keep).fit_transform(rows)
        assert not np.isnan(given[0][:, :2]).any()
        np.testing.assert_allclose(given[0], given[1])
    untouched = cells.copy()
    Ours().fit_transform(untouched)
    np.testing.assert_array_equal(untouched, cells)


def test_copy_false_ignores_imputed_cells_in_distances():
    """scikit-learn's later chunks use them, so its result depends on ``working_memory``."""
    rng = np.random.default_rng(6)
    cells = rng.normal(size=(400, 5))
    cells[rng.random(cells.shape) < 0.4] = np.nan
    wanted = Theirs().fit_transform(cells)
    with config_context(working_memory=0.05):
        assert np.abs(Theirs(copy=False).fit_transform(cells.copy()) - wanted).max() > 0.01
        np.testing.assert_allclose(Ours(copy=False).fit_transform(cells.copy()), wanted, rtol=1e-9)


def test_complete_rows_and_empty_rows():
    fitted = [[1.0, 2, np.nan], [3, np.nan, np.nan], [5, 4, np.nan]]
    for rows in ([[1.0, 2, 3]], [[np.nan] * 3], [[np.nan, 7, 1]]):
        for keep in (False, True):
            got, wanted = (
                kind(keep_empty_features=keep).fit(fitted).transform(rows) for kind in (Ours, Theirs)
            )
            np.testing.assert_allclose(got, wanted)


# Delegated to scikit-learn ---------------------------------------------------------------------------------


def manhattan(one, other, *, missing_values=np.nan):
    return np.nansum(np.abs(one - other))


ROWS = np.array([[1.0, 2, np.nan], [3, 4, 3], [np.nan, 6, 5], [8, 8, 7], [1, 9, 4]])


@pytest.mark.parametrize(
    ("parameters", "rows", "reason"),
    [
        ({"weights": lambda d: 1 / (1 + d)}, ROWS, "weights="),
        ({"metric": manhattan}, ROWS, "metric="),
        ({}, ROWS.astype(np.float16), "float16"),
        ({}, ROWS * 1e200, "squares of"),
        ({}, ROWS * 1e-200, "squares of"),
        ({}, (ROWS * 1e25).astype(np.float32), "squares of"),
    ],
)
def test_delegated_cases_are_logged_and_equal(parameters, rows, reason, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    answers = []
    for kind in (Ours, Theirs):
        with np.errstate(all="ignore"):
            answers.append(kind(n_neighbors=2, **parameters).fit_transform(rows))
    assert answers[0].dtype == answers[1].dtype
    np.testing.assert_array_equal(answers[0], answers[1])
    (message,) = caplog.messages
    assert reason in message
    assert message.endswith("imputed by scikit-learn's own loops")


def test_training_matrix_changed_after_fit_is_delegated(caplog):
    """With copy=False it is the caller's own; scikit-learn then measures distances to the filled rows."""
    caplog.set_level(logging.INFO, "foretaste")
    answers = []
    for kind in (Ours, Theirs):
        imputer, rows = kind(n_neighbors=2, copy=False), ROWS.copy()
        imputer.fit_transform(rows)
        answers.append(imputer.transform(np.array([[np.nan, 5.0, 5.5]])))
    np.testing.assert_array_equal(answers[0], answers[1])
    assert ["changed after fit" in m for m in caplog.messages] == [True]


def test_infinite_cells_are_delegated():
    rows = ROWS.copy()
    rows[1, 1] = np.inf
    answers = []
    for kind in (Ours, Theirs):
        with config_context(assume_finite=True), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers.append(kind(n_neighbors=2).fit_transform(rows))
    np.testing.assert_array_equal(answers[0], answers[1])


# Errors ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "fitted", "rows"),
    [
        ({"n_neighbors": 0}, ROWS, ROWS),
        ({"n_neighbors": 1.5}, ROWS, ROWS),
        ({"weights": "nearest"}, ROWS, ROWS),
        ({"metric": "euclidean"}, ROWS, ROWS),
        ({"copy": "yes"}, ROWS, ROWS),
        ({"missing_values": -1}, ROWS, ROWS),
        ({"missing_values": None}, ROWS, ROWS),
        ({"missing_values": "NA"}, ROWS[1:2], ROWS),
        ({}, ROWS[:0], ROWS),
        ({}, ROWS[0], ROWS),
        ({}, [["a", "b"]], ROWS),
        ({}, ROWS + 1j, ROWS),
        ({}, sparse.csr_matrix(np.nan_to_num(ROWS)), ROWS),
        ({}, np.where(ROWS == 8, np.inf, ROWS), ROWS),
        ({}, ROWS, ROWS[:, :2]),
        ({}, ROWS, ROWS[:0]),
        ({}, ROWS, sparse.csr_matrix(np.nan_to_num(ROWS))),
        ({}, ROWS, [[np.inf, 1, 2]]),
        ({}, pd.DataFrame(ROWS, columns=list("abc")), pd.DataFrame(ROWS, columns=list("acb"))),
    ],
)
def test_errors_equal_scikit_learn(parameters, fitted, rows):
    caught = []
    for kind in (Ours, Theirs):
        with pytest.raises(Exception) as error:  # noqa: PT011 - which is what is compared
            kind(**parameters).fit(fitted).transform(rows)
        caught.append((type(error.value), str(error.value)))
    assert caught[0] == caught[1]


def test_transform_before_fit_raises():
    with pytest.raises(NotFittedError, match="This KNNImputer instance is not fitted yet"):
        Ours().transform(ROWS)
    with pytest.raises(NotFittedError):
        Ours().get_feature_names_out()


def test_missing_scikit_learn_names_the_extra():
    code = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from foretaste.errors import MissingDependencyError\n"
        "import foretaste.compat\n"
        "try:\n    import foretaste.compat.sklearn\n"
        "except MissingDependencyError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs scikit-learn" in done.stdout
    assert 'pip install "foretaste[sklearn]"' in done.stdout


def test_threads_do_not_change_the_result(monkeypatch):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(400, 20))
    rows[rng.random(rows.shape) < 0.4] = np.nan
    threads_used = []
    native = compat.impute_from
    monkeypatch.setattr(compat, "impute_from", lambda *a: (threads_used.append(a[-1]), native(*a))[1])
    results = []
    for threads in ("1", "3"):
        monkeypatch.setenv("FORETASTE_THREADS", threads)
        results.append(Ours().fit_transform(rows).tobytes())
    assert threads_used == [1, 3]
    assert results[0] == results[1]
