"""What commands read: ratings, data sets, models, item titles, and the models that ``--models`` names."""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import progress_setting
from foretaste.cli.hints import shell_join
from foretaste.cli.options import is_option_set, to_read_arguments
from foretaste.cli.suggestions import is_model_file, suggest_for_missing_model
from foretaste.errors import (
    DataError,
    DownloadError,
    ForetasteError,
    Hint,
    InvalidParameterError,
    MissingDependencyError,
    NotFoundError,
    closest_word,
)

if TYPE_CHECKING:
    from foretaste.models import Model
    from foretaste.ratings import Ratings

SAMPLE = "sample"
DIRTY_SAMPLE = "sample-dirty"

log = logging.getLogger("foretaste")

_MODELS_HINT = Hint({"models": "SVD(factors=20),EASE(target='binary')"})


# Ratings and data sets -----------------------------------------------------------------------------------


def training_source(file: str | None, train: str | None, test: str | None, *, has_split: bool = False) -> str:
    """Return where the training ratings are: FILE, or what ``--train`` names.

    Parameters
    ----------
    file, train, test : str, optional
    has_split : bool
        Whether an option names a split, which ``--train`` and ``--test`` replace.
    """
    ctx = click.get_current_context()
    if (train is None) != (test is None):
        raise click.UsageError("--train and --test go together", ctx)
    if train is not None and (file is not None or has_split):
        raise click.UsageError("--train and --test replace FILE, --split and --folds", ctx)
    source = file or train
    if source is None:
        raise click.UsageError("missing FILE: a file of ratings, or a data set (sample)", ctx)
    return source


def load_ratings(source: str, options: dict[str, Any]) -> Ratings:
    """Read ratings from a file, from standard input (``-``), or a data set by its name.

    Parameters
    ----------
    source : str
    options : dict
        The values of ``READ_OPTIONS``.
    """
    if is_dataset(source):
        return _load_dataset(source, options)
    _check_misspelled_dataset(source)
    if is_model_file(source):
        raise DataError(f"{source} is a fitted model, not ratings", hint=shell_join(["show", source]))
    from foretaste.io import read_ratings

    ratings: Ratings = read_ratings(source, **to_read_arguments(options))
    return ratings


def is_dataset(source: str) -> bool:
    """Whether this is the name of a data set, which takes precedence over a file of the same name."""
    from foretaste.datasets import names

    return source in names()


def _check_misspelled_dataset(source: str) -> None:
    """Raise for a source that is no file but almost the name of a data set."""
    from foretaste.datasets import names

    is_name = source != "-" and not {"/", "."} & set(source)
    if is_name and closest_word(source, names()) is not None and not Path(source).exists():
        raise NotFoundError(
            f"there is no file {source}, and no data set of this name",
            misspelled=(source, names()),
            hint="foretaste datasets list",
        )


def _load_dataset(name: str, options: dict[str, Any]) -> Ratings:
    """Load a data set; raise for reading options that make no sense for it."""
    from foretaste.column_roles import check_scale
    from foretaste.datasets import info, load

    allowed = ("where",) if info(name).scale_is_declared else ("where", "scale")
    not_allowed = [option for option in options if option not in allowed and is_option_set(option)]
    if not_allowed == ["scale"]:
        low, high = info(name).scale
        raise InvalidParameterError(
            f"{display_name(name)} declares its scale, {low:g} to {high:g}", hint="no --scale"
        )
    if not_allowed:
        option = "--" + not_allowed[0].replace("_", "-")
        raise InvalidParameterError(
            f"{option} applies to files; {display_name(name)} is a data set",
            hint=f"no {option}; if you mean a file of this name: ./{name}",
        )
    log_dataset_choice(name)
    ratings: Ratings = load(name, progress=progress_setting())
    where = options.get("where")
    if where is not None:
        ratings = ratings.where(where)
        if len(ratings) == 0:
            raise DataError(f"{name}: no row satisfies the condition {where!r}", hint="a wider condition")
    if options.get("scale") is None:
        return ratings
    check_scale(options["scale"], ratings.value)
    return ratings.replace(scale=options["scale"])


def log_dataset_choice(name: str) -> None:
    """Log that a data set is used although there is a file of the same name."""
    if Path(name).exists():
        kind = "bundled one" if name == SAMPLE else "data set"
        log.info("%s is the %s   (the file here is ./%s)", name, kind, name)


def display_name(source: str) -> str:
    """Return the name of the ratings in results."""
    if "://" in source:
        from foretaste.io.sql import mask_passwords

        return mask_passwords(source)
    return {"-": "standard input", SAMPLE: "the bundled sample"}.get(source, source)


