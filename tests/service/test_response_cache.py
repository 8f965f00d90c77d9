"""The response cache: byte-identical responses, invalidation, bounded memory."""

from __future__ import annotations

import pytest

from foretaste.service.response_cache import CacheVersion, ResponseCache

ASKED = "/recommendations?user=41&n=3"


@pytest.fixture
def repeated(client, monkeypatch):
    """Return a list of what the middleware found in the cache, None where it passed the request on."""
    client.get("/items")  # from now on the key and the codec are cached
    found, responses = [], client.inner.app.state.app_state.responses
    inner = responses.lookup

    def noting(user, n, read_version):
        found.append(inner(user, n, read_version))
        return found[-1]

    monkeypatch.setattr(responses, "lookup", noting)
    return found


def test_cached_response_is_byte_identical(client, repeated):
    first = client.ask("GET", ASKED)
    assert repeated == [None]
    again = client.ask("GET", ASKED)
    assert repeated[1:] == [first.content]
    by_the_framework = client.ask("GET", ASKED, headers={"Origin": "https://shop.example"})
    assert len(repeated) == 2
    for response in (again, by_the_framework):
        assert (response.status_code, response.content) == (200, first.content)
        assert dict(response.headers) | {"x-request-id": ""} == dict(first.headers) | {"x-request-id": ""}
    text = client.ask("GET", "/metrics").text
    assert 'foretaste_requests_total{method="GET",route="/api/v1/recommendations",status="200"} 3.0' in text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("n=3&user=41", 200), ("user=%34%31&n=3", 200), ("user=41&n=03", 200), ("user=41&n=3&x=1", 200),
        ("user=41&n=3&user=11", 200), ("user=41&n=1001", 422), ("user=41&n=0", 422), ("user=041&n=3", 422),
        ("user=41&n=", 422), ("user=&n=3", 422), ("user=41%00&n=3", 422),
    ],
)  # fmt: skip
def test_unusual_requests_bypass_the_cache(client, repeated, query, status):
    told = [client.ask("GET", path).content for path in (ASKED, ASKED)]
    repeated.clear()
    response = client.ask("GET", f"/recommendations?{query}")
    assert response.status_code == status
    assert not any(repeated)
    if status == 200 and "user=11" not in query:
        assert response.content == told[0] == told[1]


def test_keys_are_validated_before_cache_hits(client, repeated):
    made = client.good("POST", "/keys", json={"name": "shop", "role": "read"})
    for _ in range(2):
        assert client.get(ASKED, key=made["key"])
    assert repeated[-1] is not None
    count = len(repeated)
    client.refused("GET", ASKED, 401, key=None)
    client.refused("GET", ASKED, 401, key=made["key"] + "0")
    client.good("DELETE", f"/keys/{made['id']}")
    client.refused("GET", ASKED, 401, key=made["key"])
    assert len(repeated) == count


def test_deletion_by_another_worker_clears_the_cache(make_client):
    client, other = make_client(), make_client()
    app_state = client.inner.app.state.app_state
    serving = app_state.model_server
    for user in (41, 11):
        client.get(f"/recommendations?user={user}")
    assert (len(app_state.responses), len(serving._active.user_cache)) == (2, 2)
    other.good("DELETE", "/users?user=11")
    client.get("/recommendations?user=41")
    assert (len(app_state.responses), list(serving._active.user_cache)) == (1, ["41"])


def test_cache_size_is_bounded_in_bytes():
    told, now = ResponseCache(10_000), CacheVersion(1, 0, 1)
    for user in range(100):
        told.put(str(user), 10, now, b"x" * 600)
        assert told.get("0", 10, now) == b"x" * 600  # requested all the time: stays cached
    assert told.n_bytes == 1000 * len(told) == 10_000
    assert told.get("50", 10, now) is None
    assert told.get("99", 10, now) is not None
    told.put("99", 10, now, b"y" * 100)
    assert told.n_bytes == 9_500
    told.put("large", 10, now, b"x" * 10_000)
    assert not told.has("large", 10)


def test_response_from_before_a_deletion_is_not_cached():
    told = ResponseCache()
    told.put("1", 10, CacheVersion(1, 0, 1), b"a")
    assert told.get("2", 10, CacheVersion(1, 1, 1)) is None  # somebody's data were deleted
    assert len(told) == told.n_bytes == 0
    told.put("1", 10, CacheVersion(1, 0, 1), b"a")  # by a thread that began before
    assert len(told) == 0
    assert told.get("1", 10, CacheVersion(1, 0, 1)) is None
