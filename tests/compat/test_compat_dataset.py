"""Datasets: from files, folds and frames; the published ones by name."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from dataset_archives import register_archive
from real_data import data_file

from foretaste.compat.surprise import Dataset, Reader, builtin_datasets, get_dataset_dir
from foretaste.compat.surprise.dataset import DatasetAutoFolds, DatasetUserFolds

LAYOUT = {"line_format": "user item rating timestamp", "sep": "\t"}
COLUMNS = {"user": [1, 1, 2], "item": ["a", "b", "a"], "rating": [1, 2, 5]}


@pytest.mark.peer
def test_file_is_read_as_by_the_peer(peer, ratings_file):
    ours = Dataset.load_from_file(str(ratings_file), reader=Reader(**LAYOUT))
    theirs = peer.Dataset.load_from_file(str(ratings_file), reader=peer.Reader(**LAYOUT))
    assert ours.raw_ratings == theirs.raw_ratings
    assert ours.construct_testset(ours.raw_ratings) == theirs.construct_testset(theirs.raw_ratings)
    assert ours.ratings_file == theirs.ratings_file
    assert ours.has_been_split is theirs.has_been_split is False
    assert isinstance(ours, DatasetAutoFolds)


def test_custom_reader_is_used(ratings_file):
    class Doubled(Reader):
        def parse_line(self, line):
            user, item, rating, time = super().parse_line(line)
            return user, item, rating / 2, time

    plain = Dataset.load_from_file(ratings_file, Reader(**LAYOUT)).raw_ratings
    halved = Dataset.load_from_file(ratings_file, Doubled(**LAYOUT, rating_scale=(0, 3))).raw_ratings
    assert [rating * 2 for _, _, rating, _ in halved] == [rating for _, _, rating, _ in plain]


def test_path_may_start_with_tilde(ratings_file, monkeypatch):
    monkeypatch.setenv("HOME", str(ratings_file.parent))
    assert len(Dataset.load_from_file("~/ratings.tsv", Reader(**LAYOUT)).raw_ratings) == 300


@pytest.mark.peer
def test_pandas_frame_is_read_as_by_the_peer(peer):
    frame = pd.DataFrame(COLUMNS)
    ours = Dataset.load_from_df(frame, Reader()).raw_ratings
    assert ours == peer.Dataset.load_from_df(frame, peer.Reader()).raw_ratings
    assert [type(one) for one in ours[0]] == [int, str, float, type(None)]


@pytest.mark.parametrize("make", [pl.DataFrame, pl.LazyFrame, pa.table, pd.DataFrame])
def test_frames_of_every_library_give_the_same_ratings(make):
    ours = Dataset.load_from_df(make(COLUMNS), Reader()).raw_ratings
    assert ours == [(1, "a", 1.0, None), (1, "b", 2.0, None), (2, "a", 5.0, None)]


@pytest.mark.parametrize(
    ("frame", "word"),
    [
        (pd.DataFrame(COLUMNS | {"time": [1, 2, 3]}), "4 columns"),
        (pl.DataFrame(COLUMNS).select("user", "rating"), "2 columns"),
        (pd.DataFrame(COLUMNS | {"rating": [1, "good", 2]}), "row 1 of the frame"),
        ([(1, 2, 3)], "it must be a frame"),
    ],
)
def test_unreadable_frame_raises(frame, word):
    with pytest.raises(ValueError, match=word):
        Dataset.load_from_df(frame, Reader())


def test_fold_files_are_read_lazily(ratings_file):
    data = Dataset.load_from_folds(iter([(ratings_file, ratings_file)]), Reader(**LAYOUT))
    assert isinstance(data, DatasetUserFolds)
    assert data.folds_files == [(ratings_file, ratings_file)]
    assert len(data.read_ratings(data.folds_files[0][0])) == 300


def test_missing_fold_file_raises(ratings_file):
    with pytest.raises(ValueError, match=r"u9\.test does not exist"):
        Dataset.load_from_folds([(ratings_file, ratings_file.with_name("u9.test"))], Reader())


def test_empty_input_raises():
    with pytest.raises(ValueError, match="Must specify ratings file or dataframe"):
        DatasetAutoFolds(reader=Reader())


# Published ones -------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Folders of this test alone: home, cache and a mirror; no address is ever asked."""
    for variable, name in (("HOME", "home"), ("FORETASTE_CACHE", "cache"), ("FORETASTE_MIRROR", "mirror")):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.delenv("SURPRISE_DATA_FOLDER", raising=False)
    return tmp_path


