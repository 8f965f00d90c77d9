"""Every public name of the installed scikit-surprise exists, with its parameters and their defaults."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.peer

OURS = "foretaste.compat.surprise"

# What is not here, and why. (Module, name): reason.
ELSEWHERE = "an import of that module for itself; it has its home, and is here, in another module"
NOT_HERE = {
    ("surprise.prediction_algorithms.algo_base", "sims"): ELSEWHERE,
    ("surprise.prediction_algorithms.algo_base", "baseline_als"): ELSEWHERE,
    ("surprise.prediction_algorithms.algo_base", "baseline_sgd"): ELSEWHERE,
    ("surprise.prediction_algorithms.knns", "AlgoBase"): ELSEWHERE,
    ("surprise.prediction_algorithms.knns", "PredictionImpossible"): ELSEWHERE,
    ("surprise.prediction_algorithms.matrix_factorization", "AlgoBase"): ELSEWHERE,
    ("surprise.prediction_algorithms.matrix_factorization", "PredictionImpossible"): ELSEWHERE,
}

# Compiled functions there have no signature to inspect; these are from their source and documentation.
COMPILED = {
    ("surprise.similarities", "cosine"): ["n_x", "yr", "min_support"],
    ("surprise.similarities", "msd"): ["n_x", "yr", "min_support"],
    ("surprise.similarities", "pearson"): ["n_x", "yr", "min_support"],
    ("surprise.similarities", "pearson_baseline"): [
        "n_x",
        "yr",
        "min_support",
        "global_mean",
        "x_biases",
        "y_biases",
        "shrinkage=100",
    ],
    ("surprise.prediction_algorithms.optimize_baselines", "baseline_als"): ["self"],
    ("surprise.prediction_algorithms.optimize_baselines", "baseline_sgd"): ["self"],
}

# Signatures that are meant to differ: reason.
OTHER_SIGNATURE: dict[tuple[str, str], str] = {}


@pytest.fixture(scope="module")
def modules(peer: ModuleType) -> dict[str, ModuleType]:
    """Give every module of the installed package by its name; ``__main__`` runs nothing on import."""
    names = [found.name for found in pkgutil.walk_packages(peer.__path__, "surprise.")]
    return {"surprise": peer} | {name: importlib.import_module(name) for name in names}


def our_module(name: str) -> ModuleType:
    return importlib.import_module(OURS + name.removeprefix("surprise"))


def public_names(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield what a module offers: what it lists, what it defines, and its submodules."""
    for name, value in vars(module).items():
        if name.startswith("_") or (module.__name__ == "surprise.__main__" and name != "main"):
            continue  # of the command nothing is imported but what starts it
        here = getattr(value, "__module__", None) == module.__name__
        inside = isinstance(value, ModuleType) and value.__name__.startswith("surprise")
        listed = name in getattr(module, "__all__", ())
        data = not callable(value) and not isinstance(value, ModuleType) and name.isupper()
        again = str(getattr(value, "__module__", "")).startswith("surprise")
        if (here or inside or listed or data or again) and (module.__name__, name) not in NOT_HERE:
            yield name, value


def signature_of(function: Any) -> list[tuple[str, str, Any]] | None:
    """Return the parameters of a function: name, kind, default; None without a signature."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    # The peer writes into its own default dicts when it is used, so of those the kind is compared.
    return [(p.name, p.kind.name, dict if isinstance(p.default, dict) else p.default) for p in parameters]


def test_every_module_exists(modules):
    assert len(modules) >= 20
    for name in modules:
        assert our_module(name).__name__ == OURS + name.removeprefix("surprise")


def test_every_public_name_exists(modules):
    missing = [
        f"{module_name}.{name}"
        for module_name, module in modules.items()
        for name, _ in public_names(module)
        if not hasattr(our_module(module_name), name)
    ]
    assert not missing
    assert sum(1 for module in modules.values() for _ in public_names(module)) > 100


def test_missing_names_are_imported_from_elsewhere(modules):
    for module, name in NOT_HERE:
        thing = getattr(modules[module], name)  # still an import there
        home = thing.__name__ if isinstance(thing, ModuleType) else thing.__module__
        assert home != module
        assert isinstance(thing, ModuleType) or hasattr(our_module(home), name)


def test_dunder_all_equals_the_peer(modules):
    for name, module in modules.items():
        if hasattr(module, "__all__"):
            assert set(module.__all__) <= set(our_module(name).__all__), name


def test_version_is_that_of_the_peer(peer):
    assert our_module("surprise").__version__ == peer.__version__


def classes_and_functions(modules: dict[str, ModuleType]) -> Iterator[tuple[str, str, Any]]:
    for module_name, module in modules.items():
        for name, value in public_names(module):
            if inspect.isclass(value) or callable(value):
                yield module_name, name, value


def test_every_method_and_attribute_exists(modules):
    missing = []
    for module_name, name, value in classes_and_functions(modules):
        if inspect.isclass(value):
            mine = getattr(our_module(module_name), name)
            wanted = [word for word in dir(value) if not word.startswith("_")]
            missing += [f"{module_name}.{name}.{word}" for word in wanted if not hasattr(mine, word)]
            for base in value.__mro__:
                if base.__module__.startswith("surprise"):
                    theirs = getattr(our_module(base.__module__), base.__name__)
                    assert issubclass(mine, theirs), f"{name} is no {base.__name__}"
    assert not missing


def test_every_signature_equals_the_peer(modules):
    differ, seen = [], 0
    for module_name, name, value in classes_and_functions(modules):
        mine = getattr(our_module(module_name), name)
        pairs = [(name, value, mine)]
        if inspect.isclass(value) and not issubclass(value, tuple | Exception):
            words = [
                word for word in dir(value) if not word.startswith("_") and callable(getattr(value, word))
            ]
            pairs = [(f"{name}.{word}", getattr(value, word), getattr(mine, word)) for word in words]
            pairs.append((f"{name}.__init__", value.__init__, mine.__init__))
        for label, there, here in pairs:
            wanted, found = signature_of(there), signature_of(here)
            if (module_name, label) in OTHER_SIGNATURE or wanted is None:
                continue
            seen += 1
            if wanted != found:
                differ.append((f"{module_name}.{label}", wanted, found))
    assert not differ
    assert seen > 100


def test_cython_functions_have_the_documented_signature(modules):
    untold = {
        (module_name, name)
        for module_name, name, value in classes_and_functions(modules)
        if not inspect.isclass(value) and value.__module__ == module_name and signature_of(value) is None
    }
    assert untold <= set(COMPILED)
    for (module_name, name), wanted in COMPILED.items():
        parameters = inspect.signature(getattr(our_module(module_name), name)).parameters.values()
        found = [p.name if p.default is p.empty else f"{p.name}={p.default:g}" for p in parameters]
        assert found == wanted, name
