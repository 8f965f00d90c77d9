"""The report agrees with the results: every model, every metric, and computed sentences."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from report_cases import kept, made_up, parts, planted_report, planted_results
from report_pages import Page

from foretaste import KFold, Ratings, Results, audit, compare, write_report
from foretaste.metrics.rating import rmse
from foretaste.models import SVD
from foretaste.models.spec import from_spec
from foretaste.report.figures_results import breakdown_charts


@pytest.fixture(scope="module")
def results(ratings: Ratings) -> Results:
    return planted_results(ratings)


@pytest.fixture(scope="module")
def path(results: Results, ratings: Ratings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted_report(results, ratings, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(path: Path) -> Page:
    return Page(path)


# Tables --------------------------------------------------------------------------------------------------


def test_every_metric_is_in_the_page(results: Results, page: Page) -> None:
    headers, rows, _ = results.table()
    shown = page.tables["All figures of the models"]
    assert shown[0] == headers
    assert shown[1:] == rows
    assert len(shown) == len(results.rows) + 1 == 8


def test_first_table_lists_models_with_error_and_gain(results: Results, page: Page) -> None:
    shown = page.tables["The models, best first"]
    assert shown[0] == ["place", "model", "RMSE", "vs the mean", "training time"]
    mean = results.baseline_row["rmse"]
    for place, (row, cells) in enumerate(zip(results.rows, shown[1:], strict=True), 1):
        assert cells[0] == str(place)
        assert cells[1] == row["repr"].removesuffix("()")
        assert float(cells[2].split()[0]) == pytest.approx(row["rmse"], abs=0.0005)
        gain = 100 * (1 - row["rmse"] / mean)
        words = f"{abs(gain):.1f} % {'less' if gain > 0 else 'more'}"
        assert cells[3] == ("baseline" if row["model"] == "GlobalMean" else words)
        assert cells[4].endswith((" ms", " s"))


def test_fold_intervals_are_in_table_and_chart(ratings: Ratings, tmp_path: Path) -> None:
    results = compare(ratings, ["Bias", "UserMean"], split=KFold(3))
    page = Page(write_report(results, tmp_path / "r.html", ratings=ratings, split=KFold(3)))
    best = results.best_row
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


def test_failed_model_is_listed_with_its_error(ratings: Ratings, tmp_path: Path) -> None:
    results = compare(ratings, ["TimeSVDpp", "Bias"])  # there are no times
    refused = results.rows[-1]
    assert refused["model"] == "TimeSVDpp"
    page = Page(write_report(results, tmp_path / "r.html"))
    line = page.tables["The models, best first"][-1]
    assert line[1:] == [
        "TimeSVDpp", f"failed: {refused['error']['message']} (try: {refused['error']['hint']})"
    ]  # fmt: skip
    assert "1 model failed on these ratings: TimeSVDpp." in page.text


# Sentences -----------------------------------------------------------------------------------------------


def test_first_sentence_recommends_a_model(results: Results, page: Page) -> None:
    best, mean = results.best_row, results.baseline_row["rmse"]
    average = min(row["rmse"] for row in results.rows if row["model"] in ("UserMean", "ItemMean"))
    said = page.text
    first = re.search(r"Use (.*?): it misses held-out ratings by ([\d.]+), ([\d.]+) % less", said)
    assert first[1] == best["repr"].removesuffix("()")
    assert float(first[2]) == pytest.approx(best["rmse"], rel=0.005)
    assert float(first[3]) == pytest.approx(100 * (1 - best["rmse"] / mean), rel=0.005)
    second = re.search(r"and ([\d.]+) % less than the best plain average", said)
    assert float(second[1]) == pytest.approx(100 * (1 - best["rmse"] / average), rel=0.005)
    assert said.index("Use ") < said.index("The models, best first")


def test_single_hold_out_is_qualified(results: Results, tmp_path: Path) -> None:
    page = Page(write_report(kept(results), tmp_path / "r.html"))
    best, second = results.rows[:2]
    behind = 100 * (second["rmse"] / best["rmse"] - 1)
    name = second["repr"].removesuffix("()")
    assert f"{name} comes next, {behind:.2g} % behind. One hold-out cannot tell how much" in page.text


def test_equally_good_models_are_found_by_folds(tmp_path: Path) -> None:
    close = made_up({"SVD": [1.0, 1.0, 1.2], "Bias": [1.1, 1.1, 1.1], "GlobalMean": [2.0, 2.0, 2.0]})
    page = Page(write_report(close, tmp_path / "r.html"))
    assert "As good, as far as these folds tell, is Bias (better in 1 of 3 folds)." in page.text
    clear = made_up({"SVD": [1.0, 1.0, 1.0], "Bias": [1.1, 1.1, 1.1], "GlobalMean": [2.0, 2.0, 2.0]})
    page = Page(write_report(clear, tmp_path / "r.html"))
    assert "SVD is best in each of the 3 folds; Bias comes next, 10 % behind." in page.text
    assert "As good" not in page.text


def test_no_gain_and_interruption_are_reported(tmp_path: Path) -> None:
    useless = made_up({"GlobalMean": [2.0], "Bias": [2.1]})
    page = Page(write_report(replace(useless, interrupted=True), tmp_path / "r.html"))
    assert "No model is better than always guessing the mean: RMSE 2.00." in page.text
    assert "Use " not in page.text
    assert "The comparison was interrupted" in page.text


def test_sentences_come_from_the_results(tmp_path: Path) -> None:
    told = replace(
        made_up({"SVD": [1.0], "GlobalMean": [2.0]}),
        saved_sentences=("SVD is best.", "SVD and Bias are equally good."),
    )
    page = Page(write_report(told, tmp_path / "r.html"))
    assert "Use SVD: it misses held-out ratings by 1.00, 50 % less" in page.text
    assert "SVD and Bias are equally good." in page.text
    assert "SVD is best." not in page.text
    assert "One hold-out" not in page.text


def test_hard_users_and_audit_warnings_are_reported(ratings: Ratings, tmp_path: Path) -> None:
    lonely = Ratings.from_columns(
        np.r_[ratings.user_ids, 9001, 9002], np.r_[ratings.item_ids, 1, 2], np.r_[ratings.value, 3, 99]
    )
    results = compare(lonely, "Bias")
    found = audit(lonely)
    assert found.warnings
    page = Page(write_report(results, tmp_path / "r.html", ratings=lonely, audit=found))
    users = len(lonely.users)
    single = int(np.sum(np.bincount(lonely.user) == 1))
    said = page.text
    assert f"{single} of {users} users ({100 * single / users:.2g} %) have a single rating" in said
    assert f"The audit of the ratings has {len(found.warnings)} warning" in said
    for finding in found.findings:
        assert " ".join(finding.message.split()) in page.text
        assert finding.impact in page.text
        assert str(finding.fix) in page.text


def test_every_link_has_a_target(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for attributes in page.named("a")]
    assert len(links) > 8
    assert all(link.startswith("#") and link[1:] in ids for link in links)
    for attributes in page.named("svg"):
        for name in (attributes.get("aria-labelledby"), attributes.get("aria-describedby")):
            assert name is None or name in ids


# Charts --------------------------------------------------------------------------------------------------


def test_largest_errors_are_of_the_best_model_on_test_rows(
    results: Results, ratings: Ratings, page: Page
) -> None:
    train, test = parts(ratings)
    best = from_spec({"model": results.best_row["model"], "params": results.best_row["params"]})
    missed = best.fit(train).predict(test).astype(float) - test.value
    rows = page.figures(f"How far the predictions of {results.best_row['repr'].removesuffix('()')} miss")
    counts = [int(row[1].replace(",", "")) for row in rows]
    edge = np.ceil(np.abs(missed).max() * 1000) / 1000
    assert counts == np.histogram(missed, 40, range=(-edge, edge))[0].tolist()
    assert sum(counts) == len(test)
    half, tenth = np.quantile(np.abs(missed), (0.5, 0.9))
    assert f"Half of the predictions miss by {half:.3g}" in page.text
    assert f"one in ten by more than {tenth:.3g}" in page.text


@pytest.mark.parametrize("role", ["user", "item"])
def test_errors_by_support_equal_those_computed_by_hand(
    results: Results, ratings: Ratings, page: Page, role: str
) -> None:
    train, test = parts(ratings)
    best = from_spec({"model": results.best_row["model"], "params": results.best_row["params"]})
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


def test_training_chart_shows_the_history_of_models(results: Results, ratings: Ratings, page: Page) -> None:
    train, _ = parts(ratings)
    rows = page.tables["Figures of the chart: Training, epoch by epoch"]
    assert sorted(rows[0][1:]) == ["SVD(factors=2, epochs=5)", "SVD(factors=4, epochs=30)"]
    for column, name in enumerate(rows[0][1:], 1):
        model = eval(name, {"SVD": SVD}).fit(train)  # noqa: S307 - the name of a model made above
        for row in rows[1:]:
            epoch = int(row[0])
            if epoch > model.epochs:
                assert row[column] == ""
            else:
                assert float(row[column]) == pytest.approx(model.train_rmse_[epoch - 1], rel=0.006)


def test_histograms_are_counted(ratings: Ratings, page: Page) -> None:
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


def test_breakdown_is_drawn() -> None:
    periods = [
        {"bin": f"2026-0{n}-01 to 2026-0{n + 1}-01", "rows": 10 * n, "rmse": 1.0 + n, "mae": 1.0}
        for n in (1, 2, 3)
    ]
    tenths = [
        {"bin": f"{n} to {n + 1}", "rows": 5, "mean_prediction": float(n), "mean_rating": n - 0.25 * (n == 2)}
        for n in range(4)
    ]
    calibration, over_time = breakdown_charts({"time": periods, "prediction": tenths}, "SVD", 1.0)
    assert calibration.caption == (
        "Where it predicts 2.00 on average, people gave 1.75, 0.250 less; elsewhere it is closer."
    )
    assert calibration.rows[2] == ["2 to 3", "5", "2.00", "1.75"]
    assert over_time.caption == (
        "On the ratings of 2026-01-01 to 2026-02-01 RMSE is 2.00, on those of 2026-03-01 to 2026-04-01 "
        "it is 4.00."
    )
    assert [row[1] for row in over_time.rows] == ["10", "20", "30"]
    values = [
        {"bin": str(n), "low": n, "high": n, "rows": n, "rmse": error, "mae": 0.5, "mean_prediction": 2.0}
        for n, error in ((1, 1.5), (2, 0.25), (3, 0.75))
    ]
    (by_value,) = breakdown_charts({"rating": values}, "SVD", 1.0)
    assert by_value.caption == (
        "It is smallest where people gave 2 (RMSE 0.250) and largest where they gave 1 (1.50)."
    )
    assert by_value.rows[2] == ["3", "3", "0.750", "0.500", "2.00"]
    (holding,) = breakdown_charts({"prediction": tenths}, "SVD", 100.0)
    assert holding.caption == "Predictions hold: no tenth of them is off by more than 0.250 on average."
    assert list(breakdown_charts({"time": periods[:1]}, "SVD", 1.0)) == []


def test_every_chart_has_title_caption_and_table(page: Page) -> None:
    charts = [a for a in page.named("svg") if a.get("role") == "img"]
    captions = [caption for caption in page.tables if caption.startswith("Figures of the chart: ")]
    assert len(charts) == len(captions) == len(page.named("figure")) == len(page.named("figcaption")) >= 9
    assert all(len(page.tables[caption]) > 1 for caption in captions)
    described = re.findall(r"<desc[^>]*>([^<]+)</desc>", page.source)
    findings = re.findall(r"<figcaption><h3[^>]*>[^<]+</h3><p>([^<]+)</p>", page.source)
    assert described == findings
    assert len(set(findings)) == len(charts)


def test_marks_are_at_their_values(results: Results, page: Page) -> None:
    drawn = re.search(r'aria-labelledby="errors-title".*?</svg>', page.source)[0]
    circles = re.findall(r'<circle cx="([\d.]+)%" cy="([\d.]+)"', drawn)
    errors = [row["rmse"] for row in results.rows]
    assert len(circles) == len(errors)
    across, down = np.array(circles, float).T
    assert np.all(np.diff(down) > 0)
    slope = np.polyfit(errors, across, 1)
    assert slope[0] > 0
    assert across == pytest.approx(np.polyval(slope, errors), abs=0.01)
