"""The audit of timestamps, users and items, and of every kind of source."""

from __future__ import annotations

import contextlib
import io
import sqlite3

import numpy as np
import polars as pl
from audit_helpers import NOON, arguments, of, one

from foretaste import audit, read_ratings
from foretaste.data_audit import time_checks
from foretaste.errors import Hint

# Times ---------------------------------------------------------------------------------------------------


def test_impossible_timestamps(monkeypatch):
    when = NOON + 61 * np.arange(1000)
    monkeypatch.setattr(time_checks.time, "time", lambda: NOON + 100_000.0)
    ratings = of([*range(1000)], timestamp=when)
    assert not {"zero_time", "future_time", "milliseconds"} & {f.kind for f in audit(ratings).findings}
    odd = when.copy()
    odd[[5, 6]] = 0, -1
    odd[[7, 8, 9]] = NOON + 10**7
    odd[10] = NOON * 1000
    ratings = of([*range(1000)], timestamp=odd)
    counts = {f.kind: f.count for f in audit(ratings).warnings}
    assert counts == {"zero_time": 2, "future_time": 3, "milliseconds": 1}
    for kind in ("zero_time", "future_time"):
        kept = ratings.where(arguments(one(ratings, kind).fix)["where"])
        assert audit(kept).findings_of_kind(kind) == ()
    mended = eval(one(ratings, "milliseconds").fix, {"ratings": ratings, "numpy": np})  # noqa: S307 - as printed
    assert audit(mended).findings_of_kind("milliseconds") == ()
    assert mended.timestamp[10] == NOON


def test_timestamp_condition_is_printed_only_if_valid(tmp_path, monkeypatch):
    rows = [(n, n % 7, n % 5, f"2026-01-{n % 28 + 1:02}T10:00:{n % 60:02}") for n in range(100)]
    rows[9] = (9, 2, 4, "1970-01-01T00:00:00")
    path = tmp_path / "dates.csv"
    path.write_text("user,item,rating,date\n" + "".join("{},{},{},{}\n".format(*row) for row in rows))
    frame = pl.DataFrame(rows, ["user", "item", "rating", "date"], orient="row")
    monkeypatch.setattr(time_checks.time, "time", lambda: 1_769_000_000.0)
    later = sum(day >= "2026-01-22T12:53:20" for *_, day in rows)  # a day after that
    for source in (path, frame.with_columns(pl.col("date").str.to_datetime())):
        for kind, left in (("zero_time", 99), ("future_time", 100 - later)):
            fix = one(source, kind).fix
            if isinstance(fix, Hint):
                mended = read_ratings(source, **arguments(fix))
            else:
                code = fix.split(" leaves")[0]
                mended = eval(code, {"ratings": read_ratings(source)})  # noqa: S307 - as printed
            assert len(mended) == left
            assert audit(mended).findings_of_kind(kind) == ()
    assert one(path, "zero_time").fix == "ratings[ratings.timestamp >= 86400] leaves that row out"


def test_every_kind_of_source_is_audited(tmp_path):
    """One rating repeated, one time of 0: in texts, files, databases and frames."""
    rows = [(n, n % 7, n % 5, NOON + 61 * n) for n in range(100)]
    frame = pl.DataFrame(
        [*rows, (3, 3, 1, NOON), (4, 9, 1, 0)], ["user", "item", "rating", "time"], orient="row"
    )
    frame.write_csv(tmp_path / "r.csv")
    frame.write_parquet(tmp_path / "r.parquet")
    with contextlib.closing(sqlite3.connect(tmp_path / "r.db")) as connection, connection:
        connection.execute("CREATE TABLE ratings (user INT, item INT, rating REAL, time INT)")
        connection.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?)", frame.rows())
    stream = io.BytesIO((tmp_path / "r.csv").read_bytes())
    files = [tmp_path / "r.csv", tmp_path / "r.parquet", str(tmp_path / "r.db")]
    for source in (*files, stream, frame, frame.to_pandas()):
        result = audit(source)
        assert {f.kind: f.count for f in result.warnings} == {"duplicate": 1, "zero_time": 1}
        assert "0 with the same rating and 1 with another" in result.warnings[0].message
        assert result.warnings[1].fix == Hint({"where": "timestamp >= 86400"}, "leaves that row out")
        assert result.summary["rows"] == 102


def test_wide_table_is_audited(tmp_path):
    path = tmp_path / "wide.csv"
    lines = [f"u{n},{n % 5 + 1},{n % 3 + 1 if n % 2 else ''},{9 if n == 3 else 2}" for n in range(30)]
    path.write_text("\n".join(["user,a,b,c", *lines, "u5,1,,2", ""]))
    result = audit(path, layout="wide", scale=(1, 5))
    assert result.findings_of_kind("outside_scale")[0].where == ('line 5, column "c"',)
    assert result.findings_of_kind("duplicate")[0].count == 2
    assert result.summary["rows"] == 30 + 15 + 30 + 2


def test_inferences_are_logged_once(tmp_path, caplog):
    caplog.set_level("INFO", "foretaste")
    path = tmp_path / "r.csv"
    path.write_text(
        "user,item,rating,time\n"
        + "".join(f"{n},{n % 7},{n % 5},{NOON + n}\n" for n in range(99))
        + "1,8,3,0\n"
    )
    assert one(path, "zero_time").fix == Hint({"where": "timestamp >= 86400"}, "leaves that row out")
    assert len([r for r in caplog.records if r.getMessage().startswith("columns:")]) == 1
    assert audit(path, **arguments(one(path, "zero_time").fix)).warnings == ()


