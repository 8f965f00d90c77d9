"""What a service is told when it starts."""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "FORETASTE_SERVICE"


@dataclass(frozen=True)
class Settings:
    """What a service is told when it starts.

    Parameters
    ----------
    folder : str
        Holds the models, and the database if that is SQLite.
    database : str, optional
        A URL of PostgreSQL; default: SQLite in the folder.
    rate : str
        How many requests a client may make of one worker: ``"600/minute"``; ``""`` is no limit.
    body_bytes, upload_bytes : int
        The largest body of a request, and of an uploaded model.
    origins : tuple of str
        Pages of other origins that browsers let in: ``"https://shop.example"``; default: none.
    hosts : tuple of str
        Names by which the service may be called, besides those of the loopback address.
    page : {"local", "on", "off"}
        Who gets the page: those on this machine; all who reach the service; nobody.
    hidden : tuple of str
        Items that the page does not show, as the database holds their ids.
    """

    folder: str
    database: str | None = None
    rate: str = "6000/minute"
    body_bytes: int = 65_536
    upload_bytes: int = 1_000_000_000
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    page: str = "local"
    hidden: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The database."""
        return self.database or f"sqlite:///{Path(self.folder).resolve() / 'foretaste.db'}"

    @property
    def models(self) -> Path:
        """The folder of model files."""
        return Path(self.folder).resolve() / "models"

    def as_text(self) -> str:
        """Return the settings as JSON, for another process."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Settings:
        """Return the settings that ``as_text`` wrote."""
        values = json.loads(text)
        return cls(**values | {name: tuple(values[name]) for name in ("origins", "hosts", "hidden")})

    @classmethod
    def from_environment(cls) -> Settings:
        """Return the settings that the process which started this one has left in its environment."""
        return cls.from_text(os.environ[VARIABLE])
