"""The report documents its own reproduction and its gaps; notebooks get its charts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_cases import SPLIT, kept, made_up, parts, planted_report, planted_results, without_date
from report_pages import Page

import foretaste
from foretaste import HoldOut, Ratings, Results, audit, compare, plot, write_report
from foretaste.errors import InvalidParameterError, NotFoundError
from foretaste.models import SVD, Bias, UserMean
from foretaste.report.refit import MAX_REFIT_SECONDS


@pytest.fixture(scope="module")
def results(ratings: Ratings) -> Results:
    return planted_results(ratings)


@pytest.fixture(scope="module")
def path(results: Results, ratings: Ratings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted_report(results, ratings, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    return Page(path)


# How it was made ----------------------------------------------------------------------------------------


def test_settings_versions_plan_and_reproduction(results: Results, page: Page) -> None:
    assert results.protocol[1:] in page.text
    rows = page.tables["Settings of SVD"]
    assert rows[0] == ["parameter", "value", "default", "meaning"]
    by_name = {row[0]: row for row in rows[1:]}
    assert set(by_name) == set(SVD.param_specs())
    assert set(by_name["factors"][1].removesuffix(" (changed)").split("; ")) == {"4", "2"}
    assert by_name["factors"][3] == SVD.param_specs()["factors"].doc
    assert by_name["clip"][1:3] == ["True", "True"]
    assert by_name["epochs"][1].endswith("(changed)")
    assert foretaste.__version__ in page.text
    assert np.__version__ in page.text
    assert "foretaste compare planted.csv --html report.html" in page.text


def test_python_in_the_page_reproduces_it(
    results: Results, ratings: Ratings, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = zip(ratings.user_ids, ratings.item_ids, ratings.value.tolist(), strict=True)
    lines = ["user,item,rating", *(f"{user},{item},{value!r}" for user, item, value in rows)]
    (tmp_path / "planted.csv").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"<pre[^>]*><code>(from foretaste.*?)</code>", path.read_text(), re.DOTALL)[0]
    exec(code.replace("&gt;", ">"), names := {})  # noqa: S102 - code of our own page
    again: Results = names["results"]
    assert again.protocol == results.protocol
    for ours, theirs in zip(again.rows, results.rows, strict=True):
        for key in ("repr", "rmse", "mae", "fcp"):
            assert ours[key] == theirs[key]
    charts = [Page(one).figures("Ratings of each user") for one in (path, tmp_path / "report.html")]
    assert charts[0] == charts[1]


def test_the_same_results_give_the_same_bytes(
    results: Results, ratings: Ratings, path: Path, tmp_path: Path
) -> None:
    again = write_report(
        results, tmp_path / "again.html", ratings=ratings, split=SPLIT,
        command="foretaste compare planted.csv --html report.html", origin='read_ratings("planted.csv")',
    )  # fmt: skip
    assert without_date(again.read_bytes()) == without_date(path.read_bytes())


def test_separate_train_and_test_rows(ratings: Ratings, tmp_path: Path) -> None:
    train, test = parts(ratings)
    results = compare(train, ["Bias"], test=test)
    page = Page(
        write_report(results, tmp_path / "r.html", ratings=train, test=test, origin="load_dataset('x')")
    )
    assert f"Of {len(test)} held-out ratings." in page.text
    assert 'results = compare(ratings, ["Bias", "GlobalMean"], test=test)' in page.text


# What is left out, and what is refused -------------------------------------------------------------------


def test_page_without_ratings_lists_missing_charts(results: Results, tmp_path: Path) -> None:
    page = Page(write_report(kept(results), tmp_path / "r.html"))
    assert "How far single predictions miss is not shown: for that the ratings are needed." in page.text
    assert len(page.named("figure")) == 2
    assert "All figures of the models" in page.tables


def test_other_split_raises_or_is_skipped(results: Results, ratings: Ratings, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="computed on other rows"):
        write_report(kept(results), tmp_path / "r.html", ratings=ratings, split=HoldOut(0.25, seed=4))
    assert list(tmp_path.iterdir()) == []
    page = Page(write_report(kept(results), tmp_path / "r.html", ratings=ratings))
    assert "not shown: the rows held out are not those of HoldOut(0.2, seed=0)" in page.text
    with pytest.raises(
        InvalidParameterError, match=r"on other ratings: 900 ratings.*ratings= has 899 ratings"
    ):
        write_report(kept(results), tmp_path / "r.html", ratings=ratings[1:])
    with pytest.raises(InvalidParameterError, match="ratings is missing"):
        write_report(results, tmp_path / "r.html", split=SPLIT)


def test_slow_models_are_not_refitted(results: Results, ratings: Ratings, tmp_path: Path) -> None:
    slow = tuple(row | {"fit_seconds": MAX_REFIT_SECONDS + 1} for row in results.rows)
    told = replace(kept(results), rows=slow)
    page = Page(write_report(told, tmp_path / "r.html", ratings=ratings, split=SPLIT))
    assert f"cannot be fitted once more here, or only in more than {MAX_REFIT_SECONDS:g} s" in page.text


@pytest.mark.parametrize("wrong", [None, {"results": []}, "results.json"])
def test_invalid_results_raise(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="is not the result of a comparison"):
        write_report(wrong, tmp_path / "r.html")
    with pytest.raises(InvalidParameterError, match="is not the result of a comparison"):
        plot(wrong)


def test_failed_write_keeps_the_old_page(
    results: Results, ratings: Ratings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_report(results, tmp_path / "r.html")
    before = path.read_bytes()

    def fails(*_: Any) -> str:
        raise RuntimeError("half way")

    monkeypatch.setattr("foretaste.report.api.render_page", fails)
    with pytest.raises(RuntimeError, match="half way"):
        write_report(results, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(NotFoundError, match="there is no folder"):
        write_report(results, tmp_path / "missing" / "r.html")


# Notebooks -----------------------------------------------------------------------------------------------


def test_plot_gives_the_charts_of_the_page(results: Results, ratings: Ratings, page: Page) -> None:
    charts = plot(results)
    assert [chart.name for chart in charts] == ["errors", "time"]
    for chart in charts:
        assert chart.caption in page.text
        assert f"{chart.title}: {chart.caption}" in repr(charts)
    shown = Page(charts._repr_html_())
    assert len(shown.named("svg")) >= 2
    assert shown.figures(charts["errors"].title) == page.figures(charts["errors"].title)
    (spread,) = plot(audit(ratings))
    assert spread.rows == page.figures(spread.title)
    assert 'class="foretaste"' in spread._repr_html_()
    with pytest.raises(NotFoundError, match='did you mean "errors"'):
        charts["error"]
    assert repr(results.plot()) == repr(charts)
    assert repr(audit(ratings).plot()[spread.name]) == repr(spread)


def test_one_model_needs_no_chart(tmp_path: Path) -> None:
    only = made_up({"GlobalMean": [2.0]})
    assert len(plot(only)) == 0
    page = Page(write_report(only, tmp_path / "r.html"))
    assert page.named("figure") == []


def test_models_passed_in_are_unchanged(ratings: Ratings, tmp_path: Path) -> None:
    model = UserMean()
    results = compare(ratings, [model, Bias()])
    write_report(results, tmp_path / "r.html", ratings=ratings)
    assert not hasattr(model, "users_")
