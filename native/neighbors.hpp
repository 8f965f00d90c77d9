// Which rows of a sparse matrix are most alike: sums over the columns that two rows have in common.
//
// Rows (items, say) are placed by how many entries they have, fewest first, and the entries of a column stand
// in that order. For one row, the sums with all rows behind it come from walking, in each of its columns, the
// entries behind its own: every pair of rows is met once. As the rows behind a popular row are few, most of
// the work stays in a few accumulators that fit into the first cache. The columns of a pair are always added
// in increasing order, so neither the number of threads nor who asks (one row of the other) changes a bit.
//
// This code needs no vector instructions (it waits for memory), so it is compiled once for all processors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "grouping.hpp"

namespace foretaste {

// Entries of a sparse matrix, in any order.
template <class V>
struct Cells {
    const std::int32_t* row;
    const std::int32_t* column;
    const V* value;
    std::size_t size, rows, columns;
};

// What is added up over the columns that two rows have in common. `meet` takes the own value and the other's.
struct ProductSums {  // the product alone, for similarities that do not ask how many columns there were
    static constexpr bool counted = false;
    double product = 0;
    bool any() const { return product != 0; }
    void meet(double x, double y) { product += x * y; }
};

struct CountedSums {
    static constexpr bool counted = true;
    double product = 0, common = 0;
    bool any() const { return common != 0; }
    void meet(double x, double y) { product += x * y, common += 1; }
};

struct CosineSums {
    static constexpr bool counted = true;
    double product = 0, common = 0, own_square = 0, other_square = 0;
    bool any() const { return common != 0; }
    void meet(double x, double y) { product += x * y, common += 1, own_square += x * x, other_square += y * y; }
};

struct PearsonSums {
    static constexpr bool counted = true;
    double product = 0, common = 0, own_square = 0, other_square = 0, own = 0, other = 0;
    bool any() const { return common != 0; }
    void meet(double x, double y) {
        product += x * y, common += 1, own_square += x * x, other_square += y * y, own += x, other += y;
    }
};

struct GapSums {
    static constexpr bool counted = true;
    double square = 0, common = 0;
    bool any() const { return common != 0; }
    void meet(double x, double y) { square += (x - y) * (x - y), common += 1; }
};

struct DifferenceSums {
    static constexpr bool counted = true;
    double difference = 0, common = 0;
    bool any() const { return common != 0; }
    void meet(double x, double y) { difference += x - y, common += 1; }
};

template <class V>
struct RowPlan {
    struct Entry {
        std::int32_t place;
        V value;
    };

    std::size_t rows, columns;
    std::vector<std::int32_t> order;         // the row at each place
    std::vector<std::int64_t> column_start;  // (columns + 1)
    std::vector<Entry> entry;                // by column, then place
    std::vector<std::int64_t> row_start;     // by place (rows + 1)
    std::vector<std::uint32_t> at;           // where the row's entries stand in `entry`, by place, then column
    std::vector<std::int32_t> column_of;     // and their columns
    std::vector<double> inverse_norm;        // by place; 0 for a row of zeros

    RowPlan(const Cells<V>& cells)
        : rows(cells.rows), columns(cells.columns), order(rows), column_start(columns + 1), entry(cells.size),
          row_start(rows + 1), at(cells.size), column_of(cells.size), inverse_norm(rows) {
        const std::vector<std::int32_t> place = places(cells);
        {
            std::vector<std::int32_t> by_column(cells.size);
            group_rows(cells.column, cells.size, columns, column_start.data(), by_column.data());
            for (std::size_t e = 0; e < cells.size; ++e) {
                const std::int32_t cell = by_column[e];
                entry[e] = {place[cells.row[cell]], cells.value[cell]};
            }
        }
    }

    // Before `list_rows`; columns may be sorted by several threads at once.
    void sort_column(std::size_t column) {
        std::sort(entry.begin() + column_start[column], entry.begin() + column_start[column + 1],
                  [](const Entry& a, const Entry& b) { return a.place < b.place; });
    }

    void list_rows() {
        std::vector<std::int64_t> next(row_start.begin(), row_start.end() - 1);
        std::vector<double> square(rows);
        for (std::size_t c = 0; c < columns; ++c)
            for (std::int64_t e = column_start[c]; e < column_start[c + 1]; ++e) {
                const std::int32_t place = entry[e].place;
                const double value = static_cast<double>(entry[e].value);
                at[next[place]] = static_cast<std::uint32_t>(e);
                column_of[next[place]++] = static_cast<std::int32_t>(c);
                square[place] += value * value;
            }
        for (std::size_t p = 0; p < rows; ++p) inverse_norm[p] = square[p] > 0 ? 1 / std::sqrt(square[p]) : 0;
    }

