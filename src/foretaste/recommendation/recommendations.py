"""The recommendations of some users: an object to read, to print and to hand on."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.formatting import decimals_for, html_table, plural, text_table
from foretaste.errors import NotFound, did_you_mean, plain
from foretaste.ids import IdArray
from foretaste.models.outputs import Floats

FALLBACKS = (None, "user unknown")  # in words, by the code
_TITLE_WIDTH = 60
_SHOWN = 20  # rows of a printed table


@dataclass(frozen=True, eq=False, repr=False)
class Recommendations:
    """The best items of one or more users, the best first; made by ``recommend``.

    The rows of user number k stand in ``starts[k] : starts[k + 1]`` of ``ids``, ``scores`` and ``titles``; a
    user has fewer than were asked for where no more items are left.

    Parameters
    ----------
    users : array of int64 or of str, shape (users,)
        As they were asked for.
    starts : int64 array, shape (users + 1,)
    ids : array of int64 or of str, shape (rows,)
        The items.
    scores : float32 array, shape (rows,)
        What the model predicts, in rating units; clipped as ``predict`` clips, though ranked before that.
    fallback : int8 array, shape (users,)
        0; 1 for a user whom the model does not know: what it falls back to, the same for all of them.
    basis : str
        The model, as it is written in Python.
    titles : list of (str or None), length rows, optional
        Where a catalogue was given; None for an item that it does not know.
    """

    users: IdArray
    starts: npt.NDArray[np.int64]
    ids: IdArray
    scores: Floats
    fallback: npt.NDArray[np.int8]
    basis: str
    titles: list[str | None] | None = None

    def __len__(self) -> int:
        """Return how many rows there are, of all users together."""
        return len(self.ids)

    def of(self, user_id: Any) -> Recommendations:
        """Return the recommendations of one of the users.

        Raises
        ------
        NotFound
            If this user was not asked for.
        """
        found = np.flatnonzero(self.users == user_id)
        if len(found) == 0:
            near = did_you_mean(user_id, self.users[:100_000].tolist())
            asked = plural(len(self.users), "user")
            raise NotFound(f"user {plain(user_id)!r} is not among the {asked} asked for{near}")
        return self._part(int(found[0]))

    def _part(self, number: int) -> Recommendations:
        one, rows = slice(number, number + 1), slice(*self.starts[number : number + 2].tolist())
        titles = None if self.titles is None else self.titles[rows]
        starts = self.starts[number : number + 2] - self.starts[number]
        return Recommendations(
            self.users[one], starts, self.ids[rows], self.scores[rows], self.fallback[one], self.basis, titles
        )

    def __iter__(self) -> Iterator[tuple[Any, Recommendations]]:
        """Go through the users: an id and its recommendations at a time."""
        for number, user in enumerate(self.users.tolist()):
            yield user, self._part(number)

    def ranks(self) -> npt.NDArray[np.int32]:
        """Return the rank of each row among those of its user, from 1; int32, shape (rows,)."""
        length = np.diff(self.starts)
        return (np.arange(len(self)) - np.repeat(self.starts[:-1], length) + 1).astype(np.int32)

    def to_frame(self) -> Any:
        """Return a polars frame: user, rank, item, prediction, title (if there are titles), fallback.

        ``fallback`` is null, or "user unknown".
        """
        import polars as pl

        number = np.repeat(np.arange(len(self.users)), np.diff(self.starts))
        columns = {
            "user": _series(self.users).gather(number),
            "rank": self.ranks(),
            "item": _series(self.ids),
            "prediction": self.scores,
        }
        if self.titles is not None:
            columns["title"] = pl.Series(values=self.titles, dtype=pl.String)
        words = pl.Series(values=FALLBACKS, dtype=pl.String)
        return pl.DataFrame(columns | {"fallback": words.gather(self.fallback.astype(np.uint32)[number])})

    def to_dict(self) -> dict[Any, list[dict[str, Any]]]:
        """Return plain Python: by user id, a list of ``{"item": ..., "prediction": ..., "title": ...}``.

        There is a title only if there is a catalogue.
        """
        return {user: part._rows() for user, part in self}

    def _rows(self) -> list[dict[str, Any]]:
        rows = [
            {"item": item, "prediction": score}
            for item, score in zip(self.ids.tolist(), self.scores.tolist(), strict=True)
        ]
        if self.titles is not None:
            rows = [row | {"title": title} for row, title in zip(rows, self.titles, strict=True)]
        return rows

    def _table(self) -> tuple[list[str], list[list[str]], str, list[str]]:
        """Return headers, rows and alignment of what is shown, and what is said below it."""
        shown = min(len(self), _SHOWN)
        number = np.searchsorted(self.starts, np.arange(shown), side="right") - 1
        decimals = decimals_for(self.scores.tolist(), 3)
        columns = [
            [str(user) for user in self.users[number].tolist()],
            [str(rank) for rank in self.ranks()[:shown].tolist()],
            [str(item) for item in self.ids[:shown].tolist()],
            [f"{score:.{decimals}f}" for score in self.scores[:shown].tolist()],
            [short(title) for title in (self.titles or [None] * shown)[:shown]],
        ]
        names, align = ["user", "rank", "item", "prediction", "title"], "rrrrl"
        wanted = slice(1 if len(self.users) == 1 else 0, 4 if self.titles is None else 5)
        rows = [list(row) for row in zip(*columns[wanted], strict=True)]
        below = [f"... {plural(len(self) - shown, 'more row')}"] if shown < len(self) else []
        unknown = int(np.count_nonzero(self.fallback))
        if unknown:
            below.append(f"unknown to the model, so its fallback: {plural(unknown, 'user')}")
        below += [] if len(self) else ["no item is left to recommend"]
        return names[wanted], rows, align[wanted], below

    def __repr__(self) -> str:
        headers, rows, align, below = self._table()
        return "\n".join([text_table(headers, rows, align), *below])

    def _repr_html_(self) -> str:
        headers, rows, align, below = self._table()
        who = f"user {self.users[0]}" if len(self.users) == 1 else plural(len(self.users), "user")
        notes = "".join(f"<p>{html.escape(line)}</p>" for line in below)
        return html_table(headers, rows, align, f"For {who}, by {self.basis}") + notes


def _series(ids: IdArray) -> Any:
    import polars as pl

    return pl.Series(values=ids.tolist() if ids.dtype == object else ids, dtype=_dtype(ids))


def _dtype(ids: IdArray) -> Any:
    import polars as pl

    return pl.String if ids.dtype == object else pl.Int64


def short(title: str | None) -> str:
    """Return a title on one line, cut to what a table holds."""
    words = " ".join((title or "").split())
    return words if len(words) <= _TITLE_WIDTH else words[: _TITLE_WIDTH - 3] + "..."
