"""The report says what the results say: every model, every figure, and sentences computed from them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_pages import Page

import foretaste
from foretaste import HoldOut, KFold, Ratings, Results, audit, compare, plot, write_report
from foretaste.errors import InvalidParameter, NotFound
from foretaste.metrics import rmse
from foretaste.models import SVD, Bias, UserMean
from foretaste.models.specs import from_spec
from foretaste.report.held_out import PATIENCE
from foretaste.report.kept import KeptResults
from foretaste.report.of_breakdown import breakdown_charts

SPLIT = HoldOut(0.25, seed=3)
MODELS = ["UserMean", "ItemMean", "Bias", "EASE", SVD(factors=4, epochs=30), SVD(factors=2, epochs=5)]


@pytest.fixture(scope="module")
def results(ratings: Ratings) -> Results:
    return compare(MODELS, ratings, split=SPLIT, name="planted.csv", metrics=("rmse", "mae", "fcp"))


@pytest.fixture(scope="module")
def path(results: Results, ratings: Ratings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(
        results,
        tmp_path_factory.mktemp("report") / "report.html",
        ratings=ratings,
        split=SPLIT,
        command="foretaste compare planted.csv --html report.html",
        origin='read_ratings("planted.csv")',
    )


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    return Page(path)


def parts(ratings: Ratings) -> tuple[Ratings, Ratings]:
    ((train, test),) = SPLIT.split(ratings)
    return ratings[train], ratings[test]


def without_date(page: bytes) -> bytes:
    dated, n = re.subn(rb"<time[^>]*>[^<]*</time>", b"", page)
    assert n == 1
    return dated


# Tables --------------------------------------------------------------------------------------------------


def test_every_figure_of_the_results_is_in_the_page(results: Results, page: Page) -> None:
    headers, rows, _ = results.table()
    shown = page.tables["All figures of the models"]
    assert shown[0] == headers
    assert shown[1:] == rows
    assert len(shown) == len(results.rows) + 1 == 8


def test_the_first_table_has_the_models_in_their_order_with_error_and_gain(
    results: Results, page: Page
) -> None:
    shown = page.tables["The models, best first"]
    assert shown[0] == ["place", "model", "RMSE", "vs the mean", "time to learn"]
    mean = results.baseline["rmse"]
    for place, (row, cells) in enumerate(zip(results.rows, shown[1:], strict=True), 1):
        assert cells[0] == str(place)
        assert cells[1] == row["python"].removesuffix("()")
        assert float(cells[2].split()[0]) == pytest.approx(row["rmse"], abs=0.0005)
        gain = 100 * (1 - row["rmse"] / mean)
        words = f"{abs(gain):.1f} % {'less' if gain > 0 else 'more'}"
        assert cells[3] == ("baseline" if row["model"] == "GlobalMean" else words)
        assert cells[4].endswith((" ms", " s"))


def test_folds_give_intervals_in_table_and_chart(ratings: Ratings, tmp_path: Path) -> None:
    results = compare(["Bias", "UserMean"], ratings, split=KFold(3))
    page = Page(write_report(results, tmp_path / "r.html", ratings=ratings, split=KFold(3)))
    best = results.best
    spread = best["rmse_std"]
    low, high = best.get("rmse_interval", (best["rmse"] - spread, best["rmse"] + spread))
    words = f"{low:.3f} to {high:.3f}" if "rmse_interval" in best else f"\N{PLUS-MINUS SIGN} {spread:.3f}"
    cells = page.tables["The models, best first"][1]
    assert cells[2].split() == [f"{best['rmse']:.3f}", *words.split()]
    drawn = page.figures("Error of each model on held-out ratings")
    assert [float(cell) for cell in drawn[0][1:]] == pytest.approx([best["rmse"], low, high], rel=1e-3)
    assert "the first of 3 folds" in page.text


def test_intervals_of_the_results_are_drawn(tmp_path: Path) -> None:
    told = made_up({"SVD": [1.0], "GlobalMean": [2.0]})
    rows = tuple(row | {"rmse_interval": [row["rmse"] - 0.125, row["rmse"] + 0.25]} for row in told.rows)
    page = Page(write_report(replace(told, rows=rows), tmp_path / "r.html"))
    drawn = page.figures("Error of each model on held-out ratings")
    assert drawn[0] == ["SVD", "1", "0.875", "1.25"]
    assert page.tables["The models, best first"][1][2].split() == ["1.000", "0.875", "to", "1.250"]
    assert "Bars: 95 % intervals." in page.text


def test_a_refused_model_stands_there_with_its_reason(ratings: Ratings, tmp_path: Path) -> None:
    results = compare(["TimeSVDpp", "Bias"], ratings)  # there are no times
    refused = results.rows[-1]
    assert refused["model"] == "TimeSVDpp"
    page = Page(write_report(results, tmp_path / "r.html"))
    line = page.tables["The models, best first"][-1]
    assert line[1:] == [
        "TimeSVDpp", f"refused: {refused['refused']['message']} (try: {refused['refused']['hint']})"
    ]  # fmt: skip
    assert "1 model refused these ratings: TimeSVDpp." in page.text


# Sentences -----------------------------------------------------------------------------------------------


def test_it_opens_with_what_to_use_and_how_much_it_helps(results: Results, page: Page) -> None:
    best, mean = results.best, results.baseline["rmse"]
    average = min(row["rmse"] for row in results.rows if row["model"] in ("UserMean", "ItemMean"))
    said = page.text
    first = re.search(r"Use (.*?): it misses held-out ratings by ([\d.]+), ([\d.]+) % less", said)
    assert first[1] == best["python"].removesuffix("()")
    assert float(first[2]) == pytest.approx(best["rmse"], rel=0.005)
    assert float(first[3]) == pytest.approx(100 * (1 - best["rmse"] / mean), rel=0.005)
    second = re.search(r"and ([\d.]+) % less than the best plain average", said)
    assert float(second[1]) == pytest.approx(100 * (1 - best["rmse"] / average), rel=0.005)
    assert said.index("Use ") < said.index("The models, best first")


def kept(results: Results) -> KeptResults:
    """Return results as a file holds them: without predictions, intervals and sentences."""
    rows = tuple(
        {k: v for k, v in row.items() if k not in ("rmse_interval", "behind")} for row in results.rows
    )
    return KeptResults(results.dataset, results.protocol, rows)


def made_up(errors: dict[str, list[float]]) -> KeptResults:
    """Return results of some errors a fold."""
    rows = [
        {
            "model": model,
            "params": {},
            "python": f"{model}()",
            "train_rmse": 1.0,
            "rmse": float(np.mean(folds)),
            "rmse_std": float(np.std(folds)),
            "mae": 1.0,
            "fit_seconds": 0.1 + place,
            "predict_seconds": 0.0,
            "fallback_rows": 0,
            "folds": [{"rmse": error} for error in folds],
        }
        for place, (model, folds) in enumerate(errors.items())
    ]
    facts = {"name": "made up", "ratings": 9, "users": 3, "items": 3, "filled": 1.0, "mean": 3.0}
    return KeptResults(facts, "3 folds", tuple(rows))


def test_one_hold_out_is_not_taken_for_more_than_it_is(results: Results, tmp_path: Path) -> None:
    page = Page(write_report(kept(results), tmp_path / "r.html"))
    best, second = results.rows[:2]
    behind = 100 * (second["rmse"] / best["rmse"] - 1)
    name = second["python"].removesuffix("()")
    assert f"{name} comes next, {behind:.2g} % behind. One hold-out cannot tell how much" in page.text


def test_what_is_as_good_is_told_by_folds(tmp_path: Path) -> None:
    close = made_up({"SVD": [1.0, 1.0, 1.2], "Bias": [1.1, 1.1, 1.1], "GlobalMean": [2.0, 2.0, 2.0]})
    page = Page(write_report(close, tmp_path / "r.html"))
    assert "As good, as far as these folds tell, is Bias (better in 1 of 3 folds)." in page.text
    clear = made_up({"SVD": [1.0, 1.0, 1.0], "Bias": [1.1, 1.1, 1.1], "GlobalMean": [2.0, 2.0, 2.0]})
    page = Page(write_report(clear, tmp_path / "r.html"))
    assert "SVD is best in each of the 3 folds; Bias comes next, 10 % behind." in page.text
    assert "As good" not in page.text


def test_it_says_when_nothing_beats_the_mean_and_when_it_was_stopped(tmp_path: Path) -> None:
    useless = made_up({"GlobalMean": [2.0], "Bias": [2.1]})
    page = Page(write_report(replace(useless, stopped=True), tmp_path / "r.html"))
    assert "No model is better than always guessing the mean: RMSE 2.00." in page.text
    assert "Use " not in page.text
    assert "The comparison was interrupted" in page.text


def test_sentences_of_the_results_themselves_are_taken(tmp_path: Path) -> None:
    told = replace(
        made_up({"SVD": [1.0], "GlobalMean": [2.0]}), said=("SVD is best.", "SVD and Bias are equally good.")
    )
    page = Page(write_report(told, tmp_path / "r.html"))
    assert "Use SVD: it misses held-out ratings by 1.00, 50 % less" in page.text
    assert "SVD and Bias are equally good." in page.text
    assert "SVD is best." not in page.text
    assert "One hold-out" not in page.text


def test_it_says_for_whom_nothing_helps_and_that_the_audit_warns(ratings: Ratings, tmp_path: Path) -> None:
    lonely = Ratings.from_columns(
        np.r_[ratings.user_ids, 9001, 9002], np.r_[ratings.item_ids, 1, 2], np.r_[ratings.value, 3, 99]
    )
    results = compare("Bias", lonely)
    found = audit(lonely)
    assert found.warnings
    page = Page(write_report(results, tmp_path / "r.html", ratings=lonely, audit=found))
    users = len(lonely.users)
    single = int(np.sum(np.bincount(lonely.user) == 1))
    said = page.text
    assert f"{single} of {users} users ({100 * single / users:.2g} %) have a single rating" in said
    assert f"The audit of the ratings has {len(found.warnings)} warning" in said
    for finding in found.findings:
        assert " ".join(finding.what.split()) in page.text
        assert finding.effect in page.text
        assert finding.mend in page.text


def test_every_link_leads_somewhere_in_the_page(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for attributes in page.named("a")]
    assert len(links) > 8
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    for attributes in page.named("svg"):
        for name in (attributes.get("aria-labelledby"), attributes.get("aria-describedby")):
            assert name is None or name in ids


# Charts --------------------------------------------------------------------------------------------------


def test_misses_are_those_of_the_best_model_on_the_held_out_rows(
    results: Results, ratings: Ratings, page: Page
) -> None:
    train, test = parts(ratings)
    best = from_spec({"model": results.best["model"], "params": results.best["params"]})
    missed = best.fit(train).predict(test).astype(float) - test.value
    rows = page.figures(f"How far the predictions of {results.best['python'].removesuffix('()')} miss")
    counts = [int(row[1].replace(",", "")) for row in rows]
    edge = np.ceil(np.abs(missed).max() * 1000) / 1000
    assert counts == np.histogram(missed, 40, range=(-edge, edge))[0].tolist()
    assert sum(counts) == len(test)
    half, tenth = np.quantile(np.abs(missed), (0.5, 0.9))
    assert f"Half of the predictions miss by {half:.3g}" in page.text
    assert f"one in ten by more than {tenth:.3g}" in page.text


@pytest.mark.parametrize("role", ["user", "item"])
def test_errors_by_support_are_those_computed_by_hand(
    results: Results, ratings: Ratings, page: Page, role: str
) -> None:
    train, test = parts(ratings)
    best = from_spec({"model": results.best["model"], "params": results.best["params"]})
    predicted = best.fit(train).predict(test).astype(float)
    known, asked = getattr(train, f"{role}_ids"), getattr(test, f"{role}_ids")
    support = np.array([np.sum(known == id_) for id_ in asked])
    rows = page.figures(f"Error by how many ratings of the {role} are known")
    total = 0
    for words, count, error, guess in rows:
        low, _, high = words.partition(" to ")
        chosen = (support >= int(low)) & (support <= int(high or low))
        assert int(count) == chosen.sum() > 0
        assert float(error) == pytest.approx(rmse(test.value[chosen], predicted[chosen]), rel=0.006)
        mean = np.full(int(chosen.sum()), train.value.astype(float).mean())
        assert float(guess) == pytest.approx(rmse(test.value[chosen], mean), rel=0.006)
        total += int(count)
    assert total == len(test)


def test_learning_is_what_the_models_tell_of_their_epochs(
    results: Results, ratings: Ratings, page: Page
) -> None:
    train, _ = parts(ratings)
    rows = page.tables["Figures of the chart: Learning, epoch by epoch"]
    assert sorted(rows[0][1:]) == ["SVD(factors=2, epochs=5)", "SVD(factors=4, epochs=30)"]
    for column, name in enumerate(rows[0][1:], 1):
        model = eval(name, {"SVD": SVD}).fit(train)  # noqa: S307 - the name of a model made above
        for row in rows[1:]:
            epoch = int(row[0])
            if epoch > model.epochs:
                assert row[column] == ""
            else:
                assert float(row[column]) == pytest.approx(model.train_rmse_[epoch - 1], rel=0.006)


def test_spreads_are_counted(ratings: Ratings, page: Page) -> None:
    rows = page.figures("How the ratings are spread")
    values, counts = np.unique(ratings.value, return_counts=True)
    assert sum(int(row[1].replace(",", "")) for row in rows) == len(ratings)
    if len(values) <= 20:
        assert [int(row[1]) for row in rows] == counts.tolist()
    for role, codes in (("user", ratings.user), ("item", ratings.item)):
        ordered = np.sort(np.bincount(codes))[::-1]
        rows = page.figures(f"Ratings of each {role}")
        assert (rows[0], rows[-1]) == (["0 %", str(ordered[0])], ["100 %", str(ordered[-1])])
        middle = ordered[(len(ordered) - 1) // 2]
        assert f"Half of the {role}s {'gave' if role == 'user' else 'have'} {middle} rating" in page.text


def test_an_error_taken_apart_is_drawn() -> None:
    periods = [
        {"bin": f"2026-0{n}-01 to 2026-0{n + 1}-01", "rows": 10 * n, "rmse": 1.0 + n, "mae": 1.0}
        for n in (1, 2, 3)
    ]
    tenths = [
        {"bin": f"{n} to {n + 1}", "rows": 5, "mean_prediction": float(n), "mean_rating": n - 0.25 * (n == 2)}
        for n in range(4)
    ]
    calibration, ageing = breakdown_charts({"time": periods, "prediction": tenths}, "SVD", 1.0)
    assert calibration.finding == (
        "Where it predicts 2.00 on average, people gave 1.75, 0.250 less; elsewhere it is closer."
    )
    assert calibration.rows[2] == ["2 to 3", "5", "2.00", "1.75"]
    assert ageing.finding == (
        "On the ratings of 2026-01-01 to 2026-02-01 RMSE is 2.00, on those of 2026-03-01 to 2026-04-01 "
        "it is 4.00."
    )
    assert [row[1] for row in ageing.rows] == ["10", "20", "30"]
    (holding,) = breakdown_charts({"prediction": tenths}, "SVD", 100.0)
    assert holding.finding == "Predictions hold: no tenth of them is off by more than 0.250 on average."
    assert list(breakdown_charts({"time": periods[:1]}, "SVD", 1.0)) == []


def test_every_chart_has_a_title_a_sentence_and_a_table(page: Page) -> None:
    charts = [a for a in page.named("svg") if a.get("role") == "img"]
    captions = [caption for caption in page.tables if caption.startswith("Figures of the chart: ")]
    assert len(charts) == len(captions) == len(page.named("figure")) == len(page.named("figcaption")) >= 9
    assert all(len(page.tables[caption]) > 1 for caption in captions)
    described = re.findall(r"<desc[^>]*>([^<]+)</desc>", page.source)
    findings = re.findall(r"<figcaption><h3[^>]*>[^<]+</h3><p>([^<]+)</p>", page.source)
    assert described == findings
    assert len(set(findings)) == len(charts)


def test_marks_stand_where_the_figures_are(results: Results, page: Page) -> None:
    drawn = re.search(r'aria-labelledby="errors-title".*?</svg>', page.source)[0]
    circles = re.findall(r'<circle cx="([\d.]+)%" cy="([\d.]+)"', drawn)
    errors = [row["rmse"] for row in results.rows]
    assert len(circles) == len(errors)
    across, down = np.array(circles, float).T
    assert np.all(np.diff(down) > 0)
    slope = np.polyfit(errors, across, 1)
    assert slope[0] > 0
    assert across == pytest.approx(np.polyval(slope, errors), abs=0.01)


# How it was made ----------------------------------------------------------------------------------------


def test_settings_versions_protocol_and_recipe(results: Results, page: Page) -> None:
    assert results.protocol[1:] in page.text
    rows = page.tables["Settings of SVD"]
    assert rows[0] == ["parameter", "value", "default", "meaning"]
    by_name = {row[0]: row for row in rows[1:]}
    assert set(by_name) == set(SVD.declarations())
    assert set(by_name["factors"][1].removesuffix(" (changed)").split("; ")) == {"4", "2"}
    assert by_name["factors"][3] == SVD.declarations()["factors"].meaning
    assert by_name["clip"][1:3] == ["True", "True"]
    assert by_name["epochs"][1].endswith("(changed)")
    assert foretaste.__version__ in page.text
    assert np.__version__ in page.text
    assert "foretaste compare planted.csv --html report.html" in page.text


def test_the_python_in_the_page_makes_the_page_again(
    results: Results, ratings: Ratings, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = zip(ratings.user_ids, ratings.item_ids, ratings.value.tolist(), strict=True)
    lines = ["user,item,rating", *(f"{user},{item},{value!r}" for user, item, value in rows)]
    (tmp_path / "planted.csv").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    code = re.findall(r"<pre[^>]*><code>(from foretaste.*?)</code>", path.read_text(), re.DOTALL)[0]
    exec(code.replace("&gt;", ">"), names := {})  # noqa: S102 - what our own page says
    again: Results = names["results"]
    assert again.protocol == results.protocol
    for ours, theirs in zip(again.rows, results.rows, strict=True):
        for key in ("python", "rmse", "mae", "fcp"):
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


def test_rows_given_apart_serve(ratings: Ratings, tmp_path: Path) -> None:
    train, test = parts(ratings)
    results = compare(["Bias"], train, test=test)
    page = Page(
        write_report(results, tmp_path / "r.html", ratings=train, test=test, origin="load_dataset('x')")
    )
    assert f"Of {len(test)} held-out ratings." in page.text
    assert 'results = compare(["Bias", "GlobalMean"], ratings, test=test)' in page.text


# What is left out, and what is refused -------------------------------------------------------------------


def test_without_ratings_the_page_says_what_is_missing(results: Results, tmp_path: Path) -> None:
    page = Page(write_report(kept(results), tmp_path / "r.html"))
    assert "How far single predictions miss is not shown: for that the ratings are needed." in page.text
    assert len(page.named("figure")) == 2
    assert "All figures of the models" in page.tables


def test_another_split_is_refused_or_left_out(results: Results, ratings: Ratings, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="do not come from these rows"):
        write_report(kept(results), tmp_path / "r.html", ratings=ratings, split=HoldOut(0.25, seed=4))
    assert list(tmp_path.iterdir()) == []
    page = Page(write_report(kept(results), tmp_path / "r.html", ratings=ratings))
    assert "not shown: the rows held out are not those of HoldOut(0.2, seed=0)" in page.text
    with pytest.raises(
        InvalidParameter, match=r"from these ratings; theirs: 900 ratings.*given: 899 ratings"
    ):
        write_report(kept(results), tmp_path / "r.html", ratings=ratings[1:])
    with pytest.raises(InvalidParameter, match="the ratings are missing"):
        write_report(results, tmp_path / "r.html", split=SPLIT)


def test_models_that_took_long_are_not_fitted_again(
    results: Results, ratings: Ratings, tmp_path: Path
) -> None:
    slow = tuple(row | {"fit_seconds": PATIENCE + 1} for row in results.rows)
    told = replace(kept(results), rows=slow)
    page = Page(write_report(told, tmp_path / "r.html", ratings=ratings, split=SPLIT))
    assert f"cannot be fitted once more here, or only in more than {PATIENCE:g} s" in page.text


@pytest.mark.parametrize("wrong", [None, {"results": []}, "results.json"])
def test_what_is_no_result_is_refused(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="is not what a comparison ends in"):
        write_report(wrong, tmp_path / "r.html")
    with pytest.raises(InvalidParameter, match="is not what a comparison ends in"):
        plot(wrong)


def test_an_older_page_stays_if_the_new_one_fails(
    results: Results, ratings: Ratings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_report(results, tmp_path / "r.html")
    before = path.read_bytes()

    def fails(*_: Any) -> str:
        raise RuntimeError("half way")

    monkeypatch.setattr("foretaste.report.writing.page", fails)
    with pytest.raises(RuntimeError, match="half way"):
        write_report(results, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(NotFound, match="there is no folder"):
        write_report(results, tmp_path / "missing" / "r.html")


# Notebooks -----------------------------------------------------------------------------------------------


def test_plot_gives_the_charts_of_the_page(results: Results, ratings: Ratings, page: Page) -> None:
    charts = plot(results)
    assert [chart.name for chart in charts] == ["errors", "time"]
    for chart in charts:
        assert chart.finding in page.text
        assert f"{chart.title}: {chart.finding}" in repr(charts)
    shown = Page(charts._repr_html_())
    assert len(shown.named("svg")) >= 2
    assert shown.figures(charts["errors"].title) == page.figures(charts["errors"].title)
    (spread,) = plot(audit(ratings))
    assert spread.rows == page.figures(spread.title)
    assert 'class="foretaste"' in spread._repr_html_()
    with pytest.raises(NotFound, match='did you mean "errors"'):
        charts["error"]


def test_one_model_needs_no_chart(tmp_path: Path) -> None:
    only = made_up({"GlobalMean": [2.0]})
    assert len(plot(only)) == 0
    page = Page(write_report(only, tmp_path / "r.html"))
    assert page.named("figure") == []


def test_the_models_given_are_left_as_they_were(ratings: Ratings, tmp_path: Path) -> None:
    model = UserMean()
    results = compare([model, Bias()], ratings)
    write_report(results, tmp_path / "r.html", ratings=ratings)
    assert not hasattr(model, "users_")