def test_folder_is_from_the_variable_or_the_cache(folders, monkeypatch):
    assert get_dataset_dir() == str(folders / "cache" / "surprise")
    monkeypatch.setenv("SURPRISE_DATA_FOLDER", str(folders / "own"))
    assert get_dataset_dir() == str(folders / "own")
    assert (folders / "own").is_dir()
    (folders / "file").write_text("")
    monkeypatch.setenv("SURPRISE_DATA_FOLDER", str(folders / "file"))
    with pytest.raises(ValueError, match="cannot make the folder"):
        get_dataset_dir()


@pytest.mark.peer
def test_built_in_datasets_equal_the_peer(peer, monkeypatch):
    theirs = peer.builtin_datasets.BUILTIN_DATASETS
    monkeypatch.setenv("SURPRISE_DATA_FOLDER", str(Path(theirs["ml-100k"].path).parents[2]))
    ours = builtin_datasets.BUILTIN_DATASETS
    assert {name: one.path for name, one in ours.items()} == {name: one.path for name, one in theirs.items()}
    assert {name: one.reader_params for name, one in ours.items()} == {
        name: one.reader_params for name, one in theirs.items()
    }


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, text in members.items():
            file.writestr(name, text)


def test_built_in_dataset_uses_our_download(folders, monkeypatch, capsys):
    path = folders / "mirror" / "ml-100k.zip"
    write_zip(path, {"ml-100k/u.data": "196\t242\t3\t881250949\n", "ml-100k/u1.base": "1\t1\t5\t1\n"})
    register_archive(monkeypatch, "movielens-100k", path.name, path.read_bytes())
    data = Dataset.load_builtin("ml-100k", prompt=False)
    assert data.raw_ratings == [("196", "242", 3.0, "881250949")]
    folder = Path(get_dataset_dir())
    assert (folder / "ml-100k" / "ml-100k" / "u1.base").is_file()
    assert "has been saved to" in capsys.readouterr().out
    path.unlink()
    assert len(Dataset.load_builtin("ml-100k", prompt=True).raw_ratings) == 1  # neither asks nor fetches
    assert not list(folder.glob(".*"))


def test_archive_of_wrong_size_raises(folders):
    write_zip(folders / "mirror" / "ml-100k.zip", {"ml-100k/u.data": "196\t242\t3\t881250949\n"})
    with pytest.raises(ValueError, match="bytes"):
        Dataset.load_builtin("ml-100k", prompt=False)
    assert not Path(builtin_datasets.BUILTIN_DATASETS["ml-100k"].path).exists()


def test_peer_download_folder_is_reused(folders):
    old = folders / "home" / ".surprise_data" / "jester" / "jester_ratings.dat"
    old.parent.mkdir(parents=True)
    old.write_text("1\t\t5\t\t0.219\n")
    assert Dataset.load_builtin("jester").raw_ratings == [("1", "5", 0.219, None)]


@pytest.mark.parametrize(("answers", "asked"), [(["n"], 1), (["what", "NO"], 2)])
def test_download_asks_for_confirmation(folders, monkeypatch, capsys, answers, asked):
    given = iter(answers)
    monkeypatch.setattr("builtins.input", lambda: next(given))
    with pytest.raises(SystemExit) as caught:
        Dataset.load_builtin("ml-1m")
    assert caught.value.code is None
    assert capsys.readouterr().out.count("Do you want to download it? [Y/n]") == asked


def test_answer_yes_downloads(folders, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda: "")
    fetched = []
    monkeypatch.setattr("foretaste.compat.surprise.dataset.download_builtin_dataset", fetched.append)
    with pytest.raises(FileNotFoundError):
        Dataset.load_builtin("ml-1m")
    assert fetched == ["ml-1m"]


def test_unknown_dataset_raises():
    with pytest.raises(ValueError, match='did you mean "ml-100k"'):
        Dataset.load_builtin("ml-100")
    with pytest.raises(LookupError, match="Accepted values are ml-100k, ml-1m, jester"):
        builtin_datasets.download_builtin_dataset("nonsense")


@pytest.mark.dataset
def test_movielens_100k_is_read_completely(tmp_path, monkeypatch):
    (tmp_path / "ml-100k").mkdir()
    (tmp_path / "ml-100k" / "ml-100k").symlink_to(data_file("ml-100k/u.data").parent)
    monkeypatch.setenv("SURPRISE_DATA_FOLDER", str(tmp_path))
    data = Dataset.load_builtin("ml-100k")
    trainset = data.build_full_trainset()
    assert (trainset.n_users, trainset.n_items, trainset.n_ratings) == (943, 1682, 100_000)
    assert trainset.global_mean == pytest.approx(3.52986)


def test_import_loads_neither_pandas_nor_sklearn():
    code = (
        "import sys, foretaste.compat.surprise; print([m for m in ('pandas', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
