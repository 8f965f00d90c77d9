"""API keys: create, list, revoke."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Depends

from foretaste.errors import InvalidParameterError
from foretaste.service import api_keys
from foretaste.service.api.dependencies import RowId, StateDep, error_responses, require_role
from foretaste.service.schemas import DeleteResult, KeyCreated, KeyIn, KeyOut, Success

router = APIRouter(prefix="/keys", tags=["keys"], dependencies=[Depends(require_role("admin"))])


@router.get("", responses=error_responses())
def list_keys(app_state: StateDep) -> Success[list[KeyOut]]:
    """List all keys, without the keys themselves."""
    with app_state.database.read_connection() as connection:
        return Success(data=[KeyOut.model_validate(key) for key in api_keys.list_keys(connection)])


@router.post("", status_code=201, responses=error_responses(507))
def create_key(body: KeyIn, app_state: StateDep) -> Success[KeyCreated]:
    """Create a key; it is shown this once."""
    if not body.name.isprintable():
        raise InvalidParameterError("the name of a key must be one line of text", hint='"name": "shop"')
    with app_state.database.write_transaction() as connection:
        key, api_key = api_keys.create_key(connection, body.name, body.role)
    return Success(data=KeyCreated(**asdict(api_key), key=key))


@router.delete("/{key_id}", responses=error_responses(404, 409, 507))
def revoke_key(key_id: RowId, app_state: StateDep) -> Success[DeleteResult]:
    """Revoke a key: in this worker at once, in others within two seconds."""
    with app_state.database.write_transaction() as connection:
        api_keys.revoke_key(connection, key_id)
    app_state.keyring.clear()
    return Success(data=DeleteResult(deleted=True))
