"""Which files of foretaste a call passes, in the order in which it first enters them."""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import foretaste

ROOT = Path(foretaste.__file__).parent
# Used everywhere, and on no path of their own.
IGNORED = ("_utils/", "errors.py", "params.py", "typing.py")


def files_entered(function: Callable[[], Any]) -> list[str]:
    """Return the files whose functions ``function`` calls, in all threads that it starts, each once.

    Class bodies and modules that happen to be imported do not count.
    """
    entered: dict[str, None] = {}

    def note(frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        is_function = code.co_flags & inspect.CO_OPTIMIZED and code.co_name != "__getattr__"
        if event == "call" and is_function and code.co_filename.startswith(str(ROOT)):
            name = Path(code.co_filename).relative_to(ROOT).as_posix()
            if not name.startswith(IGNORED):
                entered.setdefault(name)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return list(entered)
