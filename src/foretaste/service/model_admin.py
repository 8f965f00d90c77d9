"""Operations on stored models that concern both their row and their file."""

from __future__ import annotations

from foretaste.errors import ModelFileError
from foretaste.persistence import load
from foretaste.service.db import model_store
from foretaste.service.db.database import Database
from foretaste.service.db.model_store import StoredModel
from foretaste.service.id_codec import single_id_index
from foretaste.service.settings import Settings


def activate_model(settings: Settings, database: Database, model_id: int) -> StoredModel:
    """Activate a model after checking its file.

    Raises
    ------
    NotFoundError
        If there is no such model.
    ModelFileError
        If its file is missing or damaged.
    """
    with database.write_transaction() as connection:
        stored = model_store.get_model(connection, model_id)
        path = settings.models_dir / stored.file
        if not path.is_file() or model_store.file_sha256(path) != stored.sha256:
            raise ModelFileError(f"the file of model {model_id} is missing or damaged", hint="another model")
        model_store.activate_model(connection, model_id, "chosen")
    return stored


def delete_model(settings: Settings, database: Database, model_id: int) -> None:
    """Delete a model that is not active, and its file.

    Raises
    ------
    NotFoundError
        If there is no such model.
    ConflictError
        If it is active.
    """
    with database.write_transaction() as connection:
        stored = model_store.get_model(connection, model_id)
        model_store.delete_model(connection, model_id)
    (settings.models_dir / stored.file).unlink(missing_ok=True)


def models_with_user(settings: Settings, database: Database, user: int | str) -> list[int]:
    """Return the ids of the models that were trained on ratings of a user."""
    with database.read_connection() as connection:
        stored_models = model_store.list_models(connection)
    index = single_id_index(user)
    model_ids = []
    for stored in stored_models:
        path = settings.models_dir / stored.file
        if path.is_file() and load(path, memory_map=True).users_.indices_of(index.ids)[0] >= 0:
            model_ids.append(stored.id)
    return sorted(model_ids)
