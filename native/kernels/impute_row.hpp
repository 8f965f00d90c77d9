// Filling the missing cells of one row from its nearest donors.
//
// The kernel's distances only choose which donors are looked at; those are ranked by float64 distances summed
// from column to column, equal ones by their row. A kernel's distance lies within a factor 1 +- slack of that
// one, so donors are taken only up to a distance that no donor still unseen can be below.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/impute_plan.hpp"

namespace foretaste {

struct Donor {
    double distance;  // mean squared difference over the cells in common, of scaled values
    std::int32_t row;

    bool operator<(const Donor& other) const {
        return distance != other.distance ? distance < other.distance : row < other.row;
    }
};

// Rows looked at together: mostly none of them lies in a ring.
template <class T>
struct RowBlock {
    static constexpr std::size_t rows = 64 / sizeof(T);
    typedef T part_t __attribute__((vector_size(16)));

    static bool any(const T* near, T above, T until) {
        part_t part[4];
        std::memcpy(part, near, sizeof part);
        const auto inside = [&](const part_t& p) { return (p > above) & (p <= until); };
        const auto found = inside(part[0]) | inside(part[1]) | inside(part[2]) | inside(part[3]);
        std::uint64_t halves[2];
        std::memcpy(halves, &found, sizeof halves);
        return (halves[0] | halves[1]) != 0;
    }
};

// The scratch memory of one thread, and what it does with a row.
template <class T>
class ImputeRow {
   public:
    ImputeRow(const ImputePlan<T>& plan, int neighbors, bool by_distance)
        : plan_(plan), neighbors_(neighbors), by_distance_(by_distance), open_bits_(plan.words),
          cell_(plan.columns), near_(plan.rows), found_(plan.rows), sorted_(plan.rows) {}

    // `near` holds the distances of all donors to a row, or is null if it has no known cell or all.
    void fill(const ImputeCells<T>& receivers, std::size_t row, const T* near, T* out) {
        start(receivers, row);
        if (near != nullptr) {
            walk(near);
            for (std::size_t w = 0; w < plan_.words; ++w)
                each_bit(open_bits_[w], w * 64, [&](std::size_t column) { search_column(column, near); });
        }
        for (std::size_t c = 0; c < plan_.columns; ++c) {
            const Cell& cell = cell_[c];
            out[c] = !std::isnan(own_[c])
                         ? own_[c]
                         : static_cast<T>(cell.count ? cell.sum / cell.weight : plan_.column_mean[c]);
        }
    }

   private:
    struct Cell {
        double sum = 0, weight = 0;
        int count = 0;
        bool same = false;  // a donor at distance 0 gave: only such donors count
    };

    static constexpr T all = std::numeric_limits<T>::max();
    static constexpr double tiny =
        sizeof(T) == 4 ? 1e-37 : 1e-300;  // below this T loses digits; values are at most 2

    const ImputePlan<T>& plan_;
    const int neighbors_;
    const bool by_distance_;
    const T* own_ = nullptr;
    const std::uint64_t* own_bits_ = nullptr;
    std::size_t open_columns_ = 0;  // columns that still need donors
    double slack_ = 0;
    std::vector<std::uint64_t> open_bits_;
    std::vector<Cell> cell_;
    std::vector<T> near_;
    std::vector<std::int32_t> found_, sorted_;
    std::vector<std::size_t> bucket_;
    std::vector<Donor> waiting_;

    void start(const ImputeCells<T>& receivers, std::size_t row) {
        own_ = receivers.row_values(row);
        own_bits_ = receivers.row_bits(row);
        std::size_t known = 0;
        for (std::size_t w = 0; w < plan_.words; ++w) {
            known += static_cast<std::size_t>(std::popcount(own_bits_[w]));
            open_bits_[w] = ~own_bits_[w];
        }
        if (plan_.columns % 64 != 0) open_bits_.back() &= (std::uint64_t{1} << (plan_.columns % 64)) - 1;
        open_columns_ = plan_.columns - known;
        // Four times the bound of rounding; twice, where what it is compared with is rounded as much.
        slack_ = static_cast<double>(known + 16) * std::ldexp(1.0, 2 - std::numeric_limits<T>::digits);
        std::fill(cell_.begin(), cell_.end(), Cell{});
    }

