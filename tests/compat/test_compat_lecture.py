"""The surprise part of the lecture: its numbers, and the warning that it lacks."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from dataset_archives import register_archive
from file_server import serve_files
from real_data import data_file

import foretaste.compat.surprise as ours
from foretaste.compat.surprise._warnings import SurpriseCompatWarning

FOLDS = 3  # of the lecture's five, for speed


@pytest.fixture(scope="module")
def frame():
    """Give the ratings of the lecture as the frame of pandas that it reads."""
    pd = pytest.importorskip("pandas", reason='needs pip install "foretaste[test]"')
    return pd.read_csv(data_file("jester2/jester_ratings_users_1_to_4000.csv.gz"))[
        ["userId", "jokeId", "rating"]
    ]


@pytest.fixture(scope="module")
def narrow(frame):
    """Return the lecture's dataset, whose ``Reader()`` assumes ratings from 1 to 5."""
    with pytest.warns(SurpriseCompatWarning, match="outside the scale 1 to 5"):
        return ours.Dataset.load_from_df(frame, ours.Reader())


def measure_rmse(package, data):
    """Do what the lecture does; return the RMSE."""
    trainset, validset = package.model_selection.train_test_split(data, test_size=0.2, random_state=42)
    algo = package.SVD(n_factors=10, random_state=42)
    algo.fit(trainset)
    return package.accuracy.rmse(algo.test(validset), verbose=False)


@pytest.mark.dataset
def test_warning_names_a_row_and_the_fix(frame):
    with pytest.warns(SurpriseCompatWarning) as caught:
        ours.Dataset.load_from_df(frame.head(100), ours.Reader())
    said = str(caught[0].message)
    assert "row 0 of the frame" in said
    assert "Reader(rating_scale=(" in said
    assert caught[0].filename == __file__


@pytest.mark.dataset
def test_lecture_rmse_on_the_wrong_scale(narrow):
    assert measure_rmse(ours, narrow) == pytest.approx(5.2808, abs=5e-5)


@pytest.mark.dataset
def test_lecture_rmse_on_the_right_scale(frame):
    data = ours.Dataset.load_from_df(frame, ours.Reader(rating_scale=(-10, 10)))
    assert measure_rmse(ours, data) == pytest.approx(4.9008, abs=5e-5)


@pytest.mark.dataset
@pytest.mark.peer
@pytest.mark.parametrize("scale", [(1, 5), (-10, 10)])
def test_lecture_rmse_equals_the_peer(peer, frame, narrow, scale):
    wanted = measure_rmse(peer, peer.Dataset.load_from_df(frame, peer.Reader(rating_scale=scale)))
    data = ours.Dataset.load_from_df(frame, ours.Reader(rating_scale=scale)) if scale[0] < 0 else narrow
    assert measure_rmse(ours, data) == pytest.approx(wanted, abs=1e-6)


@pytest.mark.dataset
@pytest.mark.peer
def test_lecture_cross_validation(peer, frame, capsys):
    some = frame[frame["userId"] <= 800]  # to be quick
    theirs = peer.Dataset.load_from_df(some, peer.Reader())
    with pytest.warns(SurpriseCompatWarning, match="outside the scale"):
        narrow = ours.Dataset.load_from_df(some, ours.Reader())
    results = []
    for package, data in ((peer, theirs), (ours, narrow)):
        np.random.seed(0)
        algo = package.SVD(n_factors=10, random_state=42)
        validate = package.model_selection.cross_validate
        results.append(validate(algo, data, measures=["RMSE", "MAE"], cv=FOLDS, verbose=True))
    for key in ("test_rmse", "test_mae"):
        assert results[1][key] == pytest.approx(results[0][key], abs=1e-6)
    wanted, found = (text.splitlines() for text in capsys.readouterr().out.split("Evaluating")[1:])
    assert wanted[:5] == found[:5]  # head, names of columns, figures; times are others
    assert [line[:18] for line in wanted] == [line[:18] for line in found]


@pytest.mark.dataset
@pytest.mark.peer
def test_lecture_grid_search(peer, frame):
    small = frame[frame["userId"] <= 400]
    grid = {"n_factors": [5, 10], "reg_all": [0.02, 0.1], "random_state": [42], "n_epochs": [8]}
    searches = []
    for package in (peer, ours):
        data = package.Dataset.load_from_df(small, package.Reader(rating_scale=(-10, 10)))
        folds = package.model_selection.KFold(FOLDS, random_state=1)
        search = package.model_selection.GridSearchCV(
            package.SVD, grid, cv=folds, n_jobs=2 if package is ours else 1
        )
        search.fit(data)
        searches.append(search)
    wanted, found = searches
    assert found.best_params == wanted.best_params
    assert found.cv_results["mean_test_rmse"] == pytest.approx(wanted.cv_results["mean_test_rmse"], abs=1e-6)


@pytest.mark.dataset
def test_built_in_jester_from_a_mirror(tmp_path, monkeypatch, frame):
    """``load_builtin("jester")`` fetches an archive over HTTP, unpacks it, and does not fetch it again."""
    rows = frame.head(5000).itertuples(index=False, name=None)
    text = "".join(f"{user}\t\t{joke}\t\t{rating:.3f}\n" for user, joke, rating in rows)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("jester_ratings.dat", text)
        archive.writestr("jester_items.dat", "made for a test")
    register_archive(monkeypatch, "jester-2", "jester_dataset_2.zip", packed.getvalue())
    for variable in ("HOME", "FORETASTE_CACHE", "SURPRISE_DATA_FOLDER"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    with serve_files() as server:
        server.put("jester_dataset_2.zip", packed.getvalue())
        monkeypatch.setenv("FORETASTE_MIRROR", server.url)
        data = ours.Dataset.load_builtin("jester", prompt=False)
        again = ours.Dataset.load_builtin("jester")
        assert len(server.requests_of("jester_dataset_2.zip")) == 1
    assert len(data.raw_ratings) == 5000
    assert data.raw_ratings == again.raw_ratings
    assert data.reader.rating_scale == (-10, 10)
    algo = ours.SVD(n_factors=10, n_epochs=2, random_state=42)
    measured = ours.model_selection.cross_validate(algo, data, measures=["RMSE"], cv=2)
    assert (measured["test_rmse"] < np.std(frame["rating"].head(5000))).all()
