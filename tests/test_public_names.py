"""Public names: they exist, are documented, and cost nothing until they are used."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import foretaste
from foretaste.models import MODELS


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_all_has_no_repeats_and_is_what_dir_shows() -> None:
    assert len(set(foretaste.__all__)) == len(foretaste.__all__)
    assert set(foretaste.__all__) <= set(dir(foretaste))
    assert set(foretaste._PACKAGE_OF) == set(foretaste.__all__) - {"__version__"}


def test_star_import_gives_just_these_names() -> None:
    code = "names = set(dir()); from foretaste import *; print(*sorted(set(dir()) - names - {'names'}))"
    assert run(code).split() == sorted(foretaste.__all__)


@pytest.mark.parametrize("name", [name for name in foretaste.__all__ if name != "__version__"])
def test_every_name_can_be_imported_and_is_documented(name: str) -> None:
    thing = getattr(foretaste, name)
    assert (inspect.getdoc(thing) or "").strip()
    assert thing.__module__.startswith("foretaste.")
    room = importlib.import_module(f"foretaste.{foretaste._PACKAGE_OF[name]}")
    assert thing is getattr(room, foretaste._ATTRIBUTE_OF.get(name, name))


def test_every_model_is_public() -> None:
    assert set(MODELS) <= set(foretaste.__all__)


def test_version_is_text() -> None:
    assert isinstance(foretaste.__version__, str)
    assert foretaste.__version__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        foretaste.nonsense  # noqa: B018 - asking is the test


HEAVY = (
    "numpy",
    "scipy",
    "polars",
    "pandas",
    "sklearn",
    "click",
    "rich",
    "safetensors",
    "urllib3",
    "filelock",
)


def test_import_loads_no_heavy_package() -> None:
    code = f"import sys, foretaste; print(*[m for m in {HEAVY} if m in sys.modules])"
    assert run(code) == ""


def test_models_import_numpy_only() -> None:
    code = f"import sys; from foretaste import *; print(*[m for m in {HEAVY} if m in sys.modules])"
    assert run(code) == "numpy"


def test_command_line_help_imports_click_only() -> None:
    code = (
        "import sys\nfrom foretaste.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(*[m for m in {HEAVY} if m in sys.modules])"
    )
    assert run(code).splitlines()[-1] == "click"


def test_type_checkers_see_the_same_names() -> None:
    source = inspect.getsource(foretaste)
    block = source[source.index("if TYPE_CHECKING:") : source.index("__all__ =")]
    for name in foretaste.__all__:
        assert name in block
