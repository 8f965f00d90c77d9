"""``tune``: the best setting of a model, what the search is worth, and the command that fits it."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import INTERRUPTED, Outcome, command, wants_progress
from foretaste.cli.hint_translation import as_options, shown
from foretaste.cli.options import READING_OPTIONS, is_given, name_of, read
from foretaste.cli.rendering import drawn
from foretaste.cli.suggestions import WrongValue
from foretaste.errors import InvalidParameter

if TYPE_CHECKING:
    from foretaste.evaluation import Tuned
    from foretaste.models import Model

log = logging.getLogger("foretaste")

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?::(\w+))?")


def _seconds(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if found is None or float(found[1]) == 0:
        raise WrongValue(f"{text!r} is no time: 90s, 5m, 1h", (text, "5m"))
    return float(found[1]) * _UNITS[found[2]]


def _space(model: Model, text: str) -> dict[str, Any]:
    """Read ``factors=16..128,learning_rate=0.001..0.1:log,schedule=linear|cosine``.

    ``default`` stands for the default space, to which what follows is added.
    """
    from foretaste.evaluation.tuning.search_space import default_space, dimension

    space: dict[str, Any] = {}
    for token in (part.strip() for part in text.split(",")):
        if token == "default":  # noqa: S105 - a word of the option, not a secret
            space |= default_space(model)
            continue
        name, equals, values = token.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not values:
            raise InvalidParameter(
                f'--space: "{token}" is not PARAMETER=VALUES',
                hint='--space "factors=16..128,learning_rate=0.001..0.1:log,schedule=linear|cosine"',
            )
        space[name] = _values(values)
        try:
            dimension(model, name, space[name])
        except InvalidParameter as error:
            near = re.search(r'did you mean "(\w+)"', error.message)
            if near:
                error.instead = (token, f"{near[1]}={values}")
            error.hint = _as_typed(error.hint)
            raise
    return space


def _as_typed(hint: str | None) -> str | None:
    """Write the Python of a space in a hint as it is typed: ``"factors": (16, 64)`` is ``factors=16..64``."""
    if hint is None:
        return None
    hint = re.sub(r"\('log', ([^,()]+), ([^,()]+)\)", r"\1..\2:log", hint)
    hint = re.sub(r"\(([^,()]+), ([^,()]+)\)", r"\1..\2", hint)
    hint = re.sub(r"\[([^\[\]]*)\]", lambda m: "|".join(v.strip(" '\"") for v in m[1].split(",")), hint)
    return re.sub(r'"(\w+)": ', r"--space \1=", hint)


def _values(text: str) -> Any:
    found = _RANGE.fullmatch(text.strip())
    if found is not None:
        low, high = _value(found[1]), _value(found[2])
        return (found[3], low, high) if found[3] else (low, high)
    return [_value(part.strip()) for part in text.split("|")]


def _value(text: str) -> Any:
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
        help="What is tried for which parameter.",
    ),
    click.option("--trials", type=int, help="The most settings a search tries.  [default: 50]"),
    click.option("--budget", metavar="TIME", callback=_seconds, help="What all of it may take: 90s, 5m, 1h."),
    click.option(
        "--folds",
        type=int,
        default=10,
        show_default=True,
        help="Inner folds that compare settings.",
    ),
    click.option("--outer", type=int, help="Outer folds, by which the search is judged (nested)."),
    click.option(
        "--method",
        type=click.Choice(["gp", "tpe", "random", "grid"]),
        default="gp",
        show_default=True,
        help="gp and tpe learn from the trials; random draws; grid takes every combination.",
    ),
    click.option(
        "--metric", default="rmse", show_default=True, help="rmse, mae, nmae (with --scale), r2, fcp."
    ),
    click.option("--seed", default=0, show_default=True, help="Chooses the folds and the draws."),
    click.option(
        "--prune/--no-prune", default=True, help="Whether settings that fall behind are dropped early."
    ),
    click.option("--study", metavar="FILE", help="Keep every fold there, and go on from what is there."),
    click.option("-o", "--output", metavar="FILE", help="Fit the best on all ratings and keep it in a file."),
    *READING_OPTIONS,
    name="tune",
    short_help="Search the best setting of a model.",
)
def tune(
    model: str,
    file: str,
    space: str,
    trials: int | None,
    budget: float | None,
    folds: int,
    outer: int | None,
    method: str,
    metric: str,
    seed: int,
    prune: bool,
    study: str | None,
    output: str | None,
    **reading: Any,
) -> Outcome:
    """Search the setting of MODEL that predicts the ratings in FILE best (or in a data set: "sample").

    With --outer the search itself is judged, on rows that took no part in it. With --study nothing that is
    finished is lost, however it ends: the same command goes on.
    """
    from foretaste.evaluation import tune as search
    from foretaste.evaluation.comparison import named

    given = named(model)
    wanted = "default" if space == "default" else _space(given, space)
    ratings = read(file, reading)
    tuned = search(
        given,
        ratings,
        wanted,
        method=method,
        trials=trials,
        budget=budget,
        folds=folds,
        outer=outer,
        metric=metric,
        seed=seed,
        prune=prune,
        study=study,
        progress=wants_progress(),
        name=name_of(file),
    )
    fit = _fit_command(tuned, file, output, reading)
    data = tuned.to_dict() | {"command": fit}
    text = _text(tuned) + (f"\n\nfit it: {fit}" if output is None else "")
    if tuned.stopped:
        go_on = shown(click.get_current_context().obj or []) if study else "--study FILE keeps what is done"
        return Outcome(data, f"{text}\ngo on with: {go_on}" if study else f"{text}\n{go_on}", INTERRUPTED)
    if output is not None:
        from foretaste.persistence import save

        save(tuned.model.fit(ratings), output)
        log.info(f"wrote {output}: {tuned.model!r} fitted on all {len(ratings):,} rows")
    return Outcome(data, text)


def _text(tuned: Tuned) -> str:
    options = click.get_current_context().command.params
    said = [tuned.headline, re.sub(r"\(keep .*?\)", lambda m: as_options(m[0], options), tuned.caution)]
    said += [f"data: {tuned.about}", f"protocol: {tuned.protocol}"]
    nested = tuned.nested_table()
    if tuned.nested is not None:
        said.append(f"outer: {tuned.nested['protocol']}")
    parts = ["\n".join(said), drawn(*tuned.table(), strong=0), tuned.rest]
    return "\n\n".join(parts + ([drawn(*nested)] if nested else []))


def _fit_command(tuned: Tuned, file: str, output: str | None, reading: dict[str, Any]) -> str:
    """Return the command that fits the best setting on the same ratings."""
    name = type(tuned.model).__name__
    words = ["fit", name, file, "-o", output or f"{name.lower()}.foretaste"]
    for key, declaration in tuned.model.declarations().items():
        value, option = getattr(tuned.model, key), key.replace("_", "-")
        if value == declaration.default:
            continue
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", ",".join(value) if isinstance(value, list) else str(value).lower()]
    for parameter in click.get_current_context().command.params:
        if parameter.name in reading and isinstance(parameter, click.Option) and is_given(parameter.name):
            value = reading[parameter.name]
            if isinstance(value, bool):
                words.append(parameter.opts[0] if value else parameter.secondary_opts[0])
            else:
                text = ",".join(f"{end:g}" for end in value) if isinstance(value, tuple) else str(value)
                words += [parameter.opts[0], text]
    return shown(words)
