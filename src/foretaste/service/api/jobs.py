"""Training again: started, watched, cancelled."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response

from foretaste.errors import InvalidParameterError
from foretaste.service.api.dependencies import StateDep, error_responses, json_response, require_role
from foretaste.service.api.models import RowId
from foretaste.service.schemas import JobIn, JobOut, Success
from foretaste.service.training import jobs
from foretaste.service.training.jobs import Job

router = APIRouter(prefix="/jobs", tags=["training"], dependencies=[Depends(require_role("admin"))])


@router.post("", status_code=202, response_model=Success[JobOut], responses=error_responses(404, 409, 507))
def start_job(body: JobIn, app_state: StateDep) -> Response:
    """Train in the background; the active model serves until the new one has passed its checks."""
    spec = None
    if body.model is not None:
        spec = validate_spec(body.model, body.params)
    elif body.params:
        raise InvalidParameterError("params are given without a model", hint='"model": "SVD"')
    job_id = app_state.job_runner.start(spec)
    with app_state.database.read_connection() as connection:
        return json_response(_job_out(jobs.get_job(connection, job_id)), 202)


@router.get("", response_model=Success[list[JobOut]], responses=error_responses())
def list_jobs(app_state: StateDep) -> Response:
    """List the last trainings, the newest first."""
    with app_state.database.write_transaction() as connection:
        jobs.mark_lost_jobs(connection)
    with app_state.database.read_connection() as connection:
        return json_response([_job_out(job) for job in jobs.list_jobs(connection)])


@router.get("/{number}", response_model=Success[JobOut], responses=error_responses(404))
def get_job(job_id: RowId, app_state: StateDep) -> Response:
    """Say how far a training is."""
    with app_state.database.write_transaction() as connection:
        jobs.mark_lost_jobs(connection)
    with app_state.database.read_connection() as connection:
        return json_response(_job_out(jobs.get_job(connection, job_id)))


@router.post("/{number}/cancel", response_model=Success[JobOut], responses=error_responses(404, 507))
def cancel_job(job_id: RowId, app_state: StateDep) -> Response:
    """Ask a training to stop, which takes a moment; one that is over stays as it is."""
    with app_state.database.write_transaction() as connection:
        jobs.request_cancel(connection, job_id)
    with app_state.database.read_connection() as connection:
        return json_response(_job_out(jobs.get_job(connection, job_id)))


def validate_spec(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the spec of a model and its parameters, all of them.

    Raises
    ------
    InvalidParameterError
        If there is no such model, or a parameter is not allowed.
    """
    from foretaste.errors import ModelFileError
    from foretaste.models.spec import as_spec, from_spec

    try:
        return as_spec(from_spec({"model": name, "params": params}))
    except ModelFileError as error:
        raise InvalidParameterError(error.message, hint="foretaste models") from None


def _job_out(job: Job) -> dict[str, Any]:
    return {
        "number": job.id, "state": job.state, "spec": job.spec, "started_at": job.started_at,
        "ended_at": job.finished_at, "label": job.label, "done": job.done, "total": job.total,
        "note": job.note, "model": job.model_id,
    }  # fmt: skip
