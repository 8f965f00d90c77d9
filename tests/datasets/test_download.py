"""Downloads of archives: checksums, cache, concurrent processes, mirrors."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from file_server import DATA, NAME, Response

import foretaste
from foretaste._utils.progress import LineProgress, Progress
from foretaste.datasets import info
from foretaste.datasets.download import cache_folder, dataset_folder, fetch_archives
from foretaste.datasets.registry import Archive, Dataset
from foretaste.errors import DataError, DownloadError, InvalidParameterError, NotFoundError

ROOT = str(Path(foretaste.__file__).parents[1])
SMALL = "movielens-latest-small"  # its archive has no fixed checksum, so that a made one can stand for it


def make_dataset(*urls: str, **fields: object) -> Dataset:
    """Return a data set of one archive, published at these addresses."""
    archive = Archive(file=NAME, contents="both", urls=urls, **fields)  # type: ignore[arg-type]
    return dataclasses.replace(info("movielens-100k"), archives=(archive,))


def fetch_bytes(dataset: Dataset) -> bytes:
    folder = fetch_archives(dataset, dataset.archives, Progress())
    assert partial_files(folder) == []
    return (folder / NAME).read_bytes()


def partial_files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if "partial" in path.name]


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


# Checks --------------------------------------------------------------------------------------------------


def test_file_is_downloaded_once(server):
    dataset = make_dataset(f"{server.url}/{NAME}", bytes=len(DATA), md5=md5(DATA))
    assert fetch_bytes(dataset) == DATA
    assert fetch_bytes(dataset) == DATA  # from the cache
    (request,) = server.requests_of(NAME)
    assert "range" not in request
    assert request["accept-encoding"] == "identity"


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_file_with_wrong_checksum_is_removed(server, algorithm):
    wrong = hashlib.new(algorithm, b"else", usedforsecurity=False).hexdigest()
    dataset = make_dataset(f"{server.url}/{NAME}", **{algorithm: wrong})
    with pytest.raises(DataError, match=f"differs from the published file: its {algorithm} is") as caught:
        fetch_bytes(dataset)
    assert wrong in caught.value.message
    folder = dataset_folder(dataset)
    assert sorted(path.name for path in folder.iterdir()) == [".lock"]


def test_all_checksums_must_match(server):
    right = hashlib.sha256(DATA).hexdigest()
    with pytest.raises(DataError, match="its md5 is"):
        fetch_bytes(make_dataset(f"{server.url}/{NAME}", sha256=right, md5="0" * 32))


def test_wrong_content_length_raises_before_reading(server):
    dataset = make_dataset(f"{server.url}/{NAME}", bytes=12)
    with pytest.raises(DataError, match=r"offers 256,000 bytes; films\.zip has 12"):
        fetch_bytes(dataset)
    assert partial_files(dataset_folder(dataset)) == []


def test_wrong_size_without_content_length_raises(server):
    server.default_response = Response(length=False)
    with pytest.raises(DataError, match=r"has 256,000 bytes, not 12; it was removed"):
        fetch_bytes(make_dataset(f"{server.url}/{NAME}", bytes=12))
    assert partial_files(dataset_folder(info("movielens-100k"))) == []


@pytest.mark.parametrize("line", ["MD5 (films.zip) = {}\n", "{}  films.zip\n"])
def test_published_checksum_file_is_used(server, line):
    beside = server.put(f"{NAME}.md5", line.format(md5(DATA).upper()).encode())
    assert fetch_bytes(make_dataset(f"{server.url}/{NAME}", md5_url=beside)) == DATA
    assert len(server.requests_of(f"{NAME}.md5")) == 1


def test_published_checksum_mismatch_raises(server):
    beside = server.put(f"{NAME}.md5", (md5(b"else") + "\n").encode())
    with pytest.raises(DataError, match="its md5 is"):
        fetch_bytes(make_dataset(f"{server.url}/{NAME}", md5_url=beside))


@pytest.mark.parametrize("answer", [Response(status=404), Response(status=500)])
def test_missing_checksum_is_logged(server, answer, caplog):
    server.next_responses[f"/{NAME}.md5"] = [answer]
    assert fetch_bytes(make_dataset(f"{server.url}/{NAME}", md5_url=f"{server.url}/{NAME}.md5")) == DATA
    assert "no published checksum available; the file is not verified" in caplog.text


def test_next_url_is_tried_and_the_first_error_reported(server, caplog):
    gone, fine = f"{server.url}/gone", f"{server.url}/{NAME}"
    assert fetch_bytes(make_dataset(gone, fine)) == DATA
    assert f"(next: {fine})" in caplog.text
    dataset = dataclasses.replace(make_dataset(gone, f"{server.url}/gone-too"), name="other")
    with pytest.raises(NotFoundError, match=f"{gone} does not exist"):
        fetch_bytes(dataset)


# The disk ------------------------------------------------------------------------------------------------


def test_file_larger_than_the_free_disk_raises_before_reading(server, download_bytes, partial_size):
    server.default_response = Response(headers={"Content-Length": str(10**18)}, stall=0)
    with pytest.raises(DownloadError, match=r"films\.zip does not fit: 1000000\.0 TB needed, .* free"):
        download_bytes(f"{server.url}/{NAME}")
    assert partial_size() == 0


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
    assert server.requests_of("ml-latest-small.zip")[1]["range"] == f"bytes={limit}-"
    assert (folder / "ml-latest-small.zip").read_bytes() == DATA


def test_unwritable_partial_file_raises(server, download_bytes, tmp_path):
    (tmp_path / f"{NAME}.partial").mkdir()
    with pytest.raises(DownloadError, match=r"cannot write .*films\.zip\.partial: Is a directory") as caught:
        download_bytes(f"{server.url}/{NAME}")
    assert "FORETASTE_CACHE" in caught.value.hint


def test_unwritable_license_file_is_ignored(server, caplog):
    dataset = make_dataset(f"{server.url}/{NAME}")
    dataset_folder(dataset).mkdir(parents=True)
    (dataset_folder(dataset) / "LICENSE.txt").symlink_to("nowhere/LICENSE.txt")
    assert fetch_bytes(dataset) == DATA
    assert "its license could not be stored" in caplog.text


def test_uncreatable_cache_raises(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FORETASTE_CACHE", str(tmp_path / "file"))
    with pytest.raises(InvalidParameterError, match="cannot store movielens-100k in") as caught:
        fetch_bytes(make_dataset("http://127.0.0.1:9/x"))
    assert "FORETASTE_CACHE" in caught.value.hint


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("FORETASTE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "foretaste"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "foretaste"
    monkeypatch.setenv("FORETASTE_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "home" / "mine"


# Mirrors, terms, progress --------------------------------------------------------------------------------


def test_mirror_url_replaces_the_publisher(server, monkeypatch):
    server.put("deep/" + NAME, DATA[:10])
    server.put(f"deep/{NAME}.md5", md5(DATA[:10]).encode())
    monkeypatch.setenv("FORETASTE_MIRROR", f"{server.url}/deep/")
    dataset = make_dataset(
        "https://data.invalid/sets/" + NAME, md5_url=f"https://data.invalid/sets/{NAME}.md5"
    )
    assert fetch_bytes(dataset) == DATA[:10]
    assert [request["path"] for request in server.requests] == [f"/deep/{NAME}", f"/deep/{NAME}.md5"]


def test_mirror_folder_is_copied_and_verified(tmp_path, monkeypatch):
    place = tmp_path / "mirror"
    place.mkdir()
    monkeypatch.setenv("FORETASTE_MIRROR", str(place))
    dataset = make_dataset("https://data.invalid/" + NAME)
    with pytest.raises(NotFoundError, match=r"there is no file .*films\.zip") as caught:
        fetch_bytes(dataset)
    assert "https://data.invalid/" in caught.value.hint
    (place / NAME).write_bytes(DATA)
    (place / f"{NAME}.md5").write_text(md5(b"else"))
    with pytest.raises(DataError, match="its md5 is"):
        fetch_bytes(dataset)
    (place / f"{NAME}.md5").write_text(md5(DATA))
    assert fetch_bytes(dataset) == DATA
    (place / NAME).unlink()
    assert fetch_bytes(dataset) == DATA  # a copy, not a link


def test_mirror_checksums_are_verified(tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(DATA)
    monkeypatch.setenv("FORETASTE_MIRROR", str(tmp_path))
    with pytest.raises(DataError, match="its sha256 is"):
        fetch_bytes(make_dataset("https://data.invalid/" + NAME, sha256="0" * 64))


def test_license_is_printed_once_and_stored(server, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    dataset = make_dataset(f"{server.url}/{NAME}")
    server.next_responses["/" + NAME] = [Response(status=403)]
    with pytest.raises(DownloadError):
        fetch_bytes(dataset)
    assert caplog.text.count(dataset.license) == 1
    fetch_bytes(dataset)
    assert caplog.text.count(dataset.license) == 2  # the first time it had not come
    (dataset_folder(dataset) / NAME).unlink()
    fetch_bytes(dataset)
    assert caplog.text.count(dataset.license) == 2
    stored = (dataset_folder(dataset) / "LICENSE.txt").read_text()
    assert all(
        part in stored for part in (dataset.title, dataset.license, dataset.license_source, dataset.citation)
    )


def test_progress_is_in_bytes(server, download_bytes, capsys):
    server.next_responses["/" + NAME] = [Response(cut=100_000)]
    seen: list[tuple[str, int, str]] = []

    class Watched(LineProgress):
        def start_task(self, label, total, unit=""):
            seen.append((label, total, unit))
            return super().start_task(label, total, unit)

    download_bytes(f"{server.url}/{NAME}", Watched())
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


def wait_until(condition, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_ctrl_c_keeps_the_partial_file_for_resuming(server, start, tmp_path):
    server.put("ml-latest-small.zip", DATA)
    server.next_responses["/ml-latest-small.zip"] = [Response(stall=150_000)]
    process = start()
    folder = tmp_path / "cache" / "datasets" / SMALL
    partial = folder / "ml-latest-small.zip.partial"
    wait_until(lambda: partial.exists() and partial.stat().st_size == 150_000)
    process.send_signal(signal.SIGINT)
    code, out, err = finish(process)
    assert code == 130, err
    assert out == ""
    assert "interrupted; 150.0 kB received so far are saved" in err
    assert "Traceback" not in err
    assert not (folder / "ml-latest-small.zip").exists()
    code, out, err = finish(start())
    assert code == 0, err
    assert server.requests_of("ml-latest-small.zip")[1]["range"] == "bytes=150000-"
    assert server.sent["/ml-latest-small.zip"] == len(DATA)
    assert (folder / "ml-latest-small.zip").read_bytes() == DATA
    assert partial_files(folder) == []
    assert f"{SMALL} is in {folder}" in out


def test_two_processes_download_once(server, start):
    server.put("ml-latest-small.zip", DATA)
    server.next_responses["/ml-latest-small.zip"] = [Response(stall=1000)]
    first = start()
    wait_until(lambda: server.requests_of("ml-latest-small.zip"))
    second = start()
    lines = []
    while not lines or "another process is downloading" not in lines[-1]:
        lines.append(second.stderr.readline())
        assert lines[-1], lines
    server.resume.set()
    results = [finish(process) for process in (first, second)]
    assert [code for code, _, _ in results] == [0, 0], results
    assert results[0][1] == results[1][1]
    assert len(server.requests_of("ml-latest-small.zip")) == 1


def test_killed_process_releases_the_lock(server, start, tmp_path):
    server.put("ml-latest-small.zip", DATA)
    server.next_responses["/ml-latest-small.zip"] = [Response(stall=1000)]
    first = start()
    partial = tmp_path / "cache" / "datasets" / SMALL / "ml-latest-small.zip.partial"
    wait_until(lambda: partial.exists() and partial.stat().st_size == 1000)
    first.kill()
    finish(first)
    code, _, err = finish(start())
    assert code == 0, err
    assert server.requests_of("ml-latest-small.zip")[1]["range"] == "bytes=1000-"
