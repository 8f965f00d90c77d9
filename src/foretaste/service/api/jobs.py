"""Training again: started, watched, cancelled."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response

from foretaste.errors import InvalidParameter
from foretaste.service.api.dependencies import InHouse, answer, failures, needs
from foretaste.service.api.models import Number
from foretaste.service.schemas import JobShape, JobWanted, Success
from foretaste.service.training import jobs
from foretaste.service.training.jobs import Job

router = APIRouter(prefix="/jobs", tags=["training"], dependencies=[Depends(needs("admin"))])


@router.post("", status_code=202, response_model=Success[JobShape], responses=failures(404, 409, 507))
def start_job(wanted: JobWanted, house: InHouse) -> Response:
    """Train in the background; the active model serves until the new one has passed its checks."""
    spec = None
    if wanted.model is not None:
        spec = checked_spec(wanted.model, wanted.params)
    elif wanted.params:
        raise InvalidParameter("params are given without a model", hint='"model": "SVD"')
    number = house.starter.start(spec)
    with house.store.reading() as connection:
        return answer(_shown(jobs.one(connection, number)), 202)


@router.get("", response_model=Success[list[JobShape]], responses=failures())
def list_jobs(house: InHouse) -> Response:
    """List the last trainings, the newest first."""
    with house.store.writing() as connection:
        jobs.reap(connection)
    with house.store.reading() as connection:
        return answer([_shown(job) for job in jobs.listed(connection)])


@router.get("/{number}", response_model=Success[JobShape], responses=failures(404))
def get_job(number: Number, house: InHouse) -> Response:
    """Say how far a training is."""
    with house.store.writing() as connection:
        jobs.reap(connection)
    with house.store.reading() as connection:
        return answer(_shown(jobs.one(connection, number)))


@router.post("/{number}/cancel", response_model=Success[JobShape], responses=failures(404, 507))
def cancel_job(number: Number, house: InHouse) -> Response:
    """Ask a training to stop, which takes a moment; one that is over stays as it is."""
    with house.store.writing() as connection:
        jobs.ask_to_cancel(connection, number)
    with house.store.reading() as connection:
        return answer(_shown(jobs.one(connection, number)))


def checked_spec(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the spec of a model and its parameters, all of them.

    Raises
    ------
    InvalidParameter
        If there is no such model, or a parameter is not allowed.
    """
    from foretaste.errors import BadModelFile
    from foretaste.models.spec import as_spec, from_spec

    try:
        return as_spec(from_spec({"model": name, "params": params}))
    except BadModelFile as error:
        raise InvalidParameter(error.message, hint="foretaste models") from None


def _shown(job: Job) -> dict[str, Any]:
    return {
        "number": job.number, "state": job.state, "spec": job.spec, "started_at": job.started_at,
        "ended_at": job.ended_at, "label": job.label, "done": job.done, "total": job.total,
        "note": job.note, "model": job.model,
    }  # fmt: skip