    // How many entries stand behind those of a row, or (whole) beside them.
    std::int64_t work(std::size_t place, bool whole) const {
        std::int64_t total = 0;
        for (std::int64_t e = row_start[place]; e < row_start[place + 1]; ++e)
            total += column_start[column_of[e] + 1] - (whole ? column_start[column_of[e]] : at[e]) - 1;
        return total;
    }

   private:
    std::vector<std::int32_t> places(const Cells<V>& cells) {
        std::vector<std::int64_t> count(rows);
        for (std::size_t e = 0; e < cells.size; ++e) ++count[cells.row[e]];
        for (std::size_t r = 0; r < rows; ++r) order[r] = static_cast<std::int32_t>(r);
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return count[a] < count[b]; });
        std::vector<std::int32_t> place(rows);
        for (std::size_t p = 0; p < rows; ++p) {
            place[order[p]] = static_cast<std::int32_t>(p);
            row_start[p + 1] = row_start[p] + count[order[p]];
        }
        return place;
    }
};

// The sums of one row with others, one thread's.
template <class V, class Sums>
class RowSums {
   public:
    explicit RowSums(const RowPlan<V>& plan) : plan_(plan), sums_(plan.rows) {}

    // Add up for a row all those behind it (or all others, with `whole`), then call use(place, sums) for each
    // with a column in common, in no particular order.
    template <class Use>
    void walk(std::size_t place, bool whole, Use use) {
        if constexpr (Sums::counted) {
            if (plan_.work(place, whole) < static_cast<std::int64_t>(plan_.rows / 8)) {
                met_.clear();
                add<true>(place, whole);
                for (const std::int32_t other : met_) take(static_cast<std::size_t>(other), use);
                return;
            }
        }
        add<false>(place, whole);
        for (std::size_t other = whole ? 0 : place + 1; other < plan_.rows; ++other)
            if (sums_[other].any()) take(other, use);
    }

   private:
    const RowPlan<V>& plan_;
    std::vector<Sums> sums_;
    std::vector<std::int32_t> met_;

    template <class Use>
    void take(std::size_t other, Use& use) {
        use(other, sums_[other]);
        sums_[other] = Sums{};
    }

    template <bool LISTED>
    void add(std::size_t place, bool whole) {
        const auto* entry = plan_.entry.data();
        Sums* const sums = sums_.data();
        const std::int64_t last = plan_.row_start[place + 1];
        for (std::int64_t e = plan_.row_start[place]; e < last; ++e) {
            if (e + 2 < last) fetch(e + 2);
            const std::int64_t own = plan_.at[e];
            const std::int32_t column = plan_.column_of[e];
            const double x = static_cast<double>(entry[own].value);
            if (whole) meet<LISTED>(entry + plan_.column_start[column], entry + own, x, sums);
            meet<LISTED>(entry + own + 1, entry + plan_.column_start[column + 1], x, sums);
        }
    }

    // What stands behind an entry to come is far away: ask for it now, up to 2 kB.
    void fetch(std::int64_t e) const {
        const char* soon = reinterpret_cast<const char*>(plan_.entry.data() + plan_.at[e]);
        const char* end = reinterpret_cast<const char*>(plan_.entry.data() + plan_.column_start[plan_.column_of[e] + 1]);
        for (end = end - soon > 2048 ? soon + 2048 : end; soon < end; soon += 64) __builtin_prefetch(soon);
    }

    template <bool LISTED>
    void meet(const typename RowPlan<V>::Entry* from, const typename RowPlan<V>::Entry* to, double x, Sums* sums) {
        if constexpr (!LISTED) {
            for (; to - from >= 4; from += 4) {  // the places of a column differ: four at a time hide the latency
                Sums a = sums[from[0].place], b = sums[from[1].place], c = sums[from[2].place], d = sums[from[3].place];
                a.meet(x, static_cast<double>(from[0].value)), b.meet(x, static_cast<double>(from[1].value));
                c.meet(x, static_cast<double>(from[2].value)), d.meet(x, static_cast<double>(from[3].value));
                sums[from[0].place] = a, sums[from[1].place] = b, sums[from[2].place] = c, sums[from[3].place] = d;
            }
        }
        for (; from != to; ++from) {
            if constexpr (LISTED)
                if (sums[from->place].common == 0) met_.push_back(from->place);
            sums[from->place].meet(x, static_cast<double>(from->value));
        }
    }
};

}  // namespace foretaste
