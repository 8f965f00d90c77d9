"""Options of the readers: each is declared once, and signatures, docstrings and commands agree with it."""

from __future__ import annotations

import inspect

import click
import pytest

from foretaste.cli import cli
from foretaste.errors import InvalidParameterError
from foretaste.io import read_items, read_pairs, read_ratings
from foretaste.read_options import ItemsOptions, PairsOptions, ReadOptions, option_specs

READERS = [(read_ratings, ReadOptions), (read_pairs, PairsOptions), (read_items, ItemsOptions)]


@pytest.mark.parametrize(("reader", "options"), READERS)
def test_signature_equals_the_declared_options(reader, options):
    parameters = list(inspect.signature(reader).parameters.values())[1:]
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters)
    assert {p.name: p.default for p in parameters} == {s.name: s.default for s in option_specs(options)}


@pytest.mark.parametrize(("reader", "options"), READERS)
def test_docstring_describes_every_option(reader, options):
    for spec in option_specs(options):
        assert f"    {spec.name} : {spec.type_name}\n        {spec.doc[:20]}" in reader.__doc__
    assert "{options}" not in reader.__doc__


@pytest.mark.parametrize(
    ("command", "options"), [("audit", ReadOptions), ("compare", ReadOptions), ("predict", PairsOptions)]
)
def test_command_has_every_option_with_its_default(command, options):
    params = {param.name: param for param in cli.get_command(click.Context(cli), command).params}
    for spec in option_specs(options):
        name = f"{spec.name}_column" if spec.is_column else spec.name
        assert (name in params) is spec.on_command_line
        if spec.on_command_line:
            assert params[name].default == spec.default
            assert spec.doc in params[name].help
            choices = getattr(params[name].type, "choices", ())
            assert tuple(choices) == (() if spec.is_switch else spec.choices)


@pytest.mark.parametrize("spec", [s for s in option_specs(ReadOptions) if s.choices], ids=lambda s: s.name)
def test_value_that_is_not_declared_raises(spec):
    with pytest.raises(InvalidParameterError, match=f'{spec.name}="x" is not allowed'):
        ReadOptions(**{spec.name: "x"})
