"""The registry of published datasets: every entry cites the source of its facts."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

import pytest
from documents import DOCS, tables

from foretaste import datasets
from foretaste.datasets.registry import load_registry
from foretaste.errors import NotFoundError

OWNERS = r"https://(eigentaste\.berkeley\.edu/dataset/|files\.grouplens\.org/datasets/movielens/)"
COPIES = r"https://web\.archive\.org/web/\d{14}/"


# The file ------------------------------------------------------------------------------------------------


def test_registered_names():
    assert datasets.names() == (
        "sample", "jester-1", "jester-2", "jester-3", "jester-4", "movielens-100k", "movielens-1m",
        "movielens-10m", "movielens-20m", "movielens-25m", "movielens-32m", "movielens-latest-small",
    )  # fmt: skip
    text = (files("foretaste.datasets") / "registry.toml").read_text()
    assert [entry["name"] for entry in tomllib.loads(text)["dataset"]] == list(datasets.names())


@pytest.mark.parametrize("entry", load_registry().values(), ids=list(load_registry()))
def test_every_entry_cites_its_sources(entry):
    for part in (
        "title",
        "license",
        "license_source",
        "citation",
        "homepage",
        "verification",
        "url_source",
        "extra_contents",
    ):
        assert getattr(entry, part).strip() == getattr(entry, part) != ""
    assert entry.scale[0] < entry.scale[1]
    assert min(entry.ratings, entry.users, entry.items) > 0
    assert entry.item_column in ("jokeId", "movieId")
    for found in entry.archives:
        assert re.fullmatch(r"[\w-]+\.zip", found.file)
        assert all(re.match(f"({COPIES})?{OWNERS}", url) for url in found.urls)
        assert all(url.endswith("/" + found.file) for url in found.urls)
        assert re.match(OWNERS, found.urls[0])  # the owner first
        assert bool(found.checksum_source) == bool(found.checksums or found.bytes)
        assert found.md5 is None or re.fullmatch("[0-9a-f]{32}", found.md5)
        assert found.sha256 is None or re.fullmatch("[0-9a-f]{64}", found.sha256)
        assert found.md5_url in (None, found.urls[0] + ".md5")
        # A copy that is not the owner's is only taken where its bytes can be checked.
        assert len(found.urls) == 1 or found.checksums
    assert not entry.archives or (entry.archives_with("ratings") and entry.archives_with("items"))


def test_mutable_archives_have_no_fixed_checksum():
    entry = datasets.info("movielens-latest-small")
    assert not entry.is_exact
    assert entry.archives[0].checksums == {}
    assert entry.archives[0].bytes is None
    assert entry.archives[0].md5_url.endswith(".zip.md5")


def test_every_fixed_archive_has_a_checksum():
    for name in set(datasets.names()) - {"movielens-latest-small"}:
        assert all(found.checksums for found in datasets.info(name).archives_with("ratings")), name


def test_verified_entries_are_those_read_by_a_test():
    assert [entry.name for entry in load_registry().values() if entry.is_verified] == ["sample", "jester-1"]


def test_unknown_name_raises_with_a_suggestion():
    for what in (datasets.load, datasets.load_items, datasets.fetch, datasets.path, datasets.info):
        with pytest.raises(
            NotFoundError, match='there is no data set "movielens-1k"; did you mean "movielens-'
        ):
            what("movielens-1k")


def test_sample_needs_no_download():
    assert datasets.is_downloaded("sample")
    assert (datasets.path("sample") / "sample_items.csv").is_file()
    assert datasets.fetch("sample") == datasets.path("sample")
    sample = datasets.load("sample")
    entry = datasets.info("sample")
    assert (len(sample), len(sample.users), len(sample.items)) == (entry.ratings, entry.users, entry.items)
    assert sample.scale == entry.scale


def test_missing_dataset_names_the_fetch_command():
    assert not datasets.is_downloaded("jester-2")
    with pytest.raises(NotFoundError, match="jester-2 is not downloaded") as caught:
        datasets.path("jester-2")
    assert caught.value.hint == "foretaste datasets fetch jester-2"


def test_documentation_lists_the_registry():
    figures, terms = tables(DOCS / "datasets.md")
    wanted = [
        [
            f"`{e.name}`",
            f"{'' if e.is_exact else 'about '}{e.ratings:,}",
            f"{e.users:,}",
            f"{e.items:,}",
            f"{e.scale[0]:g} to {e.scale[1]:g}",
            e.extra_contents,
        ]
        for e in load_registry().values()
    ]
    assert figures[1:] == wanted
    shown = {name.strip(" `"): row[1:] for row in terms[1:] for name in row[0].split(",")}
    assert sorted(shown) == sorted(datasets.names())
    for name, (licence, where) in shown.items():
        assert licence == datasets.info(name).license
        assert datasets.info(name).license_source in where
