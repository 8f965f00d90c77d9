"""HTTP transfer of one file: resuming, retries, redirects, proxies; complete or not at all."""

from __future__ import annotations

import hashlib
import logging
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from file_server import Answer, serving
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste._utils.progress import LineProgress, Progress
from foretaste.datasets import connection, transfer
from foretaste.datasets.transfer import PartialFile, download
from foretaste.errors import DownloadError, NotFoundError

NAME = "films.zip"
DATA = bytes(range(256)) * 1000
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


# One file ------------------------------------------------------------------------------------------------


def test_interrupted_transfer_resumes(server, partial):
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
def test_any_interruption_gives_the_right_bytes(size, cuts, ranges):
    with serving() as server, tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(transfer, "RETRY_DELAYS", (0.0,) * 7)
        url = server.put(NAME, DATA[:size])
        server.next["/" + NAME] = [Answer(cut=cut, ranges=r) for cut, r in zip(cuts, ranges, strict=False)]
        partial = PartialFile(Path(folder) / NAME)
        download(url, partial, Progress())
        assert partial.path.read_bytes() == DATA[:size]


def test_server_without_ranges_restarts_and_logs_it(server, partial, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    server.next["/" + NAME] = [Answer(cut=100_000)]
    server.always = Answer(ranges=False)
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert server.asked[1]["range"] == "bytes=100000-"
    assert "the server cannot resume; starting from the beginning" in caplog.text


def test_changed_file_restarts(server, partial):
    server.next["/" + NAME] = [Answer(cut=100_000)]
    other = DATA[::-1]
    url = f"{server.url}/{NAME}"

    class Change(LineProgress):
        def start_task(self, label, total, unit=""):
            server.put(NAME, other)
            return super().start_task(label, total, unit)

    download(url, partial, Change())
    assert server.asked[1]["if-range"] != f'"{hashlib.sha256(other).hexdigest()[:16]}"'
    assert partial.path.read_bytes() == other


def test_no_range_request_without_a_validator(server, partial):
    server.next["/" + NAME] = [Answer(cut=9, etag=False), Answer(etag=False)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert "range" not in server.asked[1]


def test_weak_etag_falls_back_to_last_modified(server, partial):
    when = "Wed, 21 Oct 2015 07:28:00 GMT"
    headers = {"ETag": 'W/"1"', "Last-Modified": when}
    server.next["/" + NAME] = [Answer(cut=9, headers=headers), Answer(headers=headers)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert server.asked[1]["if-range"] == when
    assert server.sent["/" + NAME] == len(DATA)
    assert partial.path.read_bytes() == DATA


def test_partial_file_of_another_url_is_discarded(server, partial):
    server.next["/" + NAME] = [Answer(cut=9), *[Answer(status=503)] * 4]
    with pytest.raises(DownloadError):
        download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.size() == 9
    other = server.put("other.zip", DATA[::-1])
    download(other, partial, Progress())
    assert "range" not in server.asked_for("other.zip")[0]
    assert partial.path.read_bytes() == DATA[::-1]


def test_complete_partial_file_is_used(server, partial):
    url = f"{server.url}/{NAME}"
    download(url, partial, Progress())
    download(url, partial, Progress())  # as after a kill just before the last step
    assert server.asked[1]["range"] == f"bytes={len(DATA)}-"
    assert server.sent["/" + NAME] == len(DATA)
    assert partial.path.read_bytes() == DATA


def test_wrong_content_range_is_discarded(server, partial):
    wrong = {"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}
    server.next["/" + NAME] = [Answer(cut=9), Answer(headers=wrong)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert "range" not in server.asked[2]


def test_file_without_content_length(server, partial):
    server.always = Answer(length=False)
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA


def test_stalled_transfer_is_retried(server, partial, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    monkeypatch.setattr(connection, "TIMEOUT_SECONDS", 0.2)
    server.next["/" + NAME] = [Answer(stall=70_000)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert server.asked[1]["range"] == "bytes=70000-"
    assert "no response from 127.0.0.1 for 0.2 s; trying again" in caplog.text


# Refusals ------------------------------------------------------------------------------------------------


def test_server_errors_are_retried(server, partial, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    server.next["/" + NAME] = [Answer(status=500), Answer(status=503)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert "the server answered 500 Internal Server Error; trying again in 0 s" in caplog.text


def test_retry_after_is_respected_up_to_a_limit(server, partial, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(transfer.time, "sleep", pauses.append)
    server.next["/" + NAME] = [
        Answer(status=429, headers={"Retry-After": "7"}),
        Answer(status=503, headers={"Retry-After": "86400"}),
        Answer(status=503, headers={"Retry-After": "tomorrow"}),
    ]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert pauses == [7, 60, 0]


def test_retry_delays_grow_and_end(server, partial, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(transfer, "RETRY_DELAYS", (1.0, 2.0, 4.0))
    monkeypatch.setattr(transfer.time, "sleep", pauses.append)
    server.always = Answer(status=502)
    with pytest.raises(DownloadError, match="502 Bad Gateway") as caught:
        download(f"{server.url}/{NAME}", partial, Progress())
    assert pauses == [1, 2, 4]
    assert len(server.asked) == 4
    assert "4 attempts in a row received nothing; 0 bytes are here" in caught.value.where


def test_attempts_with_progress_do_not_count(server, partial, monkeypatch):
    monkeypatch.setattr(transfer, "RETRY_DELAYS", (0.0,))
    server.next["/" + NAME] = [Answer(cut=1000) for _ in range(20)]
    download(f"{server.url}/{NAME}", partial, Progress())
    assert partial.path.read_bytes() == DATA


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (404, NotFoundError, "does not exist (404 Not Found)"),
        (410, NotFoundError, "does not exist (410 Gone)"),
        (403, DownloadError, "answered 403 Forbidden"),
        (401, DownloadError, "answered 401 Unauthorized"),
        (299, DownloadError, "answered 299 ?"),
    ],
)
def test_permanent_errors_are_not_retried(server, partial, status, kind, message):
    server.always = Answer(status=status)
    with pytest.raises(kind) as caught:
        download(f"{server.url}/{NAME}", partial, Progress())
    assert message in caught.value.message
    assert "FORETASTE_MIRROR" in caught.value.hint
    assert len(server.asked) == 1


def test_connection_refused_raises(partial):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match=r"no connection to 127\.0\.0\.1: .*refused"):
        download(f"http://127.0.0.1:{port}/x", partial, Progress())


def test_unknown_host_raises_at_once(partial, monkeypatch):
    def nowhere(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    monkeypatch.setattr(transfer.time, "sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(DownloadError, match=r"cannot resolve data\.invalid: no network, or an unknown host"):
        download("http://data.invalid/x", partial, Progress())


@pytest.mark.parametrize("url", ["ftp://data.invalid/x", "file:///etc/passwd", "http:///x", "x"])
def test_other_url_schemes_raise(partial, url):
    with pytest.raises(DownloadError, match=r"is not an http\(s\) URL"):
        download(url, partial, Progress())


# Redirects, certificates, proxies ------------------------------------------------------------------------


def test_redirects_are_followed_and_resumed(server, partial):
    to_file = Answer(status=302, headers={"Location": f"/{NAME}"})
    server.next["/moved"] = [to_file, to_file]
    server.next["/" + NAME] = [Answer(cut=500)]
    download(f"{server.url}/moved", partial, Progress())
    assert partial.path.read_bytes() == DATA
    assert server.asked_for(NAME)[1]["range"] == "bytes=500-"


def test_redirect_loops_end(server, partial):
    server.always = Answer(status=301, headers={"Location": "/round"})
    with pytest.raises(DownloadError, match="redirects too often"):
        download(f"{server.url}/round", partial, Progress())
    assert len(server.asked) == 11


def test_a_redirect_to_a_local_file_is_refused(server, partial):
    server.always = Answer(status=302, headers={"Location": "file:///etc/passwd"})
    with pytest.raises(DownloadError, match=r"not an http\(s\) URL"):
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


def test_untrusted_certificate_raises(certificate, partial):
    with serving(certificate) as server:
        url = server.put(NAME, DATA)
        with pytest.raises(DownloadError, match=r"the certificate of 127\.0\.0\.1 is invalid: self"):
            download(url, partial, Progress())
        assert server.asked == []


def test_redirect_from_https_to_http_raises(certificate, server, partial, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(certificate) as safe:
        url = safe.put(NAME, DATA[:1000])
        download(url, partial, Progress())
        assert partial.path.read_bytes() == DATA[:1000]
        safe.always = Answer(status=302, headers={"Location": f"{server.url}/{NAME}"})
        with pytest.raises(DownloadError, match="which is not encrypted"):
            download(url, partial, Progress())
    assert server.asked == []


@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_environment_proxy_is_used(server, partial, monkeypatch, variable):
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


def test_other_proxy_schemes_raise(partial, monkeypatch):
    monkeypatch.setenv("http_proxy", "socks5://me:secret@127.0.0.1:9")
    with pytest.raises(
        DownloadError, match=r"the proxy socks5://127\.0\.0\.1:9 has an unsupported scheme"
    ) as caught:
        download("http://data.invalid/x", partial, Progress())
    assert "secret" not in str(caught.value)
