"""Fetching: from a server that cuts, stalls, lies and refuses, and from mirrors; whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from file_server import Answer, serving
from hypothesis import given, settings
from hypothesis import strategies as st

import foretaste
from foretaste.datasets import cache, connection, fetching, info, transfer
from foretaste.datasets.catalogue import Archive, DataSet
from foretaste.datasets.transfer import Partial, download
from foretaste.errors import BadData, InvalidParameter, NotFetched, NotFound
from foretaste.progress import Lines, Progress

ROOT = str(Path(foretaste.__file__).parents[1])
NAME = "films.zip"
DATA = bytes(range(256)) * 1000
SMALL = "movielens-latest-small"  # its archive has no fixed checksum, so that a made one can stand for it
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    """Keep to a folder of the test, without proxies, and do not wait between attempts."""
    monkeypatch.setenv("FORETASTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("FORETASTE_MIRROR", raising=False)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(transfer, "PAUSES", (0.0, 0.0, 0.0))


@pytest.fixture
def server():
    with serving() as found:
        found.put(NAME, DATA)
        yield found


@pytest.fixture
def partial(tmp_path):
    return Partial(tmp_path / NAME)


def data_set(*urls: str, **more: object) -> DataSet:
    """Return a data set of one archive, published at these addresses."""
    archive = Archive(file=NAME, holds="both", urls=urls, **more)  # type: ignore[arg-type]
    return dataclasses.replace(info("movielens-100k"), archives=(archive,))


def fetched(found: DataSet) -> bytes:
    folder = fetching.fetch_archives(found, found.archives, Progress())
    assert leftovers(folder) == []
    return (folder / NAME).read_bytes()


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if "partial" in path.name]


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


# One file ------------------------------------------------------------------------------------------------


def test_a_file_comes_whole_and_is_asked_for_once(server):
    found = data_set(f"{server.url}/{NAME}", bytes=len(DATA), md5=md5(DATA))
    assert fetched(found) == DATA
    assert fetched(found) == DATA  # from the cache
    (asked,) = server.asked_for(NAME)
    assert "range" not in asked
    assert asked["accept-encoding"] == "identity"


def test_what_was_cut_goes_on_where_it_was(server, partial):
    server.next["/" + NAME] = [Answer(cut=100_000), Answer(cut=50_000)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert [a.get("range") for a in server.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert server.sent["/" + NAME] == len(DATA)  # no byte twice


@settings(max_examples=40)
@given(
    size=st.integers(0, 3000),
    cuts=st.lists(st.integers(0, 1200), max_size=6),
    ranges=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_whatever_is_cut_the_bytes_are_right(size, cuts, ranges):
    with serving() as server, tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "PAUSES", (0.0,) * 7)
        url = server.put(NAME, DATA[:size])
        server.next["/" + NAME] = [Answer(cut=cut, ranges=r) for cut, r in zip(cuts, ranges, strict=False)]
        partial = Partial(Path(folder) / NAME)
        download(url, partial, Progress())
        assert partial.path.read_bytes() == DATA[:size]


def test_a_server_that_gives_no_parts_starts_anew_and_this_is_said(server, partial, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    server.next["/" + NAME] = [Answer(cut=100_000)]
    server.always = Answer(ranges=False)
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert server.asked[1]["range"] == "bytes=100000-"
    assert "the server cannot go on where it was cut; starting anew" in caplog.text


def test_a_file_that_changed_meanwhile_is_not_pasted_together(server, partial):
    server.next["/" + NAME] = [Answer(cut=100_000)]
    other = DATA[::-1]
    url = f"{server.url}/{NAME}"

    class Change(Lines):
        def task(self, label, total, unit=""):
            server.put(NAME, other)
            return super().task(label, total, unit)

    download(url, partial, Change())
    assert server.asked[1]["if-range"] != f'"{hashlib.sha256(other).hexdigest()[:16]}"'
    assert partial.path.read_bytes() == other


def test_without_a_sign_of_the_file_no_part_is_asked_for(server, partial):
    server.next["/" + NAME] = [Answer(cut=9, etag=False), Answer(etag=False)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert "range" not in server.asked[1]


def test_a_weak_sign_gives_way_to_the_time_of_change(server, partial):
    when = "Wed, 21 Oct 2015 07:28:00 GMT"
    headers = {"ETag": 'W/"1"', "Last-Modified": when}
    server.next["/" + NAME] = [Answer(cut=9, headers=headers), Answer(headers=headers)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert server.asked[1]["if-range"] == when
    assert server.sent["/" + NAME] == len(DATA)
    assert partial.path.read_bytes() == DATA


def test_parts_of_another_address_are_not_used(server, partial):
    server.next["/" + NAME] = [Answer(cut=9), *[Answer(status=503)] * 4]
    with pytest.raises(NotFetched):
        download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.size() == 9
    other = server.put("other.zip", DATA[::-1])
    download(other, partial, Progress())
    assert "range" not in server.asked_for("other.zip")[0]
    assert partial.path.read_bytes() == DATA[::-1]


def test_a_part_that_was_whole_already_is_kept(server, partial):
    url = f"{server.url}/{NAME}"
    download(url, partial, Progress())
    download(url, partial, Progress())  # as after a kill just before the last step
    assert server.asked[1]["range"] == f"bytes={len(DATA)}-"
    assert server.sent["/" + NAME] == len(DATA)
    assert partial.path.read_bytes() == DATA


def test_another_part_than_was_asked_for_is_thrown_away(server, partial):
    wrong = {"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}
    server.next["/" + NAME] = [Answer(cut=9), Answer(headers=wrong)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert "range" not in server.asked[2]


def test_a_file_without_a_length_comes_too(server, partial):
    server.always = Answer(length=False)
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA


def test_a_server_that_stalls_is_left_and_asked_again(server, partial, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    monkeypatch.setattr(connection, "TIMEOUT", 0.2)
    server.next["/" + NAME] = [Answer(stall=70_000)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert server.asked[1]["range"] == "bytes=70000-"
    assert "no answer from 127.0.0.1 for 0.2 s; trying again" in caplog.text


# Refusals ------------------------------------------------------------------------------------------------


def test_a_fault_of_the_server_passes(server, partial, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    server.next["/" + NAME] = [Answer(status=500), Answer(status=503)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert "the server says 500 Internal Server Error; trying again in 0 s" in caplog.text


def test_a_server_says_how_long_to_wait_but_not_for_ever(server, partial, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(transfer.time, "sleep", pauses.append)
    server.next["/" + NAME] = [
        Answer(status=429, headers={"Retry-After": "7"}),
        Answer(status=503, headers={"Retry-After": "86400"}),
        Answer(status=503, headers={"Retry-After": "tomorrow"}),
    ]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert pauses == [7, 60, 0]


def test_pauses_grow_and_end(server, partial, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(transfer, "PAUSES", (1.0, 2.0, 4.0))
    monkeypatch.setattr(transfer.time, "sleep", pauses.append)
    server.always = Answer(status=502)
    with pytest.raises(NotFetched, match="502 Bad Gateway") as caught:
        download(f"{server.url}/{NAME}", partial, Progress())
    assert pauses == [1, 2, 4]
    assert len(server.asked) == 4
    assert "4 attempts in a row brought nothing; 0 bytes are here" in caught.value.where


def test_attempts_that_bring_something_do_not_count(server, partial, monkeypatch):
    monkeypatch.setattr(transfer, "PAUSES", (0.0,))
    server.next["/" + NAME] = [Answer(cut=1000) for _ in range(20)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (404, NotFound, "is not there (404 Not Found)"),
        (410, NotFound, "is not there (410 Gone)"),
        (403, NotFetched, "says 403 Forbidden"),
        (401, NotFetched, "says 401 Unauthorized"),
        (299, NotFetched, "says 299 ?"),
    ],
)
def test_a_refusal_for_good_is_not_asked_again(server, partial, status, kind, message):
    server.always = Answer(status=status)
    with pytest.raises(kind) as caught:
        download(f"{server.url}/{NAME}", partial, Progress())
    assert message in caught.value.message
    assert "FORETASTE_MIRROR" in caught.value.hint
    assert len(server.asked) == 1


def test_nobody_there(partial):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NotFetched, match=r"no connection to 127\.0\.0\.1: .*refused"):
        download(f"http://127.0.0.1:{port}/x", partial, Progress())


def test_no_such_host_is_said_at_once(partial, monkeypatch):
    def nowhere(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    monkeypatch.setattr(transfer.time, "sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(NotFetched, match=r"no address for data\.invalid: no network, or a wrong name"):
        download("http://data.invalid/x", partial, Progress())


@pytest.mark.parametrize("url", ["ftp://data.invalid/x", "file:///etc/passwd", "http:///x", "x"])
def test_other_addresses_are_refused(partial, url):
    with pytest.raises(NotFetched, match="is not an address that can be fetched"):
        download(url, partial, Progress())


# Redirects, certificates, proxies ------------------------------------------------------------------------


def test_redirects_are_followed_and_resumed(server, partial):
    to_file = Answer(status=302, headers={"Location": f"/{NAME}"})
    server.next["/moved"] = [to_file, to_file]
    server.next["/" + NAME] = [Answer(cut=500)]
    download(f"{server.url}/moved", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert server.asked_for(NAME)[1]["range"] == "bytes=500-"


def test_redirects_in_a_circle_end(server, partial):
    server.always = Answer(status=301, headers={"Location": "/round"})
    with pytest.raises(NotFetched, match="leads on and on"):
        download(f"{server.url}/round", partial, Progress())
    assert len(server.asked) == 11


def test_a_redirect_to_a_local_file_is_refused(server, partial):
    server.always = Answer(status=302, headers={"Location": "file:///etc/passwd"})
    with pytest.raises(NotFetched, match="not an address that can be fetched"):
        download(f"{server.url}/x", partial, Progress())


@pytest.fixture
def certificate(tmp_path):
    """Return a file with a certificate for 127.0.0.1 that nobody trusts, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    file, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    words = (
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    command = ["openssl", *words.split(), "-keyout", str(key), "-out", str(file)]
    subprocess.run(command, check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file


def test_a_certificate_that_nobody_trusts_is_refused(certificate, partial):
    with serving(certificate) as server:
        url = server.put(NAME, DATA)
        with pytest.raises(NotFetched, match=r"the certificate of 127\.0\.0\.1 is not accepted: self"):
            download(url, partial, Progress())
        assert server.asked == []


def test_from_https_to_http_is_refused(certificate, server, partial, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate) as safe:
        url = safe.put(NAME, DATA[:1000])
        download(url, partial, Progress())
        assert partial.path.read_bytes() == DATA[:1000]
        safe.always = Answer(status=302, headers={"Location": f"{server.url}/{NAME}"})
        with pytest.raises(NotFetched, match="which is not protected; refused"):
            download(url, partial, Progress())
    assert server.asked == []


@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_the_proxy_of_the_environment_is_used(server, partial, monkeypatch, variable):
    monkeypatch.setenv(variable, server.url.replace("://", "://me:p%40ss@"))
    download(f"http://data.invalid/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    (asked,) = server.asked
    assert asked["line"] == f"http://data.invalid/{NAME}"
    assert asked["proxy-authorization"] == "Basic bWU6cEBzcw=="  # me:p@ss


def test_no_proxy_is_respected(server, partial, monkeypatch):
    monkeypatch.setenv("http_proxy", "127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA


def test_a_proxy_of_another_kind_is_refused(partial, monkeypatch):
    monkeypatch.setenv("http_proxy", "socks5://me:secret@127.0.0.1:9")
    with pytest.raises(NotFetched, match=r"the proxy socks5://127\.0\.0\.1:9 is of a kind") as caught:
        download("http://data.invalid/x", partial, Progress())
    assert "secret" not in str(caught.value)


# Checks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_wrong_bytes_are_removed(server, algorithm):
    wrong = hashlib.new(algorithm, b"else", usedforsecurity=False).hexdigest()
    found = data_set(f"{server.url}/{NAME}", **{algorithm: wrong})
    with pytest.raises(BadData, match=f"is not the published file: its {algorithm} is") as caught:
        fetched(found)
    assert wrong in caught.value.message
    folder = cache.folder_of(found)
    assert sorted(path.name for path in folder.iterdir()) == [".lock"]


def test_all_checksums_must_be_right(server):
    right = hashlib.sha256(DATA).hexdigest()
    with pytest.raises(BadData, match="its md5 is"):
        fetched(data_set(f"{server.url}/{NAME}", sha256=right, md5="0" * 32))


def test_another_size_is_refused_before_it_is_read(server):
    found = data_set(f"{server.url}/{NAME}", bytes=12)
    with pytest.raises(BadData, match=r"offers 256,000 bytes; films\.zip has 12"):
        fetched(found)
    assert leftovers(cache.folder_of(found)) == []


def test_another_size_is_refused_without_a_length_too(server):
    server.always = Answer(length=False)
    with pytest.raises(BadData, match=r"has 256,000 bytes, not 12; it was removed"):
        fetched(data_set(f"{server.url}/{NAME}", bytes=12))


@pytest.mark.parametrize("line", ["MD5 (films.zip) = {}\n", "{}  films.zip\n"])
def test_the_checksum_beside_the_archive_is_looked_up(server, line):
    beside = server.put(f"{NAME}.md5", line.format(md5(DATA).upper()).encode())
    assert fetched(data_set(f"{server.url}/{NAME}", md5_url=beside)) == DATA
    assert len(server.asked_for(f"{NAME}.md5")) == 1


def test_a_wrong_checksum_beside_the_archive_counts(server):
    beside = server.put(f"{NAME}.md5", (md5(b"else") + "\n").encode())
    with pytest.raises(BadData, match="its md5 is"):
        fetched(data_set(f"{server.url}/{NAME}", md5_url=beside))


@pytest.mark.parametrize("answer", [Answer(status=404), Answer(status=500)])
def test_without_any_checksum_it_is_said(server, answer, caplog):
    server.next[f"/{NAME}.md5"] = [answer]
    assert fetched(data_set(f"{server.url}/{NAME}", md5_url=f"{server.url}/{NAME}.md5")) == DATA
    assert "no published checksum could be had; it is not checked" in caplog.text


def test_the_next_address_is_tried_and_the_first_error_told(server, caplog):
    gone, fine = f"{server.url}/gone", f"{server.url}/{NAME}"
    assert fetched(data_set(gone, fine)) == DATA
    assert f"(next: {fine})" in caplog.text
    found = dataclasses.replace(data_set(gone, f"{server.url}/gone-too"), name="other")
    with pytest.raises(NotFound, match=f"{gone} is not there"):
        fetched(found)


# The disk ------------------------------------------------------------------------------------------------


def test_a_file_too_large_for_the_disk_is_refused_before_it_is_read(server, partial):
    server.always = Answer(headers={"Content-Length": str(10**18)}, stall=0)
    with pytest.raises(NotFetched, match=r"films\.zip does not fit: 1000000\.0 TB are needed, .* are free"):
        download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.size() == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a file on a disk that is full")
def test_a_full_disk_is_said(partial):
    with (
        Path("/dev/full").open("wb", buffering=0) as full,
        pytest.raises(NotFetched, match=r"films\.zip does not fit: no space left on device, .* are free"),
    ):
        partial.append(full, b"x")


def test_a_disk_that_fills_up_keeps_what_came(server, start, tmp_path):
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


def test_a_part_that_cannot_be_written(server, partial):
    partial.path.mkdir()
    with pytest.raises(NotFetched, match=r"cannot write .*films\.zip\.partial: Is a directory") as caught:
        partial.open()
    assert "FORETASTE_CACHE" in caught.value.hint


def test_terms_that_cannot_be_kept_do_not_matter(server, caplog):
    found = data_set(f"{server.url}/{NAME}")
    (cache.made_folder(found) / cache.LICENCE).symlink_to("nowhere/LICENCE.txt")
    assert fetched(found) == DATA
    assert "its terms could not be kept" in caplog.text


def test_a_cache_that_cannot_be_made(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FORETASTE_CACHE", str(tmp_path / "file"))
    with pytest.raises(InvalidParameter, match="cannot keep movielens-100k in") as caught:
        fetched(data_set("http://127.0.0.1:9/x"))
    assert "FORETASTE_CACHE" in caught.value.hint


def test_where_the_cache_is(monkeypatch, tmp_path):
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


def test_a_mirror_at_an_address_stands_for_the_owner(server, monkeypatch):
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
    with pytest.raises(NotFound, match=r"there is no file .*films\.zip") as caught:
        fetched(found)
    assert "https://data.invalid/" in caught.value.hint
    (place / NAME).write_bytes(DATA)
    (place / f"{NAME}.md5").write_text(md5(b"else"))
    with pytest.raises(BadData, match="its md5 is"):
        fetched(found)
    (place / f"{NAME}.md5").write_text(md5(DATA))
    assert fetched(found) == DATA
    (place / NAME).unlink()
    assert fetched(found) == DATA  # a copy, not a link


def test_a_mirror_is_checked_like_the_owner(tmp_path, monkeypatch):
    (tmp_path / NAME).write_bytes(DATA)
    monkeypatch.setenv("FORETASTE_MIRROR", str(tmp_path))
    with pytest.raises(BadData, match="its sha256 is"):
        fetched(data_set("https://data.invalid/" + NAME, sha256="0" * 64))


def test_terms_are_said_once_and_kept(server, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    found = data_set(f"{server.url}/{NAME}")
    server.next["/" + NAME] = [Answer(status=403)]
    with pytest.raises(NotFetched):
        fetched(found)
    assert caplog.text.count(found.licence) == 1
    fetched(found)
    assert caplog.text.count(found.licence) == 2  # the first time it had not come
    (cache.folder_of(found) / NAME).unlink()
    fetched(found)
    assert caplog.text.count(found.licence) == 2
    kept = (cache.folder_of(found) / cache.LICENCE).read_text()
    assert all(part in kept for part in (found.title, found.licence, found.licence_source, found.citation))


def test_progress_is_in_bytes(server, partial, capsys):
    server.next["/" + NAME] = [Answer(cut=100_000)]
    seen: list[tuple[str, int, str]] = []

    class Watched(Lines):
        def task(self, label, total, unit=""):
            seen.append((label, total, unit))
            return super().task(label, total, unit)

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


def test_ctrl_c_keeps_what_came_and_the_next_time_goes_on(server, start, tmp_path):
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
    assert "stopped; the 150.0 kB that came are kept" in err
    assert "Traceback" not in err
    assert not (folder / "ml-latest-small.zip").exists()
    code, out, err = finish(start())
    assert code == 0, err
    assert server.asked_for("ml-latest-small.zip")[1]["range"] == "bytes=150000-"
    assert server.sent["/ml-latest-small.zip"] == len(DATA)
    assert (folder / "ml-latest-small.zip").read_bytes() == DATA
    assert leftovers(folder) == []
    assert f"{SMALL} is in {folder}" in out


def test_two_processes_fetch_once(server, start):
    server.put("ml-latest-small.zip", DATA)
    server.next["/ml-latest-small.zip"] = [Answer(stall=1000)]
    first = start()
    until(lambda: server.asked_for("ml-latest-small.zip"))
    second = start()
    lines = []
    while not lines or "another process is fetching" not in lines[-1]:
        lines.append(second.stderr.readline())
        assert lines[-1], lines
    server.go_on.set()
    results = [finish(process) for process in (first, second)]
    assert [code for code, _, _ in results] == [0, 0], results
    assert results[0][1] == results[1][1]
    assert len(server.asked_for("ml-latest-small.zip")) == 1


def test_a_process_that_dies_gives_the_lock_back(server, start, tmp_path):
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
