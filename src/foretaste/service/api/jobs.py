"""Training jobs: start, list, cancel."""

from __future__ import annotations

from fastapi import APIRouter, Depends

from foretaste.errors import InvalidParameterError
from foretaste.service.api.dependencies import RowId, StateDep, error_responses, require_role
from foretaste.service.db.database import Connection
from foretaste.service.schemas import JobIn, JobOut, Success
from foretaste.service.training import jobs
from foretaste.service.training.jobs import validate_spec

router = APIRouter(prefix="/jobs", tags=["training"], dependencies=[Depends(require_role("admin"))])


@router.post("", status_code=202, responses=error_responses(404, 409, 507))
def start_job(body: JobIn, app_state: StateDep) -> Success[JobOut]:
    """Train in the background; the active model stays until the new one has passed the quality gate."""
    spec = None
    if body.model is not None:
        spec = validate_spec(body.model, body.params)
    elif body.params:
        raise InvalidParameterError("params without a model", hint='"model": "SVD"')
    job_id = app_state.job_runner.start(spec)
    with app_state.database.read_connection() as connection:
        return Success(data=_job_out(connection, job_id))


@router.get("", responses=error_responses())
def list_jobs(app_state: StateDep) -> Success[list[JobOut]]:
    """List the latest jobs, newest first."""
    with app_state.database.write_transaction() as connection:
        jobs.mark_lost_jobs(connection)
    with app_state.database.read_connection() as connection:
        return Success(data=[JobOut.model_validate(job) for job in jobs.list_jobs(connection)])


@router.get("/{job_id}", responses=error_responses(404))
def get_job(job_id: RowId, app_state: StateDep) -> Success[JobOut]:
    """Return a job with its progress."""
    with app_state.database.write_transaction() as connection:
        jobs.mark_lost_jobs(connection)
    with app_state.database.read_connection() as connection:
        return Success(data=_job_out(connection, job_id))


@router.post("/{job_id}/cancel", responses=error_responses(404, 507))
def cancel_job(job_id: RowId, app_state: StateDep) -> Success[JobOut]:
    """Request that a job stops, which takes a second or two; a finished one does not change."""
    with app_state.database.write_transaction() as connection:
        jobs.request_cancel(connection, job_id)
    with app_state.database.read_connection() as connection:
        return Success(data=_job_out(connection, job_id))


def _job_out(connection: Connection, job_id: int) -> JobOut:
    return JobOut.model_validate(jobs.get_job(connection, job_id))
