"""The version of the installed package."""

from __future__ import annotations


def version() -> str:
    """Return the version of the installed distribution, or ``0+source`` of a source tree."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("foretaste")
    except PackageNotFoundError:
        return "0+source"
