"""``Recommendations``: top-N lists of users, as frame, dict, text and HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._utils.formatting import count_decimals, format_count, format_text_table
from foretaste._utils.html import notebook_html, notebook_table
from foretaste.errors import NotFoundError, to_python
from foretaste.typing import Float32Array, IdArray, IndexArray, Int8Array, Int64Array

FALLBACK_LABELS = (None, "user unknown")  # by code
_TITLE_WIDTH = 60
_MAX_ROWS = 20  # rows of a printed table


@dataclass(frozen=True, eq=False, repr=False)
class Recommendations:
    """The top-N items of one or more users, best first; made by ``recommend``.

    The rows of user k are ``starts[k] : starts[k + 1]`` of ``ids``, ``scores`` and ``titles``; a
    user has fewer than n where no more items are left.

    Parameters
    ----------
    users : array of int64 or of str, shape (users,)
        In the order requested.
    starts : int64 array, shape (users + 1,)
    ids : array of int64 or of str, shape (rows,)
        The items.
    scores : float32 array, shape (rows,)
        Predictions in rating units, clipped as by ``predict``; ranked before clipping.
    fallback : int8 array, shape (users,)
        0, or 1 for unknown users, who all get the same fallback list.
    model : str
        The ``repr`` of the model.
    titles : list of (str or None), length rows, optional
        With a catalog; None for items not in it.
    """

    users: IdArray
    starts: Int64Array
    ids: IdArray
    scores: Float32Array
    fallback: Int8Array
    model: str
    titles: list[str | None] | None = None

    def __len__(self) -> int:
        """Return the number of rows of all users."""
        return len(self.ids)

    def for_user(self, user_id: Any) -> Recommendations:
        """Return the recommendations of one user.

        Raises
        ------
        NotFoundError
            If the user is not among those requested.
        """
        matches = np.flatnonzero(self.users == user_id)
        if len(matches) == 0:
            n_requested = format_count(len(self.users), "user")
            raise NotFoundError(
                f"user {to_python(user_id)!r} is not among the {n_requested} requested",
                misspelled=(user_id, self.users[:100_000].tolist()),
            )
        return self._select_user(int(matches[0]))

    def _select_user(self, user_index: int) -> Recommendations:
        user_slice, rows = (
            slice(user_index, user_index + 1),
            slice(*self.starts[user_index : user_index + 2].tolist()),
        )
        titles = None if self.titles is None else self.titles[rows]
        starts = self.starts[user_index : user_index + 2] - self.starts[user_index]
        return Recommendations(
            self.users[user_slice],
            starts,
            self.ids[rows],
            self.scores[rows],
            self.fallback[user_slice],
            self.model,
            titles,
        )

    def __iter__(self) -> Iterator[tuple[Any, Recommendations]]:
        """Iterate over pairs of a user id and its recommendations."""
        for user_index, user in enumerate(self.users.tolist()):
            yield user, self._select_user(user_index)

    def ranks(self) -> IndexArray:
        """Return the rank of each row within its user, from 1; int32, shape (rows,)."""
        length = np.diff(self.starts)
        return (np.arange(len(self)) - np.repeat(self.starts[:-1], length) + 1).astype(np.int32)

    def to_frame(self) -> Any:
        """Return a polars frame: user, rank, item, prediction, title (if there are titles), fallback.

        ``fallback`` is null, or "user unknown".
        """
        import polars as pl

        user_index = np.repeat(np.arange(len(self.users)), np.diff(self.starts))
        columns = {
            "user": _to_series(self.users).gather(user_index),
            "rank": self.ranks(),
            "item": _to_series(self.ids),
            "prediction": self.scores,
        }
        if self.titles is not None:
            columns["title"] = pl.Series(values=self.titles, dtype=pl.String)
        labels = pl.Series(values=FALLBACK_LABELS, dtype=pl.String)
        return pl.DataFrame(
            columns | {"fallback": labels.gather(self.fallback.astype(np.uint32)[user_index])}
        )

    def to_dict(self) -> dict[Any, list[dict[str, Any]]]:
        """Return a dict of user id to a list of ``{"item": ..., "prediction": ..., "title": ...}``.

        There are titles only with a catalog.
        """
        return {user: part._row_dicts() for user, part in self}

    def _row_dicts(self) -> list[dict[str, Any]]:
        rows = [
            {"item": item, "prediction": score}
            for item, score in zip(self.ids.tolist(), self.scores.tolist(), strict=True)
        ]
        if self.titles is not None:
            rows = [row | {"title": title} for row, title in zip(rows, self.titles, strict=True)]
        return rows

    def _table_parts(self) -> tuple[list[str], list[list[str]], str, list[str]]:
        """Return headers, rows, alignment and footer lines of the printed table."""
        n_shown = min(len(self), _MAX_ROWS)
        user_index = np.searchsorted(self.starts, np.arange(n_shown), side="right") - 1
        decimals = count_decimals(self.scores.tolist(), 3)
        columns = [
            [str(user) for user in self.users[user_index].tolist()],
            [str(rank) for rank in self.ranks()[:n_shown].tolist()],
            [str(item) for item in self.ids[:n_shown].tolist()],
            [f"{score:.{decimals}f}" for score in self.scores[:n_shown].tolist()],
            [truncate_title(title) for title in (self.titles or [None] * n_shown)[:n_shown]],
        ]
        names, align = ["user", "rank", "item", "prediction", "title"], "rrrrl"
        column_slice = slice(1 if len(self.users) == 1 else 0, 4 if self.titles is None else 5)
        rows = [list(row) for row in zip(*columns[column_slice], strict=True)]
        footer = [f"... {format_count(len(self) - n_shown, 'more row')}"] if n_shown < len(self) else []
        unknown = int(np.count_nonzero(self.fallback))
        if unknown:
            footer.append(f"fallback of the model for {format_count(unknown, 'unknown user')}")
        footer += [] if len(self) else ["no items left to recommend"]
        return names[column_slice], rows, align[column_slice], footer

    def __repr__(self) -> str:
        headers, rows, align, footer = self._table_parts()
        return "\n".join([format_text_table(headers, rows, align), *footer])

    def _repr_html_(self) -> str:
        headers, rows, align, footer = self._table_parts()
        recipient = f"user {self.users[0]}" if len(self.users) == 1 else format_count(len(self.users), "user")
        table = notebook_table(headers, rows, align, f"For {recipient}, by {self.model}")
        return notebook_html(table, *footer)


def _to_series(ids: IdArray) -> Any:
    import polars as pl

    return pl.Series(values=ids.tolist() if ids.dtype == object else ids, dtype=_polars_dtype(ids))


def _polars_dtype(ids: IdArray) -> Any:
    import polars as pl

    return pl.String if ids.dtype == object else pl.Int64


def truncate_title(title: str | None) -> str:
    """Return a title on one line, truncated to the width of a table column."""
    text = " ".join((title or "").split())
    return text if len(text) <= _TITLE_WIDTH else text[: _TITLE_WIDTH - 3] + "..."
