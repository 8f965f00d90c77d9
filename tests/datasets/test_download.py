"""Downloads of archives: checksums, cache, concurrent processes, mirrors."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from file_server import Answer, serving

import foretaste
from foretaste._utils.progress import LineProgress, Progress
from foretaste.datasets import cache, info, transfer
from foretaste.datasets.download import fetch_archives
from foretaste.datasets.registry import Archive, Dataset
from foretaste.datasets.transfer import PartialFile, download
from foretaste.errors import DataError, DownloadError, InvalidParameterError, NotFoundError

ROOT = str(Path(foretaste.__file__).parents[1])
NAME = "films.zip"
DATA = bytes(range(256)) * 1000
SMALL = "movielens-latest-small"  # its archive has no fixed checksum, so that a made one can stand for it
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """Use a folder of the test, no proxies, and no delay between attempts."""
    monkeypatch.setenv("FORETASTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FORETASTE_MIRROR", raising=False)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(transfer, "RETRY_DELAYS", (0.0, 0.0, 0.0))


@pytest.fixture
def server():
    with serving() as found:
        found.put(NAME, DATA)
        yield found


@pytest.fixture
def partial(tmp_path):
    return PartialFile(tmp_path / NAME)


def data_set(*urls: str, **more: object) -> Dataset:
    """Return a data set of one archive, published at these addresses."""
    archive = Archive(file=NAME, contents="both", urls=urls, **more)  # type: ignore[arg-type]
    return dataclasses.replace(info("movielens-100k"), archives=(archive,))


def fetched(found: Dataset) -> bytes:
    folder = fetch_archives(found, found.archives, Progress())
    assert leftovers(folder) == []
    return (folder / NAME).read_bytes()


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if "partial" in path.name]


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


# Checks --------------------------------------------------------------------------------------------------


def test_file_is_downloaded_once(server):
    found = data_set(f"{server.url}/{NAME}", bytes=len(DATA), md5=md5(DATA))
    assert fetched(found) == DATA
    assert fetched(found) == DATA  # from the cache
    (asked,) = server.asked_for(NAME)
    assert "range" not in asked
    assert asked["accept-encoding"] == "identity"


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_file_with_wrong_checksum_is_removed(server, algorithm):
    wrong = hashlib.new(algorithm, b"else", usedforsecurity=False).hexdigest()
    found = data_set(f"{server.url}/{NAME}", **{algorithm: wrong})
    with pytest.raises(DataError, match=f"differs from the published file: its {algorithm} is") as caught:
        fetched(found)
    assert wrong in caught.value.message
    folder = cache.dataset_folder(found)
    assert sorted(path.name for path in folder.iterdir()) == [".lock"]


def test_all_checksums_must_match(server):
    right = hashlib.sha256(DATA).hexdigest()
    with pytest.raises(DataError, match="its md5 is"):
        fetched(data_set(f"{server.url}/{NAME}", sha256=right, md5="0" * 32))


def test_wrong_content_length_raises_before_reading(server):
    found = data_set(f"{server.url}/{NAME}", bytes=12)
    with pytest.raises(DataError, match=r"offers 256,000 bytes; films\.zip has 12"):
        fetched(found)
    assert leftovers(cache.dataset_folder(found)) == []


def test_wrong_size_without_content_length_raises(server):
    server.always = Answer(length=False)
    with pytest.raises(DataError, match=r"has 256,000 bytes, not 12; it was removed"):
        fetched(data_set(f"{server.url}/{NAME}", bytes=12))
    assert leftovers(cache.dataset_folder(info("movielens-100k"))) == []


@pytest.mark.parametrize("line", ["MD5 (films.zip) = {}\n", "{}  films.zip\n"])
def test_published_checksum_file_is_used(server, line):
    beside = server.put(f"{NAME}.md5", line.format(md5(DATA).upper()).encode())
    assert fetched(data_set(f"{server.url}/{NAME}", md5_url=beside)) == DATA
    assert len(server.asked_for(f"{NAME}.md5")) == 1


def test_published_checksum_mismatch_raises(server):
    beside = server.put(f"{NAME}.md5", (md5(b"else") + "\n").encode())
    with pytest.raises(DataError, match="its md5 is"):
        fetched(data_set(f"{server.url}/{NAME}", md5_url=beside))


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(status=500)])
def test_missing_checksum_is_logged(server, answer, caplog):
    server.next[f"/{NAME}.md5"] = [answer]
    assert fetched(data_set(f"{server.url}/{NAME}", md5_url=f"{server.url}/{NAME}.md5")) == DATA
    assert "no published checksum available; the file is not verified" in caplog.text


def test_next_url_is_tried_and_the_first_error_reported(server, caplog):
    gone, fine = f"{server.url}/gone", f"{server.url}/{NAME}"
    assert fetched(data_set(gone, fine)) == DATA
    assert f"(next: {fine})" in caplog.text
    found = dataclasses.replace(data_set(gone, f"{server.url}/gone-too"), name="other")
    with pytest.raises(NotFoundError, match=f"{gone} does not exist"):
        fetched(found)


# The disk ------------------------------------------------------------------------------------------------


def test_file_larger_than_the_free_disk_raises_before_reading(server, partial):
    server.always = Answer(headers={"Content-Length": str(10**18)}, stall=0)
    with pytest.raises(DownloadError, match=r"films\.zip does not fit: 1000000\.0 TB needed, .* free"):
        download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.size() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a file on a disk that is full")
def test_full_disk_raises(partial):
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(DownloadError, match=r"films\.zip does not fit: no space left on device, .* free"),
    ):
        partial.append(full, b"x")


def test_short_writes_are_completed(partial):
    class Reluctant(io.RawIOBase):
        taken = b""

        def write(self, data):
            self.taken += bytes(data[:3])
            return min(3, len(data))

    file = Reluctant()
    partial.append(file, DATA[:100])
    assert file.taken == DATA[:100]


def test_full_disk_keeps_the_partial_file(server, start, tmp_path):
    server.put("ml-latest-small.zip", DATA)
    limit = 100_001
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {resource.RLIM_INFINITY})); "
    )
    code += f"from foretaste.cli import main; main(['datasets', 'fetch', '{SMALL}'])"
    done = finish(start(code))
    assert done[0] == 4, done
    assert "error: ml-latest-small.zip does not fit: file too large" in done[2]
    folder = tmp_path / "cache" / "datasets" / SMALL
    assert (folder / "ml-latest-small.zip.partial").stat().st_size == limit
    assert not (folder / "ml-latest-small.zip").exists()
    assert finish(start())[0] == 0
    assert server.asked_for("ml-latest-small.zip")[1]["range"] == f"bytes={limit}-"
    assert (folder / "ml-latest-small.zip").read_bytes() == DATA


def test_unwritable_partial_file_raises(server, partial):
    partial.path.mkdir()
    with pytest.raises(DownloadError, match=r"cannot write .*films\.zip\.partial: Is a directory") as caught:
        partial.open()
    assert "FORETASTE_CACHE" in caught.value.hint


def test_unwritable_license_file_is_ignored(server, caplog):
    found = data_set(f"{server.url}/{NAME}")
    (cache.ensure_folder(found) / cache.LICENSE_FILE).symlink_to("nowhere/LICENSE.txt")
    assert fetched(found) == DATA
    assert "its license could not be stored" in caplog.text


def test_uncreatable_cache_raises(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FORETASTE_CACHE", str(tmp_path / "file"))
    with pytest.raises(InvalidParameterError, match="cannot store movielens-100k in") as caught:
        fetched(data_set("http://127.0.0.1:9/x"))
    assert "FORETASTE_CACHE" in caught.value.hint


def test_cache_location(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("FORETASTE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "foretaste"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.cache_folder() == tmp_path / "home" / ".cache" / "foretaste"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.cache_folder() == tmp_path / "home" / "Library" / "Caches" / "foretaste"
    monkeypatch.setenv("FORETASTE_CACHE", "~/mine")
    assert cache.cache_folder() == tmp_path / "home" / "mine"


# Mirrors, terms, progress --------------------------------------------------------------------------------


def test_mirror_url_replaces_the_publisher(server, monkeypatch):
    server.put("deep/" + NAME, DATA[:10])
    server.put(f"deep/{NAME}.md5", md5(DATA[:10]).encode())
    monkeypatch.setenv("FORETASTE_MIRROR", f"{server.url}/deep/")
    found = data_set("https://data.invalid/sets/" + NAME, md5_url=f"https://data.invalid/sets/{NAME}.md5")
    assert fetched(found) == DATA[:10]
    assert [asked["path"] for asked in server.asked] == [f"/deep/{NAME}", f"/deep/{NAME}.md5"]


def test_a_folder_as_mirror(tmp_path, monkeypatch):
    place = tmp_path / "mirror"
    place.mkdir()
    monkeypatch.setenv("FORETASTE_MIRROR", str(place))
    found = data_set("https://data.invalid/" + NAME)
    with pytest.raises(NotFoundError, match=r"there is no file .*films\.zip") as caught:
        fetched(found)
    assert "https://data.invalid/" in caught.value.hint
    (place / NAME).write_bytes(DATA)
    (place / f"{NAME}.md5").write_text(md5(b"else"))
    with pytest.raises(DataError, match="its md5 is"):
        fetched(found)
    (place / f"{NAME}.md5").write_text(md5(DATA))
    assert fetched(found) == DATA
    (place / NAME).unlink()
    assert fetched(found) == DATA  # a copy, not a link


def test_mirror_checksums_are_verified(tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(DATA)
    monkeypatch.setenv("FORETASTE_MIRROR", str(tmp_path))
    with pytest.raises(DataError, match="its sha256 is"):
        fetched(data_set("https://data.invalid/" + NAME, sha256="0" * 64))


def test_license_is_printed_once_and_stored(server, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    found = data_set(f"{server.url}/{NAME}")
    server.next["/" + NAME] = [Answer(status=403)]
    with pytest.raises(DownloadError):
        fetched(found)
    assert caplog.text.count(found.license) == 1
    fetched(found)
    assert caplog.text.count(found.license) == 2  # the first time it had not come
    (cache.dataset_folder(found) / NAME).unlink()
    fetched(found)
    assert caplog.text.count(found.license) == 2
    kept = (cache.dataset_folder(found) / cache.LICENSE_FILE).read_text()
    assert all(part in kept for part in (found.title, found.license, found.license_source, found.citation))


def test_progress_is_in_bytes(server, partial, capsys):
    server.next["/" + NAME] = [Answer(cut=100_000)]
    seen: list[tuple[str, int, str]] = []

    class Watched(LineProgress):
        def start_task(self, label, total, unit=""):
            seen.append((label, total, unit))
            return super().start_task(label, total, unit)

    download(f"{server.url}/{NAME}", partial, Watched())
    assert seen == [(NAME, len(DATA), "bytes")] * 2
    line = capsys.readouterr().err
    assert line.startswith(NAME)
    assert line.endswith("256.0 kB\n")


# Processes -----------------------------------------------------------------------------------------------


@pytest.fixture
def start(server, tmp_path):
    """Start processes that fetch from the server as a mirror; none outlives the test."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([ROOT, os.environ.get("PYTHONPATH", "")]),
        "FORETASTE_MIRROR": server.url,
        "FORETASTE_CACHE": str(tmp_path / "cache"),
    }
    started: list[subprocess.Popen[str]] = []

    def run(*code: str) -> subprocess.Popen[str]:
        words = ["-c", *code] if code else ["-m", "foretaste", "datasets", "fetch", SMALL]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen([sys.executable, *words], text=True, env=environment, **pipes))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_ctrl_c_keeps_the_partial_file_for_resuming(server, start, tmp_path):
    server.put("ml-latest-small.zip", DATA)
    server.next["/ml-latest-small.zip"] = [Answer(stall=150_000)]
    process = start()
    folder = tmp_path / "cache" / "datasets" / SMALL
    partial = folder / "ml-latest-small.zip.partial"
    until(lambda: partial.exists() and partial.stat().st_size == 150_000)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130, err
    assert out == ""
    assert "interrupted; 150.0 kB received so far are saved" in err
    assert "Traceback" not in err
    assert not (folder / "ml-latest-small.zip").exists()
    code, out, err = finish(start())
    assert code == 0, err
    assert server.asked_for("ml-latest-small.zip")[1]["range"] == "bytes=150000-"
    assert server.sent["/ml-latest-small.zip"] == len(DATA)
    assert (folder / "ml-latest-small.zip").read_bytes() == DATA
    assert leftovers(folder) == []
    assert f"{SMALL} is in {folder}" in out


def test_two_processes_download_once(server, start):
    server.put("ml-latest-small.zip", DATA)
    server.next["/ml-latest-small.zip"] = [Answer(stall=1000)]
    first = start()
    until(lambda: server.asked_for("ml-latest-small.zip"))
    second = start()
    lines = []
    while not lines or "another process is downloading" not in lines[-1]:
        lines.append(second.stderr.readline())
        assert lines[-1], lines
    server.go_on.set()
    results = [finish(process) for process in (first, second)]
    assert [code for code, _, _ in results] == [0, 0], results
    assert results[0][1] == results[1][1]
    assert len(server.asked_for("ml-latest-small.zip")) == 1


def test_killed_process_releases_the_lock(server, start, tmp_path):
    server.put("ml-latest-small.zip", DATA)
    server.next["/ml-latest-small.zip"] = [Answer(stall=1000)]
    first = start()
    partial = tmp_path / "cache" / "datasets" / SMALL / "ml-latest-small.zip.partial"
    until(lambda: partial.exists() and partial.stat().st_size == 1000)
    first.kill()
    finish(first)
    code, _, err = finish(start())
    assert code == 0, err
    assert server.asked_for("ml-latest-small.zip")[1]["range"] == "bytes=1000-"
