"""Loads the active model and caches the profiles of recent users."""

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
from foretaste.service.db.rating_store import StoredRating
from foretaste.service.id_codec import IdCodec
from foretaste.service.predictor import UserProfile, make_profile
from foretaste.service.response_cache import CacheVersion, cache_version
from foretaste.service.settings import Settings

log = logging.getLogger("foretaste.service")

_MAX_CACHED_USERS = 1000  # per worker, least recently used ones are evicted


class NoActiveModelError(ForetasteError):
    """No model was activated yet."""

    code = "no_model"
    exit_code = 4


@dataclass(eq=False)
class ActiveModel:
    """The active model in memory.

    Parameters
    ----------
    activation_id : int
    stored : StoredModel
    model : Model
        Its arrays are memory-mapped, so that all workers share them.
    user_cache : ordered dict
        LRU cache of profiles, with the version each was computed from.
    deletion_count : int
        The version's deletion count when the cache was last empty.
    index : ItemIndex or None
        Approximate-nearest-neighbor index of the items; None while it is built, or if all are scored.
    """

    activation_id: int
    stored: StoredModel
    model: Model
    user_cache: OrderedDict[str, tuple[CacheVersion, UserProfile]] = field(default_factory=OrderedDict)
    deletion_count: int = 0
    index: ItemIndex | None = None


def _build_index(active: ActiveModel) -> None:
    """Build the item index in a thread; until then all items are scored."""
    try:
        active.index = ItemIndex(active.model, threads=1)
    except ForetasteError as error:  # faiss is not installed, or the model has no factors
        log.warning("no item index for model %d: %s", active.stored.id, error.message)
        return
    log.info(
        "item index of model %d built: recall@10 %.4f", active.stored.id, active.index.recall_
    )  # fmt: skip


class ModelServer:
    """Provides the active model of the database, whichever worker activated it, and user profiles.

    Parameters
    ----------
    settings : Settings
    database : Database
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings, self.database = settings, database
        self._active: ActiveModel | None = None
        self._load_lock = threading.Lock()
        self._cache_lock = threading.Lock()
        self._id_codec: IdCodec | None = None
        self._titles: dict[str, str] | None = None
        # More computing threads than CPU cores would only compete for the interpreter lock.
        self.cpu_slots = threading.BoundedSemaphore(os.cpu_count() or 1)

    def cached_id_codec(self) -> IdCodec | None:
        """Return the codec, None if it was not loaded yet."""
        return self._id_codec

    @property
    def id_codec(self) -> IdCodec:
        """Codec for the id types, with the rating scale; loaded once."""
        if self._id_codec is None:
            self._id_codec = rating_store.load_id_codec(self.database)
        return self._id_codec

    def item_title(self, item: int | str) -> str | None:
        """Return the title of an item; titles are loaded once, as they do not change."""
        if self._titles is None:
            with self.database.read_connection() as connection:
                self._titles = rating_store.get_item_titles(connection)
        return self._titles.get(str(item))

    def get_active(self, connection: Connection, activation_id: int | None = None) -> ActiveModel:
        """Return the active model; load it if the activation changed.

        Parameters
        ----------
        connection : Connection
        activation_id : int, optional
            The latest activation, if the caller knows it.

        Raises
        ------
        NoActiveModelError
            If no model was ever activated.
        ModelFileError
            If the file is damaged. If another model was active before, it stays and the error is logged.
        """
        current = self._active
        if current is not None and activation_id is not None and current.activation_id == activation_id:
            return current
        with self._load_lock:
            latest = model_store.get_active_model(connection)
            if latest is None:
                raise NoActiveModelError("no model was activated yet", hint="POST /api/v1/jobs trains one")
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
                f"the file of model {stored.id} is missing or damaged",
                hint="POST /api/v1/models/rollback, or train again",
            )
        model = load(path, memory_map=True)
        if "threads" in model.param_specs():
            model.set_params(threads=1)  # parallelism across requests, not within one
        active = ActiveModel(activation_id, stored, model)
        if len(model.items_) > self.settings.max_exact_items:
            threading.Thread(target=_build_index, args=(active,), daemon=True, name="item index").start()
        return active

    def get_user(
        self, connection: Connection, user: str, version: CacheVersion | None = None
    ) -> tuple[ActiveModel, UserProfile]:
        """Return the active model and the user's profile, folded in from their current ratings.

        Parameters
        ----------
        connection : Connection
            From ``Database.read_connection``.
        user : str
            Id as text.
        version : CacheVersion, optional
            The user's, if it was read through this connection.
        """
        if version is None:
            version = cache_version(connection, user)
        active = self.get_active(connection, version.activation_id)
        with self._cache_lock:
            if version.deletion_count > active.deletion_count:  # a deleted user may be in the cache
                active.user_cache.clear()
                active.deletion_count = version.deletion_count
            cached = active.user_cache.get(user)
            if cached is not None and cached[0] == version:
                active.user_cache.move_to_end(user)
                return active, cached[1]
        user_ratings = rating_store.get_user_ratings(connection, user)
        with self.cpu_slots:
            profile = self._make_profile(active.model, user, user_ratings)
        with self._cache_lock:
            if version.deletion_count == active.deletion_count:
                active.user_cache[user] = version, profile
            if len(active.user_cache) > _MAX_CACHED_USERS:
                active.user_cache.popitem(last=False)
        return active, profile

    def _make_profile(self, model: Model, user: str, user_ratings: list[StoredRating]) -> UserProfile:
        codec = self.id_codec
        return make_profile(
            model,
            codec.from_text(user, "user"),
            codec.to_array([rating.item for rating in user_ratings], "item"),
            [rating.value for rating in user_ratings],
            [rating.rated_at for rating in user_ratings],
        )

    def evict_user(self, user: str) -> None:
        """Drop a user from the cache; other workers notice at the next version check."""
        with self._cache_lock:
            if self._active is not None:
                self._active.user_cache.pop(user, None)