    Donor exact(std::int32_t row) const {
        const std::uint64_t* bits = plan_.row_bits(static_cast<std::size_t>(row));
        const T* value = plan_.row_values(static_cast<std::size_t>(row));
        const auto scale = static_cast<double>(plan_.scale);
        double total = 0;
        int common = 0;
        for (std::size_t w = 0; w < plan_.words; ++w)
            each_bit(own_bits_[w] & bits[w], w * 64, [&](std::size_t c) {
                const double difference =
                    static_cast<double>(own_[c]) * scale - static_cast<double>(value[c]) * scale;
                total += difference * difference;
                ++common;
            });
        return {total / common, row};
    }

    // Give the donor's value to a column; true if that was the last one needed.
    bool add_donor(std::size_t column, const Donor& donor, double weight) {
        Cell& cell = cell_[column];
        if (by_distance_ && donor.distance == 0) cell.same = true;
        if (!cell.same || donor.distance == 0) {
            cell.sum +=
                weight * static_cast<double>(plan_.row_values(static_cast<std::size_t>(donor.row))[column]);
            cell.weight += weight;
        }
        return ++cell.count == neighbors_;
    }

    double weight_of(const Donor& donor) const {
        return by_distance_ && donor.distance > 0 ? 1 / std::sqrt(donor.distance) : 1;
    }

    bool needed(std::int32_t row) const {
        const std::uint64_t* bits = plan_.row_bits(static_cast<std::size_t>(row));
        std::uint64_t any = 0;
        for (std::size_t w = 0; w < plan_.words; ++w) any |= bits[w] & open_bits_[w];
        return any != 0;
    }

    // Give the donor's values to every column that needs them.
    void add_to_open_columns(const Donor& donor) {
        const std::uint64_t* bits = plan_.row_bits(static_cast<std::size_t>(donor.row));
        const double weight = weight_of(donor);
        for (std::size_t w = 0; w < plan_.words; ++w)
            each_bit(bits[w] & open_bits_[w], w * 64, [&](std::size_t c) {
                if (!add_donor(c, donor, weight)) return;
                open_bits_[w] &= ~(std::uint64_t{1} << (c % 64));
                --open_columns_;
            });
    }

    // Serve the columns from the nearest donors outwards, in rings of growing size, until so few columns are
    // left that to search each of them is quicker. The sizes decide how long it takes, never what comes out.
    void walk(const T* near) {
        const double filled =
            static_cast<double>(plan_.known()) / static_cast<double>(plan_.rows * plan_.columns);
        const std::size_t stride = plan_.rows / 512 + 1;
        std::size_t sampled = 0;
        for (std::size_t row = 0; row < plan_.rows; row += stride) near_[sampled++] = near[row];
        waiting_.clear();
        T seen = -1;
        for (double wanted = 32 + 6.0 * neighbors_ / filled; open_columns_ > 0 && seen < all; wanted *= 4) {
            const T within = reach(static_cast<std::size_t>(wanted / static_cast<double>(stride)), sampled);
            if (within <= seen) continue;
            walk_ring(near, seen, within);
            seen = within;
            if (rows_to_search() < plan_.rows / 2) break;
        }
    }

    // The distance of this position among the sampled ones.
    T reach(std::size_t position, std::size_t sampled) {
        if (2 * position > sampled) return all;
        std::nth_element(near_.begin(), near_.begin() + position, near_.begin() + sampled);
        return std::min(all, near_[position]);
    }

    std::size_t rows_to_search() const {
        std::int64_t rows = 0;
        for (std::size_t w = 0; w < plan_.words; ++w)
            each_bit(open_bits_[w], w * 64,
                     [&](std::size_t c) { rows += plan_.column_start[c + 1] - plan_.column_start[c]; });
        return static_cast<std::size_t>(rows);
    }

