"""``datasets``: list, download and locate published data sets."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from foretaste.cli.framework import CommandResult, command, progress_setting, unknown_command_error
from foretaste.cli.rendering import render_table


class _DatasetGroup(click.Group):
    """The subcommands; an unknown one raises with the closest name."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            raise unknown_command_error(ctx, args[0], self.commands)
        return super().resolve_command(ctx, args)


@click.group(cls=_DatasetGroup, name="datasets", short_help="List, download and locate published data sets.")
def datasets() -> None:
    """List, download and locate published data sets, which commands accept by name in place of a file.

    They are stored in the folder FORETASTE_CACHE (default: the cache folder of the platform). Without access
    to the original servers, FORETASTE_MIRROR names a folder or a URL with archives of the same names.
    """


@command(name="list", short_help="List the data sets and their licenses.")
def list_datasets() -> CommandResult:
    """List the data sets: their sizes, their licenses, and whether they are downloaded."""
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
        ["name", "ratings", "users", "items", "scale", "downloaded", "license"], rows, "lrrrlll"
    )
    text = f"{table}\n\ndownload one: foretaste datasets fetch {rows[1][0]}"
    text += "\nfull licenses, citations, URLs, checksums: foretaste datasets list --json"
    return CommandResult(data, text)


@command(
    click.argument("name"),
    name="fetch",
    short_help="Download a data set.",
)
def fetch_dataset(name: str) -> CommandResult:
    """Download the data set NAME. An interrupted download resumes."""
    from foretaste.datasets import fetch, info

    folder = fetch(name, progress=progress_setting())
    entry = info(name)
    files = [folder / archive.file for archive in entry.archives]
    lines = [f"{name} is in {folder}", *(f"  {line}" for line in _size_lines(files))]
    if not files:
        lines = [f"{name} is bundled with foretaste; there is nothing to download"]
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
    short_help="Print the folder of a data set.",
)
def print_dataset_path(name: str) -> CommandResult:
    """Print the folder with the archives of the data set NAME."""
    from foretaste.datasets import path

    folder = str(path(name))
    return CommandResult({"name": name, "folder": folder}, folder)


for _command in (list_datasets, fetch_dataset, print_dataset_path):
    datasets.add_command(_command)
