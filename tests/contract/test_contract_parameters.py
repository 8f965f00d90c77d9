"""Contract: invalid parameters are errors that name them; models have a useful repr."""

from __future__ import annotations

import numpy as np
import pytest
from contract_table import (
    another_value,
    assert_same_state,
    each_model,
    each_setting,
    every_pair,
    make,
    same_bits,
    settable,
)

from foretaste.errors import InvalidParameterError
from foretaste.models import MODELS
from foretaste.params import ParamSpec
from foretaste.persistence import load, save


def invalid_values(declaration: ParamSpec) -> list[object]:
    """Return a value of each kind that must be refused."""
    if declaration.is_model_list:
        return [[], None, "Bias", ("Bias",), [1], [None], ["Bias", 2.5], True, [[]], [MODELS["Bias"]]]
    if declaration.choices is not None:
        return ["no such word", 1, True, None]
    if declaration.allow_callable:
        return ["no such word", 1, True, [len]]
    if isinstance(declaration.default, bool):
        return [1, 0, None, "yes"]
    bad: list[object] = ["3", [1], True, float("nan"), float("inf"), 10**400]
    bad += [] if declaration.optional else [None]
    bad += (
        [declaration.default + 0.5 if declaration.default is not None else 1.5]
        if declaration.is_integer
        else []
    )
    if declaration.low is not None:
        bad += [declaration.low - 1] + ([declaration.low] if declaration.exclusive_low else [])
    if declaration.high is not None:
        bad += [declaration.high + 1]
    return bad


@each_model()
def test_invalid_parameter_is_named(name, ratings):
    for parameter, declaration in MODELS[name].param_specs().items():
        for value in invalid_values(declaration):
            model = make(name, **{parameter: value})
            with pytest.raises(InvalidParameterError) as refused:
                model.fit(ratings)
            shown = f'"{value}"' if isinstance(value, str) else repr(value)
            assert f"{name}: {parameter}={shown} is not allowed; it must be " in str(refused.value)
            assert declaration.describe() in str(refused.value)
            assert f"try: {parameter}=" in str(refused.value)
            assert getattr(model, parameter) is value


@each_model()
def test_unknown_parameter_raises(name):
    with pytest.raises(InvalidParameterError, match=f'{name} has no parameter "clipp"; did you mean "clip"'):
        make(name).set_params(clipp=True)
    with pytest.raises(TypeError, match="clipp"):
        make(name, clipp=True)


@each_model()
def test_repr_recreates_the_model(name):
    assert repr(MODELS[name]()) == f"{name}()"
    for parameter, declaration in settable(MODELS[name]).items():
        model = MODELS[name](**{parameter: another_value(declaration)})
        assert repr(model) == f"{name}({parameter}={getattr(model, parameter)!r})"
        again = eval(repr(model), {name: MODELS[name]})  # noqa: S307 - our own text
        assert type(again) is type(model)
        assert again.get_params() == model.get_params()
    everything = {p: another_value(d) for p, d in settable(MODELS[name]).items()}
    again = eval(repr(MODELS[name](**everything)), {name: MODELS[name]})  # noqa: S307 - our own text
    assert again.get_params() == MODELS[name]().get_params() | everything


@each_model()
def test_every_parameter_is_documented(name):
    assert MODELS[name].summary
    for parameter, declaration in MODELS[name].param_specs().items():
        assert len(declaration.doc) > 10, parameter
        assert declaration.validate(declaration.default), parameter


@each_setting
def test_each_setting_predicts_and_can_be_saved(name, setting, ratings, tmp_path):
    asked = every_pair(ratings)
    model = make(name, **setting).fit(ratings)
    assert np.isfinite(model.predict(asked)).all()
    save(model, tmp_path / "model.foretaste")
    back = load(tmp_path / "model.foretaste")
    assert_same_state(back, model)
    assert back.get_params() == model.get_params()
    assert same_bits(back.predict(asked), model.predict(asked))


@each_setting
def test_each_setting_is_scale_free(name, setting, ratings):
    asked = every_pair(ratings)
    scaled = ratings.replace(value=2.5 * ratings.value + np.float32(0.5))
    here = make(name, **setting).fit(ratings).predict(asked)
    there = make(name, **setting).fit(scaled).predict(asked)
    assert np.abs(there - (2.5 * here + 0.5)).max() <= 1e-3 * scaled.value.std()


@each_model()
def test_html_repr_shows_state_and_parameters(name, ratings):
    model = make(name)
    assert f"<caption>{name}: not fitted</caption>" in model._repr_html_()
    html = model.fit(ratings)._repr_html_()
    assert html.startswith("<table>")
    assert html.endswith("</table>")
    assert "fitted on 900 ratings" in html
    assert all(parameter in html for parameter in model.param_specs())
