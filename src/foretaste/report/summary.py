"""The sentences that a report opens with: what to use, how much it helps, whom it does not help yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from foretaste._utils.formatting import plural
from foretaste.data_audit import Audit
from foretaste.evaluation import Results
from foretaste.report.figures_results import judged
from foretaste.report.formatting import few, joined, share, three
from foretaste.report.html import short
from foretaste.report.refit import name_of

Row = dict[str, Any]

AVERAGES = ("UserMean", "ItemMean", "UserItemMean")
_NAMED = 3  # models in a sentence
_NAME = 60  # characters of a model in a sentence


def sentences(results: Results, audit: Audit | None) -> Iterator[tuple[str, str]]:
    """Yield the findings, each with the name of the place in the page where its figures are."""
    ours = [(sentence, "models") for sentence in _of_models(results)]
    # The first sentence of results is their headline, which here says what to use.
    theirs = [(str(sentence), "models") for sentence in getattr(results, "sentences", ())[1:]]
    yield from ours[:1] + (theirs or ours[1:])
    if results.stopped:
        yield "The comparison was interrupted: there are models that were not judged.", "models"
    refused = [row for row in results.rows if "refused" in row]
    if refused:
        names = few([short(name_of(row), _NAME) for row in refused])
        yield f"{plural(len(refused), 'model')} refused these ratings: {names}.", "models"
    if audit is not None:
        yield from _of_audit(audit)


def _of_models(results: Results) -> Iterator[str]:
    rows, baseline = judged(results), results.baseline
    if not rows:
        yield "No model could be judged by these ratings."
        return
    best = rows[0]
    name, error = short(name_of(best), _NAME), three(best["rmse"])
    if baseline is None:
        yield f"{name} predicts these ratings best: RMSE {error}. Guessing the mean was not judged."
    elif best["rmse"] >= baseline["rmse"]:
        yield f"No model is better than always guessing the mean: RMSE {three(baseline['rmse'])}."
        return
    else:
        yield _best_in_words(name, best, baseline, rows)
    yield from _as_good(rows)


def _best_in_words(name: str, best: Row, baseline: Row, rows: list[Row]) -> str:
    gain = 100 * (1 - best["rmse"] / baseline["rmse"])
    text = f"Use {name}: it misses held-out ratings by {three(best['rmse'])}, {gain:.3g} % less than always "
    text += f"guessing the mean ({three(baseline['rmse'])})"
    average = next((row for row in rows if row["model"] in AVERAGES), None)
    if average is None or average is best:
        return text + "."
    gain = 100 * (1 - best["rmse"] / average["rmse"])
    return f"{text} and {gain:.3g} % less than the best plain average, {name_of(average)}."


def _as_good(rows: list[Row]) -> Iterator[str]:
    """Say which models are as good as the best, as far as the folds tell."""
    if len(rows) == 1:
        return
    best, second = rows[0], rows[1]
    behind = 100 * (second["rmse"] / best["rmse"] - 1)
    name, next_ = short(name_of(best), _NAME), short(name_of(second), _NAME)
    if not best.get("folds"):
        yield (
            f"{next_} comes next, {behind:.2g} % behind. One hold-out cannot tell how much of that is "
            "chance; cross-validation can."
        )
        return
    wins = [(row, _won(best, row)) for row in rows[1:]]
    equals = [(row, n) for row, n in wins if n]
    folds = len(best["folds"])
    if not equals:
        yield f"{name} is best in each of the {folds} folds; {next_} comes next, {behind:.2g} % behind."
        return
    named = [f"{short(name_of(row), _NAME)} (better in {n} of {folds} folds)" for row, n in equals[:_NAMED]]
    more = f", and {len(equals) - _NAMED} more" if len(equals) > _NAMED else ""
    verb = "is" if len(equals) == 1 else "are"
    yield f"As good, as far as these folds tell, {verb} {joined(named)}{more}."


def _won(best: Row, row: Row) -> int:
    """Return in how many folds a model was better than the one that is best in the mean."""
    pairs = zip(best["folds"], row.get("folds") or (), strict=False)
    return sum(theirs["rmse"] < ours["rmse"] for ours, theirs in pairs)


def _of_audit(audit: Audit) -> Iterator[tuple[str, str]]:
    single, users = audit.facts["single"]["users"], audit.facts["users"]
    if single:
        count = round(single * users)
        verb = "has" if count == 1 else "have"
        yield (
            f"{count:,} of {plural(users, 'user')} ({share(single)}) {verb} a single rating: of them "
            "a model knows next to nothing, and for them nothing helps yet.",
            "of-users",
        )
    if audit.warnings:
        yield (
            f"The audit of the ratings has {plural(len(audit.warnings), 'warning')}: what is wrong there "
            "is in all figures of this page.",
            "audit",
        )
