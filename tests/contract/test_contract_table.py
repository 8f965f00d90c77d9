"""The table of exceptions itself: each names a model and a check that exist, with a reason."""

from __future__ import annotations

import re
from pathlib import Path

from contract_table import EXCEPTIONS, SMALL, all_models

from foretaste.models import MODELS


def test_exceptions_name_checks_that_exist_and_give_a_reason():
    text = "".join(p.read_text() for p in Path(__file__).parent.glob("test_contract_*.py"))
    checks = re.findall(r"^def test_(\w+)\(name\b", text, re.M)
    assert len(checks) == len(set(checks)) > 30
    for (label, check), reason in EXCEPTIONS.items():
        model, setting = re.fullmatch(r"(\w+)(\(\w+=.+\))?", label).groups()
        assert model in MODELS
        assert setting is None or label == repr(eval(label, {model: MODELS[model]}))  # noqa: S307 - our own
        assert check in checks
        assert len(reason) > 20


def test_models_are_registered_under_their_class_names():
    for name, cls in all_models().items():
        assert cls.__name__ == name
        assert cls.__doc__
        assert set(SMALL.get(name, {})) <= set(cls.param_specs())
