"""Built-in datasets: their folder, readers and download."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from foretaste import datasets
from foretaste.datasets.download import cache_folder
from foretaste.errors import InvalidParameterError, NotFoundError, did_you_mean

FOLDER_VARIABLE = "SURPRISE_DATA_FOLDER"
_SURPRISE_FOLDER = ".surprise_data"  # of scikit-surprise, in the home folder
_REGISTRY_NAMES = {"ml-100k": "movielens-100k", "ml-1m": "movielens-1m", "jester": "jester-2"}


class BuiltinDataset(NamedTuple):
    """A dataset that can be loaded by name."""

    url: str
    path: str
    reader_params: dict[str, Any]


_FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "ml-100k": (
        "ml-100k/ml-100k/u.data",
        {"line_format": "user item rating timestamp", "rating_scale": (1, 5), "sep": "\t"},
    ),
    "ml-1m": (
        "ml-1m/ml-1m/ratings.dat",
        {"line_format": "user item rating timestamp", "rating_scale": (1, 5), "sep": "::"},
    ),
    "jester": ("jester/jester_ratings.dat", {"line_format": "user item rating", "rating_scale": (-10, 10)}),
}


def get_dataset_dir() -> str:
    """Return the folder of built-in datasets and dumps, created if missing.

    The environment variable SURPRISE_DATA_FOLDER sets it; the default is ``surprise`` in the cache of
    foretaste (FORETASTE_CACHE). Datasets that scikit-surprise downloaded to ``~/.surprise_data`` are found,
    too.
    """
    folder = _data_folder()
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidParameterError(
            f"cannot make the folder {folder}: {error.strerror}",
            hint=f"{FOLDER_VARIABLE}=/another/folder (in the environment)",
        ) from None
    return folder


def _data_folder() -> str:
    value = os.environ.get(FOLDER_VARIABLE)
    return value if value is not None else str(cache_folder() / "surprise")


def _ratings_path(file: str) -> str:
    """Return the path of a file of ratings; an older copy of scikit-surprise's only where ours is not."""
    path = Path(_data_folder()) / file
    surprise_path = Path.home() / _SURPRISE_FOLDER / file
    return str(
        surprise_path
        if FOLDER_VARIABLE not in os.environ and not path.is_file() and surprise_path.is_file()
        else path
    )


class _BuiltinDatasets(Mapping[str, BuiltinDataset]):
    """The built-in datasets by name; paths follow the environment at the time of access."""

    def __getitem__(self, name: str) -> BuiltinDataset:
        file, reader = _FILES[name]
        url = datasets.info(_REGISTRY_NAMES[name]).archives_with("ratings")[0].urls[0]
        return BuiltinDataset(url, _ratings_path(file), dict(reader))

    def __iter__(self) -> Iterator[str]:
        return iter(_FILES)

    def __len__(self) -> int:
        return len(_FILES)


BUILTIN_DATASETS = _BuiltinDatasets()


def download_builtin_dataset(name: str) -> None:
    """Download a built-in dataset to the folder of ``get_dataset_dir``.

    The archive is downloaded as by ``foretaste.datasets``: verified against the published checksum,
    cached, from FORETASTE_MIRROR if set. Then its files are extracted, including the folds of MovieLens
    100K.
    """
    if name not in _FILES:
        raise NotFoundError(
            f"unknown dataset {name}. Accepted values are {', '.join(_FILES)}{did_you_mean(name, _FILES)}",
            hint="Dataset.load_builtin('ml-100k')",
        )
    data_set = datasets.info(_REGISTRY_NAMES[name])
    print(f"Trying to download dataset from {BUILTIN_DATASETS[name].url}...")  # noqa: T201 - as surprise says
    folder = datasets.fetch(data_set.name)
    target = Path(get_dataset_dir()) / name
    for archive in data_set.archives_with("ratings"):
        _unpack(folder / archive.file, target)
    print(f"Done! Dataset {name} has been saved to {target}")  # noqa: T201 - as surprise says


def _unpack(archive: Path, target: Path) -> None:
    """Extract an archive beside its target, and move it there when complete."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as file:
            file.extractall(partial)
        shutil.copytree(partial, target, dirs_exist_ok=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
