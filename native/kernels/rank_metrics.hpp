// Figures of ranked lists, concordant pairs, and the means of resampled rows; they need no vector
// instructions.
//
// Every sum runs in a fixed order inside one row or one resample, so that threads never change a bit.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace foretaste {

// Columns of what is computed for one list.
enum RankColumn { rank_precision, rank_recall, rank_ndcg, rank_average_precision, rank_reciprocal, rank_hit };
inline constexpr std::size_t rank_columns = 6;

// Which entries are wrong: an item twice in a list, or twice among the relevant ones of a row.
enum class RankFault { none, list, relevant };

// What one thread needs: the position of each item in the list at work, and the gains of the relevant ones.
class RankRow {
   public:
    RankRow(std::size_t items, std::size_t n) : position_(items, absent), gain_(n), found_(n) {
        discount_.resize(n);
        for (std::size_t rank = 0; rank < n; ++rank)
            discount_[rank] = 1 / std::log2(static_cast<double>(rank) + 2);
    }

    // list: n items, the best first, -1 where it has ended. item, gain: the `count` relevant ones; no gain is
    // 1 each. Writes rank_columns figures; the average precision is divided by min(count, most).
    RankFault measure(const std::int32_t* list, std::size_t n, const std::int32_t* item, const double* gain,
                      std::size_t count, std::size_t most, double* out) {
        std::size_t length = 0;
        RankFault fault = RankFault::none;
        for (; length < n && list[length] >= 0; ++length) {
            if (position_[list[length]] != absent) fault = RankFault::list;
            position_[list[length]] = static_cast<std::int32_t>(length);
        }
        std::fill(found_.begin(), found_.end(), false);
        best_.clear();
        for (std::size_t k = 0; k < count; ++k) {
            std::int32_t& position = position_[item[k]];
            if (position <= taken) fault = fault == RankFault::none ? RankFault::relevant : fault;
            const double one = gain == nullptr ? 1 : gain[k];
            if (position >= 0)
                found_[static_cast<std::size_t>(position)] = true,
                gain_[static_cast<std::size_t>(position)] = one;
            position = taken;
            if (gain != nullptr) best_.push_back(one);
        }
        for (std::size_t rank = 0; rank < length; ++rank) position_[list[rank]] = absent;
        for (std::size_t k = 0; k < count; ++k) position_[item[k]] = absent;
        if (fault == RankFault::none) write(n, length, count, most, gain == nullptr, out);
        return fault;
    }

   private:
    static constexpr std::int32_t absent = -1, taken = -2;

    void write(std::size_t n, std::size_t length, std::size_t count, std::size_t most, bool equal,
               double* out) {
        double hits = 0, precisions = 0, gained = 0, first = 0;
        for (std::size_t rank = 0; rank < length; ++rank) {
            if (!found_[rank]) continue;
            hits += 1;
            precisions += hits / static_cast<double>(rank + 1);
            gained += gain_[rank] * discount_[rank];
            if (first == 0) first = 1 / static_cast<double>(rank + 1);
        }
        const std::size_t reach = std::min(n, count);
        double ideal = 0;
        if (!equal)
            std::partial_sort(best_.begin(), best_.begin() + static_cast<std::ptrdiff_t>(reach), best_.end(),
                              [](double a, double b) { return a > b; });
        for (std::size_t rank = 0; rank < reach; ++rank) ideal += (equal ? 1 : best_[rank]) * discount_[rank];
        const auto all = static_cast<double>(count);
        out[rank_precision] = hits / static_cast<double>(n);
        out[rank_recall] = count == 0 ? 0 : hits / all;
        out[rank_ndcg] = ideal > 0 ? gained / ideal : 0;
        out[rank_average_precision] =
            count == 0 ? 0 : precisions / static_cast<double>(std::min(count, most));
        out[rank_reciprocal] = first;
        out[rank_hit] = hits > 0 ? 1 : 0;
    }

    std::vector<std::int32_t> position_;
    std::vector<double> gain_, discount_, best_;
    std::vector<char> found_;
};

// Pairs of rows [from, to) with different true values, whose predictions stand in the same order or not.
inline std::pair<std::int64_t, std::int64_t> concordant_pairs(const double* truth, const double* guess,
                                                              std::int64_t from, std::int64_t to) {
    std::int64_t same = 0, other = 0;
    for (std::int64_t i = from; i < to; ++i) {
        std::int64_t in_order = 0, not_in_order = 0;
        for (std::int64_t j = i + 1; j < to;
             ++j) {  // compared, not subtracted: NaN stands in no order at all
            const bool above = truth[i] > truth[j], below = truth[i] < truth[j];
            in_order += (above & (guess[i] > guess[j])) | (below & (guess[i] < guess[j]));
            not_in_order += (above & (guess[i] <= guess[j])) | (below & (guess[i] >= guess[j]));
        }
        same += in_order;
        other += not_in_order;
    }
    return {same, other};
}

// The next of the random numbers of splitmix64 (Steele, Lea and Flood 2014).
inline std::uint64_t split_mix(std::uint64_t& state) {
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// The mean of `rows` rows drawn with replacement from a table; `draw` and `seed` choose which, nothing else
// does.
inline void resampled_mean(const double* table, std::size_t rows, std::size_t columns, std::uint64_t seed,
                           std::uint64_t draw, double* out) {
    std::uint64_t state = seed;
    state = split_mix(state) ^ (draw * 0xd1342543de82ef95u);
    std::fill_n(out, columns, 0.0);
    for (std::size_t k = 0; k < rows; ++k) {
        // Fewer than 2^32 rows: the upper half times the number of rows is as good as even.
        const auto row = static_cast<std::size_t>(((split_mix(state) >> 32) * rows) >> 32);
        for (std::size_t c = 0; c < columns; ++c) out[c] += table[row * columns + c];
    }
    for (std::size_t c = 0; c < columns; ++c) out[c] /= static_cast<double>(rows);
}

}  // namespace foretaste
