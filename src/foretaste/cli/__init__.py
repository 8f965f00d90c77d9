"""The command ``foretaste``: each command in a module of its own, imported on use.

Exit codes: 0 ok, 1 findings, 2 usage, 3 bad data, 4 not found, 5 missing dependency, 70 internal
error, 130 interrupted.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from foretaste.cli.framework import RootGroup, unknown_command_error

_MODULES = {
    "demo": "compare",
    "audit": "audit",
    "compare": "compare",
    "rank": "rank",
    "report": "report",
    "tune": "tune",
    "fit": "fit",
    "evaluate": "evaluate",
    "predict": "predict",
    "recommend": "recommend",
    "similar": "similar",
    "explain": "explain",
    "serve": "serve",
    "show": "show",
    "models": "show",
    "data": "show",
    "datasets": "datasets",
    "doctor": "doctor",
}

WELCOME = """\
foretaste predicts how users would rate items that they have not rated yet.

  foretaste demo                                   compare all models on bundled ratings
  foretaste compare ratings.csv                    which model predicts your ratings best
  foretaste fit Bias ratings.csv -o my.foretaste   train a model and save it
  foretaste predict my.foretaste pairs.csv         predict with it
  foretaste similar ratings.csv --item ID          the items most similar to one
  foretaste models                                 the models and their parameters

foretaste --help lists every command; foretaste COMMAND --help its options."""


class Commands(RootGroup):
    """The commands by name, in the order of use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the module of a command and return the command."""
        if name not in _MODULES:
            return None
        command: click.Command = getattr(import_module(f"foretaste.cli.{_MODULES[name]}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; raise with the closest name if there is none."""
        if args and args[0] not in _MODULES and not args[0].startswith("-"):
            raise unknown_command_error(ctx, args[0], _MODULES)
        return super().resolve_command(ctx, args)


def _show_version(ctx: click.Context, _: click.Parameter, requested: bool) -> None:
    if requested and not ctx.resilient_parsing:
        from foretaste._version import version

        click.echo(f"foretaste {version()}")
        ctx.exit()


@click.group(
    cls=Commands,
    name="foretaste",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    epilog="Exit codes: 0 ok, 1 findings, 2 usage, 3 bad data, 4 not found, 5 missing dependency, "
    "70 internal error, 130 interrupted.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Predict how users would rate items that they have not rated yet."""
    if ctx.invoked_subcommand is None:
        click.echo(WELCOME)


def main(args: list[str] | None = None) -> Any:
    """Run the command line and exit with its code."""
    return cli.main(args, prog_name="foretaste")