def test_timestamps_in_milliseconds():
    ratings = of([*range(100)], timestamp=1000 * (NOON + np.arange(100)))
    finding = one(ratings, "milliseconds")
    assert (finding.count, finding.fix) == (100, "ratings.replace(timestamp=ratings.timestamp // 1000)")
    mended = eval(finding.fix, {"ratings": ratings})  # noqa: S307 - as printed
    assert audit(mended).warnings == ()


def test_constant_or_non_date_timestamps():
    assert one(of([*range(20)], timestamp=np.arange(20)), "small_times").severity == "note"
    assert one(of([*range(20)], timestamp=np.full(20, NOON)), "one_time").count == 20


def test_bursts_of_ratings_are_found():
    user = np.r_[np.zeros(40, int), np.ones(12, int), np.arange(2, 300)]
    when = np.r_[np.full(40, NOON + 7), np.full(12, NOON + 9), NOON + 61 * np.arange(2, 300)]
    finding = one(of(user, timestamp=when), "burst")
    assert (finding.count, finding.severity) == (40, "warning")
    assert finding.where == ("user 0: 40 at 2017-07-14 02:40:07",)
    assert arguments(finding.fix) == {"where": "user <> 0"}
    finding = one(of(user[1:], timestamp=when[1:]), "burst")
    assert (finding.count, finding.severity) == (39 + 12, "note")
    when[-200:] += 86_400 * np.arange(200)
    days = of(user, timestamp=when // 86_400 * 86_400)  # dates without a time are no bursts
    assert len(set(days.timestamp.tolist())) > 100
    assert audit(days).findings_of_kind("burst") == ()
    assert audit(days).summary["time"]["resolution"] == "day"


def test_bursts_with_coarse_timestamps():
    user = np.r_[np.zeros(12, int), 1, 2]
    when = np.r_[np.full(12, 5), 2**62, -(2**62)]
    assert one(of(user, timestamp=when), "burst").count == 12


def test_disorder_is_reported_only_in_mostly_sorted_files():
    when = NOON + 61 * np.arange(500)
    swapped = when.copy()
    swapped[[100, 101]] = swapped[[101, 100]]
    user = np.arange(500) % 25
    assert one(of(user, timestamp=swapped), "disorder").count == 1
    assert audit(of(user, timestamp=when)).findings_of_kind("disorder") == ()
    shuffled = np.random.default_rng(0).permutation(when)
    assert audit(of(user, timestamp=shuffled)).findings_of_kind("disorder") == ()
    by_user = np.argsort(user, kind="stable")
    assert audit(of(user[by_user], timestamp=when[by_user])).findings_of_kind("disorder") == ()
    swapped = when[by_user]
    swapped[[3, 4]] = swapped[[4, 3]]
    assert one(of(user[by_user], timestamp=swapped), "disorder").count == 1


# Users and items -----------------------------------------------------------------------------------------


def test_users_with_constant_ratings():
    user = np.repeat(np.arange(40), 12)
    value = np.tile([1, 2, 3, 4, 5, 2], 80).astype(float)
    value[user == 3] = 4
    value[user == 5] = 4.01
    value[np.flatnonzero(user == 5)[0]] = 4.0
    value[np.flatnonzero(user == 7)[1:]] = 4  # one of twelve is another: an opinion
    finding = one(of(user, value=value), "constant_users")
    assert finding.count == 2
    assert "(1 user exactly), 24 ratings in all" in finding.message
    assert finding.severity == "warning"  # a twentieth of all
    assert finding.where == ("user 3: 4, 12 times", "user 5: 4.009, 12 times")
    nine = np.flatnonzero((user != 3) | (np.arange(480) % 12 < 9))
    assert one(of(user[nine], value=value[nine]), "constant_users").count == 1


def test_constant_users_in_nearly_constant_data():
    """Sums of 0.1 are not exact, and there is no range to compare deviations with."""
    user = np.repeat(np.arange(30), np.arange(11, 41))
    value = np.full(len(user), 0.1)
    value[:11] = 5
    value[0] = 4
    finding = one(of(user, value=value), "constant_users")
    assert finding.count == 29
    assert finding.where[0] == "user 29: 0.1, 40 times"


def test_users_with_far_more_ratings_than_the_others():
    user = np.r_[np.arange(2000) % 200, np.full(150, 999)]
    item = np.r_[np.arange(2000) // 200 + 7 * (np.arange(2000) % 20), np.arange(150)]
    finding = one(of(user, item), "heavy_users")
    assert (finding.count, finding.where) == (1, ("user 999: 150 of 150 items",))
    assert audit(of(user[:2000], item[:2000])).findings_of_kind("heavy_users") == ()
    crowd = np.r_[user[:2000], np.repeat(np.arange(300, 310), 150)]  # ten such users are a way of use
    assert (
        audit(of(crowd, np.r_[item[:2000], np.tile(np.arange(150), 10)])).findings_of_kind("heavy_users")
        == ()
    )


def test_users_and_items_with_a_single_rating():
    ratings = of([1, 1, 2, 3], [1, 2, 1, 1])
    assert one(ratings, "one_rating_users").where == ("2", "3")
    assert one(ratings, "one_rating_items").where == ("2",)
    kept = eval(one(ratings, "one_rating_items").fix.split(" keeps")[0], {"ratings": ratings})  # noqa: S307
    assert audit(kept).findings_of_kind("one_rating_items") == ()


def test_disconnected_components():
    ratings = of([1, 1, 2, 3, 4, 4, 9], [1, 2, 2, 3, 3, 4, 5])
    finding = one(ratings, "parts")
    assert finding.count == 2
    assert finding.where in (("user 1", "user 2", "user 9"), ("user 3", "user 4", "user 9"))
    assert audit(ratings.where(arguments(finding.fix)["where"])).findings_of_kind("parts") == ()
