"""Where torch is asked for: whether it is there, on which device, with which threads and random numbers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from foretaste.errors import InvalidParameterError, MissingDependencyError

INSTALL = 'pip install "foretaste[torch]"'

_GLOBAL_RNG_LOCK = threading.RLock()


def require_torch(name: str) -> Any:
    """Return the module torch.

    Parameters
    ----------
    name : str
        The model that needs it, for the message.

    Raises
    ------
    MissingDependencyError
        If it is not installed.
    """
    try:
        return import_module("torch")
    except ImportError as error:
        raise MissingDependencyError(f"{name} needs PyTorch", hint=INSTALL) from error


def resolve_device(device: str) -> Any:
    """Return the torch device of a word; ``"auto"`` is a CUDA device if there is one, else the CPU.

    Raises
    ------
    InvalidParameterError
        If this machine has no such device.
    """
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    name = device if device != "auto" else "cuda" if available["cuda"] else "cpu"
    if not available[name]:
        raise InvalidParameterError(f"device={device!r} is not on this machine", hint='device="auto"')
    return torch.device(name)


@contextmanager
def torch_session(seed: int, threads: int, *, exclusive_rng: bool) -> Iterator[None]:
    """Let torch use so many threads, and leave its random numbers as they were.

    Parameters
    ----------
    seed : int
        Of torch's own random numbers within the block.
    threads : int
    exclusive_rng : bool
        Whether code within draws from torch's own random numbers, which the process shares: then no other
        such block runs beside it, so that it draws the same numbers each time.
    """
    import torch

    previous_threads = torch.get_num_threads()  # of this thread: asked for first, it is its own from here on
    torch.set_num_threads(threads)
    try:
        if not exclusive_rng:
            yield
            return
        with _GLOBAL_RNG_LOCK, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(previous_threads)
