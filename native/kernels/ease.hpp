// Linear models over items: the Gram matrix of sparse rows, and scores of pairs from item-item weights.
//
// Scattering and gathering, no vector instructions: compiled once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace foretaste {

// Sparse rows: the items of a user, in increasing order, and a number for each.
struct SparseRows {
    const std::int64_t* starts;  // (rows + 1)
    const std::int32_t* column;
    const float* value;
};

// One row of X'X up to its diagonal: the products of column i with the columns before it and with itself.
// `by_column` holds the rows of column i in increasing order, and its values there.
inline void gram_row(const SparseRows& by_row, const SparseRows& by_column, std::size_t i, double* out) {
    for (std::int64_t r = by_column.starts[i]; r < by_column.starts[i + 1]; ++r) {
        const std::int32_t row = by_column.column[r];
        const double value = by_column.value[r];
        for (std::int64_t k = by_row.starts[row]; k < by_row.starts[row + 1]; ++k) {
            const std::int32_t j = by_row.column[k];
            if (static_cast<std::size_t>(j) > i) break;
            out[j] += value * by_row.value[k];
        }
    }
}

// The sum over a user's items of value times weight[item, that item]; 0 if user or item is unknown (-1).
inline float item_score(const SparseRows& rows, const float* weight, std::size_t items, std::int32_t user,
                        std::int32_t item) {
    if (user < 0 || item < 0) return 0;
    const float* const row = weight + static_cast<std::size_t>(item) * items;
    double total = 0;
    for (std::int64_t k = rows.starts[user]; k < rows.starts[user + 1]; ++k)
        total += static_cast<double>(rows.value[k]) * row[rows.column[k]];
    return static_cast<float>(total);
}

}  // namespace foretaste
