"""The active model in memory, and people whom it has taken in a moment ago."""

from __future__ import annotations

import logging
import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from foretaste.errors import BadModelFile, ForetasteError
from foretaste.models.base import Model
from foretaste.persistence import load
from foretaste.recommendation.ann_index import ItemIndex
from foretaste.service.db import model_store, rating_store
from foretaste.service.db.database import Connection, Store
from foretaste.service.db.model_store import KeptModel
from foretaste.service.db.rating_store import Moment, Rated
from foretaste.service.id_codec import Kinds
from foretaste.service.predictor import Person, person
from foretaste.service.response_cache import Told
from foretaste.service.settings import Settings

log = logging.getLogger("foretaste.service")

_PEOPLE = 1000  # kept in memory: those who asked last


class NoModel(ForetasteError):
    """There is no active model yet."""

    code = "no_model"
    exit_code = 4


@dataclass(eq=False)
class Active:
    """A model at work.

    Parameters
    ----------
    activation : int
    kept : KeptModel
    model : Model
        Its arrays are the pages of its file, which all workers share.
    people : ordered dict
        Those whom it has taken in, by the moment that they are of.
    erasures : int
        How many people's data had been deleted when the first of them was taken in.
    index : ItemIndex or None
        Of its items, where they are very many; it is built while all of them are still scored.
    """

    activation: int
    kept: KeptModel
    model: Model
    people: OrderedDict[str, tuple[Moment, Person]] = field(default_factory=OrderedDict)
    erasures: int = 0
    index: ItemIndex | None = None


def _index(active: Active) -> None:
    """Build the index of a model's items, which takes a while."""
    try:
        active.index = ItemIndex(active.model, threads=1)
    except ForetasteError as error:  # no faiss, or no factors
        log.warning("all items of model %d are scored: %s", active.kept.number, error.message)
        return
    log.info(
        "index of the items of model %d: finds %.4f of the ten best of all",
        active.kept.number, active.index.recall_,
    )  # fmt: skip


class Serving:
    """Answers from the model that is active by the database, whoever activated it.

    Parameters
    ----------
    settings : Settings
    store : Store
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        self._active: Active | None = None
        self._loading = threading.Lock()
        self._remembering = threading.Lock()
        self._kinds: Kinds | None = None
        self._titles: dict[str, str] | None = None
        self.told = Told()
        # More threads that compute than processors only take the interpreter from each other.
        self.at_work = threading.BoundedSemaphore(os.cpu_count() or 1)

    @property
    def is_warm(self) -> bool:
        """Whether ``kinds`` are known without asking the database."""
        return self._kinds is not None

    @property
    def kinds(self) -> Kinds:
        """Types of ids, and the scale."""
        if self._kinds is None:
            self._kinds = rating_store.kinds_of(self.store)
        return self._kinds

    def title(self, item: int | str) -> str | None:
        """Return the title of an item; titles are read once: they do not change while it runs."""
        if self._titles is None:
            with self.store.reading() as connection:
                self._titles = rating_store.titles(connection)
        return self._titles.get(str(item))

    def active(self, connection: Connection, activation: int | None = None) -> Active:
        """Return the model of the activation in force, loaded now if it is another than before.

        Parameters
        ----------
        connection : Connection
        activation : int, optional
            The number that is in force, where that is known.

        Raises
        ------
        NoModel
            If none was ever activated.
        BadModelFile
            If its file is damaged; the one before goes on serving if there is one, and it is logged.
        """
        now = self._active
        if now is not None and activation is not None and now.activation == activation:
            return now
        with self._loading:
            found = model_store.active(connection)
            if found is None:
                raise NoModel("there is no model yet", hint="POST /api/v1/jobs trains one")
            now = self._active
            if now is not None and now.activation == found[0]:
                return now
            try:
                self._active = self._loaded(*found)
            except ForetasteError as error:
                log.error("model %d cannot be loaded: %s", found[1].number, error.message)
                if now is None:
                    raise
                self._active = Active(found[0], now.kept, now.model)
            return self._active

    def _loaded(self, activation: int, kept: KeptModel) -> Active:
        path = self.settings.models / kept.file
        if not path.is_file() or model_store.sha256_of(path) != kept.sha256:
            raise BadModelFile(
                f"the file of model {kept.number} is missing or is not what was stored",
                hint="POST /api/v1/models/rollback, or train again",
            )
        model = load(path, memory_map=True)
        if "threads" in model.declarations():
            model.set_params(threads=1)  # requests share the processors, not the parts of one
        active = Active(activation, kept, model)
        if len(model.items_) > self.settings.exact_up_to:
            threading.Thread(target=_index, args=(active,), daemon=True, name="index of items").start()
        return active

    def person(
        self, connection: Connection, user: str, moment: Moment | None = None
    ) -> tuple[Active, Person]:
        """Return the active model and a person as it sees them, by the ratings they have at this moment.

        Parameters
        ----------
        connection : Connection
            Of ``Store.reading``.
        user : str
            As the database holds it.
        moment : Moment, optional
            That of the person, read through this connection.
        """
        if moment is None:
            moment = rating_store.moment(connection, user)
        active = self.active(connection, moment.activation)
        with self._remembering:
            if moment.erasures > active.erasures:  # somebody's data were deleted: theirs may be among these
                active.people.clear()
                active.erasures = moment.erasures
            known = active.people.get(user)
            if known is not None and known[0] == moment:
                active.people.move_to_end(user)
                return active, known[1]
        rated = rating_store.history(connection, user)
        with self.at_work:
            found = self._taken_in(active.model, user, rated)
        with self._remembering:
            if moment.erasures == active.erasures:
                active.people[user] = moment, found
            if len(active.people) > _PEOPLE:
                active.people.popitem(last=False)
        return active, found

    def _taken_in(self, model: Model, user: str, rated: list[Rated]) -> Person:
        kinds = self.kinds
        return person(
            model,
            kinds.own(user, "user"),
            kinds.column([one.item for one in rated], "item"),
            [one.value for one in rated],
            [one.rated_at for one in rated],
        )

    def repeated(self, user: str, n: int) -> bytes | None:
        """Return the recommendations that a person was told before, if nothing has changed since.

        None if they are to be found anew. It does not wait for anything.
        """
        if not self.told.has(user, n):
            return None
        moment = rating_store.glance(self.store, user)
        return None if moment is None else self.told.get(user, n, moment)

    def forget(self, user: str) -> None:
        """Forget a person, as all workers do once they meet the next moment."""
        with self._remembering:
            if self._active is not None:
                self._active.people.pop(user, None)
