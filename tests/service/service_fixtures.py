"""Helpers of the service tests: a prepared database, a client with a key, a service process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from foretaste._utils.progress import Progress
from foretaste.models import SVD
from foretaste.models.spec import as_spec
from foretaste.service import bootstrap
from foretaste.service.settings import Settings

SPEC = as_spec(SVD(factors=4, epochs=20))


def prepare_service(settings: Settings, ratings: Any, catalogue: Any = None) -> str:
    """Fill a database, train a model, create a key; return the key."""
    store = bootstrap.open_database(settings)
    bootstrap.fill_database(store, ratings, catalogue, "planted")
    bootstrap.train_first_model(settings, store, SPEC, Progress())
    key = bootstrap.create_first_key(store)
    store.close()
    assert key is not None
    return key


class Client:
    """Sends requests to an application, with its key unless another one or none is passed."""

    def __init__(self, inner: Any, key: str | None) -> None:
        self.inner, self.key = inner, key

    def request(self, method: str, path: str, *, key: str | None = "", **options: Any) -> Any:
        """Return the response to a request under ``/api/v1``."""
        headers = dict(options.pop("headers", {}))
        used = self.key if key == "" else key
        if used is not None:
            headers["Authorization"] = f"Bearer {used}"
        return self.inner.request(method, f"/api/v1{path}", headers=headers, **options)

    def get(self, path: str, **options: Any) -> Any:
        """Return the data of a successful answer."""
        return self.call("GET", path, **options)

    def call(self, method: str, path: str, **options: Any) -> Any:
        """Return the data of a successful answer, in its envelope."""
        response = self.request(method, path, **options)
        assert response.status_code in (200, 201, 202), response.text
        body = response.json()
        assert body["ok"] is True
        assert set(body) == {"ok", "data"}
        return body["data"]

    def call_error(self, method: str, path: str, status: int, **options: Any) -> dict[str, Any]:
        """Return the error of a refusal, in its envelope."""
        response = self.request(method, path, **options)
        assert response.status_code == status, response.text
        body = response.json()
        assert body["ok"] is False
        assert set(body) == {"ok", "error"}
        assert set(body["error"]) == {"code", "message", "hint"}
        return body["error"]

    def rate(self, user: Any, item: Any, value: float) -> Any:
        """Put a rating."""
        return self.call("PUT", "/ratings", json={"user": user, "item": item, "value": value})

    def active_model(self) -> Any:
        """Return the active model of an application in this process, with its caches."""
        app_state = self.inner.app.state.app_state
        with app_state.database.read_connection() as connection:
            return app_state.model_server.get_active(connection)

    def finished_job(self, number: int, seconds: float = 60) -> dict[str, Any]:
        """Wait until a job is over; return it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            job = self.get(f"/jobs/{number}")
            if job["state"] != "running":
                return job
            time.sleep(0.1)
        raise AssertionError(f"job {number} is still running: {job}")


class Service:
    """``foretaste serve`` as a process of its own, on a free port."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._clients: list[Any] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.url = self._address()
        except BaseException:  # a test that fails leaves no process
            self.kill()
            raise

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def _address(self) -> str:
        end = time.monotonic() + 90
        while time.monotonic() < end and self.process.poll() is None:
            for line in self.lines:
                found = re.search(r"http://127\.0\.0\.1:\d+", line)
                if found:
                    self._wait_until_ready(found.group(), end)
                    return found.group()
            time.sleep(0.05)
        raise AssertionError("the service did not start:\n" + "\n".join(self.lines))

    def _wait_until_ready(self, url: str, end: float) -> None:
        import httpx2

        while time.monotonic() < end:
            try:
                if httpx2.get(f"{url}/api/v1/ready", timeout=10).status_code in (200, 503):
                    return
            except httpx2.HTTPError:
                time.sleep(0.05)

    def client(self, key: str) -> Client:
        """Return a client of this service."""
        import httpx2

        self._clients.append(httpx2.Client(base_url=self.url, timeout=60))
        return Client(self._clients[-1], key)

    def kill(self) -> None:
        """Kill the service, if it runs, without a word of warning."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        self._reader.join(10)
        for client in self._clients:
            client.close()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None and not self._reader.is_alive():
                stream.close()

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Stop the service gracefully; return its exit code."""
        self.process.send_signal(how)
        code = self.process.wait(30)
        self._reader.join(10)
        return code


def running_service(folder: Path, *options: str, **environment: str) -> Service:
    """Start the service on a folder and wait until it answers."""
    command = [sys.executable, "-m", "foretaste", "serve", "--folder", str(folder), "--port", "0", *options]
    environment = {**os.environ, **environment}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    return Service(process)


class OwnPostgres:
    """A PostgreSQL server that can be stopped and started, its data in a new folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = Path(__file__).parents[2] / ".ci" / "postgres"
        for above in folder.parents[:3]:  # the server's own user must get there
            above.chmod(0o755)
        done = subprocess.run(
            [str(self.script), "start", str(folder)], capture_output=True, text=True, check=True
        )
        self.url = done.stdout.strip()
        self.port = self.url.rpartition(":")[2].partition("/")[0]

    def _control(self, *words: str) -> None:
        tools = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
        command = [str(tools[-1]), "-D", str(self.folder / "data"), "-w", *words]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        subprocess.run(command, check=True, capture_output=True, cwd="/")

    def stop(self) -> None:
        """Stop it at once, despite open connections."""
        self._control("stop", "-m", "immediate")

    def start(self) -> None:
        """Start it again at its port."""
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories= -c fsync=off"
        )
        self._control("start", "-l", str(self.folder / "data" / "log"), "-o", options)

    def remove(self) -> None:
        """Stop it and remove its folder."""
        subprocess.run([str(self.script), "stop", str(self.folder)], check=True, capture_output=True)
