"""``serve``: ratings, a model and an interface, server."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.evaluate import load_catalog
from foretaste.cli.framework import CommandResult, command, progress_setting
from foretaste.cli.options import READ_OPTIONS, display_name, load_ratings
from foretaste.errors import InvalidParameterError, MissingDependencyError, NotFoundError

if TYPE_CHECKING:
    from foretaste.service.settings import Settings

log = logging.getLogger("foretaste")

_KEY_FILE = "admin.key"


@command(
    click.argument("ratings", required=False),
    click.option("--items", metavar="FILE", help="A file of items (or a data set), for their titles."),
    click.option("--model", metavar="MODEL", help="What the first model is.  [default: SVD]"),
    click.option(
        "--folder",
        default="foretaste-service",
        show_default=True,
        help="Holds the database, the models and the first key.",
    ),
    click.option(
        "--database",
        metavar="URL",
        help="PostgreSQL instead of SQLite in the folder; better told by FORETASTE_DATABASE, out of sight.",
    ),
    click.option("--port", default=8000, show_default=True, help="Of 127.0.0.1; 0 is any that is free."),
    click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True),
    click.option(
        "--rate-limit",
        default="6000/minute",
        show_default=True,
        help="Requests of a client to a worker; or none.",
    ),
    click.option(
        "--allow-origin", "origins", metavar="URL", multiple=True, help="Pages that may ask (CORS)."
    ),
    click.option("--allow-host", "hosts", metavar="NAME", multiple=True, help="Names besides localhost."),
    click.option(
        "--web",
        type=click.Choice(["local", "on", "off"]),
        default="local",
        show_default=True,
        help="Who may rate without a key, on a page: people at this machine, all who reach it, or nobody.",
    ),
    click.option(
        "--exclude-items", metavar="FILE", help="Items that the page does not show, an id on a line."
    ),
    *READ_OPTIONS,
    name="serve",
    short_help="Serve recommendations, and a page to rate on, over HTTP on this machine.",
)
def serve(
    ratings: str | None, items: str | None, model: str | None, folder: str, database: str | None, port: int,
    workers: int, rate_limit: str, origins: tuple[str, ...], hosts: tuple[str, ...], web: str, exclude_items: str | None,
    **read_options: Any,
) -> CommandResult:  # fmt: skip
    """Serve recommendations, and a page to rate on, over HTTP on 127.0.0.1, until Ctrl-C.

    The first time, RATINGS (a file or a data set) go into a database, and a model learns from them. Later,
    the database is served as it stands: give the same RATINGS, or none.
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
    listener = server.bind_port(port)  # before the work, which would be in vain if it is taken
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
    """Fill an empty database, learn the first model, make the first key."""
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
            hint='folder="another-folder"',
        )
    elif ratings is not None:
        log.info("%s is in the database, with all that was rated since; it is not read again", stored_name)
    if stored_name is not None and items is not None:
        log.info("nor is %s: titles are those of the first time", items)
    bootstrap.clean_up(settings, store)
    active_spec = bootstrap.active_spec(store)
    if active_spec is None:
        checks = bootstrap.train_first_model(settings, store, spec, get_progress(progress_setting()))
        log.info(
            "%s: RMSE %.4g on %s held-out ratings (always guessing the mean: %.4g)",
            spec["model"], checks["rmse"], f"{checks['held_out']:,}", checks["rmse_of_the_mean"],
        )  # fmt: skip
    elif model is not None and spec != active_spec:
        log.warning(
            "another model serves: %s; --model is for the first time. To train %s: the page for "
            "administrators, or POST /api/v1/jobs", active_spec["model"], spec["model"],
        )  # fmt: skip
    key = bootstrap.create_first_key(store)
    if key is not None:
        _write_key(Path(settings.folder) / _KEY_FILE, key)


def _write_key(path: Path, key: str) -> None:
    """Write the first key where only its owner can read it."""
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(key + "\n")


def _log_addresses(settings: Settings, address: str, workers: int) -> None:
    key = Path(settings.folder) / _KEY_FILE
    log.info("%s   (%s; stop with Ctrl-C)", address, "1 worker" if workers == 1 else f"{workers} workers")
    if settings.web != "off":
        log.info("to rate in a browser: %s/   to look after it: %s/admin", address, address)
    log.info("what can be asked: %s/api/v1/openapi.json", address)
    if key.exists():
        log.info("a key that may do all is in %s:", key)
        header = json.dumps(f"Authorization: Bearer $(cat {key})")
        log.info("  curl -H %s %s/api/v1/items", header, address)