    // Serve from the donors whose distance by the kernel is above `seen` and at most `within`.
    void walk_ring(const T* near, T seen, T within) {
        const double width = sort_into_buckets(near, seen, within);
        const std::size_t buckets = bucket_.size() - 1;
        for (std::size_t b = 0; b < buckets && open_columns_ > 0; ++b) {
            for (std::size_t i = bucket_[b]; i < bucket_[b + 1] && open_columns_ > 0; ++i)
                if (needed(sorted_[i])) offer(exact(sorted_[i]));
            std::sort(waiting_.begin(), waiting_.end());
            const bool last = b + 1 == buckets;
            const double unseen = last ? within : std::max(T{0}, seen) + static_cast<double>(b + 1) * width;
            const double until = last && within == all ? std::numeric_limits<double>::infinity()
                                                       : unseen * (1 - slack_) - tiny;
            auto next = waiting_.begin();
            while (open_columns_ > 0 && next != waiting_.end() && next->distance < until)
                add_to_open_columns(*next++);
            waiting_.erase(waiting_.begin(), next);
        }
    }

    // Nothing comes before a donor at distance 0 but those of lower rows, which stand before it in the first
    // bucket: it need not wait. (So equal rows, be there ever so many, cost little.)
    void offer(const Donor& donor) {
        if (donor.distance == 0) {
            add_to_open_columns(donor);
        } else {
            waiting_.push_back(donor);
        }
    }

    // Put the donors of a ring into buckets of increasing distance; returns the width of a bucket.
    double sort_into_buckets(const T* near, T seen, T within) {
        std::size_t n = 0;
        for (std::size_t from = 0; from < plan_.rows; from += RowBlock<T>::rows) {
            const std::size_t to = std::min(from + RowBlock<T>::rows, plan_.rows);
            if (to - from == RowBlock<T>::rows && !RowBlock<T>::any(near + from, seen, within)) continue;
            for (std::size_t row = from; row < to; ++row) {
                found_[n] = static_cast<std::int32_t>(row);
                n += static_cast<std::size_t>((near[row] <= within) & (near[row] > seen));
            }
        }
        T top = 0;
        for (std::size_t i = 0; i < n; ++i) top = std::max(top, near[found_[i]]);
        const T low = std::max(T{0}, seen);
        const std::size_t buckets = std::min<std::size_t>(n / 16 + 1, 1024);
        const double width = (static_cast<double>(top) - low) / static_cast<double>(buckets);
        const double factor = width > 0 ? 1 / width : 0;
        const auto bucket_of = [&](std::int32_t row) {
            const double position = (static_cast<double>(near[row]) - low) * factor;
            return std::min(buckets - 1, static_cast<std::size_t>(position));
        };
        bucket_.assign(buckets + 1, 0);
        for (std::size_t i = 0; i < n; ++i) ++bucket_[bucket_of(found_[i]) + 1];
        for (std::size_t b = 0; b < buckets; ++b) bucket_[b + 1] += bucket_[b];
        for (std::size_t i = 0; i < n; ++i) sorted_[bucket_[bucket_of(found_[i])]++] = found_[i];
        for (std::size_t b = buckets; b > 0; --b) bucket_[b] = bucket_[b - 1];
        bucket_[0] = 0;
        return std::max(0.0, width);
    }

    // Serve one column that the walk left short, from all rows that have it.
    void search_column(std::size_t column, const T* near) {
        std::size_t n = 0;
        const std::int32_t* rows = plan_.column_row.data();
        const auto from = plan_.column_start[column], to = plan_.column_start[column + 1];
        for (auto i = from; i < to; ++i) {
            near_[n] = near[rows[i]];
            n += near_[n] <= all;
        }
        auto until = static_cast<double>(all);
        const auto wanted = static_cast<std::size_t>(neighbors_);
        if (n > wanted) {
            std::nth_element(near_.begin(), near_.begin() + (wanted - 1), near_.begin() + n);
            until = static_cast<double>(near_[wanted - 1]) * (1 + slack_) + tiny;
        }
        waiting_.clear();
        for (auto i = from; i < to; ++i)
            if (static_cast<double>(near[rows[i]]) <= until) waiting_.push_back(exact(rows[i]));
        const auto chosen = waiting_.begin() + static_cast<std::ptrdiff_t>(std::min(wanted, waiting_.size()));
        std::partial_sort(waiting_.begin(), chosen, waiting_.end());
        cell_[column] = Cell{};
        for (auto donor = waiting_.begin(); donor != chosen; ++donor)
            add_donor(column, *donor, weight_of(*donor));
    }
};

}  // namespace foretaste
