"""Types of the native kernels (native/bind/*.cpp)."""

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

_Int32 = npt.NDArray[np.int32]
_Int64 = npt.NDArray[np.int64]
_Float32 = npt.NDArray[np.float32]
_Float64 = npt.NDArray[np.float64]
_Floats = TypeVar("_Floats", _Float32, _Float64)

def group_rows(group: _Int32, groups: int) -> tuple[_Int64, _Int32]: ...
def concordant_pairs(starts: _Int64, truth: _Float64, guess: _Float64) -> tuple[_Int64, _Int64]: ...
def isas() -> list[str]: ...
def isa() -> str: ...
def use_isa(name: str) -> None: ...

class IdEncoder:
    def __init__(self, threads: int, empty_is_missing: bool) -> None: ...
    def feed_texts(self, column: Any) -> None: ...
    def feed_numbers(self, numbers: _Int64) -> None: ...
    def finish(self, texts_may_be_numbers: bool) -> tuple[_Int64 | list[str], _Int32]: ...

class PlainLines:
    def __init__(self, separator: str, quotes: bool, columns: list[str], threads: int) -> None: ...
    def feed(self, text: bytes | bytearray | memoryview) -> bool: ...
    def finish(self) -> list[Any]: ...

def text_marks(text: bytes, wanted: bytes, portable: bool) -> tuple[int, int]: ...
def count_repeats(user: _Int32, item: _Int32, users: int, items: int, threads: int) -> int: ...

class SgdPlan:
    grid: int
    def __init__(
        self,
        user: _Int32,
        item: _Int32,
        value: _Float32,
        weight: _Float32 | None,
        users: int,
        items: int,
        grid: int,
    ) -> None: ...
    def epoch(
        self,
        user_factors: _Float32,
        item_factors: _Float32,
        user_bias: _Float32,
        item_bias: _Float32,
        learning_rate: float,
        regularization: float,
        bias_learning_rate: float,
        bias_regularization: float,
        threads: int,
    ) -> float: ...
    def order(self) -> _Int32: ...
    def blocks(self) -> _Int64: ...
    def user_order(self) -> _Int32: ...
    def item_order(self) -> _Int32: ...

class SvdppPlan:
    together: int
    def __init__(
        self,
        user: _Int32,
        item: _Int32,
        value: _Float32,
        weight: _Float32 | None,
        users: int,
        items: int,
        visits: _Int32,
        deviation: _Float32 | None = None,
        bin: _Int32 | None = None,
        bins: int = 0,
        session: _Int32 | None = None,
        sessions: int = 0,
    ) -> None: ...
    def epoch(
        self,
        user_factors: _Float32,
        item_factors: _Float32,
        implicit_factors: _Float32,
        user_bias: _Float32,
        item_bias: _Float32,
        learning_rate: float,
        regularization: float,
        implicit_rate: float,
        implicit_regularization: float,
        threads: int,
        drift_bias: _Float32 | None = None,
        drift_factors: _Float32 | None = None,
        bin_bias: _Float32 | None = None,
        session_bias: _Float32 | None = None,
        drift_damping: float = 0,
        bin_damping: float = 0,
        session_damping: float = 0,
    ) -> float: ...
    def order(self) -> _Int32: ...

def ridge_users(
    starts: _Int64,
    item: _Int32,
    target: _Float64,
    weight: _Float64,
    vectors: _Float32,
    penalty: _Float64,
    threads: int,
) -> _Float64: ...
def dot_pairs(
    user: _Int32,
    item: _Int32,
    user_factors: _Float32,
    item_factors: _Float32,
    user_bias: _Float32,
    item_bias: _Float32,
    mean: float,
    threads: int,
) -> _Float32: ...
def als_half(
    starts: _Int64,
    other: _Int32,
    value: _Float32,
    weight: _Float32 | None,
    features: _Float32,
    other_bias: _Float32 | None,
    own: _Float32,
    own_bias: _Float32 | None,
    ridge: _Float32,
    growth: _Float32,
    bias_ridge: _Float32 | None,
    factors: int,
    solver: str,
    steps: int,
    threads: int,
) -> float: ...
def impute_nearest(matrix: _Float32, neighbors: int, by_distance: bool, threads: int) -> _Float32: ...
def impute_from(
    asked: _Floats, matrix: _Floats, neighbors: int, by_distance: bool, threads: int
) -> _Floats: ...

