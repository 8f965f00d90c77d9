"""The page of the quality benchmark: which rows are compared, and which targets are met."""

from __future__ import annotations

import pytest
from quality import aims, made, paper, peers, rows

from foretaste.models import MODELS


def test_the_page_has_every_row():
    names = list(MODELS)
    cells = [made(name, [0.9 + 0.01 * place] * 5) for place, name in enumerate(names[:-1])]
    cells.append(made(names[-1], [], refused="too large"))
    cells += [made(name, [1.0] * 5, library="surprise") for name in peers.ALL_PEERS]
    lines = paper.section(cells, "ml-100k")
    drawn = [line for line in lines if line.startswith("|")]
    parts = [[part.strip() for part in line.split("|")[1:-1]] for line in drawn]
    head, body = parts[0], parts[2:]
    assert sorted(filter(None, (row[1] for row in body))) == sorted(names)
    assert sorted(filter(None, (row[7] for row in body))) == sorted(peers.ALL_PEERS)
    assert {len(row) for row in parts} == {len(head)} == {16}
    assert len({len(line) for line in drawn}) == 1  # aligned
    (svd,) = (row for row in body if row[1] == "SVD")
    assert svd[:1] + svd[7:8] + svd[13:15] == ["SVD", "SVD", "5", "20x"]


def test_slow_peer_is_compared_on_the_same_fold():
    cells = [
        made("SVD", [0.7, 0.8, 0.9, 1.0, 1.1]),
        made("SVD", [0.95], library="surprise", slow=True),
    ]
    whole, first = rows.rows_of(cells, "ml-100k")
    assert (whole.ours.folds, whole.ours.rmse, whole.theirs) == (5, pytest.approx(0.9), None)
    assert (first.ours.folds, first.ours.rmse, first.theirs.rmse) == (1, 0.7, 0.95)
    assert (first.ratio, whole.ratio) == (20, None)
    assert whole.aims == ["<= 0.905: yes", "< surprise: yes"]
    text = "\n".join(paper.section(cells, "ml-100k"))
    assert "Slow, so evaluated on the first fold only: SVD of surprise." in text


def test_partial_run_does_not_replace_a_complete_one():
    cells = [made("SVD", [0.9] * 5), made("SVD", [0.7]) | {"planned": 1}]
    for order in (cells, cells[::-1]):
        (row,) = rows.rows_of(order, "ml-100k")
        assert (row.ours.folds, row.ours.rmse) == (5, pytest.approx(0.9))


def test_failed_model_is_listed_with_its_peers():
    cells = [made("SVD", [], refused="no room"), made("SVD", [0.9] * 5, library="surprise")]
    (row,) = rows.rows_of(cells, "ml-100k")
    assert (row.ours, row.theirs.rmse, row.ratio, row.aims) == ("SVD", pytest.approx(0.9), None, [])
    cells = [made("SVD", [0.9] * 5), made("SVD", [], library="surprise", refused="no room")]
    (row, peer) = rows.rows_of(cells, "ml-100k")
    assert (row.ours.folds, row.theirs, row.aims) == (5, None, ["<= 0.905: yes"])
    assert (peer.theirs, peer.repeated) == ("SVD", True)
    assert "* surprise SVD: no room" in paper.section(cells, "ml-100k")


def test_targets_need_all_folds():
    (row,) = rows.rows_of([made("SVD", [0.7, 0.8])], "ml-100k")
    assert row.aims == []


def test_targets_compare_with_every_peer():
    peers_of_items = [
        made(f"KNN{name}, item-based", [error] * 5, library="surprise")
        for name, error in (("Basic", 0.97), ("Baseline", 0.93))
    ]
    for error, met in ((0.92, "yes"), (0.94, "no")):
        said = aims.verdicts("ml-100k", "ItemKNN", error, best=False, peers=[(error, 0.93), (error, 0.97)])
        assert said == [f"<= 0.913: {'yes' if error <= 0.913 else 'no'}", f"< surprise: {met}"]
    found = rows.rows_of(peers_of_items, "ml-100k")
    assert [row.theirs.name for row in found] == ["KNNBaseline, item-based", "KNNBasic, item-based"]
    assert [row.ours for row in found] == [None, None]
    assert [row.theirs.folds for row in found] == [5, 5]
    assert aims.verdicts("ml-100k", "NormalRandom", 1.5, best=False, peers=[(1.5, 1.4)]) == []  # luck


def test_targets_met_and_missed():
    assert aims.Aim("ml-100k", "SVD", 0.905).verdict(0.905) == "<= 0.905: yes"
    assert aims.Aim("ml-100k", "SVD", 0.905).verdict(0.90501) == "<= 0.905: no"
    assert aims.Aim("lecture", "UserMean", 4.9, within=0.02).verdict(4.915) == "4.9 +- 0.02: yes"
    assert aims.Aim("lecture", "UserMean", 4.9, within=0.02).verdict(4.875) == "4.9 +- 0.02: no"
    assert aims.verdicts("jester-2", "ALS", 4.5, best=False, bias=4.48) == ["< Bias: no"]
    assert aims.verdicts("jester-2", "EASE", 4.5, best=False, bias=4.48) == []  # no factor model


def test_jester_1_target_is_nmae():
    cells = [
        made("Bias", [4.3], data="jester-1"),  # MAE 3.44, NMAE .172
        made("Blend", [3.8], data="jester-1"),  # MAE 3.04, NMAE .152
    ]
    best, other = rows.rows_of(cells, "jester-1")
    assert (best.ours.name, best.aims, other.aims) == ("Blend", ["<= 0.154: yes"], [])
    assert "NMAE" in paper.table([best, other], "jester-1")[0]
    assert " 0.1520 " in paper.table([best, other], "jester-1")[2]


def test_mixed_folds_raise():
    cells = [made("Bias", [0.9]), made("BaselineOnly", [1.0], library="surprise")]
    cells[1]["folds"][0]["rows"] = "other"
    with pytest.raises(ValueError, match="Bias and surprise's BaselineOnly were not tested on the same rows"):
        rows.rows_of(cells, "ml-100k")


def content_of(*cells):
    about = {"processor": "P", "cores": 2, "instruction_set": "v3", "python": "3.11", "foretaste": "1"}
    about |= {"versions": {"scikit-surprise": "1.1.5"}, "command": "python -m benchmarks.quality"}
    about |= {"load_at_start": 0.1}
    return {"format": 2, "runs": [about], "cells": list(cells)}


def test_page_states_which_targets_are_met():
    cells = [made("SVD", [0.95] * 5), made("Bias", [0.93] * 5), made("SVDpp", [0.7])]
    cells.append(made("BaselineOnly", [0.94] * 5, library="surprise"))
    text = paper.page(content_of(*cells), "2026-01-01-quality.json")
    assert (
        "Of 2 aims 1 are met. Not met: SVD on MovieLens 100K (<= 0.905). "
        "Not evaluated, or not on all folds: SVDpp on MovieLens 100K; ItemKNN on MovieLens 100K."
    ) in text
    for word in (
        "`python -m benchmarks.quality`",
        "scikit-surprise 1.1.5",
        "Protocol: 5 folds",
        "P, 2 cores",
    ):
        assert word in text


def test_rows_of_different_code_versions_are_reported():
    cells = [made("SVD", [0.9] * 5), made("Bias", [0.93] * 5), made("SVD", [0.94] * 5, library="surprise")]
    assert "several machines" not in paper.page(content_of(*cells), "x.json")
    cells[0]["grounds"]["code"] = "2"
    assert "several machines, versions or states of the code" in paper.page(content_of(*cells), "x.json")
