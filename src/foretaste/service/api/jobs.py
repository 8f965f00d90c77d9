"""Training jobs: start, list, cancel."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from foretaste.errors import InvalidParameterError
from foretaste.service.api.dependencies import RowId, StateDep, error_responses, json_response, require_role
from foretaste.service.schemas import JobIn, JobOut, Success
from foretaste.service.training import jobs
from foretaste.service.training.jobs import Job, validate_spec

router = APIRouter(prefix="/jobs", tags=["training"], dependencies=[Depends(require_role("admin"))])


@router.post("", status_code=202, response_model=Success[JobOut], responses=error_responses(404, 409, 507))
def start_job(body: JobIn, app_state: StateDep) -> Response:
    """Train in the background; the active model stays until the new one has passed the quality gate."""
    spec = None
    if body.model is not None:
        spec = validate_spec(body.model, body.params)
    elif body.params:
        raise InvalidParameterError("params without a model", hint='"model": "SVD"')
    job_id = app_state.job_runner.start(spec)
    with app_state.database.read_connection() as connection:
        return json_response(_job_out(jobs.get_job(connection, job_id)), 202)


@router.get("", response_model=Success[list[JobOut]], responses=error_responses())
def list_jobs(app_state: StateDep) -> Response:
    """List the latest jobs, newest first."""
    with app_state.database.write_transaction() as connection:
        jobs.mark_lost_jobs(connection)
    with app_state.database.read_connection() as connection:
        return json_response([_job_out(job) for job in jobs.list_jobs(connection)])


@router.get("/{job_id}", response_model=Success[JobOut], responses=error_responses(404))
def get_job(job_id: RowId, app_state: StateDep) -> Response:
    """Return a job with its progress."""
    with app_state.database.write_transaction() as connection:
        jobs.mark_lost_jobs(connection)
    with app_state.database.read_connection() as connection:
        return json_response(_job_out(jobs.get_job(connection, job_id)))


@router.post("/{job_id}/cancel", response_model=Success[JobOut], responses=error_responses(404, 507))
def cancel_job(job_id: RowId, app_state: StateDep) -> Response:
    """Request that a job stops, which takes a second or two; a finished one does not change."""
    with app_state.database.write_transaction() as connection:
        jobs.request_cancel(connection, job_id)
    with app_state.database.read_connection() as connection:
        return json_response(_job_out(jobs.get_job(connection, job_id)))


def _job_out(job: Job) -> JobOut:
    return JobOut(**{name: getattr(job, name) for name in JobOut.model_fields})
