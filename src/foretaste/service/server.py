"""Running workers on a loopback address until they are told to stop."""

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

from foretaste.errors import InvalidParameterError
from foretaste.service.middleware.guard import JsonFormatter
from foretaste.service.settings import ENV_VAR, Settings

_SHUTDOWN_TIMEOUT = 10  # seconds that requests at work have to finish when the service stops


def bind_port(port: int) -> socket.socket:
    """Take a port of 127.0.0.1; 0 is any that is free.

    Raises
    ------
    InvalidParameterError
        If it is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(2048)  # who comes before the workers waits for them
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidParameterError(f"port {port} cannot be taken: {reason}", hint="port=0") from None
    listener.set_inheritable(True)
    return listener


def configure_logging(stream: Any) -> None:
    """Let the service log lines of JSON."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    log = logging.getLogger("foretaste.service")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)


def run(settings: Settings, listener: socket.socket, workers: int) -> None:
    """Serve until SIGTERM or Ctrl-C; requests at work are finished first.

    Parameters
    ----------
    settings : Settings
    listener : socket
        Bound.
    workers : int
    """
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    os.environ[ENV_VAR] = settings.to_json()
    metrics_dir = tempfile.mkdtemp(prefix="foretaste-figures-") if workers > 1 else None
    if metrics_dir is not None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = metrics_dir
    config = uvicorn.Config(
        "foretaste.service.server:application", factory=True, workers=workers, access_log=False,
        log_level="warning", server_header=False, timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT, proxy_headers=False,
        timeout_keep_alive=30, h11_max_incomplete_event_size=32_768, lifespan="on",
    )  # fmt: skip
    # uvicorn stops by itself and then sends the signal on, which would end this process without a word.
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
    """Return the application of a worker, which logs to standard error."""
    from foretaste.service.app import from_environment

    configure_logging(sys.stderr)
    _exit_with_parent()
    return from_environment()


def _exit_with_parent() -> None:
    """Stop this worker when the process that started it is gone, which may have been killed without a word.

    Else it would hold the port, and answer there beside the next service.
    """
    parent = multiprocessing.parent_process()
    if parent is None:  # the only worker
        return

    def wait_for_parent() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait_for_parent, daemon=True, name="end with parent").start()
