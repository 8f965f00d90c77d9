// Distances of rows with missing cells: receivers against tiles of donors.
//
// A tile holds 4 vectors of float32 donors, or 8 of float64 ones, column by column, NaN where a cell is
// missing. Only the columns that the receiver has are walked. Cells in common are counted as bytes, a whole
// tile in one vector. The distances are of the cells' own type, summed in an order of the instruction set's,
// and serve as a filter; kernels/impute_row.hpp ranks what passes it in one order for all.
#pragma once

#include "runtime/kernels.hpp"
#include "runtime/simd.hpp"

namespace foretaste::FORETASTE_ISA {

template <class T>
struct ImputeTile {
    using V = vec<T>;
    using Bytes = vec<std::uint8_t>;
    static constexpr int lanes = Vector<T>::lanes;
    static constexpr int parts = sizeof(T);
    static constexpr int donors = parts * lanes;
    static_assert(donors == Vector<std::uint8_t>::lanes, "the bytes of a tile fill one vector");

    V total[parts] = {}, common[parts] = {};

    // Up to 255 columns, so that a count fits into its byte.
    [[gnu::always_inline]] void add(const T* value, const std::uint8_t* known, const std::int32_t* column,
                                    const T* own, int columns) {
        Bytes count{};
        V sums[parts];
        for (int p = 0; p < parts; ++p) sums[p] = total[p];
        for (int c = 0; c < columns; ++c) {
            const std::size_t at = static_cast<std::size_t>(column[c]) * donors;
            count += load(known + at);
            for (int p = 0; p < parts; ++p) {
                V difference = own[c] - load(value + at + p * lanes);
                difference =
                    difference == difference ? difference : V{};  // NaN, a missing cell, counts nothing
                sums[p] += difference * difference;
            }
        }
        for (int p = 0; p < parts; ++p) total[p] = sums[p];
        typedef std::uint8_t part_t __attribute__((vector_size(lanes)));
        for (int p = 0; p < parts; ++p) {
            part_t part;
            std::memcpy(&part, reinterpret_cast<const char*>(&count) + p * lanes, sizeof part);
            common[p] += __builtin_convertvector(part, V);
        }
    }

    // The mean squared difference of each donor; infinity where nothing is in common.
    [[gnu::always_inline]] void finish(T* out) const {
        const V none = V{} + static_cast<T>(__builtin_inf());
        for (int p = 0; p < parts; ++p) store(out + p * lanes, common[p] > 0 ? total[p] / common[p] : none);
    }
};

template <class T>
inline void impute_distances(const ImputeTiles<T>& data, const ImputeReceivers<T>& receivers, T* out) {
    constexpr int donors = ImputeTile<T>::donors, most = 255;
    for (std::size_t t = 0; t < data.tiles; ++t) {
        const T* value = data.value + t * data.columns * donors;
        const std::uint8_t* known = data.known + t * data.columns * donors;
        for (int r = 0; r < receivers.count; ++r) {
            ImputeTile<T> tile;
            for (std::int64_t from = receivers.starts[r]; from < receivers.starts[r + 1]; from += most) {
                const std::int64_t left = receivers.starts[r + 1] - from;
                tile.add(value, known, receivers.column + from, receivers.value + from,
                         static_cast<int>(left < most ? left : most));
            }
            tile.finish(out + r * data.tiles * donors + t * donors);
        }
    }
}

}  // namespace foretaste::FORETASTE_ISA
