// A matrix with missing cells, laid out for k-nearest-neighbor imputation; made once, read by all threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "runtime/kernels.hpp"

namespace foretaste {

// Call use(index) for every bit that is set; `first` is the index of the lowest.
template <class Use>
[[gnu::always_inline]] inline void each_bit(std::uint64_t word, std::size_t first, Use use) {
    for (; word != 0; word &= word - 1) use(first + static_cast<std::size_t>(__builtin_ctzll(word)));
}

// A matrix and which of its cells are known. Each row is marked by a task of its own.
template <class T>
struct ImputeCells {
    const T* matrix;  // (rows, columns), NaN = missing
    std::size_t rows, columns;
    std::size_t words;                // of 64 columns
    std::vector<std::uint64_t> bits;  // (rows, words), 1 = known
    std::vector<T> greatest;          // of each row, without its sign; infinite if a cell is

    ImputeCells(const T* matrix, std::size_t rows, std::size_t columns)
        : matrix(matrix), rows(rows), columns(columns), words((columns + 63) / 64), bits(rows * words),
          greatest(rows) {}

    const std::uint64_t* row_bits(std::size_t row) const { return bits.data() + row * words; }
    const T* row_values(std::size_t row) const { return matrix + row * columns; }

    void mark_row(std::size_t row) {
        const T* value = row_values(row);
        T most = 0;
        for (std::size_t c = 0; c < columns; ++c) {
            if (std::isnan(value[c])) continue;
            bits[row * words + c / 64] |= std::uint64_t{1} << (c % 64);
            const T size = std::fabs(value[c]);
            most = size > most ? size : most;
        }
        greatest[row] = most;
    }

    T most() const {
        T most = 0;
        for (const T one : greatest) most = one > most ? one : most;
        return most;
    }
};

// The donors. Each part is filled by tasks that share nothing: rows, then words, then tiles.
template <class T>
struct ImputePlan : ImputeCells<T> {
    using Cells = ImputeCells<T>;
    using Cells::bits, Cells::columns, Cells::matrix, Cells::row_values, Cells::rows, Cells::words;

    // Beyond these exponents the scale itself would not be a normal number.
    static constexpr int most_scaled = std::numeric_limits<T>::max_exponent - 2;

    std::vector<std::int64_t> column_start;  // (columns + 1): where each column's rows start
    std::vector<std::int32_t> column_row;    // the rows that have a column, increasing
    std::vector<double> column_mean;         // 0 where a column has no row
    T scale = 1;                             // a power of two: scaled values are at most 2
    std::size_t donors, tiles;
    std::unique_ptr<T[]> tile_value;
    std::unique_ptr<std::uint8_t[]> tile_known;

    ImputePlan(const T* matrix, std::size_t rows, std::size_t columns, int donors)
        : Cells(matrix, rows, columns), column_start(columns + 1), column_mean(columns),
          donors(static_cast<std::size_t>(donors)), tiles((rows + donors - 1) / donors),
          tile_value(std::make_unique_for_overwrite<T[]>(tiles * columns * donors)),
          tile_known(std::make_unique_for_overwrite<std::uint8_t[]>(tiles * columns * donors)) {}

    ImputeTiles<T> data() const { return {tile_value.get(), tile_known.get(), tiles, columns}; }
    std::size_t known() const { return column_row.size(); }

    // How many rows have each of 64 columns.
    void count_word(std::size_t word) {
        for (std::size_t row = 0; row < rows; ++row)
            each_bit(bits[row * words + word], word * 64, [&](std::size_t c) { ++column_start[c + 1]; });
    }

    // After all rows and words: where columns start, and the scale for values of up to `most`.
    void finish_columns(T most) {
        for (std::size_t c = 0; c < columns; ++c) column_start[c + 1] += column_start[c];
        column_row.resize(static_cast<std::size_t>(column_start[columns]));
        if (most > 0)
            scale = std::ldexp(T{1}, std::min(most_scaled, std::max(-most_scaled, -std::ilogb(most) - 1)));
    }

    // The rows that have each of 64 columns, and the means of these columns.
    void list_word(std::size_t word) {
        std::int64_t next[64];
        const std::size_t first = word * 64, here = columns - first < 64 ? columns - first : 64;
        for (std::size_t c = 0; c < here; ++c) next[c] = column_start[first + c];
        for (std::size_t row = 0; row < rows; ++row)
            each_bit(bits[row * words + word], first, [&](std::size_t c) {
                column_row[static_cast<std::size_t>(next[c - first]++)] = static_cast<std::int32_t>(row);
                column_mean[c] += static_cast<double>(matrix[row * columns + c]);
            });
        for (std::size_t c = first; c < first + here; ++c)
            if (column_start[c + 1] > column_start[c])
                column_mean[c] /= static_cast<double>(column_start[c + 1] - column_start[c]);
    }

    void pack_tile(std::size_t tile) {
        const std::size_t from = tile * columns * donors;
        for (std::size_t d = 0; d < donors; ++d) {
            const std::size_t row = tile * donors + d;
            for (std::size_t c = 0; c < columns; ++c) {
                const T value = row < rows ? row_values(row)[c] : std::numeric_limits<T>::quiet_NaN();
                tile_value[from + c * donors + d] = value * scale;
                tile_known[from + c * donors + d] = !std::isnan(value);
            }
        }
    }
};

}  // namespace foretaste
