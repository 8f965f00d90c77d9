"""HTTP transfer of one file: resuming, retries, redirects, proxies; complete or not at all."""

from __future__ import annotations

import hashlib
import logging
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from file_server import DATA, NAME, Response, serve_files
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste._utils.progress import LineProgress, Progress
from foretaste.datasets.download import download
from foretaste.errors import DownloadError, NotFoundError

# One file ------------------------------------------------------------------------------------------------


def test_interrupted_transfer_resumes(server, download_bytes):
    server.next_responses["/" + NAME] = [Response(cut=100_000), Response(cut=50_000)]
    assert download_bytes(f"{server.url}/{NAME}") == DATA
    assert [a.get("range") for a in server.requests] == [None, "bytes=100000-", "bytes=150000-"]
    assert server.sent["/" + NAME] == len(DATA)  # no byte twice


@settings(max_examples=40)
@given(
    size=st.integers(0, 3000),
    cuts=st.lists(st.integers(0, 1200), max_size=6),
    ranges=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_any_interruption_gives_the_right_bytes(size, cuts, ranges):
    with serve_files() as server, tempfile.TemporaryDirectory() as folder:
        url = server.put(NAME, DATA[:size])
        server.next_responses["/" + NAME] = [
            Response(cut=cut, ranges=r) for cut, r in zip(cuts, ranges, strict=False)
        ]
        partial = download(url, Path(folder) / NAME, Progress(), retry_delays=(0.0,) * 7)
        assert partial.read_bytes() == DATA[:size]


def test_server_without_ranges_restarts_and_logs_it(server, download_bytes, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    server.next_responses["/" + NAME] = [Response(cut=100_000)]
    server.default_response = Response(ranges=False)
    assert download_bytes(f"{server.url}/{NAME}") == DATA
    assert server.requests[1]["range"] == "bytes=100000-"
    assert "the server cannot resume; starting from the beginning" in caplog.text


def test_changed_file_restarts(server, download_bytes):
    server.next_responses["/" + NAME] = [Response(cut=100_000)]
    other = DATA[::-1]
    url = f"{server.url}/{NAME}"

    class Change(LineProgress):
        def start_task(self, label, total, unit=""):
            server.put(NAME, other)
            return super().start_task(label, total, unit)

    assert download_bytes(url, Change()) == other
    assert server.requests[1]["if-range"] != f'"{hashlib.sha256(other).hexdigest()[:16]}"'


def test_no_range_request_without_a_validator(server, download_bytes):
    server.next_responses["/" + NAME] = [Response(cut=9, etag=False), Response(etag=False)]
    assert download_bytes(f"{server.url}/{NAME}") == DATA
    assert "range" not in server.requests[1]


def test_weak_etag_falls_back_to_last_modified(server, download_bytes):
    when = "Wed, 21 Oct 2015 07:28:00 GMT"
    headers = {"ETag": 'W/"1"', "Last-Modified": when}
    server.next_responses["/" + NAME] = [Response(cut=9, headers=headers), Response(headers=headers)]
    assert download_bytes(f"{server.url}/{NAME}") == DATA
    assert server.requests[1]["if-range"] == when
    assert server.sent["/" + NAME] == len(DATA)


def test_partial_file_of_another_url_is_discarded(server, download_bytes, partial_size):
    server.next_responses["/" + NAME] = [Response(cut=9), *[Response(status=503)] * 4]
    with pytest.raises(DownloadError):
        download_bytes(f"{server.url}/{NAME}")
    assert partial_size() == 9
    other = server.put("other.zip", DATA[::-1])
    assert download_bytes(other) == DATA[::-1]
    assert "range" not in server.requests_of("other.zip")[0]


def test_complete_partial_file_is_used(server, download_bytes):
    url = f"{server.url}/{NAME}"
    download_bytes(url)
    assert download_bytes(url) == DATA  # as after a kill just before the last step
    assert server.requests[1]["range"] == f"bytes={len(DATA)}-"
    assert server.sent["/" + NAME] == len(DATA)


def test_wrong_content_range_is_discarded(server, download_bytes):
    wrong = {"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}
    server.next_responses["/" + NAME] = [Response(cut=9), Response(headers=wrong)]
    assert download_bytes(f"{server.url}/{NAME}") == DATA
    assert "range" not in server.requests[2]


def test_range_shorter_than_requested_is_continued(server, download_bytes):
    short = Response(cut=50, headers={"Content-Length": "50"})
    server.next_responses["/" + NAME] = [Response(cut=9), short]
    assert download_bytes(f"{server.url}/{NAME}") == DATA
    assert server.requests[2]["range"] == "bytes=59-"


def test_file_without_content_length(server, download_bytes):
    server.default_response = Response(length=False)
    assert download_bytes(f"{server.url}/{NAME}") == DATA


def test_stalled_transfer_is_retried(server, download_bytes, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    server.next_responses["/" + NAME] = [Response(stall=70_000)]
    assert download_bytes(f"{server.url}/{NAME}", timeout=0.2) == DATA
    assert server.requests[1]["range"] == "bytes=70000-"
    assert "no response from 127.0.0.1 for 0.2 s; trying again" in caplog.text


# Refusals ------------------------------------------------------------------------------------------------


def test_server_errors_are_retried(server, download_bytes, caplog):
    caplog.set_level(logging.INFO, "foretaste")
    server.next_responses["/" + NAME] = [Response(status=500), Response(status=503)]
    assert download_bytes(f"{server.url}/{NAME}") == DATA
    assert "the server answered 500 Internal Server Error; trying again in 0 s" in caplog.text


def test_retry_after_is_respected_up_to_a_limit(server, download_bytes, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    server.next_responses["/" + NAME] = [
        Response(status=429, headers={"Retry-After": "7"}),
        Response(status=503, headers={"Retry-After": "86400"}),
        Response(status=503, headers={"Retry-After": "tomorrow"}),
    ]
    download_bytes(f"{server.url}/{NAME}")
    assert pauses == [7, 60, 0]


def test_retry_delays_grow_and_end(server, download_bytes, monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    server.default_response = Response(status=502)
    with pytest.raises(DownloadError, match="502 Bad Gateway") as caught:
        download_bytes(f"{server.url}/{NAME}", retry_delays=(1.0, 2.0, 4.0))
    assert pauses == [1, 2, 4]
    assert len(server.requests) == 4
    assert "4 attempts in a row received nothing; 0 bytes are here" in caught.value.where


def test_attempts_with_progress_do_not_count(server, download_bytes):
    server.next_responses["/" + NAME] = [Response(cut=1000) for _ in range(20)]
    assert download_bytes(f"{server.url}/{NAME}", retry_delays=(0.0,)) == DATA


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
def test_permanent_errors_are_not_retried(server, download_bytes, status, kind, message):
    server.default_response = Response(status=status)
    with pytest.raises(kind) as caught:
        download_bytes(f"{server.url}/{NAME}")
    assert message in caught.value.message
    assert "FORETASTE_MIRROR" in caught.value.hint
    assert len(server.requests) == 1


def test_connection_refused_raises(download_bytes):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match=r"no connection to 127\.0\.0\.1: .*refused"):
        download_bytes(f"http://127.0.0.1:{port}/x")


def test_unknown_host_raises_at_once(download_bytes, monkeypatch):
    def nowhere(*_: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(DownloadError, match=r"cannot resolve data\.invalid: no network, or an unknown host"):
        download_bytes("http://data.invalid/x")


@pytest.mark.parametrize("url", ["ftp://data.invalid/x", "file:///etc/passwd", "http:///x", "x"])
def test_other_url_schemes_raise(download_bytes, url):
    with pytest.raises(DownloadError, match=r"is not an http\(s\) URL"):
        download_bytes(url)


# Redirects, certificates, proxies ------------------------------------------------------------------------


def test_redirects_are_followed_and_resumed(server, download_bytes):
    to_file = Response(status=302, headers={"Location": f"/{NAME}"})
    server.next_responses["/moved"] = [to_file, to_file]
    server.next_responses["/" + NAME] = [Response(cut=500)]
    assert download_bytes(f"{server.url}/moved") == DATA
    assert server.requests_of(NAME)[1]["range"] == "bytes=500-"


def test_redirect_loops_end(server, download_bytes):
    server.default_response = Response(status=301, headers={"Location": "/round"})
    with pytest.raises(DownloadError, match="redirects too often"):
        download_bytes(f"{server.url}/round")
    assert len(server.requests) == 11


def test_a_redirect_to_a_local_file_is_refused(server, download_bytes):
    server.default_response = Response(status=302, headers={"Location": "file:///etc/passwd"})
    with pytest.raises(DownloadError, match=r"not an http\(s\) URL"):
        download_bytes(f"{server.url}/x")


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


def test_untrusted_certificate_raises(certificate, download_bytes):
    with serve_files(certificate) as server:
        url = server.put(NAME, DATA)
        with pytest.raises(DownloadError, match=r"the certificate of 127\.0\.0\.1 is invalid: self"):
            download_bytes(url)
        assert server.requests == []


def test_redirect_from_https_to_http_raises(certificate, server, download_bytes, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serve_files(certificate) as safe:
        url = safe.put(NAME, DATA[:1000])
        assert download_bytes(url) == DATA[:1000]
        safe.default_response = Response(status=302, headers={"Location": f"{server.url}/{NAME}"})
        with pytest.raises(DownloadError, match="which is not encrypted"):
            download_bytes(url)
    assert server.requests == []


@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_environment_proxy_is_used(server, download_bytes, monkeypatch, variable):
    monkeypatch.setenv(variable, server.url.replace("://", "://me:p%40ss@"))
    assert download_bytes(f"http://data.invalid/{NAME}") == DATA
    (request,) = server.requests
    assert request["line"] == f"http://data.invalid/{NAME}"
    assert request["proxy-authorization"] == "Basic bWU6cEBzcw=="  # me:p@ss


def test_no_proxy_is_respected(server, download_bytes, monkeypatch):
    monkeypatch.setenv("http_proxy", "127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert download_bytes(f"{server.url}/{NAME}") == DATA


def test_other_proxy_schemes_raise(download_bytes, monkeypatch):
    monkeypatch.setenv("http_proxy", "socks5://me:secret@127.0.0.1:9")
    with pytest.raises(
        DownloadError, match=r"the proxy socks5://127\.0\.0\.1:9 has an unsupported scheme"
    ) as caught:
        download_bytes("http://data.invalid/x")
    assert "secret" not in str(caught.value)
