"""The method ``plot()`` of results: the one place that leads up to ``foretaste.report``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from foretaste.report import Charts


class PlotMixin:
    """Gives a class ``plot()``, as ``foretaste.plot`` draws it."""

    __slots__ = ()

    def plot(self) -> Charts:
        """Return the charts of this object; a notebook shows them, ``save(path)`` writes them."""
        from foretaste.report import plot

        return plot(self)  # type: ignore[arg-type]  # the classes that mix this in are what plot takes
