"""``doctor``: what foretaste found on this machine, and what it misses."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from typing import Any

from foretaste.cli.framework import Outcome, command
from foretaste.cli.rendering import drawn

_CORE = ("numpy", "scipy", "polars", "safetensors", "click", "rich", "urllib3")  # where no metadata tells


@command(name="doctor", short_help="Say what is installed and used here.")
def doctor() -> Outcome:
    """Say what is installed and used here: versions, instruction set, threads, memory, extras.

    The exit code is 1 if a dependency is missing.
    """
    import platform

    import foretaste
    from foretaste._native import isa, isas
    from foretaste._utils import memory
    from foretaste._utils.threads import thread_count

    free = memory.available_bytes()
    core, extras = requirements()
    data: dict[str, Any] = {
        "foretaste": foretaste.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "instruction_set": isa(),
        "instruction_sets": isas(),
        "threads": thread_count(None),
        "memory_available_bytes": free,
        "dependencies": core,
        "extras": extras,
    }
    facts = [
        ["foretaste", data["foretaste"]],
        ["python", f"{data['python']}   {sys.executable}"],
        ["platform", data["platform"]],
        ["instruction set", f"{isa()} in use; {', '.join(isas())} can be used here"],
        ["threads", f"{data['threads']}   (say otherwise: FORETASTE_THREADS)"],
        ["memory", "unknown" if free is None else f"{memory.readable(free)} available"],
    ]
    width = max(len(name) for name, _ in facts)
    text = "\n".join(f"{name.ljust(width)}  {fact}" for name, fact in facts)
    missing = [name for name, version in core.items() if version is None]
    rows = [[name, version or f'missing: pip install "{name}"'] for name, version in core.items()]
    text += "\n\n" + drawn(["dependency", "version"], rows, "ll")
    if extras:
        text += "\n\n" + drawn(["extra", "state"], [[name, e["state"]] for name, e in extras.items()], "ll")
    return Outcome(data, text, 1 if missing else 0)


def requirements() -> tuple[dict[str, str | None], dict[str, dict[str, Any]]]:
    """Return the versions of the dependencies, and of each extra what is there of it."""
    try:
        declared = metadata.requires("foretaste") or []
    except metadata.PackageNotFoundError:  # run from a source folder
        declared = list(_CORE)
    core: dict[str, str | None] = {}
    wanted: dict[str, list[str]] = {}
    for line in declared:
        found = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        if found is None:
            continue
        if extra is None:
            core[found.group()] = version_of(found.group())
        else:
            wanted.setdefault(extra.group(1), []).append(found.group())
    return core, {name: _extra(name, packages) for name, packages in wanted.items()}


def _extra(name: str, packages: list[str]) -> dict[str, Any]:
    missing = [package for package in packages if version_of(package) is None]
    command = f'pip install "foretaste[{name}]"'
    state = "present" if not missing else f"{', '.join(missing)} missing: {command}"
    return {"present": not missing, "missing": missing, "install": command, "state": state}


def version_of(package: str) -> str | None:
    """Return the installed version of a package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
