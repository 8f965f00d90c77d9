"""The alias: ``import surprise`` gives foretaste, each module under its name; never both packages."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import foretaste.compat.surprise as ours


def run(code, tmp_path, *, fails=False):
    environment = os.environ | {"SURPRISE_DATA_FOLDER": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.returncode != 0) is fails, done.stderr
    return done.stderr if fails else done.stdout.strip()


PROGRAM = """
import foretaste.compat.surprise.install
import surprise, sys
from surprise import Dataset, Reader, accuracy
from surprise.prediction_algorithms.algo_base import AlgoBase
import surprise.prediction_algorithms.predictions as predictions
import foretaste.compat.surprise.trainset as there
from surprise.trainset import Trainset
assert surprise.Trainset is Trainset is there.Trainset
assert surprise.AlgoBase is AlgoBase
assert surprise.Prediction is predictions.Prediction
assert surprise.__name__ == "foretaste.compat.surprise"
print(*sorted(name for name in sys.modules if name.split(".")[0] == "surprise"))
"""


def test_every_module_is_registered(tmp_path):
    names = run(PROGRAM, tmp_path).split()
    for part in (
        "",
        ".accuracy",
        ".dataset",
        ".dump",
        ".reader",
        ".utils",
        ".prediction_algorithms.algo_base",
    ):
        assert f"surprise{part}" in names
    assert not {"surprise.install", "surprise._warnings", "surprise.dump_format"} & set(names)


@pytest.mark.peer
def test_no_peer_module_is_loaded(tmp_path):
    pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')
    code = (
        PROGRAM + "\nfor name, module in sys.modules.items():\n"
        "    if name.startswith('surprise'): print(module.__file__)"
    )
    files = run(code, tmp_path).splitlines()[1:]
    assert len(files) > 10
    assert all("foretaste" in file for file in files)


@pytest.mark.peer
def test_imported_peer_raises_and_changes_nothing(tmp_path):
    pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')
    code = "import surprise\nimport foretaste.compat.surprise.install"
    assert "scikit-surprise was imported before" in run(code, tmp_path, fails=True)
    caught = (
        "import surprise\ntry:\n    import foretaste.compat.surprise.install\n"
        "except ImportError as error:\n    print(error.code, surprise.__file__.count('foretaste'))"
    )
    assert run(caught, tmp_path) == "already_imported 0"


def test_install_is_idempotent(tmp_path):
    code = (
        "from foretaste.compat.surprise import install\ninstall.install()\ninstall.install()\n"
        "import surprise; print(surprise.__version__)"
    )
    assert run(code, tmp_path) == ours.__version__ == "1.1.5"


def test_nothing_is_registered_without_install(tmp_path):
    code = "import sys, foretaste.compat.surprise; print('surprise' in sys.modules)"
    assert run(code, tmp_path) == "False"
