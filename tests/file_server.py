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

NAME = "films.zip"
DATA = bytes(range(256)) * 1000


@dataclass
class Response:
    """How one request is answered: correctly by default, or with a fault that a test configures."""

    status: int | None = None  # instead of the file
    headers: dict[str, str] = field(default_factory=dict)  # beside or instead of the usual ones
    ranges: bool = True  # whether parts of files are given
    cut: int | None = None  # close the connection after so many bytes of the body
    stall: int | None = None  # wait for the test after so many bytes
    etag: bool = True
    length: bool = True


class FileServer:
    """Files by path, the requests that came, and how the next ones are answered."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.requests: list[dict[str, str]] = []
        self.sent: dict[str, int] = defaultdict(int)
        self.next_responses: dict[str, list[Response]] = defaultdict(list)
        self.default_response = Response()
        self.resume = threading.Event()
        self.url = ""

    def put(self, name: str, data: bytes) -> str:
        """Serve a file; return its address."""
        self.files["/" + name] = data
        return f"{self.url}/{name}"

    def requests_of(self, name: str) -> list[dict[str, str]]:
        """Return the headers of the requests for a file, in lower case."""
        return [request for request in self.requests if request["path"] == "/" + name]


@contextmanager
def serve_files(certificate: Path | None = None) -> Iterator[FileServer]:
    """Run a server while the block lasts; with a certificate (and key in one file) it speaks https."""
    server_state = FileServer()

    class Handler(_Handler):
        file_server = server_state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server_state.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server_state
    finally:
        server_state.resume.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    file_server: FileServer

    def do_GET(self) -> None:
        server = self.file_server
        path = "/" + self.path.partition("://")[2].partition("/")[2] if "://" in self.path else self.path
        server.requests.append(
            {"path": path, "line": self.path, **{k.lower(): v for k, v in self.headers.items()}}
        )
        response = (
            server.next_responses[path].pop(0) if server.next_responses[path] else server.default_response
        )
        data = server.files.get(path)
        if response.status is not None or data is None:
            self._send_head(response.status or 404, {"Content-Length": "0"} | response.headers)
            return
        etag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        headers: dict[str, str] = {"ETag": etag} if response.etag else {}
        start, status = 0, 200
        requested, validator = self.headers.get("Range"), self.headers.get("If-Range")
        if requested and response.ranges and validator in (etag, response.headers.get("Last-Modified")):
            start, status = int(requested.removeprefix("bytes=").rstrip("-")), 206
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            if start >= len(data):
                self._send_head(416, {"Content-Range": f"bytes */{len(data)}", "Content-Length": "0"})
                return
        body = data[start:]
        headers |= {"Content-Length": str(len(body))} if response.length else {}
        self._send_head(status, headers | response.headers)
        self._send_body(path, body, response)

    def _send_head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()

    def _send_body(self, path: str, body: bytes, response: Response) -> None:
        end = len(body) if response.cut is None else min(response.cut, len(body))
        pause = end if response.stall is None else min(response.stall, end)
        try:
            for part in (body[:pause], body[pause:end]):
                self.file_server.sent[path] += len(part)  # before it is sent: whoever has it can rely on it
                self.wfile.write(part)
                self.wfile.flush()
                if response.stall is not None:
                    self.file_server.resume.wait(60)
        except OSError:  # the client has disconnected
            pass

    def log_message(self, *_: Any) -> None:
        pass
