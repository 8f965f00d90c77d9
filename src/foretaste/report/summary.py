"""Summary sentences of a report: which model to use, how much it helps, and where no model helps yet."""

from __future__ import annotations

from collections.abc import Iterator

from foretaste._utils.formatting import format_count, format_share, format_sig, join_words, truncate_list
from foretaste._utils.html import truncate
from foretaste.data_audit import Audit
from foretaste.evaluation import Results
from foretaste.report.models_table import Row, evaluated_rows, model_label

MEAN_MODELS = ("UserMean", "ItemMean", "UserItemMean")
_MAX_NAMED = 3  # models in a sentence
_MAX_NAME_CHARS = 60  # of a model in a sentence


def summary_sentences(results: Results, audit: Audit | None) -> Iterator[tuple[str, str]]:
    """Yield the sentences, each with the id of the section that has its data."""
    model_sentences = [(sentence, "models") for sentence in _model_sentences(results)]
    # The first sentence of results is their headline, replaced here by the recommendation.
    result_sentences = [(str(sentence), "models") for sentence in getattr(results, "sentences", ())[1:]]
    yield from model_sentences[:1] + (result_sentences or model_sentences[1:])
    if results.interrupted:
        yield "The comparison was interrupted: there are models that were not tested.", "models"
    failed = [row for row in results.rows if "error" in row]
    if failed:
        names = truncate_list([truncate(model_label(row), _MAX_NAME_CHARS) for row in failed])
        yield f"{format_count(len(failed), 'model')} failed on these ratings: {names}.", "models"
    if audit is not None:
        yield from _audit_sentences(audit)


def _model_sentences(results: Results) -> Iterator[str]:
    rows, baseline = evaluated_rows(results), results.baseline_row
    if not rows:
        yield "No model could be tested on these ratings."
        return
    best = rows[0]
    name, error = truncate(model_label(best), _MAX_NAME_CHARS), format_sig(best["rmse"])
    if baseline is None:
        yield f"{name} predicts these ratings best: RMSE {error}. Guessing the mean was not tested."
    elif best["rmse"] >= baseline["rmse"]:
        yield f"No model is better than always guessing the mean: RMSE {format_sig(baseline['rmse'])}."
        return
    else:
        yield _describe_best(name, best, baseline, rows)
    yield from _tied_models(rows)


def _describe_best(name: str, best: Row, baseline: Row, rows: list[Row]) -> str:
    gain = 100 * (1 - best["rmse"] / baseline["rmse"])
    text = f"Use {name}: it misses held-out ratings by {format_sig(best['rmse'])}, {gain:.3g} % less than "
    text += f"always guessing the mean ({format_sig(baseline['rmse'])})"
    average = next((row for row in rows if row["model"] in MEAN_MODELS), None)
    if average is None or average is best:
        return text + "."
    gain = 100 * (1 - best["rmse"] / average["rmse"])
    return f"{text} and {gain:.3g} % less than the best plain average, {model_label(average)}."


def _tied_models(rows: list[Row]) -> Iterator[str]:
    """Yield which models are as good as the best: those that win at least one fold."""
    if len(rows) == 1:
        return
    best, second = rows[0], rows[1]
    gap = 100 * (second["rmse"] / best["rmse"] - 1)
    name, runner_up = (truncate(model_label(row), _MAX_NAME_CHARS) for row in (best, second))
    if not best.get("folds"):
        yield (
            f"{runner_up} comes next, {gap:.2g} % behind. One hold-out cannot tell how much of that is "
            "chance; cross-validation can."
        )
        return
    wins = [(row, _count_wins(best, row)) for row in rows[1:]]
    tied = [(row, n) for row, n in wins if n]
    folds = len(best["folds"])
    if not tied:
        yield f"{name} is best in each of the {folds} folds; {runner_up} comes next, {gap:.2g} % behind."
        return
    descriptions = [
        f"{truncate(model_label(row), _MAX_NAME_CHARS)} (better in {n} of {folds} folds)"
        for row, n in tied[:_MAX_NAMED]
    ]
    more = f", and {len(tied) - _MAX_NAMED} more" if len(tied) > _MAX_NAMED else ""
    verb = "is" if len(tied) == 1 else "are"
    yield f"As good, as far as these folds tell, {verb} {join_words(descriptions)}{more}."


def _count_wins(best: Row, row: Row) -> int:
    """Return the number of folds in which a model beats the one with the best mean."""
    pairs = zip(best["folds"], row.get("folds") or (), strict=False)
    return sum(fold["rmse"] < best_fold["rmse"] for best_fold, fold in pairs)


def _audit_sentences(audit: Audit) -> Iterator[tuple[str, str]]:
    single, users = audit.summary["single"]["users"], audit.summary["users"]
    if single:
        count = round(single * users)
        verb = "has" if count == 1 else "have"
        yield (
            f"{count:,} of {format_count(users, 'user')} ({format_share(single)}) {verb} a single rating: of "
            "them a model knows next to nothing, and for them nothing helps yet.",
            "of-users",
        )
    if audit.warnings:
        yield (
            f"The audit of the ratings has {format_count(len(audit.warnings), 'warning')}: what is wrong "
            "there is in all figures of this page.",
            "audit",
        )