_Lists = tuple[_Int64, _Int32, _Float32]

def nearest_rows(
    row: _Int32,
    column: _Int32,
    value: _Float32 | _Float64,
    rows: int,
    columns: int,
    similarity: str,
    keep: int,
    shrinkage: float,
    min_support: int,
    significance: int,
    negative: bool,
    as_computed: bool,
    threads: int,
    first: int = 0,
) -> _Lists: ...
def neighbor_means(
    row: _Int32,
    column: _Int32,
    list_start: _Int64,
    other: _Int32,
    similarity: _Float32,
    column_start: _Int64,
    entry_row: _Int32,
    value: _Float32,
    neighbors: int,
    min_neighbors: int,
    damping: float,
    threads: int,
) -> _Float32: ...
def neighbor_shares(
    row: _Int32,
    column: _Int32,
    list_start: _Int64,
    other: _Int32,
    similarity: _Float32,
    column_start: _Int64,
    entry_row: _Int32,
    value: _Float32,
    neighbors: int,
    min_neighbors: int,
    damping: float,
) -> tuple[_Int32, _Float32]: ...
def deviations(
    row: _Int32,
    column: _Int32,
    value: _Float32,
    columns: int,
    mean: _Float32,
    common: _Int32,
    threads: int,
) -> None: ...
def deviation_sums(
    row: _Int32,
    column: _Int32,
    mean: _Float32,
    common: _Int32,
    column_start: _Int64,
    entry_row: _Int32,
    value: _Float32,
    weighted: bool,
    threads: int,
) -> tuple[_Float64, _Float64]: ...
def bias_descent(
    user: _Int32,
    item: _Int32,
    value: _Float64,
    weight: _Float32 | None,
    users: int,
    items: int,
    epochs: int,
    learning_rate: float,
    regularization: float,
) -> tuple[_Float64, _Float64]: ...
def top_items(
    user_factors: _Float32,
    item_factors: _Float32,
    item_bias: _Float32,
    user: _Int32,
    item: _Int32,
    starts: _Int64 | None,
    seen: _Int32 | None,
    keep: int,
    threads: int,
) -> tuple[_Int32, _Float32]: ...
def top_of_rows(rows: _Float32, items: _Int32 | None, keep: int, threads: int) -> tuple[_Int32, _Float32]: ...
def assign_clusters(
    starts: _Int64,
    other: _Int32,
    value: _Float32,
    weight: _Float32 | None,
    other_cluster: _Int32,
    block: _Float64,
    threads: int,
) -> _Int32: ...
def block_sums(
    starts: _Int64,
    other: _Int32,
    value: _Float32,
    weight: _Float32 | None,
    own_cluster: _Int32,
    other_cluster: _Int32,
    own: int,
    other_clusters: int,
    threads: int,
) -> _Float64: ...
def gram_matrix(
    row_starts: _Int64,
    row_columns: _Int32,
    row_values: _Float32,
    column_starts: _Int64,
    column_rows: _Int32,
    column_values: _Float32,
    threads: int,
) -> _Float64: ...
def item_scores(
    starts: _Int64,
    columns: _Int32,
    values: _Float32,
    weight: _Float32,
    user: _Int32,
    item: _Int32,
    threads: int,
) -> _Float32: ...
def rank_figures(
    lists: _Int32,
    starts: _Int64,
    item: _Int32,
    gain: _Float64 | None,
    items: int,
    most: int,
    threads: int,
) -> _Float64: ...
def resampled_means(table: _Float64, draws: int, seed: int, threads: int) -> _Float64: ...

class UndefinedSimilarity(ZeroDivisionError): ...

