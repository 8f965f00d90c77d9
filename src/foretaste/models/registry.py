"""Registry of models by name: core models, optional ones and those of other packages, imported on demand."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from foretaste.models.base import Model

ENTRY_POINT_GROUP = "foretaste.models"  # entry points by which other packages add models

# As in pyproject.toml; repeated for running from a source tree, where there are no entry points.
OPTIONAL_MODELS = {
    "TorchMF": "foretaste.models.pytorch",
    "TorchRecommender": "foretaste.models.pytorch",
    "AutoRec": "foretaste.models.pytorch",
    "SparseFC": "foretaste.models.pytorch",
    "FactorizationMachine": "foretaste.models.pytorch",
    "NeuralMF": "foretaste.models.pytorch",
}


class ModelRegistry(dict[str, type[Model]]):
    """Model classes by name.

    Iteration gives the core models, the same on every machine; ``compare(ratings)`` takes these. Lookup by
    name also finds models of ``foretaste.models.pytorch`` and of other packages, importing them on demand.
    """

    def __init__(self, core: Iterable[type[Model]] = ()) -> None:
        super().__init__()
        self.register(core)

    def register(self, core: Iterable[type[Model]]) -> None:
        """Add models of the core, by their class names, in this order."""
        self.update({model.__name__: model for model in core})

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in OPTIONAL_MODELS or name in _entry_points()

    def __missing__(self, name: str) -> type[Model]:
        if name in OPTIONAL_MODELS:
            builtin: type[Model] = getattr(import_module(OPTIONAL_MODELS[name]), name)
            return builtin
        points = _entry_points()
        if name not in points:
            raise KeyError(name)
        loaded: type[Model] = points[name].load()
        return loaded

    def get(self, name: str, default: Any = None) -> Any:
        """Return the model of a name, or ``default``."""
        return self[name] if name in self else default  # noqa: SIM401 - this is what get is

    def names(self) -> list[str]:
        """Return all names: core models, models that need an extra, models of other packages."""
        core = list(self)
        return core + [name for name in (*OPTIONAL_MODELS, *_entry_points()) if name not in core]


MODELS = ModelRegistry()  # filled by foretaste.models, which imports before any of its modules


def _entry_points() -> dict[str, Any]:
    """Return the entry points of other packages by name."""
    from importlib.metadata import entry_points  # slow to import, needed only for unknown names

    return {
        point.name: point
        for point in entry_points(group=ENTRY_POINT_GROUP)
        if point.name not in OPTIONAL_MODELS
    }
