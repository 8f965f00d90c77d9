"""All exceptions that foretaste raises.

An error has three parts: a message, a location and a hint that says what to type to fix it. ``str(error)``
shows all three; the command line and the service read them separately.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ForetasteError(Exception):
    """Base class of all errors that foretaste raises.

    Parameters
    ----------
    message : str
        What happened: the argument, its value and the allowed values.
    where : str, optional
        The location: a row, a line of a file, a column.
    hint : str, optional
        What to type or change to fix it.
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
