"""Importing this module makes ``import surprise`` and ``from surprise... import`` load foretaste instead.

One line at the top of a program, before anything imports ``surprise``::

    import foretaste.compat.surprise.install

It registers every module under the name that it has in scikit-surprise. If scikit-surprise itself was
imported before, nothing is changed, and ``AlreadyImported`` says so.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from types import ModuleType

import foretaste.compat.surprise as ours
from foretaste.errors import ForetasteError

_NAME = "surprise"
_OWN_MODULES = ("install", "dump_format", "row_stats")  # and those with an underscore


class AlreadyImportedError(ForetasteError, ImportError):
    """scikit-surprise was imported before, so that parts of the program hold its classes already."""

    code = "already_imported"


def install() -> None:
    """Register foretaste's modules as ``surprise`` and its submodules, in this process.

    Raises
    ------
    AlreadyImported
        If scikit-surprise was imported before; nothing is registered then.
    """
    loaded = sys.modules.get(_NAME)
    if loaded is not None and loaded is not ours:
        raise AlreadyImportedError(
            f"scikit-surprise was imported before ({getattr(loaded, '__file__', None) or loaded!r}), so that "
            "the program would use both",
            hint="import foretaste.compat.surprise.install, above all lines that import surprise",
        )
    sys.modules.update(_aliases())


def _aliases() -> dict[str, ModuleType]:
    """Return our modules by the names that they have in scikit-surprise."""
    aliases: dict[str, ModuleType] = {_NAME: ours}
    for module_info in pkgutil.walk_packages(ours.__path__, f"{ours.__name__}."):
        name = module_info.name.removeprefix(f"{ours.__name__}.")
        if name not in _OWN_MODULES and not name.rpartition(".")[2].startswith("_"):
            aliases[f"{_NAME}.{name}"] = importlib.import_module(module_info.name)
    aliases[f"{_NAME}.__main__"] = importlib.import_module(f"{ours.__name__}.__main__")
    return aliases


install()
