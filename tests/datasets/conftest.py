"""A cache of the test, and a server with one archive."""

from __future__ import annotations

import pytest
from file_server import DATA, NAME, serve_files

from foretaste._utils.progress import Progress
from foretaste.datasets.download import download


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Return the cache folder of the test; nothing can be downloaded, and there is no proxy."""
    monkeypatch.setenv("FORETASTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FORETASTE_MIRROR", str(tmp_path / "nowhere"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server(cache, monkeypatch):
    """Serve one archive; nothing else is a mirror."""
    monkeypatch.delenv("FORETASTE_MIRROR")
    with serve_files() as server:
        server.put(NAME, DATA)
        yield server


@pytest.fixture
def download_bytes(tmp_path):
    """Return a function that downloads a URL to films.zip.partial without delays, and returns the bytes."""

    def run(url, progress=None, retry_delays=(0.0, 0.0, 0.0), **options):
        target = tmp_path / NAME
        partial = download(url, target, progress or Progress(), retry_delays=retry_delays, **options)
        assert partial == tmp_path / f"{NAME}.partial"
        return partial.read_bytes()

    return run


@pytest.fixture
def partial_size(tmp_path):
    """Return a function that gives the size of films.zip.partial, 0 if there is none."""

    def size():
        path = tmp_path / f"{NAME}.partial"
        return path.stat().st_size if path.exists() else 0

    return size
