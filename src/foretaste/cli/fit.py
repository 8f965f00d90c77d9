"""``fit``: one subcommand per model, with options made from the model's parameters."""

from __future__ import annotations

import time
from inspect import signature
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import Command, CommandResult, as_callback, common_options, progress_setting
from foretaste.cli.inputs import load_ratings
from foretaste.cli.options import READ_OPTIONS
from foretaste.cli.suggestions import suggest_fit_command
from foretaste.errors import NotFoundError

if TYPE_CHECKING:
    from foretaste.params import ParamSpec

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # no generic class before click 8.4


class _NumberOrNone(_ParamType):
    """A number, or ``none``."""

    def __init__(self, number_type: _ParamType) -> None:
        self.number_type = number_type
        self.name = f"{number_type.name} or none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value is None or not isinstance(value, str):
            return value
        return None if value.lower() == "none" else self.number_type.convert(value, param, ctx)


class _ModelNames(_ParamType):
    """Comma-separated model names; case, ``-`` and ``_`` do not matter."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        from foretaste.evaluation.comparison import model_from_name

        names = value.split(",") if isinstance(value, str) else value
        return [type(model_from_name(name.strip())).__name__ for name in names if name.strip()]


def make_option(name: str, spec: ParamSpec) -> click.Option:
    """Return the option of a hyperparameter; the model itself checks the bounds."""
    flag = name.replace("_", "-")
    default = spec.default
    if isinstance(default, bool):
        return click.Option([f"--{flag}/--no-{flag}"], default=default, show_default=True, help=spec.doc)
    param_type: _ParamType = click.FLOAT
    if spec.choices is not None:
        param_type = click.Choice(spec.choices)
    elif spec.is_model_list:
        param_type, default = _ModelNames(), ",".join(default)
    elif spec.optional:
        param_type = _NumberOrNone(click.INT if spec.is_integer else click.FLOAT)
    elif spec.is_integer:
        param_type = click.INT
    show_default = True if default is not None else "none"
    return click.Option(
        [f"--{flag}"], type=param_type, default=default, show_default=show_default, help=spec.doc
    )


def _make_fit_command(model: Any) -> click.Command:
    """Return the command that fits one model, without parameters that take functions or classes."""
    specs = {
        name: spec
        for name, spec in model.param_specs().items()
        if not spec.allow_callable or spec.choices is not None
    }

    supports_checkpoint = "checkpoint" in signature(model.fit).parameters

    @as_callback
    def run(file: str, output: str, **values: Any) -> CommandResult:
        params = {name: values.pop(name) for name in specs}
        resume_options = {"checkpoint": values.pop("checkpoint")} if supports_checkpoint else {}
        return _fit_and_save(model(**params), file, output, values, resume_options)

    for option in reversed(READ_OPTIONS):
        run = option(run)
    read_options = list(reversed(getattr(run, "__click_params__", [])))
    return Command(
        model.__name__,
        callback=run,
        help=f'Fit {model.__name__}: {model.summary}.\n\nFILE contains ratings (or is a data set: "sample").',
        short_help=model.summary,
        params=[
            click.Argument(["file"]),
            click.Option(["-o", "--output"], required=True, metavar="FILE", help="Model file to write."),
            *([_checkpoint_option()] if supports_checkpoint else []),
            *(make_option(name, spec) for name, spec in specs.items()),
            *read_options,
            *common_options(),
        ],
        context_settings={"token_normalize_func": lambda token: token.replace("_", "-")},
    )


def _checkpoint_option() -> click.Option:
    help_text = "Checkpoint, written after each epoch; interrupted training resumes from it."
    return click.Option(["--checkpoint"], metavar="FILE", help=help_text)


class _ModelGroup(click.Group):
    """The models as subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from foretaste.models import MODELS

        return MODELS.names()

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        from foretaste.evaluation.comparison import model_from_name
        from foretaste.models import MODELS

        try:
            return _make_fit_command(type(model_from_name(name)))
        except NotFoundError as error:
            if "." in name or "/" in name:
                error.message = f"the model comes before the file; {name} is not a model"
                error.hint = suggest_fit_command(name, ctx.find_root().obj or [name], MODELS.names())
            raise


@click.group(
    cls=_ModelGroup, name="fit", subcommand_metavar="MODEL FILE -o MODEL_FILE [OPTIONS]", options_metavar=""
)
def fit() -> None:
    """Train a model and save it.

    foretaste fit MODEL --help lists the options of a model.
    """


def _fit_and_save(
    model: Any, file: str, output: str, read_options: dict[str, Any], resume_options: dict[str, Any]
) -> CommandResult:
    from foretaste.metrics.rating import rmse
    from foretaste.models.baselines import GlobalMean
    from foretaste.models.spec import params_as_json
    from foretaste.persistence import save

    model._check_extra()
    model.check_params()
    ratings = load_ratings(file, read_options)
    start = time.perf_counter()
    model.fit(ratings, progress=progress_setting(), **resume_options)
    seconds = time.perf_counter() - start
    save(model, output)
    train_rmse = rmse(ratings.value, model.predict(ratings))
    baseline_rmse = rmse(ratings.value, GlobalMean().fit(ratings).predict(ratings))
    name = type(model).__name__
    data = {
        "file": output,
        "model": name,
        "params": params_as_json(model),
        "repr": repr(model),
        "ratings": len(ratings),
        "users": len(ratings.users),
        "items": len(ratings.items),
        "fit_seconds": seconds,
        "train_rmse": train_rmse,
        "baseline_train_rmse": baseline_rmse,
    }
    text = (
        f"{output}: {model!r} fitted on {len(ratings):,} ratings in {seconds:.2f} s\n"
        f"training error: RMSE {train_rmse:.4g} (global mean: {baseline_rmse:.4g})\n"
        f"error on unseen ratings: foretaste compare {file} --models {name}"
    )
    return CommandResult(data, text)
