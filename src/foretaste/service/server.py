"""Runs uvicorn workers on the loopback address until SIGTERM or Ctrl-C."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from typing import Any

from foretaste.errors import Hint, InvalidParameterError
from foretaste.service.middleware.access_log import JsonFormatter
from foretaste.service.settings import ENV_VAR, Settings

_SHUTDOWN_TIMEOUT = 10  # seconds for running requests to finish at shutdown


def bind_port(port: int) -> socket.socket:
    """Return a listening socket on 127.0.0.1; port 0 picks any free port.

    Raises
    ------
    InvalidParameterError
        If the port is not available.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(2048)  # clients may connect before the workers are ready
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        message = f"port {port} is not available: {reason}"
        raise InvalidParameterError(message, hint=Hint({"port": 0})) from None
    listener.set_inheritable(True)
    return listener


def configure_logging(stream: Any) -> None:
    """Send the service's log to a stream as JSON lines."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    log = logging.getLogger("foretaste.service")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)


def run(settings: Settings, listener: socket.socket, workers: int) -> None:
    """Serve until SIGTERM or Ctrl-C, then finish the running requests.

    Parameters
    ----------
    settings : Settings
    listener : socket
        From ``bind_port``.
    workers : int
        Number of worker processes.
    """
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    os.environ[ENV_VAR] = settings.to_json()
    metrics_dir = tempfile.mkdtemp(prefix="foretaste-metrics-") if workers > 1 else None
    if metrics_dir is not None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_dir
    config = uvicorn.Config(
        "foretaste.service.server:create_worker_app", factory=True, workers=workers, access_log=False,
        log_level="warning", server_header=False, timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
        proxy_headers=False, timeout_keep_alive=30, h11_max_incomplete_event_size=32_768, lifespan="on",
    )  # fmt: skip
    # After its shutdown uvicorn raises SIGTERM again, which would kill this process before its clean-up.
    previous_handler = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        if workers == 1:
            uvicorn.Server(config).run(sockets=[listener])
        else:
            Multiprocess(config, sockets=[listener]).run()
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, previous_handler)
        listener.close()
        if metrics_dir is not None:
            shutil.rmtree(metrics_dir, ignore_errors=True)


def create_worker_app() -> Any:
    """Return the ASGI application of a worker, which logs to standard error."""
    from foretaste.service.app import from_environment

    configure_logging(sys.stderr)
    _exit_with_parent()
    return from_environment()


def _exit_with_parent() -> None:
    """Stop this worker when its parent process ends, also by SIGKILL.

    Otherwise it would keep the port and respond beside the next service.
    """
    parent = multiprocessing.parent_process()
    if parent is None:  # a single worker runs in the main process
        return

    def wait_for_parent() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_parent, daemon=True, name="exit with parent").start()
