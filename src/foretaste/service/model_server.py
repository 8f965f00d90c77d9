"""The active model in memory, and people whom it has taken in a moment ago."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from foretaste.errors import ForetasteError, ModelFileError
from foretaste.models.base import Model
from foretaste.persistence import load
from foretaste.recommendation.ann_index import ItemIndex
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import Connection, Database
from foretaste.service.db.model_store import StoredModel
from foretaste.service.db.rating_store import CacheVersion, StoredRating
from foretaste.service.id_codec import IdCodec
from foretaste.service.predictor import UserProfile, make_profile
from foretaste.service.response_cache import ResponseCache
from foretaste.service.settings import Settings

log = logging.getLogger("foretaste.service")

_MAX_CACHED_USERS = 1000  # kept in memory: those who asked last


class NoActiveModelError(ForetasteError):
    """There is no active model yet."""

    code = "no_model"
    exit_code = 4


@dataclass(eq=False)
class ActiveModel:
    """A model at work.

    Parameters
    ----------
    activation_id : int
    stored : KeptModel
    model : Model
        Its arrays are the pages of its file, which all workers share.
    user_cache : ordered dict
        Those whom it has taken in, by the moment that they are of.
    deletion_count : int
        How many people's data had been deleted when the first of them was taken in.
    index : ItemIndex or None
        Of its items, where they are very many; it is built while all of them are still scored.
    """

    activation_id: int
    stored: StoredModel
    model: Model
    user_cache: OrderedDict[str, tuple[CacheVersion, UserProfile]] = field(default_factory=OrderedDict)
    deletion_count: int = 0
    index: ItemIndex | None = None


def _build_index(active: ActiveModel) -> None:
    """Build the index of a model's items, which takes a while."""
    try:
        active.index = ItemIndex(active.model, threads=1)
    except ForetasteError as error:  # no faiss, or no factors
        log.warning("all items of model %d are scored: %s", active.stored.id, error.message)
        return
    log.info(
        "index of the items of model %d: finds %.4f of the ten best of all",
        active.stored.id, active.index.recall_,
    )  # fmt: skip


class ModelServer:
    """Answers from the model that is active by the database, whoever activated it.

    Parameters
    ----------
    settings : Settings
    database : Store
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings, self.database = settings, database
        self._active: ActiveModel | None = None
        self._load_lock = threading.Lock()
        self._cache_lock = threading.Lock()
        self._id_codec: IdCodec | None = None
        self._titles: dict[str, str] | None = None
        self.responses = ResponseCache()
        # More threads that compute than processors only take the interpreter from each other.
        self.cpu_slots = threading.BoundedSemaphore(os.cpu_count() or 1)

    @property
    def is_ready(self) -> bool:
        """Whether ``id_codec`` are known without asking the database."""
        return self._id_codec is not None

    @property
    def id_codec(self) -> IdCodec:
        """Types of ids, and the scale."""
        if self._id_codec is None:
            self._id_codec = rating_store.load_id_codec(self.database)
        return self._id_codec

    def item_title(self, item: int | str) -> str | None:
        """Return the title of an item; titles are read once: they do not change while it runs."""
        if self._titles is None:
            with self.database.read_connection() as connection:
                self._titles = rating_store.get_item_titles(connection)
        return self._titles.get(str(item))

    def get_active(self, connection: Connection, activation_id: int | None = None) -> ActiveModel:
        """Return the model of the activation in force, loaded now if it is another than before.

        Parameters
        ----------
        connection : Connection
        activation_id : int, optional
            The number that is in force, where that is known.

        Raises
        ------
        NoModel
            If none was ever activated.
        ModelFileError
            If its file is damaged; the one before goes on serving if there is one, and it is logged.
        """
        current = self._active
        if current is not None and activation_id is not None and current.activation_id == activation_id:
            return current
        with self._load_lock:
            latest = model_store.get_active_model(connection)
            if latest is None:
                raise NoActiveModelError("there is no model yet", hint="POST /api/v1/jobs trains one")
            current = self._active
            if current is not None and current.activation_id == latest[0]:
                return current
            try:
                self._active = self._load_model(*latest)
            except ForetasteError as error:
                log.error("model %d cannot be loaded: %s", latest[1].id, error.message)
                if current is None:
                    raise
                self._active = ActiveModel(latest[0], current.stored, current.model)
            return self._active

    def _load_model(self, activation_id: int, stored: StoredModel) -> ActiveModel:
        path = self.settings.models_dir / stored.file
        if not path.is_file() or model_store.file_sha256(path) != stored.sha256:
            raise ModelFileError(
                f"the file of model {stored.id} is missing or is not what was stored",
                hint="POST /api/v1/models/rollback, or train again",
            )
        model = load(path, memory_map=True)
        if "threads" in model.param_specs():
            model.set_params(threads=1)  # requests share the processors, not the parts of one
        active = ActiveModel(activation_id, stored, model)
        if len(model.items_) > self.settings.max_exact_items:
            threading.Thread(target=_build_index, args=(active,), daemon=True, name="index of items").start()
        return active

    def get_user(
        self, connection: Connection, user: str, version: CacheVersion | None = None
    ) -> tuple[ActiveModel, UserProfile]:
        """Return the active model and a person as it sees them, by the ratings they have at this moment.

        Parameters
        ----------
        connection : Connection
            Of ``Store.reading``.
        user : str
            As the database holds it.
        version : Moment, optional
            That of the person, read through this connection.
        """
        if version is None:
            version = rating_store.cache_version(connection, user)
        active = self.get_active(connection, version.activation_id)
        with self._cache_lock:
            if (
                version.deletion_count > active.deletion_count
            ):  # somebody's data were deleted: theirs may be among these
                active.user_cache.clear()
                active.deletion_count = version.deletion_count
            cached = active.user_cache.get(user)
            if cached is not None and cached[0] == version:
                active.user_cache.move_to_end(user)
                return active, cached[1]
        user_ratings = rating_store.get_user_ratings(connection, user)
        with self.cpu_slots:
            profile = self._fold_in(active.model, user, user_ratings)
        with self._cache_lock:
            if version.deletion_count == active.deletion_count:
                active.user_cache[user] = version, profile
            if len(active.user_cache) > _MAX_CACHED_USERS:
                active.user_cache.popitem(last=False)
        return active, profile

    def _fold_in(self, model: Model, user: str, user_ratings: list[StoredRating]) -> UserProfile:
        codec = self.id_codec
        return make_profile(
            model,
            codec.from_text(user, "user"),
            codec.to_array([rating.item for rating in user_ratings], "item"),
            [rating.value for rating in user_ratings],
            [rating.rated_at for rating in user_ratings],
        )

    def cached_response(self, user: str, n: int) -> bytes | None:
        """Return the recommendations that a person was told before, if nothing has changed since.

        None if they are to be found anew. It does not wait for anything.
        """
        if not self.responses.has(user, n):
            return None
        version = rating_store.cache_version_nowait(self.database, user)
        return None if version is None else self.responses.get(user, n, version)

    def evict_user(self, user: str) -> None:
        """Forget a person, as all workers do once they meet the next moment."""
        with self._cache_lock:
            if self._active is not None:
                self._active.user_cache.pop(user, None)
