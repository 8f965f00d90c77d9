"""``doctor``: versions, hardware and missing dependencies."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from typing import Any

from foretaste.cli.framework import CommandResult, command
from foretaste.cli.rendering import render_table

_CORE_PACKAGES = (
    "numpy",
    "scipy",
    "polars",
    "safetensors",
    "click",
    "rich",
    "urllib3",
    "filelock",
    "platformdirs",
)  # for source trees without metadata


@command(name="doctor", short_help="Show versions, hardware and missing dependencies.")
def doctor() -> CommandResult:
    """Show versions, instruction set, threads, memory and extras of this installation.

    The exit code is 1 if a dependency is missing.
    """
    import platform

    from foretaste._native import isa, isas
    from foretaste._utils import memory
    from foretaste._utils.threads import resolve_threads
    from foretaste._version import version

    available = memory.available_bytes()
    core, extras = check_requirements()
    data: dict[str, Any] = {
        "foretaste": version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "instruction_set": isa(),
        "instruction_sets": isas(),
        "threads": resolve_threads(None),
        "memory_available_bytes": available,
        "dependencies": core,
        "extras": extras,
    }
    details = [
        ["foretaste", data["foretaste"]],
        ["python", f"{data['python']}   {sys.executable}"],
        ["platform", data["platform"]],
        ["instruction set", f"{isa()} (available: {', '.join(isas())})"],
        ["threads", f"{data['threads']}   (override: FORETASTE_THREADS)"],
        ["memory", "unknown" if available is None else f"{memory.format_bytes(available)} available"],
    ]
    width = max(len(name) for name, _ in details)
    text = "\n".join(f"{name.ljust(width)}  {detail}" for name, detail in details)
    missing = [name for name, version in core.items() if version is None]
    rows = [[name, version or f'missing: pip install "{name}"'] for name, version in core.items()]
    text += "\n\n" + render_table(["dependency", "version"], rows, "ll")
    if extras:
        text += "\n\n" + render_table(
            ["extra", "state"], [[name, e["state"]] for name, e in extras.items()], "ll"
        )
    return CommandResult(data, text, 1 if missing else 0)


def check_requirements() -> tuple[dict[str, str | None], dict[str, dict[str, Any]]]:
    """Return the installed versions of the dependencies, and the state of each extra."""
    try:
        requirement_lines = metadata.requires("foretaste") or []
    except metadata.PackageNotFoundError:  # run from a source tree
        requirement_lines = list(_CORE_PACKAGES)
    core: dict[str, str | None] = {}
    extra_packages: dict[str, list[str]] = {}
    for line in requirement_lines:
        match = re.match(r"[A-Za-z0-9._-]+", line)
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        if match is None:
            continue
        if extra is None:
            core[match.group()] = installed_version(match.group())
        else:
            extra_packages.setdefault(extra.group(1), []).append(match.group())
    return core, {name: _extra_status(name, packages) for name, packages in extra_packages.items()}


def _extra_status(name: str, packages: list[str]) -> dict[str, Any]:
    missing = [package for package in packages if installed_version(package) is None]
    command = f'pip install "foretaste[{name}]"'
    state = "present" if not missing else f"{', '.join(missing)} missing: {command}"
    return {"present": not missing, "missing": missing, "install": command, "state": state}


def installed_version(package: str) -> str | None:
    """Return the installed version of a package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
