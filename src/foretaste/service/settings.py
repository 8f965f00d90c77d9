"""Service settings."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENV_VAR = "FORETASTE_SERVICE"


@dataclass(frozen=True)
class Settings:
    """Settings of a service, the same in all its workers and jobs.

    Parameters
    ----------
    folder : str
        Contains the model files, and the SQLite database if there is no other.
    database : str, optional
        URL of a PostgreSQL database; default: SQLite in the folder.
    rate_limit : str
        Requests per client and worker, such as ``"600/minute"``; ``""``: unlimited.
    max_body_bytes, max_upload_bytes : int
        Maximum size of a request body, and of an uploaded model.
    allowed_origins : tuple of str
        CORS origins such as ``"https://shop.example"``; default: none.
    allowed_hosts : tuple of str
        ``Host`` names accepted besides those of the loopback address.
    web : {"local", "on", "off"}
        Who may open the rating page: clients on this machine, all clients, nobody.
    excluded_items : tuple of str
        Items that the rating page does not show, by id as text.
    max_exact_items : int
        With more items than this, recommendations come from an approximate-nearest-neighbor index (if faiss
        is installed and the model has factors); otherwise all items are scored.
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
        """SQLAlchemy URL of the database."""
        return self.database or f"sqlite:///{Path(self.folder).resolve() / 'foretaste.db'}"

    @property
    def models_dir(self) -> Path:
        """Folder of the model files."""
        return Path(self.folder).resolve() / "models"

    def to_json(self) -> str:
        """Return the settings as JSON, to pass them to another process."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Return settings from ``to_json``."""
        values: dict[str, Any] = json.loads(text)
        tuples = ("allowed_origins", "allowed_hosts", "excluded_items")
        return cls(**values | {name: tuple(values[name]) for name in tuples})

    @classmethod
    def from_environment(cls) -> Settings:
        """Return the settings in the environment variable ``ENV_VAR``, set by the parent process."""
        return cls.from_json(os.environ[ENV_VAR])
