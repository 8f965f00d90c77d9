"""What a service is told when it starts."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

ENV_VAR = "FORETASTE_SERVICE"


@dataclass(frozen=True)
class Settings:
    """What a service is told when it starts.

    Parameters
    ----------
    folder : str
        Holds the models, and the database if that is SQLite.
    database : str, optional
        A URL of PostgreSQL; default: SQLite in the folder.
    rate_limit : str
        How many requests a client may make of one worker: ``"600/minute"``; ``""`` is no limit.
    max_body_bytes, max_upload_bytes : int
        The largest body of a request, and of an uploaded model.
    allowed_origins : tuple of str
        Pages of other origins that browsers let in: ``"https://shop.example"``; default: none.
    allowed_hosts : tuple of str
        Names by which the service may be called, besides those of the loopback address.
    web : {"local", "on", "off"}
        Who gets the page: those on this machine; all who reach the service; nobody.
    excluded_items : tuple of str
        Items that the page does not show, as the database holds their ids.
    max_exact_items : int
        Of a model with more items than that, recommendations are looked up in an index, where faiss is
        installed and the model has factors; else all items are scored.
    """

    folder: str
    database: str | None = None
    rate_limit: str = "6000/minute"
    max_body_bytes: int = 65_536
    max_upload_bytes: int = 1_000_000_000
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    web: str = "local"
    excluded_items: tuple[str, ...] = ()
    max_exact_items: int = 300_000

    @property
    def database_url(self) -> str:
        """The database."""
        return self.database or f"sqlite:///{Path(self.folder).resolve() / 'foretaste.db'}"

    @property
    def models_dir(self) -> Path:
        """The folder of model files."""
        return Path(self.folder).resolve() / "models"

    def to_json(self) -> str:
        """Return the settings as JSON, for another process."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Return the settings that ``to_json`` wrote."""
        values = json.loads(text)
        return cls(**values | {name: tuple(values[name]) for name in ("origins", "hosts", "hidden")})

    @classmethod
    def from_environment(cls) -> Settings:
        """Return the settings that the process which started this one has left in its environment."""
        return cls.from_json(os.environ[ENV_VAR])
