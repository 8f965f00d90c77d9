"""Data of the admin page: audit of the ratings, models with their metrics, training jobs."""

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
    """Audit ratings and store the result."""
    result = audit(ratings)
    stored = {
        "created_at": int(time.time()),
        "summary": {name: result.summary[name] for name in ("ratings", "users", "items")},
        "findings": [finding.to_dict() for finding in result.findings[:_MAX_FINDINGS]],
    }
    with database.write_transaction() as connection:
        put_setting(connection, _AUDIT_SETTING, json.dumps(stored))


def rerun_audit(database: Database) -> None:
    """Audit the current ratings."""
    store_audit(database, rating_store.load_training_ratings(database))


def load_audit(database: Database) -> dict[str, Any] | None:
    """Return the last audit; None if there was none."""
    text = database.get_settings().get(_AUDIT_SETTING)
    if text is None:
        return None
    stored: dict[str, Any] = json.loads(text)
    return stored | {"created": format_timestamp(stored["created_at"])}


def model_rows(database: Database) -> list[dict[str, Any]]:
    """Return all models with formatted metrics, newest first."""
    with database.read_connection() as connection:
        active = model_store.get_active_model(connection)
        stored_models = model_store.list_models(connection)
    active_id = None if active is None else active[1].id
    return [
        {
            "id": model.id, "is_active": model.id == active_id, "spec": format_spec(model.spec),
            "created": format_timestamp(model.created_at), "n_ratings": f"{model.n_ratings:,}",
            "origin": model.origin, "rmse": f"{model.checks['rmse']:#.3g}",
            "rmse_context": _rmse_context(model),
        }
        for model in stored_models
    ]  # fmt: skip


def _rmse_context(model: StoredModel) -> str:
    """Return which ratings the RMSE was computed on, and the RMSE of the global mean."""
    checks = model.checks
    mean_text = f"always guessing the mean: {checks['rmse_global_mean']:#.3g}"
    if "n_test" in checks:
        return f"on {checks['n_test']:,} held-out ratings; {mean_text}"
    return f"on {checks['n_compared']:,} ratings, which it may have learned from; {mean_text}"


def job_rows(database: Database) -> dict[str, Any]:
    """Return the running job, or None, and the latest finished ones."""
    with database.write_transaction() as connection:
        jobs.mark_lost_jobs(connection)
    with database.read_connection() as connection:
        recent_jobs = jobs.list_jobs(connection, _MAX_JOBS)
    rows = [_job_row(job) for job in recent_jobs]
    running = next((job for job in rows if job["state"] == "running"), None)
    return {"running": running, "finished": [job for job in rows if job["state"] != "running"]}


def _job_row(job: Job) -> dict[str, Any]:
    duration = (job.finished_at or int(time.time())) - job.started_at
    return {
        "id": job.id, "state": job.state, "spec": format_spec(job.spec), "label": job.label,
        "done": min(job.done, job.total), "total": job.total, "note": job.note, "model_id": job.model_id,
        "started": format_timestamp(job.started_at),
        "duration": f"{duration} s" if duration < 120 else f"{duration // 60} min",
        "cancel_requested": job.cancel_requested,
    }  # fmt: skip


def format_spec(spec: dict[str, Any]) -> str:
    """Return a model's ``repr``: its hyperparameters that differ from the defaults."""
    return repr(from_spec(spec))


def format_timestamp(seconds: int) -> str:
    """Return seconds since 1970 as date and time in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def model_names() -> list[str]:
    """Return the names of the models that can be trained."""
    from foretaste.models import MODELS

    return list(MODELS)
