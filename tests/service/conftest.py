"""A service on the planted ratings: as functions, in this process, and as its own process."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason='needs pip install "foretaste[serve]"')

import service_fixtures
import sqlalchemy as sa
from page_fixtures import Browser
from service_fixtures import Client, OwnPostgres, prepare_service, running_service
from starlette.testclient import TestClient

from foretaste.models.spec import as_spec
from foretaste.service.app import create_app
from foretaste.service.bootstrap import open_database
from foretaste.service.settings import Settings


@pytest.fixture(scope="session")
def prepared_folder(tmp_path_factory, ratings):
    """Return a folder with a database, a model and a key, to be copied."""
    folder = tmp_path_factory.mktemp("service") / "prepared"
    return folder, prepare_service(Settings(str(folder)), ratings.replace(scale=(-8.0, 8.0)))


@pytest.fixture
def service_folder(prepared_folder, tmp_path):
    """Return a copy of the folder that a test may change."""
    shutil.copytree(prepared_folder[0], tmp_path / "folder")
    return tmp_path / "folder"


@pytest.fixture
def key(prepared_folder) -> str:
    """Return an admin key of every prepared folder."""
    return prepared_folder[1]


@pytest.fixture
def make_client(service_folder, key):
    """Return a function that makes clients of an application in this process."""
    opened = []

    def make(**changes) -> Client:
        values = {"folder": str(service_folder), "rate_limit": ""} | changes
        client = TestClient(create_app(Settings(**values)), base_url="http://127.0.0.1")
        client.__enter__()
        opened.append(client)
        return Client(client, key)

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client) -> Client:
    """Return a client of an application in this process."""
    return make_client()


@pytest.fixture
def start(service_folder):
    """Return a function that starts the service from the command line; its processes end with the test."""
    started = []

    def begin(*options: str, **environment: str):
        service = running_service(service_folder, *options, **environment)
        started.append(service)
        return service

    yield begin
    for service in started:
        service.kill()


@pytest.fixture
def postgres_settings(tmp_path):
    """Return settings with an empty PostgreSQL database."""
    url = os.environ.get("FORETASTE_POSTGRES")
    if not url:
        pytest.skip("FORETASTE_POSTGRES names no server; .ci/postgres starts one")
    name = "foretaste_" + uuid.uuid4().hex
    server = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    own = sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    yield Settings(str(tmp_path / "either"), own)
    with server.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    server.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def settings(request, tmp_path):
    """Return settings with an empty database of either kind."""
    if request.param == "sqlite":
        return Settings(str(tmp_path / "either"))
    return request.getfixturevalue("postgres_settings")


@pytest.fixture
def own_postgres():
    """Return a PostgreSQL server that a test may stop and start."""
    if "FORETASTE_POSTGRES" not in os.environ:
        pytest.skip("FORETASTE_POSTGRES names no server; .ci/postgres starts one")
    folder = Path(tempfile.mkdtemp(prefix="foretaste-postgres-"))
    folder.chmod(0o755)  # the server has another user than root, who may not look into pytest's own folders
    server = OwnPostgres(folder / "server")
    yield server
    server.remove()
    folder.rmdir()


@pytest.fixture
def store(settings):
    """Return an empty database of either kind, up to date."""
    opened = open_database(settings)
    yield opened
    opened.close()


@pytest.fixture
def browser(client) -> Browser:
    """Return somebody at the page of an application in this process."""
    return Browser(client.inner)


@pytest.fixture
def browse_other_service(tmp_path, monkeypatch):
    """Return a function that makes a browser at a service of other ratings, titles, or another model."""
    with ExitStack() as open_until_the_end:

        def make(given, catalogue=None, model=None):
            if model is not None:
                monkeypatch.setattr(service_fixtures, "SPEC", as_spec(model))
            settings = Settings(str(tmp_path / "other"), rate_limit="")
            prepare_service(settings, given, catalogue)
            inner = TestClient(create_app(settings), base_url="http://127.0.0.1")
            return Browser(open_until_the_end.enter_context(inner))

        yield make
