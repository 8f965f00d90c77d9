"""Options of the readers, each declared once: default, allowed values, documentation, command-line form.

The fields of these classes are the keyword arguments of ``read_ratings``, ``read_pairs`` and ``read_items``.
Their checks, the parameters in their docstrings and the options of the command line are made from them.
"""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from foretaste._utils.checks import check_choice
from foretaste.errors import Hint, InvalidParameterError

MissingValues = float | str | Sequence[float | str] | None
ColumnRequest = str | int | None

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class OptionSpec:
    """Specification of one reading option.

    Parameters
    ----------
    name : str
        The argument.
    default : object
    doc : str
        What it is, without a period at the end.
    type_name : str
        Its type in numpydoc's notation.
    choices : tuple
        The allowed values; empty if they are not listed.
    default_text : str
        What happens without it, if the default value does not say it.
    metavar : str
        What stands for its value on the command line.
    is_column : bool
        Whether it chooses a column; such an option is called ``--NAME-column``.
    on_command_line : bool
    """

    name: str
    default: Any
    doc: str
    type_name: str
    choices: tuple[Any, ...] = ()
    default_text: str = ""
    metavar: str = ""
    is_column: bool = False
    on_command_line: bool = True

    @property
    def is_switch(self) -> bool:
        """Whether it is True, False or None."""
        return True in self.choices

    def to_numpydoc(self) -> str:
        """Return its entry in the parameters of a docstring."""
        default = f" Default: {self.default_text}." if self.default_text else ""
        text = textwrap.fill(f"{self.doc}.{default}", 105)
        return f"{self.name} : {self.type_name}\n{textwrap.indent(text, '    ')}"


def _option(default: Any, doc: str, type_name: str, **spec: Any) -> Any:
    return dataclasses.field(
        default=default, metadata={"default": default, "doc": doc, "type_name": type_name} | spec
    )


def _choice(default: str, doc: str, *choices: str) -> Any:
    type_name = "{" + ", ".join(f'"{choice}"' for choice in choices) + "}"
    return _option(default, doc, type_name, choices=choices)


def _switch(doc: str) -> Any:
    return _option(None, doc, "bool, optional", choices=(None, True, False), default_text="detected")


def _column(doc: str, *, on_command_line: bool = True, default_text: str = "recognized by its name") -> Any:
    return _option(
        None, doc, "str or int, optional", metavar="NAME", is_column=True,
        on_command_line=on_command_line, default_text=default_text,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Options of every reader: the format of a source, and which part of it to read."""

    separator: str | None = _option(
        None, 'Field separator of text: any text, or "whitespace"', "str, optional",
        default_text="detected", metavar="TEXT",
    )  # fmt: skip
    header: bool | None = _switch("Whether the first line holds column names")
    encoding: str = _option("utf-8", "Encoding of text files", "str")
    member: str | None = _option(None, "File inside a zip archive", "str, optional", metavar="NAME")
    sheet: str | int | None = _option(
        None, "Sheet of a workbook: its name, or its position from 0", "str or int, optional",
        default_text="the first visible one", metavar="NAME",
    )  # fmt: skip
    table: str | None = _option(
        None, "Table of a database", "str, optional", default_text="the only one", metavar="NAME"
    )
    query: str | None = _option(None, "SELECT statement for a database", "str, optional", metavar="SQL")

    def __post_init__(self) -> None:
        for spec in option_specs(type(self)):
            if spec.choices:
                check_choice(spec.name, getattr(self, spec.name), spec.choices)

    def requested_columns(self) -> dict[str, ColumnRequest]:
        """Return the column requested for each role, None where it is to be recognized."""
        columns = [spec.name for spec in option_specs(type(self)) if spec.is_column]
        return {role: getattr(self, role) for role in columns}


@dataclass(frozen=True, kw_only=True)
class PairsOptions(SourceOptions):
    """Options of ``read_pairs``."""

    user: str | int | None = _column("Column of user ids: its name, or its position from 0")
    item: str | int | None = _column("Column of item ids")


@dataclass(frozen=True, kw_only=True)
class ItemsOptions(SourceOptions):
    """Options of ``read_items``."""

    item: str | int | None = _column("Column of item ids: its name, or its position from 0")
    title: str | int | None = _column("Column of titles")


@dataclass(frozen=True, kw_only=True)
class ReadOptions(PairsOptions):
    """Options of ``read_ratings``."""

    rating: str | int | None = _column("Column of ratings")
    timestamp: str | int | None = _column("Column of timestamps")
    weight: str | int | None = _column("Column of weights", on_command_line=False, default_text="none")
    decimal: str = _choice(".", "Decimal separator of the ratings in text", ".", ",")
    layout: str = _choice(
        "long", "long: one row per rating; wide: one row per user, one column per item", "long", "wide"
    )
    missing: MissingValues = _option(  # noqa: RUF009 - a dataclass field
        None, 'Value that means "no rating" in the wide layout, besides blank cells',
        "number, str, or a sequence of them, optional",
        default_text="an outlying 99, which is logged", metavar="TEXT",
    )  # fmt: skip
    first_column_is_count: bool | None = _switch("Whether the first column of a wide table counts ratings")
    scale: tuple[float, float] | None = _option(
        None, "Lowest and highest rating allowed", "(low, high), optional", metavar="LOW,HIGH"
    )
    duplicates: str = _choice(
        "raise", "What to do with a pair of user and item that was rated more than once",
        "raise", "last", "first", "mean",
    )  # fmt: skip
    on_error: str = _choice(
        "raise", "raise: stop at a row that cannot be used; skip: drop such rows and report them",
        "raise", "skip",
    )  # fmt: skip
    where: str | None = _option(
        None, 'SQL condition on the rows of the source: "userId <= 4000"', "str, optional", metavar="EXPR"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("missing", "first_column_is_count"):
            if self.layout == "long" and getattr(self, name) is not None:
                raise InvalidParameterError(
                    f"{{{name}}} is for {{layout}} only",
                    arguments={name: getattr(self, name), "layout": "wide"},
                    hint=Hint({"layout": "wide"}, "if rows are users and columns are items"),
                )

    def requested_columns(self) -> dict[str, ColumnRequest]:
        """Return the column requested for each role; without ``weight`` if there is none."""
        columns = super().requested_columns()
        if self.weight is None:
            del columns["weight"]
        return columns

    @property
    def skip_errors(self) -> bool:
        """Whether invalid rows are skipped."""
        return self.on_error == "skip"


def option_specs(options: type[SourceOptions]) -> list[OptionSpec]:
    """Return the specifications of all options of a reader, columns first."""
    specs = [OptionSpec(field.name, **field.metadata) for field in dataclasses.fields(options)]
    return sorted(specs, key=lambda spec: not spec.is_column)


def document_options(options: type[SourceOptions]) -> Callable[[_Function], _Function]:
    """Write the options into the docstring of a function.

    ``{options}``, alone in a line, becomes their parameters; ``{option_names}`` their names.
    """

    def document(function: _Function) -> _Function:
        specs = option_specs(options)
        parameters = "\n".join(spec.to_numpydoc() for spec in specs)
        doc = re.sub(
            r"^( *)\{options\}$",
            lambda line: textwrap.indent(parameters, line[1]),
            function.__doc__ or "",
            flags=re.MULTILINE,
        )
        names = ", ".join(f"``{spec.name}``" for spec in specs)
        function.__doc__ = doc.replace("{option_names}", names)
        return function

    return document
