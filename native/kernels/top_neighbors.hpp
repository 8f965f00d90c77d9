// From sums to similarities, the most alike rows of each row, and ratings predicted from them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "kernels/pair_sums.hpp"

namespace foretaste {

struct SimilarityRules {
    double shrinkage;     // n columns in common count as (n - 1) / (n - 1 + shrinkage); 0 is off
    double min_support;   // fewer columns in common are none
    double significance;  // fewer columns in common count in proportion; 0 is off
    bool negative;        // keep opposite rows, too: the greatest in size
    bool as_computed;     // rank by every bit, and take the slightest similarity for one

    double operator()(double similarity, double common) const {
        if (common < min_support || !std::isfinite(similarity)) return 0;
        if (!as_computed && std::fabs(similarity) < 1e-9) return 0;  // what rounding leaves of 0
        if (shrinkage > 0) similarity *= (common - 1) / (common - 1 + shrinkage);
        if (common < significance) similarity *= common / significance;
        if (similarity < 0 && !negative) return 0;
        return as_computed ? similarity : rounded(similarity);
    }

   private:
    // Keep 40 bits of the fraction, so that what is equal but for rounding is equal.
    static double rounded(double value) {
        std::uint64_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        bits = (bits + 0x800) & ~std::uint64_t{0xFFF};
        std::memcpy(&value, &bits, sizeof bits);
        return value;
    }
};

// The similarity of two rows by the columns in common and the norms of all their entries.
struct Norms {
    double own, other;  // inverse
};

inline double similarity_of(const ProductSums& s, const Norms& inverse) {
    return s.product * (inverse.own * inverse.other);
}
inline double similarity_of(const CountedSums& s, const Norms& inverse) {
    return s.product * (inverse.own * inverse.other);
}
inline double similarity_of(const CosineSums& s, const Norms&) {
    const double norms = s.norms();
    return norms > 0 ? s.product / norms : 0;
}
inline double similarity_of(const PearsonSums& s, const Norms&) {
    constexpr double rounding = 1e-12;  // a spread that rounding alone can leave
    const double own = s.own_variance(), other = s.other_variance();
    if (own <= rounding * s.common * s.own_square || other <= rounding * s.common * s.other_square) return 0;
    return s.covariance() / std::sqrt(own * other);
}
inline double similarity_of(const MsdSums& s, const Norms&) { return s.similarity(); }

inline double columns_of(const ProductSums&) { return std::numeric_limits<double>::infinity(); }
template <class Sums>
double columns_of(const Sums& s) {
    return s.common;
}

struct Candidate {
    double similarity;
    std::int32_t row;
};

// The more alike comes first, of equal ones the lower row.
inline bool better(const Candidate& a, const Candidate& b) {
    const double one = std::fabs(a.similarity), other = std::fabs(b.similarity);
    return one != other ? one > other : a.row < b.row;
}

// Leave the best, in any order.
inline std::size_t choose_best(Candidate* found, std::size_t count, std::size_t keep) {
    if (count <= keep) return count;
    std::nth_element(found, found + keep, found + count, better);
    return keep;
}

// The best candidates of every row that one thread has met. They gather until there are half as many again as
// are kept; then the worst are dropped, which costs less than a heap where many are kept.
class NeighborCandidates {
   public:
    NeighborCandidates(std::size_t rows, std::size_t keep)
        : keep_(keep), capacity_(capacity(keep)), candidate_(new Candidate[rows * capacity_]), count_(rows),
          worst_(rows) {}

    static std::size_t capacity(std::size_t keep) { return keep + keep / 2 + 8; }

    // Whether no candidate up to this size can be among the best.
    bool cannot_enter(std::size_t row, double size) const { return size < worst_[row]; }

    void offer(std::size_t row, const Candidate& candidate) {
        if (cannot_enter(row, std::fabs(candidate.similarity))) return;
        Candidate* const found = candidate_.get() + row * capacity_;
        std::size_t& count = count_[row];
        found[count++] = candidate;
        if (count < capacity_) return;
        count = choose_best(found, count, keep_);
        double worst = std::fabs(found[0].similarity);
        for (std::size_t k = 1; k < count; ++k) worst = std::min(worst, std::fabs(found[k].similarity));
        worst_[row] = worst;
    }

    const Candidate* begin(std::size_t row) const { return candidate_.get() + row * capacity_; }
    const Candidate* end(std::size_t row) const { return begin(row) + count_[row]; }

   private:
    const std::size_t keep_, capacity_;
    std::unique_ptr<Candidate[]> candidate_;
    std::vector<std::size_t> count_;
    std::vector<double> worst_;  // of those kept at the last choice
};

// Sort the best to the front and drop the rest.
inline void keep_best(std::vector<Candidate>& found, std::size_t keep) {
    found.resize(choose_best(found.data(), found.size(), keep));
    std::sort(found.begin(), found.end(), better);
}

// The most alike rows of each row, the most alike first, as lists one behind another.
struct NeighborLists {
    const std::int64_t* start;  // (rows + 1)
    const std::int32_t* other;
    const float* similarity;
};

// The rows that have an entry in each column, and what they have there.
struct ColumnLists {
    const std::int64_t* start;  // (columns + 1)
    const std::int32_t* row;
    const float* value;
};

// What a row is predicted to have in a column: the mean of its nearest rows there, weighted by similarity.
class NeighborMean {
   public:
    NeighborMean(const NeighborLists& lists, const ColumnLists& columns, std::size_t rows,
                 std::size_t neighbors, std::size_t min_neighbors, double damping)
        : lists_(lists), columns_(columns), neighbors_(neighbors), min_neighbors_(min_neighbors),
          damping_(damping), value_(rows, std::numeric_limits<float>::quiet_NaN()) {}

    ~NeighborMean() = default;
    NeighborMean(const NeighborMean&) = delete;
    NeighborMean& operator=(const NeighborMean&) = delete;

    // Spread a column out over the rows; the one before is taken back.
    void open(std::int32_t column) {
        if (column == open_) return;
        close();
        for (std::int64_t e = columns_.start[column]; e < columns_.start[column + 1]; ++e)
            value_[columns_.row[e]] = columns_.value[e];
        open_ = column;
    }

    void close() {
        if (open_ < 0) return;
        for (std::int64_t e = columns_.start[open_]; e < columns_.start[open_ + 1]; ++e)
            value_[columns_.row[e]] = std::numeric_limits<float>::quiet_NaN();
        open_ = -1;
    }

    // The mean in the open column; use(row, similarity, value) is called for each neighbor that counts.
    template <class Use>
    double compute(std::int32_t row, double& weight, Use use) const {
        double total = 0;
        std::size_t count = 0;
        weight = damping_;
        const std::int64_t end = lists_.start[row + 1];
        for (std::int64_t e = lists_.start[row]; e < end && count < neighbors_; ++e) {
            const float value = value_[lists_.other[e]];
            if (std::isnan(value)) continue;
            const auto similarity = static_cast<double>(lists_.similarity[e]);
            total += similarity * static_cast<double>(value);
            weight += std::fabs(similarity);
            ++count;
            use(lists_.other[e], similarity, value);
        }
        return count >= min_neighbors_ && count > 0 ? total / weight : 0;
    }

   private:
    const NeighborLists lists_;
    const ColumnLists columns_;
    const std::size_t neighbors_, min_neighbors_;
    const double damping_;
    std::vector<float> value_;  // of the open column, NaN = none
    std::int32_t open_ = -1;
};

}  // namespace foretaste
