"""Text tables, and formatting of numbers."""

from __future__ import annotations

import pytest

from foretaste._utils.formatting import count_decimals, format_count, format_text_table

HEADERS, ROWS = ["model", "RMSE"], [["Bias", "0.9"], ["SVD", "10.25"]]


def test_text_table_aligns_columns_and_strips_line_ends():
    assert format_text_table(HEADERS, ROWS, "lr").splitlines() == [
        "model   RMSE",
        "-----  -----",
        "Bias     0.9",
        "SVD    10.25",
    ]


def test_last_cell_of_a_short_row_overflows():
    lines = format_text_table([*HEADERS, "s"], [["Bias", "failed: it needs a timestamp"]], "lrr").splitlines()
    assert lines[0] == "model  RMSE  s"
    assert lines[2] == "Bias   failed: it needs a timestamp"


@pytest.mark.parametrize(
    ("values", "digits", "decimals"),
    [([0.9], 4, 4), ([9.1, -12.5], 4, 2), ([12345.0], 4, 0), ([1e-12], 4, 8), ([0.0], 4, 3), ([], 2, 3)],
)
def test_count_decimals_of_the_largest_value(values, digits, decimals):
    assert count_decimals(values, digits) == decimals


@pytest.mark.parametrize(("n", "text"), [(1, "1 row"), (0, "0 rows"), (28_272, "28,272 rows")])
def test_format_count_has_the_plural(n, text):
    assert format_count(n, "row") == text
