"""``fit``: one command a model, its options made from the parameters that the model declares."""

from __future__ import annotations

import time
from inspect import signature
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import Command, Outcome, common_options, runner, wants_progress
from foretaste.cli.options import READING_OPTIONS, read
from foretaste.cli.suggestions import for_fit
from foretaste.errors import NotFound

if TYPE_CHECKING:
    from foretaste.params import Declaration

    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType  # no generic class before click 8.4


class _NumberOrNone(_ParamType):
    """A number, or the word none."""

    def __init__(self, kind: _ParamType) -> None:
        self.kind = kind
        self.name = f"{kind.name} or none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value is None or not isinstance(value, str):
            return value
        return None if value.lower() == "none" else self.kind.convert(value, param, ctx)


class _ModelNames(_ParamType):
    """Names of models with a comma between them; case, ``-`` and ``_`` do not matter."""

    name = "A,B"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[str]:
        from foretaste.evaluation.comparison import named

        words = value.split(",") if isinstance(value, str) else value
        return [type(named(word.strip())).__name__ for word in words if word.strip()]


def option_for(name: str, declaration: Declaration) -> click.Option:
    """Return the option of a declared hyperparameter; its bounds are checked by the model itself."""
    word = name.replace("_", "-")
    default = declaration.default
    if isinstance(default, bool):
        return click.Option(
            [f"--{word}/--no-{word}"], default=default, show_default=True, help=declaration.meaning
        )
    kind: _ParamType = click.FLOAT
    if declaration.one_of is not None:
        kind = click.Choice(declaration.one_of)
    elif declaration.models:
        kind, default = _ModelNames(), ",".join(default)
    elif declaration.optional:
        kind = _NumberOrNone(click.INT if declaration.whole else click.FLOAT)
    elif declaration.whole:
        kind = click.INT
    shown = True if default is not None else "none"
    return click.Option(
        [f"--{word}"], type=kind, default=default, show_default=shown, help=declaration.meaning
    )


def _command_for(model: Any) -> click.Command:
    """Return the command that fits one model; functions and classes are given in Python only."""
    declared = {name: d for name, d in model.declarations().items() if not d.code or d.one_of is not None}

    resumes = "checkpoint" in signature(model.fit).parameters

    @runner
    def run(file: str, output: str, **values: Any) -> Outcome:
        params = {name: values.pop(name) for name in declared}
        going_on = {"checkpoint": values.pop("checkpoint")} if resumes else {}
        return _fit(model(**params), file, output, values, going_on)

    for option in reversed(READING_OPTIONS):
        run = option(run)
    reading = list(reversed(getattr(run, "__click_params__", [])))
    return Command(
        model.__name__,
        callback=run,
        help=f'Learn {model.__name__}: {model.summary}.\n\nFILE holds ratings (or is a data set: "sample").',
        short_help=model.summary,
        params=[
            click.Argument(["file"]),
            click.Option(["-o", "--output"], required=True, metavar="FILE", help="Where to keep the model."),
            *([_checkpoint()] if resumes else []),
            *(option_for(name, declaration) for name, declaration in declared.items()),
            *reading,
            *common_options(),
        ],
        context_settings={"token_normalize_func": lambda token: token.replace("_", "-")},
    )


def _checkpoint() -> click.Option:
    words = "Written after each epoch; learning that was interrupted goes on from it."
    return click.Option(["--checkpoint"], metavar="FILE", help=words)


class _Models(click.Group):
    """The models as commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from foretaste.models import BY_NAME

        return BY_NAME.names()

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        from foretaste.evaluation.comparison import named
        from foretaste.models import BY_NAME

        try:
            return _command_for(type(named(name)))
        except NotFound as error:
            if "." in name or "/" in name:
                error.message = f"the model comes first; {name} is none"
                error.hint = for_fit(name, ctx.find_root().obj or [name], BY_NAME.names())
            raise


@click.group(
    cls=_Models, name="fit", subcommand_metavar="MODEL FILE -o MODEL_FILE [OPTIONS]", options_metavar=""
)
def fit() -> None:
    """Learn a model from ratings and keep it in a file.

    The options of a model are listed by foretaste fit MODEL --help.
    """


def _fit(model: Any, file: str, output: str, reading: dict[str, Any], going_on: dict[str, Any]) -> Outcome:
    from foretaste.metrics.rating import rmse
    from foretaste.models.baselines import GlobalMean
    from foretaste.models.spec import params_as_json
    from foretaste.persistence import save

    model._check_extra()
    model.check_params()
    ratings = read(file, reading)
    start = time.perf_counter()
    model.fit(ratings, progress=wants_progress(), **going_on)
    seconds = time.perf_counter() - start
    save(model, output)
    training = rmse(ratings.value, model.predict(ratings))
    mean = rmse(ratings.value, GlobalMean().fit(ratings).predict(ratings))
    name = type(model).__name__
    data = {
        "file": output,
        "model": name,
        "params": params_as_json(model),
        "python": repr(model),
        "ratings": len(ratings),
        "users": len(ratings.users),
        "items": len(ratings.items),
        "fit_seconds": seconds,
        "train_rmse": training,
        "baseline_train_rmse": mean,
    }
    text = (
        f"{output}: {model!r} learned from {len(ratings):,} ratings in {seconds:.2f} s\n"
        f"error on those same ratings: RMSE {training:.4g} (always guessing the mean: {mean:.4g})\n"
        f"how well it predicts others: foretaste compare {file} --models {name}"
    )
    return Outcome(data, text)
