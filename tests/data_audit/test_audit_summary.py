"""The audit's summary and counts equal those of plain Python, for any ratings."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
from audit_helpers import NOON, of, one
from hypothesis import given, settings
from hypothesis import strategies as st

from foretaste import audit
from foretaste.ratings import Ratings
from foretaste.splits import HoldOut, LeaveNOut

# Against simple Python -----------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4)
id_lists = st.one_of(
    st.lists(st.integers(0, 6), min_size=1, max_size=40),
    st.lists(st.integers(-(2**62), 2**62), min_size=1, max_size=40),
    st.lists(
        st.sampled_from(["7", "07", "a", "A", "a ", "\u0430", "NULL", "e\u0301", "\u00e9"]),
        min_size=1,
        max_size=40,
    ),
    st.lists(texts, min_size=1, max_size=40),
)
values = st.one_of(
    st.integers(1, 5),
    st.sampled_from([-1, 0, 1, 5, 99]),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)
moments = st.one_of(st.integers(0, 3), st.integers(NOON, NOON + 5), st.integers(-(2**62), 2**62))


@st.composite
def any_ratings(draw) -> Ratings:
    users, items = draw(id_lists), draw(id_lists)
    n = min(len(users), len(items))
    value = draw(st.one_of(st.lists(values, min_size=n, max_size=n), st.just([3.0] * n)))
    when = draw(st.none() | st.lists(moments, min_size=n, max_size=n))
    return Ratings.from_columns(users[:n], items[:n], value, timestamp=when, duplicates="first")


@settings(max_examples=150)
@given(any_ratings(), st.integers(0, 3))
def test_any_ratings_give_a_deterministic_audit(ratings, seed):
    result = audit(ratings, seed=seed)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False)) == result.to_dict()
    assert str(audit(ratings, seed=seed)) == str(result)
    assert result._repr_html_().startswith("<p><b>")
    ranks = [finding.severity == "note" for finding in result.findings]
    assert ranks == sorted(ranks)


@given(any_ratings())
def test_summary_equals_plain_python(ratings):
    facts = audit(ratings).summary
    users, items = Counter(ratings.user_ids.tolist()), Counter(ratings.item_ids.tolist())
    for counts, key in ((users, "ratings_per_user"), (items, "ratings_per_item")):
        ordered = sorted(counts.values())
        expected = {
            str(q): ordered[max(0, math.ceil(q * len(ordered) / 100) - 1)]
            for q in (0, 10, 25, 50, 75, 90, 99, 100)
        }
        assert facts["quantiles"][key] == expected
    assert facts["single"]["users"] == pytest.approx(sum(c == 1 for c in users.values()) / len(users))
    assert facts["single"]["items"] == pytest.approx(sum(c == 1 for c in items.values()) / len(items))
    assert sum(part["count"] for part in facts["histogram"]) == len(ratings)
    given = Counter(ratings.value.tolist())
    assert facts["distinct"] == len(given)
    if len(given) <= 20:
        assert {part["low"]: part["count"] for part in facts["histogram"]} == given
    ordered = sorted(items.values(), reverse=True)
    for share in (1, 10, 20):
        top = sum(ordered[: math.ceil(share * len(ordered) / 100)])
        assert facts["long_tail"][f"top_{share}"] == pytest.approx(top / len(ratings))
    differences = sum(abs(a - b) for a in ordered for b in ordered)
    assert facts["long_tail"]["gini"] == pytest.approx(
        differences / (2 * len(ordered) * len(ratings)), abs=1e-12
    )


@given(any_ratings())
def test_finding_counts_equal_plain_python(ratings):
    result = audit(ratings)
    users = {}
    for user, value in zip(ratings.user_ids.tolist(), ratings.value.tolist(), strict=True):
        users.setdefault(user, []).append(value)
    exact = sum(len(v) >= 10 and len(set(v)) == 1 for v in users.values())
    if exact and len(set(ratings.value.tolist())) > 1:
        assert one(ratings, "constant_users").count >= exact
        assert f"({exact} user" in one(ratings, "constant_users").message
    parts = _parts(ratings)
    assert sum(f.count for f in result.findings_of_kind("parts")) == parts - 1
    if ratings.timestamp is not None and len(ratings) > 1:
        seconds = Counter(zip(ratings.user_ids.tolist(), ratings.timestamp.tolist(), strict=True))
        many = sum(count for count in seconds.values() if count >= 10)
        burst = result.findings_of_kind("burst")
        assert not burst or burst[0].count == many
        assert facts_in_order(ratings) == result.summary["time"]["in_order"]


def facts_in_order(ratings: Ratings) -> float:
    pairs = list(zip(ratings.timestamp.tolist(), ratings.timestamp.tolist()[1:], strict=False))
    return sum(a <= b for a, b in pairs) / len(pairs)


def _parts(ratings: Ratings) -> int:
    """Count the parts by joining sets, the simple way."""
    parts: list[set] = []
    for user, item in zip(ratings.user_ids.tolist(), ratings.item_ids.tolist(), strict=True):
        ends = {("user", user), ("item", item)}
        touching = [part for part in parts if part & ends]
        parts = [part for part in parts if not part & ends] + [ends.union(*touching)]
    return len(parts)


def test_cold_start_counts_per_split():
    ratings = of([1, 1, 1, 2, 2, 3, 4, 5, 6, 7], [1, 2, 3, 1, 2, 4, 5, 6, 7, 8])
    cold = audit(ratings, seed=3).summary["cold_start"]
    for key, split in (("hold_out", HoldOut(0.2, 3)), ("leave_one_out", LeaveNOut(1, 3))):
        ((train, test),) = split.split(ratings)
        users, items = set(ratings.user[train]), set(ratings.item[train])
        unknown = [
            (u not in users, i not in items)
            for u, i in zip(ratings.user[test], ratings.item[test], strict=True)
        ]
        assert cold[key] == {
            "rows": len(test),
            "unknown_user": pytest.approx(np.mean([u for u, _ in unknown])),
            "unknown_item": pytest.approx(np.mean([i for _, i in unknown])),
            "unknown_both": pytest.approx(np.mean([u and i for u, i in unknown])),
            "unknown_any": pytest.approx(np.mean([u or i for u, i in unknown])),
        }
    assert cold["hold_out"]["unknown_any"] > 0
    finding = one(ratings, "cold_hold_out", seed=3)
    assert finding.count == round(cold["hold_out"]["unknown_any"] * cold["hold_out"]["rows"])
    assert audit(of([1], [1])).summary["cold_start"] == {"hold_out": None, "leave_one_out": None}


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        ([1, 2, 5], 1), ([20, 40, 100], 20), ([0.5, 1, 4], 0.5), ([1, 1.25], 0.25), ([-9.9, 0.1, 3], 0.1),
        ([0, 0.125], None), ([1 / 3, 2 / 3], None), ([3], None), ([1, 3e38], None),
    ],
)  # fmt: skip
def test_rating_step_is_inferred(seen, step):
    assert audit(of([*range(len(seen))], value=seen)).summary["step"] == step


def test_timestamps_are_shown_as_dates():
    facts = audit(of([1, 2, 3], timestamp=[NOON, NOON + 86_400, NOON + 10])).summary["time"]
    assert facts == {
        "first": "2017-07-14 02:40:00", "last": "2017-07-15 02:40:00", "days": 1.0, "in_order": 0.5,
        "resolution": "second",
    }  # fmt: skip
