"""Ratings for all tests: generated, with planted factors, and small."""

from __future__ import annotations

import pytest
from hypothesis import settings
from synthetic import planted

from foretaste.models import SVD, Bias, Blend
from foretaste.persistence import save
from foretaste.ratings import Ratings

# The same examples each time, so that a failure is the fault of a change and not of chance.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")


def pytest_addoption(parser):
    parser.addoption(
        "--no-skips", action="store_true", help="fail if a test is skipped, but for real ratings"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    """With ``--no-skips``, fail a run in which a test was skipped for want of anything but real ratings."""
    if not session.config.getoption("no_skips") or hasattr(session.config, "workerinput"):
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    reasons = {str(report.longrepr[2]) for report in terminal.stats.get("skipped", ())}
    unexpected = sorted(reason for reason in reasons if not reason.startswith("Skipped: needs real ratings"))
    if unexpected:
        terminal.write_line("skipped, and --no-skips was given: " + "; ".join(unexpected), red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def ratings() -> Ratings:
    """About 900 ratings of 60 users for 40 items."""
    return planted()


@pytest.fixture(scope="session")
def larger_ratings() -> Ratings:
    """Enough ratings that work is shared between threads."""
    return planted(users=240, items=120, rows=9000)


@pytest.fixture(scope="session")
def other_ratings() -> Ratings:
    """Other ratings: other users (some the same), other items, other factors."""
    generated = planted(seed=1, users=35, items=50, rows=500)
    return Ratings.from_columns(generated.user_ids - 6, generated.item_ids + 8, generated.value)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def model_bytes(folder, ratings):
    """Return the bytes of models with number ids, with text ids, with factors, with models inside."""
    texts = Ratings.from_columns(
        [f"ü{u}" for u in ratings.user_ids], [f"i{i}" for i in ratings.item_ids], ratings.value
    )
    save(Bias(user_damping=3).fit(ratings), folder / "numbers.foretaste")
    save(Bias().fit(texts), folder / "texts.foretaste")
    save(SVD(factors=3, epochs=2, validation_fraction=0.1).fit(ratings), folder / "factors.foretaste")
    blend = Blend(models=["EASE", Bias(user_damping=3), "CoClustering"], folds=2)
    save(blend.fit(ratings), folder / "blend.foretaste")
    return {path.stem: path.read_bytes() for path in folder.iterdir()}
