"""``datasets``: which published data sets there are, fetching them, and where they are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from foretaste.cli.framework import CommandResult, command, progress_setting, unknown_command_error
from foretaste.cli.rendering import render_table


class _DatasetGroup(click.Group):
    """The commands of the group; one that there is not is answered with the nearest."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise unknown_command_error(ctx, args[0], self.commands)
        return super().resolve_command(ctx, args)


@click.group(cls=_DatasetGroup, name="datasets", short_help="List, fetch and find published data sets.")
def datasets() -> None:
    """List, fetch and find published data sets, which every command that reads ratings knows by name.

    They are kept in the folder FORETASTE_CACHE (default: the cache folder of the platform). Without access
    to their owners, FORETASTE_MIRROR names a folder or an address where the archives lie under their own
    names.
    """


@command(name="list", short_help="The data sets and their terms.")
def list_datasets() -> CommandResult:
    """List the data sets: what they hold, on which terms, and whether they are on this machine."""
    from foretaste.datasets import info, is_downloaded, names

    data: list[dict[str, Any]] = [
        asdict(info(name)) | {"downloaded": is_downloaded(name)} for name in names()
    ]
    rows = [
        [
            entry["name"],
            f"{'' if entry['is_exact'] else 'about '}{entry['ratings']:,}",
            f"{entry['users']:,}",
            f"{entry['items']:,}",
            f"{entry['scale'][0]:g} to {entry['scale'][1]:g}",
            "yes" if entry["downloaded"] else "no",
            entry["license"].partition(";")[0].rstrip("."),
        ]
        for entry in data
    ]
    table = render_table(
        ["name", "ratings", "users", "items", "scale", "downloaded", "terms in short"], rows, "lrrrlll"
    )
    text = f"{table}\n\nfetch one: foretaste datasets fetch {rows[1][0]}"
    text += "\nwhole terms, citations, addresses, checksums: foretaste datasets list --json"
    return CommandResult(data, text)


@command(
    click.argument("name"),
    name="fetch",
    short_help="Bring a data set to this machine.",
)
def fetch_dataset(name: str) -> CommandResult:
    """Bring the data set NAME to this machine. What was cut off goes on where it was."""
    from foretaste.datasets import fetch, info

    folder = fetch(name, progress=progress_setting())
    entry = info(name)
    files = [folder / archive.file for archive in entry.archives]
    lines = [f"{name} is in {folder}", *(f"  {line}" for line in _size_lines(files))]
    if not files:
        lines = [f"{name} comes with foretaste; there is nothing to fetch"]
    lines.append(f"compare models on it: foretaste compare {name}")
    data = {
        "name": name,
        "folder": str(folder),
        "files": [{"file": file.name, "bytes": file.stat().st_size} for file in files],
        "license": entry.license,
        "citation": entry.citation,
    }
    return CommandResult(data, "\n".join(lines))


def _size_lines(files: list[Path]) -> list[str]:
    from foretaste._utils.memory import format_bytes

    width = max((len(file.name) for file in files), default=0)
    return [f"{file.name.ljust(width)}  {format_bytes(file.stat().st_size)}" for file in files]


@command(
    click.argument("name"),
    name="path",
    short_help="Print the folder that holds a data set.",
)
def print_dataset_path(name: str) -> CommandResult:
    """Print the folder that holds the archives of the data set NAME."""
    from foretaste.datasets import path

    folder = str(path(name))
    return CommandResult({"name": name, "folder": folder}, folder)


for _command in (list_datasets, fetch_dataset, print_dataset_path):
    datasets.add_command(_command)
