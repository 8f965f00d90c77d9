// Small symmetric systems: sums of outer products, Cholesky factorization and solving, without BLAS.
//
// Everything is a product of a tall left matrix, transposed, and a tall right one, computed in tiles that
// stay in registers: ROWS numbers of the left times up to VECTORS vectors of the right. Only tiles on and
// above the diagonal are computed. What lies below the diagonal in a tile that crosses it is never read.
#pragma once

#include "runtime/simd.hpp"

namespace foretaste::FORETASTE_ISA {

struct Gram {
    static constexpr int lanes = Vector<float>::lanes;
    static constexpr int rows =
        lanes == 16 ? 8 : 4;  // of a tile: with 3 vectors and their sums, all registers

    static constexpr float pivot_tolerance =
        4e-7f;  // a pivot this small beside its diagonal is rounding and no number

    static constexpr int padded(int n) { return (n + lanes - 1) / lanes * lanes; }

    // out (ROWS x VECTORS) += (or -=) left' right, summed over `depth` rows. Sums start at 0, so that many of
    // them added to `out` are more exact than one long one.
    template <int ROWS, int VECTORS, bool SUBTRACT>
    [[gnu::always_inline]] static void tile(float* out, std::size_t out_stride, const float* left,
                                            std::size_t left_stride, const float* right,
                                            std::size_t right_stride, int depth) {
        vec<float> sums[ROWS][VECTORS] = {};
        for (int t = 0; t < depth; ++t, left += left_stride, right += right_stride) {
            vec<float> across[VECTORS];
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; ++v) across[v] = load(right + v * lanes);
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; ++r) {
                const vec<float> down = broadcast(left[r]);
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; ++v) sums[r][v] += down * across[v];
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < ROWS; ++r)
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; ++v) {
                float* const cell = out + r * out_stride + v * lanes;
                store(cell, SUBTRACT ? load(cell) - sums[r][v] : load(cell) + sums[r][v]);
            }
    }

    // ROWS rows of out, columns [from, to) (whole vectors) += (or -=) left' right.
    template <int ROWS, bool SUBTRACT>
    static void band(float* out, std::size_t out_stride, const float* left, std::size_t left_stride,
                     const float* right, std::size_t right_stride, int from, int to, int depth) {
        for (int c = from; c < to;) {
            const int vectors = (to - c) / lanes;
            if (vectors == 3 || vectors >= 5) {
                tile<ROWS, 3, SUBTRACT>(out + c, out_stride, left, left_stride, right + c, right_stride,
                                        depth);
                c += 3 * lanes;
            } else if (vectors >= 2) {
                tile<ROWS, 2, SUBTRACT>(out + c, out_stride, left, left_stride, right + c, right_stride,
                                        depth);
                c += 2 * lanes;
            } else {
                tile<ROWS, 1, SUBTRACT>(out + c, out_stride, left, left_stride, right + c, right_stride,
                                        depth);
                c += lanes;
            }
        }
    }

    // Upper triangle of gram (width, width) += x' x, where x is (depth, width) and width whole vectors.
    static void add_products(float* gram, const float* x, int width, int depth) {
        for (int i = 0; i < width; i += rows) {
            const int from = i / lanes * lanes;
            if (rows < lanes && from + lanes == width &&
                i == from) {  // the last square: one vector of many rows
                tile<lanes, 1, false>(gram + i * width + from, width, x + i, width, x + from, width, depth);
                break;
            }
            band<rows, false>(gram + i * width, width, x + i, width, x, width, from, width, depth);
        }
    }

    // Factorize the symmetric matrix in the upper triangle of gram = U' U in place; `inverse` gets 1 /
    // U[j][j]. A pivot that is lost in rounding (the matrix is singular, or nearly) counts as 0: its unknown
    // will be 0.
    static void factorize(float* gram, float* inverse, int width) {
        for (int i = 0; i < width; ++i) inverse[i] = pivot_tolerance * gram[i * width + i];
        for (int i = 0; i < width; i += rows) {
            const int from = i / lanes * lanes;
            float* const block = gram + i * width;
            if (i > 0) band<rows, true>(block, width, gram + i, width, gram, width, from, width, i);
            float corner[rows][rows];  // of U
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
                for (int c = r; c < rows; ++c) corner[r][c] = block[r * width + i + c];
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) {
                const float pivot = corner[r][r];
                const float scale = pivot > inverse[i + r] ? 1 / __builtin_sqrtf(pivot) : 0;
                inverse[i + r] = scale;
#pragma GCC unroll 8
                for (int c = r; c < rows; ++c) corner[r][c] *= scale;
#pragma GCC unroll 8
                for (int below = r + 1; below < rows; ++below)
#pragma GCC unroll 8
                    for (int c = below; c < rows; ++c) corner[below][c] -= corner[r][below] * corner[r][c];
            }
            for (int c = from; c < width; c += lanes) {
                vec<float> across[rows];
#pragma GCC unroll 8
                for (int r = 0; r < rows; ++r) {
                    across[r] = load(block + r * width + c);
#pragma GCC unroll 8
                    for (int above = 0; above < r; ++above) across[r] -= corner[above][r] * across[above];
                    across[r] *= inverse[i + r];
                    store(block + r * width + c, across[r]);
                }
            }
        }
    }

    // Solve U' y = b for COUNT right sides, each `width` long, one behind the other; b is used up.
    template <int COUNT>
    static void forward(const float* factor, const float* inverse, float* b, float* y, int width) {
        for (int i = 0; i < width; i += rows) {
            const float* const block = factor + i * width;
            float solved[COUNT][rows];
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r)
                for (int k = 0; k < COUNT; ++k) {
                    float rest = b[k * width + i + r];
#pragma GCC unroll 8
                    for (int above = 0; above < r; ++above)
                        rest -= block[above * width + i + r] * solved[k][above];
                    y[k * width + i + r] = solved[k][r] = rest * inverse[i + r];
                }
            for (int c = i / lanes * lanes; c < width; c += lanes)
                for (int k = 0; k < COUNT; ++k) {
                    vec<float> rest = load(b + k * width + c);
#pragma GCC unroll 8
                    for (int r = 0; r < rows; ++r) rest -= solved[k][r] * load(block + r * width + c);
                    store(b + k * width + c, rest);
                }
        }
    }

    // Solve U x = y.
    static void backward(const float* factor, const float* inverse, const float* y, float* x, int width) {
        for (int c = 0; c < width; c += lanes) store(x + c, vec<float>{});
        for (int i = width - rows; i >= 0; i -= rows) {
            const float* const block = factor + i * width;
            vec<float> sums[rows] = {};
            for (int c = i / lanes * lanes; c < width; c += lanes) {
                const vec<float> known = load(x + c);  // 0 where not solved yet
                for (int r = 0; r < rows; ++r) sums[r] += load(block + r * width + c) * known;
            }
            float rest[rows];
            for (int r = 0; r < rows; ++r) rest[r] = y[i + r] - sum<float>(sums[r]);
            for (int r = rows - 1; r >= 0; --r) {
                const float solved = rest[r] * inverse[i + r];
                x[i + r] = solved;
                for (int above = 0; above < r; ++above) rest[above] -= block[above * width + i + r] * solved;
            }
        }
    }
};

}  // namespace foretaste::FORETASTE_ISA
