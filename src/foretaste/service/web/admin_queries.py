"""What the page shows an administrator: the audit of the ratings, models and their figures, trainings."""

from __future__ import annotations

import json
import time
from typing import Any

from foretaste.data_audit import audit
from foretaste.models.spec import from_spec
from foretaste.ratings import Ratings
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import Database, put_setting
from foretaste.service.db.model_store import StoredModel
from foretaste.service.training import jobs
from foretaste.service.training.jobs import Job

_AUDIT_SETTING = "audit"
_MAX_FINDINGS = 20
_MAX_JOBS = 5


def store_audit(database: Database, ratings: Ratings) -> None:
    """Audit ratings and keep what was found."""
    result = audit(ratings)
    facts = {name: result.summary[name] for name in ("ratings", "users", "items")}
    quantiles = {name: result.summary["quantiles"][name] for name in ("ratings_a_user", "ratings_an_item")}
    summary = {
        "at": int(time.time()), "facts": facts, "quantiles": quantiles,
        "warnings": len(result.warnings), "notes": len(result.notes),
        "findings": [finding.to_dict() for finding in result.findings[:_MAX_FINDINGS]],
    }  # fmt: skip
    with database.write_transaction() as connection:
        put_setting(connection, _AUDIT_SETTING, json.dumps(summary))


def rerun_audit(database: Database) -> None:
    """Audit the ratings that the database holds now."""
    store_audit(database, rating_store.load_training_ratings(database))


def load_audit(database: Database) -> dict[str, Any] | None:
    """Return what the last audit has found; None if there was none."""
    text = database.get_settings().get(_AUDIT_SETTING)
    if text is None:
        return None
    summary: dict[str, Any] = json.loads(text)
    return summary | {"when": format_timestamp(summary["at"])}


def model_rows(database: Database) -> list[dict[str, Any]]:
    """Return the models, the newest first, with their figures in words."""
    with database.read_connection() as connection:
        active = model_store.get_active_model(connection)
        stored_models = model_store.list_models(connection)
    active_id = None if active is None else active[1].id
    return [
        {
            "number": model.id, "is_active": model.id == active_id, "made_by": format_spec(model.spec),
            "when": format_timestamp(model.created_at), "ratings": f"{model.n_ratings:,}", "origin": model.origin,
            "score": _format_rmse(model), "beside": _rmse_context(model),
        }
        for model in stored_models
    ]  # fmt: skip


def _format_rmse(model: StoredModel) -> str:
    return f"{model.checks['rmse']:#.3g}"


def _rmse_context(model: StoredModel) -> str:
    """Return what an error was measured on, and beside what it stands."""
    checks = model.checks
    mean_text = f"always guessing the mean: {checks['rmse_of_the_mean']:#.3g}"
    if "held_out" in checks:
        return f"on {checks['held_out']:,} held-out ratings; {mean_text}"
    return f"on {checks['compared_with']:,} ratings, which it may have learned from; {mean_text}"


def job_rows(database: Database) -> dict[str, Any]:
    """Return the training that is at work, and those before it."""
    with database.write_transaction() as connection:
        jobs.mark_lost_jobs(connection)
    with database.read_connection() as connection:
        recent_jobs = jobs.list_jobs(connection, _MAX_JOBS)
    rows = [_job_row(job) for job in recent_jobs]
    running = next((job for job in rows if job["state"] == "running"), None)
    return {"running": running, "before": [job for job in rows if job["state"] != "running"]}


def _job_row(job: Job) -> dict[str, Any]:
    duration = (job.finished_at or int(time.time())) - job.started_at
    return {
        "number": job.id, "state": job.state, "made_by": format_spec(job.spec), "label": job.label,
        "done": min(job.done, job.total), "total": job.total, "note": job.note, "model": job.model_id,
        "when": format_timestamp(job.started_at), "took": f"{duration} s" if duration < 120 else f"{duration // 60} min",
        "is_stopping": job.cancel_requested,
    }  # fmt: skip


def format_spec(spec: dict[str, Any]) -> str:
    """Return a model as Python makes it, with what differs from the defaults."""
    return repr(from_spec(spec))


def format_timestamp(seconds: int) -> str:
    """Return a time as it is written, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def model_names() -> list[str]:
    """Return the models of the core by name, to train."""
    from foretaste.models import MODELS

    return list(MODELS)