def convert_id_types(model: Model, ratings: Ratings) -> Ratings:
    """Return ratings with ids of the model's types; rows whose id has no such form are dropped.

    Parameters
    ----------
    model : fitted Model
    ratings : Ratings
    """
    if (ratings.users.dtype, ratings.items.dtype) == (model.users_.dtype, model.items_.dtype):
        return ratings
    import numpy as np

    from foretaste.ids import is_plain_integer
    from foretaste.ratings import Ratings

    columns = []
    mask = np.ones(len(ratings), bool)
    for index, model_index, codes in (
        (ratings.users, model.users_, ratings.user),
        (ratings.items, model.items_, ratings.item),
    ):
        texts = [str(id_) for id_ in index]
        if model_index.dtype == "int":
            mask &= np.array([is_plain_integer(text) for text in texts])[codes]
        columns.append(model_index.parse(texts)[codes])
    user, item = (column[mask] for column in columns)
    return Ratings.from_columns(user, item, ratings.value[mask])


# Titles --------------------------------------------------------------------------------------------------


def load_catalog(file: str, items: str | None, read_options: dict[str, Any]) -> Any:
    """Return the item titles: of the file named, else of the data set that the ratings are from.

    Parameters
    ----------
    file : str
        Where the ratings are from.
    items : str, optional
        A file of items, or a data set.
    read_options : dict
        The values of ``READ_OPTIONS``.

    Returns
    -------
    ItemCatalog or None
    """
    from foretaste.datasets import load_items

    if items is None and not is_dataset(file):
        return None
    if items is None:
        try:
            return load_items(file, progress=progress_setting())
        except (NotFoundError, DownloadError, MissingDependencyError) as error:  # titles are optional here
            log.warning("no titles: %s", error.message)
            return None
    if is_dataset(items):
        return load_items(items, progress=progress_setting())
    from foretaste.io import read_items

    if items == "-":
        raise InvalidParameterError("--items must be a file, or the name of a data set")
    try:
        return read_items(items, encoding=read_options["encoding"])
    except DataError as error:
        error.hint = Hint({"items": None}, error.hint or "another file")
        raise


# Models --------------------------------------------------------------------------------------------------


def load_model(path: str) -> Model:
    """Load a model; if the file is none, the hint is the corrected command.

    Parameters
    ----------
    path : str
    """
    from foretaste.persistence import load

    try:
        return load(path)
    except ForetasteError as error:
        error.hint = suggest_for_missing_model(path, click.get_current_context().obj or ()) or error.hint
        raise


def parse_models(text: str) -> list[Model]:
    """Return the models that a text names, with their parameters: ``SVD(factors=20),EASE``.

    Parameters
    ----------
    text : str
        Names separated by commas; case, ``-`` and ``_`` do not matter. Parameters are Python literals.

    Raises
    ------
    InvalidParameterError
        If it cannot be parsed, or a parameter is not allowed.
    NotFoundError
        If there is no model, or no parameter, of a name.
    """
    specs = [_parse_model(part) for part in _split_at_commas(text) if part.strip()]
    return [_make_model(name, params) for name, params in specs]


def _split_at_commas(text: str) -> list[str]:
    """Split at the commas that are neither inside brackets nor inside quotes."""
    parts, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        else:
            depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _parse_model(text: str) -> tuple[str, dict[str, Any]]:
    """Return name and parameters of one model: ``SVD(factors=20)``."""
    match = re.fullmatch(r"\s*([^()\s]+)\s*(\(.*\))?\s*", text, re.S)
    try:
        if match is None:
            raise ValueError
        call = ast.parse(f"model{match[2] or '()'}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError
        if any(key.arg is None for key in call.keywords):
            raise ValueError
        return match[1], {str(key.arg): ast.literal_eval(key.value) for key in call.keywords}
    except (SyntaxError, ValueError):
        raise InvalidParameterError(
            f"--models {text.strip()!r} cannot be parsed", hint=_MODELS_HINT
        ) from None


def _make_model(name: str, params: dict[str, Any]) -> Model:
    from foretaste.evaluation.comparison import model_from_name

    model = type(model_from_name(name))
    known = model.param_specs()
    for param in params:
        if param not in known:
            raise NotFoundError(
                f"{model.__name__} has no parameter {param!r}",
                misspelled=(param, known),
                hint=f"foretaste models {model.__name__}",
            )
    instance = model(**params)
    instance.check_params()
    return instance
