"""All exceptions that foretaste raises.

An error has three parts: a message, a location and a hint that says what to type to fix it. ``str(error)``
shows all three; the command line and the service read them separately.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass


def format_argument(name: str, value: object) -> str:
    """Return an argument as Python source, ``duplicates="last"``; an ellipsis stands for the user's value."""
    if isinstance(value, str):
        text = '"' + value + '"' if '"' not in value and "\\" not in value else repr(value)
    else:
        text = "..." if value is ... else repr(to_python(value))
    return f"{name}={text}"


@dataclass(frozen=True)
class Hint:
    """A fix that passes arguments: ``Hint({"duplicates": "last"}, 'or "first", "mean"')``.

    Parameters
    ----------
    arguments : mapping of str to object
        Arguments of the function that was called, with the values to pass; ``...`` for one that only the user
        knows, None for one to leave out.
    note : str
        What follows them, in words.
    lead : str
        What precedes them: ``name the column``.
    """

    arguments: Mapping[str, object]
    note: str = ""
    lead: str = ""

    def format(self, format_argument: Callable[[str, object], str] = format_argument) -> str:
        """Return the hint as text, with the arguments in the given notation."""
        text = ", ".join(format_argument(name, value) for name, value in self.arguments.items())
        lead = f"{self.lead}: " if self.lead else ""
        return f"{lead}{text}{f' ({self.note})' if self.note else ''}"

    def __str__(self) -> str:
        return self.format()


class ForetasteError(Exception):
    """Base class of all errors that foretaste raises.

    Parameters
    ----------
    message : str
        What happened: the argument, its value and the allowed values. With ``argument``, only what is
        allowed: ``it must be an integer, at least 1``.
    where : str, optional
        The location: a row, a line of a file, a column.
    hint : Hint or str, optional
        What to type or change to fix it; a ``Hint`` if arguments fix it.
    argument : (str, object), optional
        The argument that is not allowed and its value; the message begins with them.
    replacement : (object, object), optional
        An invalid value and its correction; the command line prints the corrected command.
    """

    code = "error"
    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: Hint | str | None = None,
        argument: tuple[str, object] | None = None,
        replacement: tuple[object, object] | None = None,
    ) -> None:
        self.reason = message
        self.argument = argument
        if argument is not None:
            message = f"{format_argument(*argument)} is not allowed; {message}"
        super().__init__(message)
        self.message = message
        self.where = where
        self.fix = hint if isinstance(hint, Hint) else None
        self.hint = None if hint is None else str(hint)
        self.replacement = None if replacement is None else (str(replacement[0]), str(replacement[1]))

    def __str__(self) -> str:
        parts = [self.message]
        if self.where:
            parts.append(f"  {self.where}")
        if self.hint:
            parts.append(f"try: {self.hint}")
        return "\n".join(parts)


class InvalidParameterError(ForetasteError, ValueError):
    """A parameter or argument has an invalid value."""

    code = "invalid_parameter"


class DataError(ForetasteError, ValueError):
    """Invalid ratings, ids or input file."""

    code = "bad_data"
    exit_code = 3


class ModelFileError(DataError):
    """A model file that is truncated, of another format, newer than this library or malicious."""

    code = "bad_model_file"


class NotEnoughMemoryError(ForetasteError, MemoryError):
    """Refused before it starts: the computation would not fit into memory."""

    code = "too_large"
    exit_code = 3


class NotFittedError(ForetasteError, ValueError, AttributeError):
    """The model is not fitted yet."""

    code = "not_fitted"


class NotSupportedError(ForetasteError, NotImplementedError):
    """The model does not support an operation; the hint names the models that do."""

    code = "not_supported"


class NotFoundError(ForetasteError, LookupError):
    """No file, model, dataset, user or item has this name."""

    code = "not_found"
    exit_code = 4


class DownloadError(ForetasteError, ConnectionError):
    """A dataset could not be downloaded: no network, a server error, a full disk."""

    code = "not_fetched"
    exit_code = 4


class MissingDependencyError(ForetasteError, ImportError):
    """An optional dependency is not installed; the hint is the command that installs it."""

    code = "missing_extra"
    exit_code = 5


def to_python(value: object) -> object:
    """Convert a numpy scalar to a Python object, so that messages show 7 rather than np.int64(7)."""
    item = getattr(value, "item", None)
    return value if item is None else item()


def did_you_mean(word: object, options: Iterable[object]) -> str:
    """Return ``'; did you mean "x"?'`` for the closest option, or an empty string."""
    matches = difflib.get_close_matches(str(word), [str(option) for option in options], n=1)
    return f'; did you mean "{matches[0]}"?' if matches else ""
