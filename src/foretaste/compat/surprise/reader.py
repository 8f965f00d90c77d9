"""Format of a ratings file: fields of a line, separator and rating scale."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from foretaste.compat.surprise.builtin_datasets import BUILTIN_DATASETS
from foretaste.errors import DataError, Hint, InvalidParameterError, did_you_mean

_FIELDS = ("user", "item", "rating")


class Reader:
    """Format of a ratings file."""

    def __init__(
        self,
        name: str | None = None,
        line_format: str = "user item rating",
        sep: str | None = None,
        rating_scale: Any = (1, 5),
        skip_lines: int = 0,
    ) -> None:
        if name:
            if name not in BUILTIN_DATASETS:
                raise InvalidParameterError(
                    f"unknown reader {name}. Accepted values are {', '.join(BUILTIN_DATASETS)}"
                    f"{did_you_mean(name, BUILTIN_DATASETS)}",
                    hint='Reader("ml-100k"), or Reader(line_format="user item rating", sep=",")',
                )
            params = BUILTIN_DATASETS[name].reader_params
            line_format, sep = params["line_format"], params.get("sep")
            rating_scale, skip_lines = params["rating_scale"], 0
        self.sep = sep
        self.skip_lines = skip_lines
        self.rating_scale = _check_scale(rating_scale)
        fields = line_format.split()
        self.with_timestamp = "timestamp" in fields
        columns = (*_FIELDS, "timestamp") if self.with_timestamp else _FIELDS
        unknown_fields = [field for field in fields if field not in (*_FIELDS, "timestamp")]
        missing_fields = [field for field in _FIELDS if field not in fields]
        if unknown_fields or missing_fields:
            problem = f"has no {missing_fields[0]}" if missing_fields else f"names {unknown_fields[0]!r}"
            raise InvalidParameterError(
                f"line_format parameter is incorrect: {line_format!r} {problem}; the fields are user, item, "
                "rating and timestamp, with spaces between",
                hint='line_format="user item rating", and sep="," for the separator of the file',
            )
        self.indexes = [fields.index(field) for field in columns]

    def parse_line(self, line: str) -> tuple[str, str, float, str | None]:
        """Read one line."""
        parts = line.split(self.sep)
        try:
            fields = [parts[index].strip() for index in self.indexes]
        except IndexError:
            raise DataError(
                f"Impossible to parse line {line[:80].rstrip()!r}: {len(parts)} fields, where at least "
                f"{max(self.indexes) + 1} are needed",
                hint='Check the line_format and sep parameters, as in Reader(line_format="user item rating", '
                'sep=","); skip_lines=1 skips a header line',
            ) from None
        try:
            rating = float(fields[2])
        except ValueError:
            raise DataError(
                f"could not convert string to float: the rating {fields[2][:80]!r} is not a number",
                hint="skip_lines=1 skips a header line; line_format says which field is the rating",
            ) from None
        return fields[0], fields[1], rating, fields[3] if self.with_timestamp else None

    def _parse_lines(self, lines: Iterable[str]) -> Iterator[tuple[str, str, float, str | None]]:
        """Yield the parsed lines, like ``parse_line`` but faster."""
        if type(self).parse_line is not Reader.parse_line or "parse_line" in vars(self):
            yield from map(self.parse_line, lines)
            return
        sep, (user, item, rating, *time) = self.sep, self.indexes
        for line in lines:
            parts = line.split(sep)
            try:
                timestamp = parts[time[0]].strip() if time else None
                row = parts[user].strip(), parts[item].strip(), float(parts[rating]), timestamp
            except (IndexError, ValueError):
                row = self.parse_line(line)  # raises the error
            yield row


def _check_scale(scale: Any) -> Any:
    try:
        low, high = scale
        ordered = low <= high
    except (TypeError, ValueError):
        raise InvalidParameterError(
            "it must be two numbers", argument=("rating_scale", scale), hint=Hint({"rating_scale": (1, 5)})
        ) from None
    if not ordered:
        raise InvalidParameterError(
            "the lower end comes first",
            argument=("rating_scale", scale),
            hint=Hint({"rating_scale": (high, low)}),
        )
    return scale
