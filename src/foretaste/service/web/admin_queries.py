"""What the page shows an administrator: the audit of the ratings, models and their figures, trainings."""

from __future__ import annotations

import json
import time
from typing import Any

from foretaste.data_audit import audit
from foretaste.models.spec import from_spec
from foretaste.ratings import Ratings
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import Store, put_fact
from foretaste.service.db.model_store import KeptModel
from foretaste.service.training import jobs
from foretaste.service.training.jobs import Job

_FACT = "audit"
_FINDINGS = 20
_JOBS = 5


def keep_audit(store: Store, ratings: Ratings) -> None:
    """Audit ratings and keep what was found."""
    found = audit(ratings)
    facts = {name: found.facts[name] for name in ("ratings", "users", "items")}
    quantiles = {name: found.facts["quantiles"][name] for name in ("ratings_a_user", "ratings_an_item")}
    kept = {
        "at": int(time.time()), "facts": facts, "quantiles": quantiles,
        "warnings": len(found.warnings), "notes": len(found.notes),
        "findings": [one.to_dict() for one in found.findings[:_FINDINGS]],
    }  # fmt: skip
    with store.writing() as connection:
        put_fact(connection, _FACT, json.dumps(kept))


def audit_again(store: Store) -> None:
    """Audit the ratings that the database holds now."""
    keep_audit(store, rating_store.all_ratings(store))


def kept_audit(store: Store) -> dict[str, Any] | None:
    """Return what the last audit has found; None if there was none."""
    text = store.facts().get(_FACT)
    if text is None:
        return None
    found: dict[str, Any] = json.loads(text)
    return found | {"when": moment(found["at"])}


def models_of(store: Store) -> list[dict[str, Any]]:
    """Return the models, the newest first, with their figures in words."""
    with store.reading() as connection:
        active = model_store.active(connection)
        models = model_store.listed(connection)
    number = None if active is None else active[1].number
    return [
        {
            "number": kept.number, "is_active": kept.number == number, "made_by": written(kept.spec),
            "when": moment(kept.made_at), "ratings": f"{kept.ratings:,}", "origin": kept.origin,
            "score": _score(kept), "beside": _beside(kept),
        }
        for kept in models
    ]  # fmt: skip


def _score(kept: KeptModel) -> str:
    return f"{kept.checks['rmse']:#.3g}"


def _beside(kept: KeptModel) -> str:
    """Return what an error was measured on, and beside what it stands."""
    checks = kept.checks
    mean = f"always guessing the mean: {checks['rmse_of_the_mean']:#.3g}"
    if "held_out" in checks:
        return f"on {checks['held_out']:,} held-out ratings; {mean}"
    return f"on {checks['compared_with']:,} ratings, which it may have learned from; {mean}"


def trainings_of(store: Store) -> dict[str, Any]:
    """Return the training that is at work, and those before it."""
    with store.writing() as connection:
        jobs.reap(connection)
    with store.reading() as connection:
        found = jobs.listed(connection, _JOBS)
    shown = [_shown(job) for job in found]
    running = next((job for job in shown if job["state"] == "running"), None)
    return {"running": running, "before": [job for job in shown if job["state"] != "running"]}


def _shown(job: Job) -> dict[str, Any]:
    took = (job.ended_at or int(time.time())) - job.started_at
    return {
        "number": job.number, "state": job.state, "made_by": written(job.spec), "label": job.label,
        "done": min(job.done, job.total), "total": job.total, "note": job.note, "model": job.model,
        "when": moment(job.started_at), "took": f"{took} s" if took < 120 else f"{took // 60} min",
        "is_stopping": job.cancel,
    }  # fmt: skip


def written(spec: dict[str, Any]) -> str:
    """Return a model as Python makes it, with what differs from the defaults."""
    return repr(from_spec(spec))


def moment(seconds: int) -> str:
    """Return a time as it is written, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def model_names() -> list[str]:
    """Return the models of the core by name, to train."""
    from foretaste.models import BY_NAME

    return list(BY_NAME)
