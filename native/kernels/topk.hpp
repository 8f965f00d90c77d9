// The best items of a block of users: scores in register tiles, and only what passes the user's least kept
// score is looked at further.
//
// A panel of items is packed factor by factor, so that it stays in the first cache while the block's users
// pass by, some at a time. A score is the item's bias and then its products in the order of the factors,
// whatever the position of user and item: the same bits in any block. A score that is no number, or minus
// infinity, is never among the best.
#pragma once

#include "runtime/kernels.hpp"
#include "runtime/simd.hpp"

namespace foretaste::FORETASTE_ISA {

struct TopkTile {
    using V = vec<float>;
    static constexpr int lanes = Vector<float>::lanes;
    static constexpr int users =
        FORETASTE_VECTOR_BYTES == 64 ? 8 : 4;  // with `parts`: what the registers hold
    static constexpr int parts = 3;
    static constexpr int items = parts * lanes;
};

// The best so far as a heap, the worst first: the lowest score, of equal ones the highest index.
struct TopkHeap {
    float* const score;
    std::int32_t* const item;

    bool worse(std::size_t a, float other, std::int32_t other_item) const {
        return score[a] < other || (score[a] == other && item[a] > other_item);
    }
    void put(std::size_t position, float value, std::int32_t which) const {
        score[position] = value, item[position] = which;
    }

    // Put one more where `size` are kept already.
    void add(std::size_t size, float value, std::int32_t which) const {
        std::size_t position = size;
        while (position > 0) {
            const std::size_t above = (position - 1) / 2;
            if (worse(above, value, which)) break;
            put(position, score[above], item[above]);
            position = above;
        }
        put(position, value, which);
    }

    // Put one in place of the worst of `size`.
    void replace(std::size_t size, float value, std::int32_t which) const {
        std::size_t position = 0;
        for (;;) {
            std::size_t below = 2 * position + 1;
            if (below >= size) break;
            if (below + 1 < size && worse(below + 1, score[below], item[below])) ++below;
            if (!worse(below, value, which)) break;
            put(position, score[below], item[below]);
            position = below;
        }
        put(position, value, which);
    }

    // Sort a heap, the best first.
    void sort(std::size_t size) const {
        for (std::size_t last = size; last-- > 1;) {
            const float worst = score[0];
            const std::int32_t which = item[0];
            replace(last, score[last], item[last]);
            put(last, worst, which);
        }
    }
};

inline void topk_pack(const TopkItems& items, std::size_t from, float* packed, float* bias) {
    constexpr std::size_t width = TopkTile::items;
    for (std::size_t j = 0; j < width; ++j) {
        const bool any = from + j < items.count;
        const std::int32_t item = any ? items.item[from + j] : 0;
        bias[j] = any ? items.bias[item] : -__builtin_inff();
        const float* const q = items.factors + static_cast<std::size_t>(item) * items.width;
        for (int k = 0; k < items.width; ++k) packed[k * width + j] = any ? q[k] : 0.0f;
    }
}

// Look at the scores of one user that passed; `lanes` has a bit for each.
[[gnu::noinline]] inline void topk_insert(const TopkItems& items, std::size_t from, const TopkUsers& users,
                                          std::size_t user, const float* score, std::uint64_t lanes) {
    const TopkHeap best{users.score + user * users.keep, users.item + user * users.keep};
    const std::uint64_t* const seen = users.seen == nullptr ? nullptr : users.seen + user * users.words;
    auto size = static_cast<std::size_t>(users.kept[user]);
    float least = users.least[user];
    for (; lanes != 0; lanes &= lanes - 1) {
        const int lane = __builtin_ctzll(lanes);
        if (!(score[lane] > least)) continue;
        const std::int32_t item = items.item[from + lane];
        if (seen != nullptr && (seen[item / 64] >> (item % 64) & 1) != 0) continue;
        if (size < users.keep) {
            best.add(size++, score[lane], item);
        } else {
            best.replace(size, score[lane], item);
        }
        if (size == users.keep) least = best.score[0];
    }
    users.kept[user] = static_cast<std::int32_t>(size);
    users.least[user] = least;
}

// Score the items [from, from + a panel) for all users of the block.
inline void topk_panel(const TopkItems& items, std::size_t from, const TopkUsers& users, float* packed) {
    using V = TopkTile::V;
    constexpr int rows = TopkTile::users, parts = TopkTile::parts, lanes = TopkTile::lanes,
                  width = TopkTile::items;
    alignas(64) float bias[width], scores[rows][width];
    topk_pack(items, from, packed, bias);
    const int factors = items.width;
    for (std::size_t first = 0; first < users.count; first += rows) {
        const float* const p = users.factors + first * static_cast<std::size_t>(factors);
        V sum[rows][parts];
        for (int r = 0; r < rows; ++r)
            for (int c = 0; c < parts; ++c) sum[r][c] = load(bias + c * lanes);
        for (int k = 0; k < factors; ++k) {
            V q[parts];
            for (int c = 0; c < parts; ++c) q[c] = load(packed + k * width + c * lanes);
#pragma GCC unroll 8
            for (int r = 0; r < rows; ++r) {
                const V x = broadcast(p[k * rows + r]);
#pragma GCC unroll 4
                for (int c = 0; c < parts; ++c) sum[r][c] += x * q[c];
            }
        }
        std::uint64_t passed[rows], any = 0;
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r) {
            const V least = broadcast(users.least[first + r]);
            passed[r] = 0;
#pragma GCC unroll 4
            for (int c = 0; c < parts; ++c)
                passed[r] |= std::uint64_t{above(sum[r][c], least)} << (c * lanes);
            any |= passed[r];
        }
        if (any == 0) continue;
#pragma GCC unroll 8
        for (int r = 0; r < rows; ++r)
            for (int c = 0; c < parts; ++c) store(scores[r] + c * lanes, sum[r][c]);
        for (int r = 0; r < rows; ++r)
            if (passed[r] != 0) topk_insert(items, from, users, first + r, scores[r], passed[r]);
    }
}

// The best of a row of scores that are known; returns how many there are. `item` names them, or null: their
// positions.
inline std::size_t topk_row(const float* row, const std::int32_t* item, std::size_t n, std::size_t keep,
                            float* score, std::int32_t* chosen) {
    using V = TopkTile::V;
    constexpr std::size_t lanes = TopkTile::lanes;
    const TopkHeap best{score, chosen};
    std::size_t size = 0;
    const auto consider = [&](std::size_t position) __attribute__((always_inline)) {
        const std::int32_t which = item == nullptr ? static_cast<std::int32_t>(position) : item[position];
        if (!(row[position] > -__builtin_inff())) return;
        if (size < keep) {
            best.add(size++, row[position], which);
        } else if (best.worse(0, row[position], which)) {
            best.replace(size, row[position], which);
        }
    };
    std::size_t position = 0;
    for (; position < n && size < keep; ++position) consider(position);
    for (; position + lanes <= n; position += lanes) {
        const V least = broadcast(score[0]);
        const V value = load(row + position);
        if ((above(value, least) | (item == nullptr ? 0 : equal(value, least))) == 0) continue;
        for (std::size_t lane = 0; lane < lanes; ++lane) consider(position + lane);
    }
    for (; position < n; ++position) consider(position);
    best.sort(size);
    return size;
}

inline void topk_sort(float* score, std::int32_t* item, std::size_t size) {
    TopkHeap{score, item}.sort(size);
}

}  // namespace foretaste::FORETASTE_ISA
