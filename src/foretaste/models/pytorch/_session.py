"""Access to torch: optional import, device, number of threads and random state."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from foretaste.errors import Hint, InvalidParameterError, MissingDependencyError

INSTALL = 'pip install "foretaste[torch]"'

_GLOBAL_RNG_LOCK = threading.RLock()


def require_torch(name: str) -> Any:
    """Return the module torch.

    Parameters
    ----------
    name : str
        Model that needs it, for the message.

    Raises
    ------
    MissingDependencyError
        If PyTorch is not installed.
    """
    try:
        return import_module("torch")
    except ImportError as error:
        raise MissingDependencyError(f"{name} needs PyTorch", hint=INSTALL) from error


def resolve_device(device: str) -> Any:
    """Return the torch device of a name; ``"auto"`` is CUDA if available, else the CPU.

    Raises
    ------
    InvalidParameterError
        If this machine has no such device.
    """
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    name = device if device != "auto" else "cuda" if available["cuda"] else "cpu"
    if not available[name]:
        raise InvalidParameterError(
            f"device={device!r} is not available on this machine", hint=Hint({"device": "auto"})
        )
    return torch.device(name)


@contextmanager
def torch_session(seed: int, threads: int, *, exclusive_rng: bool) -> Iterator[None]:
    """Set torch's number of threads in a block, and restore threads and random state afterwards.

    Parameters
    ----------
    seed : int
        Seed of torch's global generator within the block.
    threads : int
    exclusive_rng : bool
        Whether the block uses torch's global generator, which the process shares. Such blocks run one at a
        time, so that each gives the same random numbers every time.
    """
    import torch

    # Reading the number first makes it thread-local: another thread's setting no longer changes this one.
    previous_threads = torch.get_num_threads()
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