class SurpriseNeighbors:
    def __init__(
        self,
        start: _Int64,
        row: _Int32,
        rating: _Float64,
        compared: _Float64,
        rows: int,
        measure: str,
        min_support: float,
        shrinkage: float,
        threads: int,
    ) -> None: ...
    def row(self, row: int) -> _Float64: ...
    def matrix(self, threads: int) -> _Float64: ...
    def means(
        self,
        row: _Int32,
        column: _Int32,
        neighbors: int,
        centre: _Float64 | None,
        offset: _Float64 | None,
        spread: _Float64 | None,
        mean: float,
        threads: int,
    ) -> tuple[_Float64, _Float64, _Int64, npt.NDArray[np.bool_]]: ...
    def means_from(
        self,
        similarity: _Float64,
        at: _Int32,
        column: _Int32,
        neighbors: int,
        centre: _Float64 | None,
        offset: _Float64 | None,
        spread: _Float64 | None,
        mean: float,
        threads: int,
    ) -> tuple[_Float64, _Float64, _Int64, npt.NDArray[np.bool_]]: ...

class SurpriseDeviations:
    def __init__(self, start: _Int64, row: _Int32, value: _Float64, rows: int, threads: int) -> None: ...
    def row(self, row: int) -> _Float64: ...
    def matrix(self, threads: int) -> _Float64: ...
    def common(self, threads: int) -> _Float64: ...
    def sums(self, row: _Int32, column: _Int32, threads: int) -> tuple[_Float64, _Int64]: ...
    def sum_from(self, deviation: _Float64, column: int) -> tuple[float, int]: ...

# scikit-surprise's factor models; tables and biases are changed in place
def surprise_svd(
    starts: _Int64,
    item: _Int32,
    value: _Float64,
    mean: float,
    user_factors: _Float64,
    item_factors: _Float64,
    user_bias: _Float64,
    item_bias: _Float64,
    rates: _Float64,
    regs: _Float64,
    epochs: int,
) -> None: ...
def surprise_svdpp(
    starts: _Int64,
    item: _Int32,
    value: _Float64,
    mean: float,
    user_factors: _Float64,
    item_factors: _Float64,
    implicit_factors: _Float64,
    user_bias: _Float64,
    item_bias: _Float64,
    rates: _Float64,
    regs: _Float64,
    epochs: int,
) -> None: ...
def surprise_nmf(
    starts: _Int64,
    item: _Int32,
    value: _Float64,
    mean: float,
    user_factors: _Float64,
    item_factors: _Float64,
    user_bias: _Float64,
    item_bias: _Float64,
    rates: _Float64,
    regs: _Float64,
    biased: bool,
    epochs: int,
) -> bool: ...
def surprise_dots(
    user: _Int32,
    item: _Int32,
    user_factors: _Float64,
    item_factors: _Float64,
    user_bias: _Float64,
    item_bias: _Float64,
    mean: float,
) -> _Float64: ...
def surprise_implicit(starts: _Int64, item: _Int32, implicit_factors: _Float64, user: _Int32) -> _Float64: ...
def surprise_als(
    user_starts: _Int64,
    item: _Int32,
    value_by_user: _Float64,
    item_starts: _Int64,
    user: _Int32,
    value_by_item: _Float64,
    mean: float,
    user_reg: float,
    item_reg: float,
    user_bias: _Float64,
    item_bias: _Float64,
    epochs: int,
) -> bool: ...
def surprise_sgd_biases(
    starts: _Int64,
    item: _Int32,
    value: _Float64,
    mean: float,
    rate: float,
    reg: float,
    user_bias: _Float64,
    item_bias: _Float64,
    epochs: int,
) -> None: ...
def surprise_cocluster(
    user_starts: _Int64,
    item: _Int32,
    value_by_user: _Float64,
    item_starts: _Int64,
    user: _Int32,
    value_by_item: _Float64,
    user_mean: _Float64,
    item_mean: _Float64,
    mean: float,
    user_cluster: _Int64,
    item_cluster: _Int64,
    user_average: _Float64,
    item_average: _Float64,
    average: _Float64,
    epochs: int,
) -> None: ...
