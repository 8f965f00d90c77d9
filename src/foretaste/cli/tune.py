"""``tune``: the best hyperparameters of a model, and the command that fits it with them."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import INTERRUPTED, CommandResult, command, progress_setting
from foretaste.cli.hints import option_notation, shell_join
from foretaste.cli.inputs import display_name, load_ratings
from foretaste.cli.options import READ_OPTIONS, MetricOption, is_option_set
from foretaste.cli.rendering import render_table
from foretaste.cli.suggestions import InvalidValueError
from foretaste.errors import InvalidParameterError

if TYPE_CHECKING:
    from foretaste.evaluation import TuningResult
    from foretaste.models import Model

log = logging.getLogger("foretaste")

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(\w+))?")


def _parse_duration(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise InvalidValueError(f"{text!r} is not a duration: 90s, 5m, 1h", (text, "5m"))
    return float(match[1]) * _UNITS[match[2]]


def parse_space(model: Model, text: str) -> dict[str, Any]:
    """Parse ``factors=16..128,learning_rate=0.001..0.1:log,schedule=linear|cosine``.

    ``default`` is the default space; what follows extends it.
    """
    from foretaste.evaluation.tuning.search_space import default_space, make_dimension

    space: dict[str, Any] = {}
    for token in (part.strip() for part in text.split(",")):
        if token == "default":  # noqa: S105 - a keyword, not a secret
            space |= default_space(model)
            continue
        name, equals, values = token.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not values:
            raise InvalidParameterError(
                f'--space: "{token}" is not PARAMETER=VALUES',
                hint='--space "factors=16..128,learning_rate=0.001..0.1:log,schedule=linear|cosine"',
            )
        space[name] = _parse_values(values)
        try:
            make_dimension(model, name, space[name])
        except InvalidParameterError as error:
            if error.replacement is not None:
                error.replacement = (token, f"{error.replacement[1]}={values}")
            raise
    return space


def _parse_values(text: str) -> Any:
    match = _RANGE.fullmatch(text.strip())
    if match is not None:
        low, high = _parse_value(match[1]), _parse_value(match[2])
        return (match[3], low, high) if match[3] else (low, high)
    return [_parse_value(part.strip()) for part in text.split("|")]


def _parse_value(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    return float(text) if re.fullmatch(_NUMBER, text) else text


@command(
    click.argument("model"),
    click.argument("file"),
    click.option(
        "--space",
        metavar="A=LOW..HIGH[:log],B=X|Y",
        default="default",
        show_default=True,
        help="Search space.",
    ),
    click.option("--trials", type=int, help="Maximum number of trials.  [default: 50]"),
    click.option(
        "--timeout", metavar="TIME", callback=_parse_duration, help="Time limit of the search: 90s, 5m, 1h."
    ),
    click.option(
        "--folds",
        type=int,
        default=10,
        show_default=True,
        help="Number of cross-validation folds per trial.",
    ),
    click.option("--outer-folds", type=int, help="Number of outer folds of nested cross-validation."),
    click.option(
        "--method",
        type=click.Choice(["gp", "tpe", "random", "grid"]),
        default="gp",
        show_default=True,
        help="Sampler: Gaussian process, TPE, random search or grid search.",
    ),
    click.option(
        "--metric", cls=MetricOption, default="rmse", show_default=True, help="The metric to optimize"
    ),
    click.option("--seed", default=0, show_default=True, help="Random seed of folds and sampler."),
    click.option("--prune/--no-prune", default=True, help="Stop unpromising trials early."),
    click.option("--study", metavar="FILE", help="File of finished folds; the search resumes from it."),
    click.option("-o", "--output", metavar="FILE", help="Fit the best model on all ratings and save it."),
    *READ_OPTIONS,
    name="tune",
    short_help="Search the best hyperparameters of a model.",
)
def tune(
    model: str,
    file: str,
    space: str,
    trials: int | None,
    timeout: float | None,
    folds: int,
    outer_folds: int | None,
    method: str,
    metric: str,
    seed: int,
    prune: bool,
    study: str | None,
    output: str | None,
    **read_options: Any,
) -> CommandResult:
    """Search the hyperparameters of MODEL with the lowest error on the ratings in FILE (or a data set).

    With --outer-folds, nested cross-validation evaluates the search itself on rows that it did not use.
    With --study, finished folds are saved: the same command resumes an interrupted search.
    """
    from foretaste.evaluation import tune as search
    from foretaste.evaluation.comparison import model_from_name

    base_model = model_from_name(model)
    search_space = "default" if space == "default" else parse_space(base_model, space)
    ratings = load_ratings(file, read_options)
    result = search(
        base_model,
        ratings,
        search_space,
        method=method,
        trials=trials,
        timeout=timeout,
        folds=folds,
        outer_folds=outer_folds,
        metric=metric,
        seed=seed,
        prune=prune,
        study=study,
        progress=progress_setting(),
        name=display_name(file),
    )
    fit_command = _make_fit_command(result, file, output, read_options)
    data = result.to_dict() | {"command": fit_command}
    text = _render_result(result) + (f"\n\nfit it: {fit_command}" if output is None else "")
    if result.interrupted:
        resume_hint = (
            shell_join(click.get_current_context().obj or [])
            if study
            else "--study FILE saves finished folds"
        )
        return CommandResult(
            data, f"{text}\nresume with: {resume_hint}" if study else f"{text}\n{resume_hint}", INTERRUPTED
        )
    if output is not None:
        from foretaste.persistence import save

        save(result.model.fit(ratings), output)
        log.info(f"wrote {output}: {result.model!r} fitted on all {len(ratings):,} rows")
    return CommandResult(data, text)


def _render_result(result: TuningResult) -> str:
    notation = option_notation(click.get_current_context().command.params)
    lines = [result.headline, result.describe_score(notation)]
    lines += [f"data: {result.dataset_summary}", f"protocol: {result.protocol}"]
    nested = result.nested_table()
    if result.nested is not None:
        lines.append(f"outer: {result.nested['protocol']}")
    parts = ["\n".join(lines), render_table(*result.table(), highlight_row=0), result.trials_summary]
    return "\n\n".join(parts + ([render_table(*nested)] if nested else []))


def _make_fit_command(
    result: TuningResult, file: str, output: str | None, read_options: dict[str, Any]
) -> str:
    """Return the command that fits the best model on the same ratings."""
    name = type(result.model).__name__
    args = ["fit", name, file, "-o", output or f"{name.lower()}.foretaste"]
    for key, spec in result.model.param_specs().items():
        value, option = getattr(result.model, key), key.replace("_", "-")
        if value == spec.default:
            continue
        if isinstance(value, bool):
            args.append(f"--{option}" if value else f"--no-{option}")
        else:
            args += [f"--{option}", ",".join(value) if isinstance(value, list) else str(value).lower()]
    for parameter in click.get_current_context().command.params:
        if (
            parameter.name in read_options
            and isinstance(parameter, click.Option)
            and is_option_set(parameter.name)
        ):
            value = read_options[parameter.name]
            if isinstance(value, bool):
                args.append(parameter.opts[0] if value else parameter.secondary_opts[0])
            else:
                text = ",".join(f"{end:g}" for end in value) if isinstance(value, tuple) else str(value)
                args += [parameter.opts[0], text]
    return shell_join(args)
