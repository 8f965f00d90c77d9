"""Real service processes on free loopback ports: killed, stopped, out of disk, disconnected."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx2
import pytest
from service_fixtures import Client, prepare_service, running_service

from foretaste.service.bootstrap import open_database
from foretaste.service.settings import Settings


def stored_ratings(client, user):
    values, after = {}, ""
    while after is not None:
        page = client.get(f"/ratings?user={user}&limit=1000&after={after}")
        values |= {row["item"]: row["value"] for row in page["ratings"]}
        after = page["next"]
    return values


def write_until_stopped(client, users, items, acknowledged, most=250):
    """Put ratings until the service is gone; note each that was acknowledged."""
    number = 0
    for user in users:
        for item in items:
            value = float(number % 15 - 7)
            try:
                response = client.request(
                    "PUT", "/ratings", json={"user": user, "item": item, "value": value}
                )
            except httpx2.HTTPError:
                return
            if response.status_code != 200:
                return
            acknowledged[user, item] = value
            number += 1
            if number == most:
                return


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.nightly])]
)
def test_acknowledged_ratings_survive_kill_9(service_folder, key, start, ratings, database, request):
    environment = {}
    if database == "postgres":
        settings = request.getfixturevalue("postgres_settings")
        key = prepare_service(settings, ratings.replace(scale=(-8.0, 8.0)))
        service_folder, environment = settings.folder, {"FORETASTE_DATABASE": settings.database}
        service = running_service(service_folder, **environment)
    else:
        service = start()
    acknowledged = kill_while_writing(service, key, ratings)
    again = running_service(service_folder, **environment)
    try:
        assert_all_stored(again.client(key), acknowledged)
    finally:
        again.kill()


@pytest.mark.nightly
def test_kill_9_of_several_workers_loses_nothing(service_folder, key, start, ratings):
    service = start("--workers", "2")
    client = service.client(key)
    slow = {"model": "SVD", "params": {"factors": 200, "epochs": 100_000}}
    number = client.call("POST", "/jobs", json=slow)["id"]
    processes = process_tree(service.process.pid)
    assert len(processes) >= 4  # the one that was started, two workers, a training
    acknowledged = kill_while_writing(service, key, ratings)  # only the first process is killed
    gone_by = time.monotonic() + 20
    while left := [one for one in processes if is_alive(one)]:
        assert time.monotonic() < gone_by, f"{left} are still there"
        time.sleep(0.1)
    client = start("--workers", "2").client(key)
    assert_all_stored(client, acknowledged)
    assert client.get("/ready", key=None)["model_id"] == 1
    assert client.get(f"/jobs/{number}")["state"] == "cancelled"


def process_tree(process):
    """Return a process and all that it and its own have started."""
    found = [process]
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += process_tree(int(child))
    return found


def is_alive(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def kill_while_writing(service, key, ratings):
    """Kill a service while ratings are written; return those that it acknowledged."""
    items = ratings.items.ids[:20].tolist()
    parts: list[dict] = [{} for _ in range(4)]
    threads = [
        threading.Thread(
            target=write_until_stopped,
            args=(service.client(key), range(20_000 + 100 * k, 20_100 + 100 * k), items, parts[k]),
        )
        for k in range(4)
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 60
    while sum(map(len, parts)) < 300 and time.monotonic() < end:
        time.sleep(0.005)
    service.kill()
    for thread in threads:
        thread.join(30)
    acknowledged = {name: value for part in parts for name, value in part.items()}
    assert 300 <= len(acknowledged) < 1000
    return acknowledged


def assert_all_stored(client, acknowledged):
    for user in {user for user, _ in acknowledged}:
        wanted = {item: value for (who, item), value in acknowledged.items() if who == user}
        found = stored_ratings(client, user)
        assert wanted.items() <= found.items()
        assert len(found) - len(wanted) <= 1  # the one that was under way


@pytest.mark.nightly
def test_kill_9_during_training_leaves_a_complete_model(service_folder, key, start):
    service = start()
    client = service.client(key)
    before = client.get("/recommendations?user=41")
    slow = {"model": "SVD", "params": {"factors": 200, "epochs": 100_000}}
    number = client.call("POST", "/jobs", json=slow)["id"]
    end = time.monotonic() + 30
    while client.get(f"/jobs/{number}")["done"] == 0 and time.monotonic() < end:
        time.sleep(0.1)
    service.kill()
    again = start()
    client = again.client(key)
    assert client.get("/recommendations?user=41") == before
    assert client.finished_job(number, 40)["state"] in (
        "cancelled",
        "lost",
    )  # its process went with the service
    job = client.finished_job(client.call("POST", "/jobs", json={})["id"])
    assert job["state"] == "done"
    assert client.get("/recommendations?user=41")["model_id"] == job["model_id"]


@pytest.mark.nightly
@pytest.mark.parametrize("pause", [0.4, 1.2])
def test_kill_at_any_time_of_training(service_folder, key, start, pause):
    service = start()
    client = service.client(key)
    client.call("POST", "/jobs", json={"model": "SVD", "params": {"factors": 3, "epochs": 30}})
    time.sleep(pause)
    service.kill()
    client = start().client(key)
    number = client.get("/ready", key=None)["model_id"]
    assert number in (1, 2)
    assert client.get("/recommendations?user=41")["model_id"] == number


@pytest.mark.parametrize("signal_", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.nightly)])
def test_service_stops_gracefully(service_folder, key, start, signal_):
    service = start()
    client = service.client(key)
    slow = {"model": "SVD", "params": {"factors": 200, "epochs": 100_000}}
    client.call("POST", "/jobs", json=slow)
    acknowledged: dict = {}
    users, items = range(30_000, 30_100), range(5, 45, 2)
    writer = threading.Thread(
        target=write_until_stopped, args=(service.client(key), users, items, acknowledged)
    )
    writer.start()
    while len(acknowledged) < 20:
        time.sleep(0.005)
    start_of_stop = time.monotonic()
    assert service.stop(signal_) == 0
    assert time.monotonic() - start_of_stop < 20
    writer.join(30)
    assert not any("Traceback" in line for line in service.lines), "\n".join(service.lines)
    client = start().client(key)
    jobs = client.get("/jobs")
    assert jobs[0]["state"] == "cancelled"
    for user in {user for user, _ in acknowledged}:
        wanted = {item: value for (who, item), value in acknowledged.items() if who == user}
        assert wanted.items() <= stored_ratings(client, user).items()


@pytest.mark.nightly
def test_workers_agree_and_share_the_model(service_folder, key, start):
    service = start("--workers", "2")
    first = service.client(key).get("/recommendations?user=41")["items"]
    service.client(key).rate(41, first[0]["item"], 7.5)
    answers = []
    for _ in range(12):  # a connection each: workers take them in turn
        answers.append(service.client(key).get("/recommendations?user=41"))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0]["items"] != first
    asked = [line for line in service.lines if '"/api/v1/recommendations"' in line]
    processes = {line.rpartition('"process": ')[2] for line in asked}
    assert len(processes) == 2, "only one worker was asked"
    model = next((service_folder / "models").iterdir())
    for process in processes:
        maps = Path(f"/proc/{process.strip('}')}/maps").read_text()
        assert str(model) in maps
    assert "foretaste_requests_total" in service.client(key).request("GET", "/metrics").text
    assert service.stop() == 0


@pytest.mark.nightly
def test_first_and_second_start(tmp_path):
    folder = tmp_path / "new"
    service = running_service(folder, "sample", "--model", "Bias")
    try:
        assert any("5,946 ratings are now in the database" in line for line in service.lines)
        key_file = folder / "admin.key"
        assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
        client = service.client(key_file.read_text().strip())
        assert client.get("/models")[0]["model"] == "Bias"
        assert client.get("/items?limit=1")["items"][0]["title"]
        assert client.get("/recommendations?user=1&n=3")["items"][2]["title"]
        assert client.call_error("PUT", "/ratings", 422, json={"user": 1, "item": 1, "value": 11})
        key = client.key
    finally:
        service.kill()
    again = running_service(folder, "sample", "--items", "sample", "--model", "SVD")
    try:
        for text in (
            "it is not imported again",
            "sample is not imported: titles",
            "the active model is Bias",
        ):
            assert any(text in line for line in again.lines), text
        assert again.client(key).get("/models")[0]["id"] == 1
    finally:
        again.kill()


def run(*args, **environment):
    command = [sys.executable, "-m", "foretaste", "serve", *args]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | environment, check=False
    )


@pytest.mark.nightly
def test_memory_is_bounded_under_load(service_folder, key, start):
    service = start("--rate-limit", "none")
    client = service.client(key)

    def ask(times):
        for number in range(times):
            user = 100_000 + number % 1500  # more than a worker caches
            if number % 50 == 0:
                client.rate(user, 5 + 2 * (number % 20), float(number % 8))
            client.request("GET", f"/recommendations?user={user}&n=5")

    def memory():
        status = Path(f"/proc/{service.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    ask(1500)
    before = memory()
    ask(5000)
    assert memory() - before < 8  # MB


INVALID_STARTS = [
    (["--folder", "EMPTY"], {}, 4, "foretaste serve RATINGS"),
    (["sample", "--folder", "FOLDER"], {}, 2, "serves planted, not the bundled sample"),
    (["sample", "--folder", "EMPTY", "--model", "SVDD"], {}, 4, 'did you mean "SVD"'),
    (
        ["--folder", "FOLDER"], {"FORETASTE_DATABASE": "postgresql://u:secret@127.0.0.1:1/x"}, 3,
        "does not respond",
    ),
]  # fmt: skip


@pytest.mark.nightly
@pytest.mark.parametrize(("options", "environment", "code", "message"), INVALID_STARTS)
def test_invalid_start_is_refused(service_folder, tmp_path, options, environment, code, message):
    folders = {"EMPTY": str(tmp_path / "empty"), "FOLDER": str(service_folder)}
    done = run(*(folders.get(option, option) for option in options), **environment)
    assert done.returncode == code
    assert message in done.stderr
    assert "secret" not in done.stderr


def test_start_on_a_taken_port_is_refused(service_folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run("--folder", str(service_folder), "--port", str(port))
    assert done.returncode == 2
    assert f"port {port} is not available" in done.stderr


def test_service_listens_on_loopback_only(service_folder, start):
    service = start()
    port = int(service.url.rpartition(":")[2])
    local = f"{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(":" + local)] == [f"0100007F:{local}"]


def test_disk_full_while_running(key, ratings, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        key = prepare_service(Settings(str(small / "f")), ratings.replace(scale=(-8.0, 8.0)))
        service = running_service(small / "f", "--rate-limit", "none")
        try:
            client = service.client(key)
            (small / "ballast").write_bytes(
                b"x" * (os.statvfs(small).f_bavail * os.statvfs(small).f_frsize - 65_536)
            )
            acknowledged, refused = {}, None
            for number in range(5000):
                user, item = 40_000 + number, 5
                response = client.request("PUT", "/ratings", json={"user": user, "item": item, "value": 1.0})
                if response.status_code != 200:
                    refused = user, response
                    break
                acknowledged[user] = 1.0
            assert refused is not None
            assert refused[1].status_code == 507
            assert refused[1].json()["error"]["code"] == "storage_full"
            assert client.get("/recommendations?user=41")["items"]  # answers go on
            assert stored_ratings(client, refused[0]) == {}
            for user in list(acknowledged)[-20:]:
                assert stored_ratings(client, user) == {5: 1.0}
            with (small / "ballast").open("ab") as file, contextlib.suppress(OSError):
                file.write(b"x" * 200_000)
            sent = client.request(
                "POST",
                "/models",
                content=b"x" * 200_000,
                headers={"Content-Type": "application/octet-stream"},
            )
            assert (sent.status_code, sent.json()["error"]["code"]) == (507, "storage_full")
            assert len(list((small / "f" / "models").iterdir())) == 1
            (small / "ballast").unlink()
            assert client.rate(refused[0], 5, 1.0)["created"]
        finally:
            service.kill()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


# PostgreSQL --------------------------------------------------------------------------------------------


@pytest.mark.nightly
@pytest.mark.postgres
def test_postgres_stopped_and_started_under_load(own_postgres, ratings, tmp_path):
    settings = Settings(str(tmp_path / "f"), own_postgres.url)
    key = prepare_service(settings, ratings.replace(scale=(-8.0, 8.0)))
    service = running_service(settings.folder, "--rate-limit", "none", FORETASTE_DATABASE=own_postgres.url)
    statuses: list[int] = []
    over = threading.Event()

    def load(client: Client, user: int) -> None:
        while not over.is_set():
            for method, path, options in (
                ("GET", f"/recommendations?user={user}", {}),
                ("PUT", "/ratings", {"json": {"user": user, "item": 5, "value": float(len(statuses) % 8)}}),
            ):
                statuses.append(client.request(method, path, **options).status_code)

    try:
        threads = [threading.Thread(target=load, args=(service.client(key), 50_000 + k)) for k in range(4)]
        for thread in threads:
            thread.start()
        client = service.client(key)
        end = time.monotonic() + 30
        while len(statuses) < 40 and time.monotonic() < end:
            time.sleep(0.05)
        assert set(statuses) == {200}
        own_postgres.stop()
        while 503 not in statuses and time.monotonic() < end + 30:
            time.sleep(0.05)
        refused = client.request("GET", "/recommendations?user=41")
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "unavailable"
        assert refused.headers["retry-after"] == "1"
        assert client.request("GET", "/ready", key=None).status_code == 503
        assert client.request("GET", "/health", key=None).status_code == 200
        own_postgres.start()
        end = time.monotonic() + 30
        while client.request("GET", "/ready", key=None).status_code != 200 and time.monotonic() < end:
            time.sleep(0.1)
        mark = len(statuses)
        while len(statuses) < mark + 40 and time.monotonic() < end:
            time.sleep(0.05)
        over.set()
        for thread in threads:
            thread.join(30)
        assert set(statuses[mark + 8 :]) == {200}
        assert set(statuses) == {200, 503}
    finally:
        over.set()
        service.kill()
    store = open_database(settings)
    assert store.is_ready()
    store.close()
