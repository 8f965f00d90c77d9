"""A file server on 127.0.0.1 that misbehaves on demand."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Answer:
    """How one request is answered: correctly by default, or with a fault that a test configures."""

    status: int | None = None  # instead of the file
    headers: dict[str, str] = field(default_factory=dict)  # beside or instead of the usual ones
    ranges: bool = True  # whether parts of files are given
    cut: int | None = None  # close the connection after so many bytes of the body
    stall: int | None = None  # wait for the test after so many bytes
    etag: bool = True
    length: bool = True


class FileServer:
    """The files by their paths, what was asked for, and how the next requests are answered."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[dict[str, str]] = []
        self.sent: dict[str, int] = defaultdict(int)
        self.next: dict[str, list[Answer]] = defaultdict(list)
        self.always = Answer()
        self.go_on = threading.Event()
        self.url = ""

    def put(self, name: str, data: bytes) -> str:
        """Serve a file; return its address."""
        self.files["/" + name] = data
        return f"{self.url}/{name}"

    def asked_for(self, name: str) -> list[dict[str, str]]:
        """Return the headers of the requests for a file, in lower case."""
        return [request for request in self.asked if request["path"] == "/" + name]


@contextmanager
def serving(certificate: Path | None = None) -> Iterator[FileServer]:
    """Run a server while the block lasts; with a certificate (and key in one file) it speaks https."""
    served = FileServer()

    class Handler(_Handler):
        server_of = served

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    served.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.go_on.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server_of: FileServer

    def do_GET(self) -> None:
        served = self.server_of
        path = "/" + self.path.partition("://")[2].partition("/")[2] if "://" in self.path else self.path
        served.asked.append(
            {"path": path, "line": self.path, **{k.lower(): v for k, v in self.headers.items()}}
        )
        answer = served.next[path].pop(0) if served.next[path] else served.always
        data = served.files.get(path)
        if answer.status is not None or data is None:
            self._say(answer.status or 404, {"Content-Length": "0"} | answer.headers)
            return
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        headers: dict[str, str] = {"ETag": etag} if answer.etag else {}
        start, status = 0, 200
        wanted, only_if = self.headers.get("Range"), self.headers.get("If-Range")
        if wanted and answer.ranges and only_if in (etag, answer.headers.get("Last-Modified")):
            start, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            if start >= len(data):
                self._say(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
                return
        body = data[start:]
        headers |= {"Content-Length": str(len(body))} if answer.length else {}
        self._say(status, headers | answer.headers)
        self._send(path, body, answer)

    def _say(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def _send(self, path: str, body: bytes, answer: Answer) -> None:
        end = len(body) if answer.cut is None else min(answer.cut, len(body))
        pause = end if answer.stall is None else min(answer.stall, end)
        try:
            for part in (body[:pause], body[pause:end]):
                self.server_of.sent[path] += len(
                    part
                )  # before it is sent, so that who has it can count on it
                self.wfile.write(part)
                self.wfile.flush()
                if answer.stall is not None:
                    self.server_of.go_on.wait(60)
        except OSError:  # the client has disconnected
            pass

    def log_message(self, *_: Any) -> None:
        pass
