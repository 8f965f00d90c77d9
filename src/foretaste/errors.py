"""All exceptions that foretaste raises.

An error has three parts: a message, a location and a hint that says what to type to fix it. ``str(error)``
shows all three; the command line and the service read them separately.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


def format_argument(name: str, value: object) -> str:
    """Return an argument as Python source, ``duplicates="last"``; an ellipsis stands for the user's value."""
    if isinstance(value, str):
        text = '"' + value + '"' if '"' not in value and "\\" not in value else repr(value)
    else:
        python = to_python(value)
        text = repr(value if isinstance(python, bool) else python).replace("Ellipsis", "...")
    return f"{name}={text}"


@dataclass(frozen=True)
class Hint:
    """A fix that passes arguments: ``Hint({"duplicates": "last"}, '(or "first", "mean")')``.

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

    def format(self, notation: Callable[[str, object], str] = format_argument) -> str:
        """Return the hint as text, with the arguments in the given notation."""
        text = ", ".join(notation(name, value) for name, value in self.arguments.items())
        lead = f"{self.lead}: " if self.lead else ""
        return f"{lead}{text} {self.note}".rstrip()

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
    arguments : mapping of str to object, optional
        Arguments that the message names as ``{name}``, each written in place of it with its value.
    misspelled : (object, iterable), optional
        A word that is unknown, and the known ones: the message ends with the closest of them.
    replacement : (object, object), optional
        An invalid value and its correction; the command line prints the corrected command. Default: of
        ``misspelled``.
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
        arguments: Mapping[str, object] | None = None,
        misspelled: tuple[object, Iterable[object]] | None = None,
        replacement: tuple[object, object] | None = None,
    ) -> None:
        self.argument = argument
        self.arguments = dict(arguments or {})
        if argument is not None:
            name, value = argument
            self.arguments[name] = value
            message = f"{{{name}}} is not allowed; {message}"
        if misspelled is not None:
            word, known = misspelled
            closest = closest_word(word, known)
            if closest is not None:
                message += f'; did you mean "{closest}"?'
                replacement = replacement or (word, closest)
        self._template = message
        self.message = self.format_message()
        super().__init__(self.message)
        self.where = where
        self.fix: Hint | None = None
        self.hint = hint
        self.replacement = None if replacement is None else (str(replacement[0]), str(replacement[1]))

    @property
    def hint(self) -> str | None:
        """What to type or change to fix it, as text; ``fix`` is the same as data, if arguments fix it."""
        return self._hint

    @hint.setter
    def hint(self, hint: Hint | str | None) -> None:
        self.fix = hint if isinstance(hint, Hint) else None
        self._hint = None if hint is None else str(hint)

    def format_message(self, notation: Callable[[str, object], str] = format_argument) -> str:
        """Return the message, with its arguments in the given notation."""
        message = self._template
        for name, value in self.arguments.items():
            message = message.replace(f"{{{name}}}", notation(name, value))
        return message

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


def as_plain_number(value: Any) -> float | int:
    """Convert a number to a float, or to an integer if it is one, so that a hint shows 5 rather than 5.0."""
    number = float(value)
    return int(number) if number.is_integer() else float(f"{number:g}")


def closest_word(word: object, known: Iterable[object]) -> str | None:
    """Return the known word that resembles ``word`` most, whatever its case; None if none does."""
    spellings = {str(option).lower(): str(option) for option in known}
    matches = difflib.get_close_matches(str(word).lower(), spellings, n=1)
    return spellings[matches[0]] if matches else None


def did_you_mean(word: object, options: Iterable[object]) -> str:
    """Return ``'; did you mean "x"?'`` for the closest option, or an empty string."""
    closest = closest_word(word, options)
    return "" if closest is None else f'; did you mean "{closest}"?'
