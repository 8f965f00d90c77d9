"""``serve``: the HTTP service with its database and its first model."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import CommandResult, command, progress_setting
from foretaste.cli.inputs import display_name, load_catalog, load_ratings
from foretaste.cli.options import ITEMS_OPTION, READ_OPTIONS
from foretaste.errors import Hint, InvalidParameterError, MissingDependencyError, NotFoundError

if TYPE_CHECKING:
    from foretaste.service.settings import Settings

log = logging.getLogger("foretaste")

_KEY_FILE = "admin.key"


@command(
    click.argument("ratings", required=False),
    ITEMS_OPTION,
    click.option("--model", metavar="MODEL", help="First model to train.  [default: SVD]"),
    click.option(
        "--folder",
        default="foretaste-service",
        show_default=True,
        help="Folder of the database, the models and the first API key.",
    ),
    click.option(
        "--database",
        metavar="URL",
        help="PostgreSQL URL, replaces SQLite in the folder. Prefer the environment variable "
        "FORETASTE_DATABASE (keeps the password out of ps).",
    ),
    click.option("--port", default=8000, show_default=True, help="Port on 127.0.0.1 (0 = any free port)."),
    click.option(
        "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes."
    ),
    click.option(
        "--rate-limit",
        default="6000/minute",
        show_default=True,
        help="Rate limit per client and worker, e.g. 600/minute; none disables it.",
    ),
    click.option(
        "--allow-origin",
        "origins",
        metavar="URL",
        multiple=True,
        help="Allowed CORS origin; may be repeated.",
    ),
    click.option(
        "--allow-host",
        "hosts",
        metavar="NAME",
        multiple=True,
        help="Allowed Host header besides localhost; may be repeated.",
    ),
    click.option(
        "--web",
        type=click.Choice(["local", "on", "off"]),
        default="local",
        show_default=True,
        help="Web page to rate on without an API key: for this machine only, for everyone, or off.",
    ),
    click.option(
        "--exclude-items",
        metavar="FILE",
        help="Items that the web page does not show: a file with one id per line.",
    ),
    *READ_OPTIONS,
    name="serve",
    short_help="Serve recommendations and a rating page over HTTP.",
)
def serve(
    ratings: str | None, items: str | None, model: str | None, folder: str, database: str | None, port: int,
    workers: int, rate_limit: str, origins: tuple[str, ...], hosts: tuple[str, ...], web: str,
    exclude_items: str | None, **read_options: Any,
) -> CommandResult:  # fmt: skip
    """Serve recommendations and a rating page over HTTP on 127.0.0.1, until Ctrl-C.

    The first start imports RATINGS (a file or a data set) into a database and trains a model on them. Later
    starts serve the database as it is: give the same RATINGS, or none.
    """
    try:
        from foretaste.service import bootstrap, server
        from foretaste.service.settings import Settings
    except ImportError as error:
        raise MissingDependencyError(
            f"serving needs {error.name}", hint='pip install "foretaste[serve]"'
        ) from None

    settings = Settings(
        folder, database or os.environ.get("FORETASTE_DATABASE"), "" if rate_limit == "none" else rate_limit,
        allowed_origins=origins, allowed_hosts=hosts, web=web,
    )  # fmt: skip
    listener = server.bind_port(port)  # first: a port in use must not cost an import
    try:
        store = bootstrap.open_database(settings)
        _prepare_service(settings, store, ratings, items, model, read_options)
        if exclude_items is not None:
            settings = replace(settings, excluded_items=bootstrap.read_excluded_items(store, exclude_items))
        store.close()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        _log_addresses(settings, address, workers)
        server.run(settings, listener, workers)
    finally:
        listener.close()
    return CommandResult({"address": address, "folder": folder}, "stopped")


def _prepare_service(
    settings: Settings,
    store: Any,
    ratings: str | None,
    items: str | None,
    model: str | None,
    read_options: dict[str, Any],
) -> None:
    """Import ratings into an empty database, train the first model, create the first API key."""
    from foretaste._utils.progress import get_progress
    from foretaste.evaluation.comparison import model_from_name
    from foretaste.models.spec import as_spec
    from foretaste.service import bootstrap

    spec = as_spec(model_from_name(model or "SVD"))
    stored_name = bootstrap.dataset_name(store)
    if stored_name is None:
        if ratings is None:
            raise NotFoundError(
                f"there are no ratings in {settings.folder} yet",
                hint="foretaste serve RATINGS, such as sample",
            )
        loaded_ratings = load_ratings(ratings, read_options)
        name = display_name(ratings)
        bootstrap.fill_database(store, loaded_ratings, load_catalog(ratings, items, read_options), name)
        log.info("%s: %s ratings are now in the database", name, f"{len(loaded_ratings):,}")
        bootstrap.run_first_audit(store, loaded_ratings)
    elif ratings is not None and display_name(ratings) != stored_name:
        raise InvalidParameterError(
            f"{settings.folder} serves {stored_name}, not {display_name(ratings)}",
            hint=Hint({"folder": "another-folder"}),
        )
    elif ratings is not None:
        log.info(
            "%s is in the database already, with the ratings added since; it is not imported again",
            stored_name,
        )
    if stored_name is not None and items is not None:
        log.info("%s is not imported: titles are those of the first start", items)
    bootstrap.clean_up(settings, store)
    active_spec = bootstrap.active_spec(store)
    if active_spec is None:
        checks = bootstrap.train_first_model(settings, store, spec, get_progress(progress_setting()))
        log.info(
            "%s: RMSE %.4g on %s held-out ratings (global mean: %.4g)",
            spec["model"], checks["rmse"], f"{checks['n_test']:,}", checks["rmse_global_mean"],
        )  # fmt: skip
    elif model is not None and spec != active_spec:
        log.warning(
            "the active model is %s; --model applies to the first start only. To train %s: the admin page, "
            "or POST /api/v1/jobs", active_spec["model"], spec["model"],
        )  # fmt: skip
    key = bootstrap.create_first_key(store)
    if key is not None:
        _write_key(Path(settings.folder) / _KEY_FILE, key)


def _write_key(path: Path, key: str) -> None:
    """Write the first API key, readable by its owner only."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(key + "\n")


def _log_addresses(settings: Settings, address: str, workers: int) -> None:
    key = Path(settings.folder) / _KEY_FILE
    log.info("%s   (%s; stop with Ctrl-C)", address, "1 worker" if workers == 1 else f"{workers} workers")
    if settings.web != "off":
        log.info("rating page: %s/   admin page: %s/admin", address, address)
    log.info("API description: %s/api/v1/openapi.json", address)
    if key.exists():
        log.info("an API key of role admin is in %s:", key)
        header = json.dumps(f"Authorization: Bearer $(cat {key})")
        log.info("  curl -H %s %s/api/v1/items", header, address)
