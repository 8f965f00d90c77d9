"""The response cache: byte-identical responses, invalidation, bounded memory."""

from __future__ import annotations

import pytest

from foretaste.service.response_cache import CacheVersion, ResponseCache

PATH = "/recommendations?user=41&n=3"


@pytest.fixture
def lookups(client, monkeypatch):
    """Return a list of what the middleware found in the cache, None where it passed the request on."""
    client.get("/items")  # from now on the key and the codec are cached
    found, responses = [], client.inner.app.state.app_state.responses
    inner = responses.lookup

    def record(user, n, read_version):
        found.append(inner(user, n, read_version))
        return found[-1]

    monkeypatch.setattr(responses, "lookup", record)
    return found


def test_cached_response_is_byte_identical(client, lookups):
    first = client.request("GET", PATH)
    assert lookups == [None]
    cached = client.request("GET", PATH)
    assert lookups[1:] == [first.content]
    from_framework = client.request("GET", PATH, headers={"Origin": "https://shop.example"})
    assert len(lookups) == 2
    for response in (cached, from_framework):
        assert (response.status_code, response.content) == (200, first.content)
        assert dict(response.headers) | {"x-request-id": ""} == dict(first.headers) | {"x-request-id": ""}
    text = client.request("GET", "/metrics").text
    assert 'foretaste_requests_total{method="GET",route="/api/v1/recommendations",status="200"} 3.0' in text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("n=3&user=41", 200), ("user=%34%31&n=3", 200), ("user=41&n=03", 200), ("user=41&n=3&x=1", 200),
        ("user=41&n=3&user=11", 200), ("user=41&n=1001", 422), ("user=41&n=0", 422), ("user=041&n=3", 422),
        ("user=41&n=", 422), ("user=&n=3", 422), ("user=41%00&n=3", 422),
    ],
)  # fmt: skip
def test_unusual_requests_bypass_the_cache(client, lookups, query, status):
    bodies = [client.request("GET", path).content for path in (PATH, PATH)]
    lookups.clear()
    response = client.request("GET", f"/recommendations?{query}")
    assert response.status_code == status
    assert not any(lookups)
    if status == 200 and "user=11" not in query:
        assert response.content == bodies[0] == bodies[1]


def test_keys_are_validated_before_cache_hits(client, lookups):
    created = client.call("POST", "/keys", json={"name": "shop", "role": "read"})
    for _ in range(2):
        assert client.get(PATH, key=created["key"])
    assert lookups[-1] is not None
    count = len(lookups)
    client.call_error("GET", PATH, 401, key=None)
    client.call_error("GET", PATH, 401, key=created["key"] + "0")
    client.call("DELETE", f"/keys/{created['id']}")
    client.call_error("GET", PATH, 401, key=created["key"])
    assert len(lookups) == count


def test_deletion_by_another_worker_clears_the_cache(make_client):
    client, other = make_client(), make_client()
    responses = client.inner.app.state.app_state.responses
    for user in (41, 11):
        client.get(f"/recommendations?user={user}")
    assert (len(responses), len(client.active_model().user_cache)) == (2, 2)
    other.call("DELETE", "/users?user=11")
    client.get("/recommendations?user=41")
    assert (len(responses), list(client.active_model().user_cache)) == (1, ["41"])


def test_cache_size_is_bounded_in_bytes():
    cache, now = ResponseCache(10_000), CacheVersion(1, 0, 1)
    for user in range(100):
        cache.put(str(user), 10, now, b"x" * 600)
        assert cache.get("0", 10, now) == b"x" * 600  # requested all the time: stays cached
    assert cache.n_bytes == 1000 * len(cache) == 10_000
    assert cache.get("50", 10, now) is None
    assert cache.get("99", 10, now) is not None
    cache.put("99", 10, now, b"y" * 100)
    assert cache.n_bytes == 9_500
    cache.put("large", 10, now, b"x" * 10_000)
    assert not cache.has("large", 10)


def test_response_from_before_a_deletion_is_not_cached():
    cache = ResponseCache()
    cache.put("1", 10, CacheVersion(1, 0, 1), b"a")
    assert cache.get("2", 10, CacheVersion(1, 1, 1)) is None  # somebody's data were deleted
    assert len(cache) == cache.n_bytes == 0
    cache.put("1", 10, CacheVersion(1, 0, 1), b"a")  # by a thread that began before
    assert len(cache) == 0
    assert cache.get("1", 10, CacheVersion(1, 0, 1)) is None
