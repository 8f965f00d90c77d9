"""Keys: made, listed, revoked."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Depends, Response
from starlette.exceptions import HTTPException

from foretaste.errors import InvalidParameter
from foretaste.service import api_keys
from foretaste.service.api.dependencies import InHouse, answer, failures, needs
from foretaste.service.api.models import Number
from foretaste.service.schemas import Deleted, KeyMade, KeyShape, KeyWanted, Success

router = APIRouter(prefix="/keys", tags=["keys"], dependencies=[Depends(needs("admin"))])


@router.get("", response_model=Success[list[KeyShape]], responses=failures())
def list_keys(house: InHouse) -> Response:
    """List what is known of the keys; the keys themselves are not."""
    with house.store.reading() as connection:
        return answer([asdict(key) for key in api_keys.listed(connection)])


@router.post("", status_code=201, response_model=Success[KeyMade], responses=failures(507))
def make_key(wanted: KeyWanted, house: InHouse) -> Response:
    """Make a key; it is shown this once."""
    if not wanted.name.isprintable():
        raise InvalidParameter("the name of a key must be one line of text", hint='"name": "shop"')
    with house.store.writing() as connection:
        key, known = api_keys.make(connection, wanted.name, wanted.role)
    return answer(asdict(known) | {"key": key}, 201)


@router.delete("/{number}", response_model=Success[Deleted], responses=failures(404, 409, 507))
def revoke_key(number: Number, house: InHouse) -> Response:
    """Make a key worthless: in this worker at once, in others within two seconds."""
    with house.store.writing() as connection:
        try:
            api_keys.revoke(connection, number)
        except InvalidParameter as error:
            raise HTTPException(409, error.message) from None
    house.keyring.forget()
    return answer({"deleted": True})
