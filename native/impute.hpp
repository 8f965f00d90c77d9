// Distances of rows with missing cells: receivers against tiles of donors.
//
// A tile holds 4 vectors of donors, column by column, NaN where a cell is missing. Only the columns that the
// receiver has are walked. Cells in common are counted as bytes, a whole tile in one vector. The distances
// are float32 and serve as a filter; impute_row.hpp ranks what passes it exactly.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace foretaste::FORETASTE_ISA {

struct ImputeTile {
    using V = vec<float>;
    using Bytes = vec<std::uint8_t>;
    static constexpr int lanes = Vector<float>::lanes;
    static constexpr int parts = 4;
    static constexpr int donors = parts * lanes;
    static_assert(donors == Vector<std::uint8_t>::lanes, "the bytes of a tile fill one vector");

    V total[parts] = {}, common[parts] = {};

    // Up to 255 columns, so that a count fits into its byte.
    [[gnu::always_inline]] void add(const float* value, const std::uint8_t* known, const std::int32_t* column,
                                    const float* own, int columns) {
        Bytes count{};
        V sums[parts];
        for (int p = 0; p < parts; ++p) sums[p] = total[p];
        for (int c = 0; c < columns; ++c) {
            const std::size_t at = static_cast<std::size_t>(column[c]) * donors;
            count += load(known + at);
            for (int p = 0; p < parts; ++p) {
                V gap = own[c] - load(value + at + p * lanes);
                gap = gap == gap ? gap : V{};  // NaN, a missing cell, counts nothing
                sums[p] += gap * gap;
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
    [[gnu::always_inline]] void finish(float* out) const {
        const V none = V{} + __builtin_inff();
        for (int p = 0; p < parts; ++p) store(out + p * lanes, common[p] > 0 ? total[p] / common[p] : none);
    }
};

inline void impute_distances(const ImputeTiles& data, const ImputeReceivers& who, float* out) {
    constexpr int donors = ImputeTile::donors, most = 255;
    for (std::size_t t = 0; t < data.tiles; ++t) {
        const float* value = data.value + t * data.columns * donors;
        const std::uint8_t* known = data.known + t * data.columns * donors;
        for (int r = 0; r < who.count; ++r) {
            ImputeTile tile;
            for (std::int64_t from = who.starts[r]; from < who.starts[r + 1]; from += most) {
                const std::int64_t left = who.starts[r + 1] - from;
                tile.add(value, known, who.column + from, who.value + from, static_cast<int>(left < most ? left : most));
            }
            tile.finish(out + r * data.tiles * donors + t * donors);
        }
    }
}

}  // namespace foretaste::FORETASTE_ISA
