"""Everything foretaste raises on purpose.

An error has three parts: what happened, where, and what to type to mend it.
``str(error)`` shows all three; the command line and the service read them apart.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ForetasteError(Exception):
    """Base of every error raised on purpose.

    Parameters
    ----------
    message : str
        What happened: the argument, its value and what is allowed.
    where : str, optional
        The place: a row, a line of a file, a column.
    hint : str, optional
        What to type or change to mend it.
    replacement : (object, object), optional
        A word that was given, and the one that would have been right; the command line prints the whole
        command with it.
    """

    code = "error"
    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        replacement: tuple[object, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.replacement = None if replacement is None else (str(replacement[0]), str(replacement[1]))

    def __str__(self) -> str:
        parts = [self.message]
        if self.where:
            parts.append(f"  {self.where}")
        if self.hint:
            parts.append(f"try: {self.hint}")
        return "\n".join(parts)


class InvalidParameterError(ForetasteError, ValueError):
    """A parameter or argument has a value that is not allowed."""

    code = "invalid_parameter"


class DataError(ForetasteError, ValueError):
    """Ratings, ids or a file that cannot be used as they are."""

    code = "bad_data"
    exit_code = 3


class ModelFileError(DataError):
    """A model file that is truncated, foreign, newer than this library or hostile."""

    code = "bad_model_file"


class NotEnoughMemoryError(ForetasteError, MemoryError):
    """Work refused before it starts because it would not fit into memory."""

    code = "too_large"
    exit_code = 3


class NotFittedError(ForetasteError, ValueError, AttributeError):
    """A model was asked for predictions before ``fit``."""

    code = "not_fitted"


class NotSupportedError(ForetasteError, NotImplementedError):
    """A model was asked for something that it cannot do; the message names those that can."""

    code = "not_supported"


class NotFoundError(ForetasteError, LookupError):
    """A file, model, data set, user or item with this name does not exist."""

    code = "not_found"
    exit_code = 4


class DownloadError(ForetasteError, ConnectionError):
    """A data set could not be fetched: no network, a server that gives up, a full disk."""

    code = "not_fetched"
    exit_code = 4


class MissingDependencyError(ForetasteError, ImportError):
    """An optional dependency is not installed; the hint is the command that installs it."""

    code = "missing_extra"
    exit_code = 5


def to_python(value: object) -> object:
    """Return a numpy scalar as Python's own, so that a message says 7 and not np.int64(7)."""
    item = getattr(value, "item", None)
    return value if item is None else item()


def did_you_mean(word: object, options: Iterable[object]) -> str:
    """Return ``'; did you mean "x"?'`` for the nearest option, or an empty string."""
    matches = difflib.get_close_matches(str(word), [str(option) for option in options], n=1)
    return f'; did you mean "{matches[0]}"?' if matches else ""
