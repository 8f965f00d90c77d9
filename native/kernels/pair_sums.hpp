// Which rows of a sparse matrix are most alike: sums over the columns that two rows have in common.
//
// Rows (items, say) are ordered by how many entries they have, fewest first, and the entries of a column
// stand in that order. For one row, the sums with all rows behind it come from walking, in each of its
// columns, the entries behind its own: every pair of rows is met once. As the rows behind a popular row are
// few, most of the work stays in a few accumulators that fit into the first cache. The columns of a pair are
// always added in increasing order, so neither the number of threads nor who asks (one row of the other)
// changes a bit.
//
// This code needs no vector instructions (it waits for memory), so it is compiled once for all processors.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace foretaste {

// Entries of a sparse matrix, in any order.
template <class V>
struct CooMatrix {
    const std::int32_t* row;
    const std::int32_t* column;
    const V* value;
    std::size_t size, rows, columns;
};

// What is added up over the columns that two rows have in common. `add` takes the own value and the other's.
struct ProductSums {  // the product alone, for similarities that do not ask how many columns there were
    static constexpr bool counted = false;
    double product = 0;
    bool any() const { return product != 0; }
    void add(double x, double y) { product += x * y; }
};

struct CountedSums {
    static constexpr bool counted = true;
    double product = 0, common = 0;
    bool any() const { return common != 0; }
    void add(double x, double y) { product += x * y, common += 1; }
};

struct CosineSums {
    static constexpr bool counted = true;
    double product = 0, common = 0, own_square = 0, other_square = 0;
    double norms() const { return std::sqrt(own_square * other_square); }
    bool any() const { return common != 0; }
    void add(double x, double y) {
        product += x * y, common += 1, own_square += x * x, other_square += y * y;
    }
};

struct PearsonSums {
    static constexpr bool counted = true;
    double product = 0, common = 0, own_square = 0, other_square = 0, own = 0, other = 0;
    // Times the square of `common`.
    double own_variance() const { return common * own_square - own * own; }
    double other_variance() const { return common * other_square - other * other; }
    double covariance() const { return common * product - own * other; }
    bool any() const { return common != 0; }
    void add(double x, double y) {
        product += x * y, common += 1, own_square += x * x, other_square += y * y, own += x, other += y;
    }
};

struct MsdSums {
    static constexpr bool counted = true;
    double square = 0, common = 0;
    double similarity() const { return 1 / (square / common + 1); }
    bool any() const { return common != 0; }
    void add(double x, double y) { square += (x - y) * (x - y), common += 1; }
};

struct DifferenceSums {
    static constexpr bool counted = true;
    double difference = 0, common = 0;
    bool any() const { return common != 0; }
    void add(double x, double y) { difference += x - y, common += 1; }
};

// How an entry of a column is kept: its position and value as they are,
template <class V>
struct PlainEntries {
    static constexpr bool distinct = true;  // a row has at most one entry in a column
    struct Entry {
        std::int32_t position;
        V value;
    };
    static std::size_t position(const Entry& entry) { return static_cast<std::size_t>(entry.position); }
    double value(const Entry& entry) const { return static_cast<double>(entry.value); }
    Entry entry(std::int32_t position, V value) const { return {position, value}; }
};

// or the same where a row may have several entries in a column: each of them meets each of the other row's
// (of all others, that is `both_sides`), those of the row with the lower number outside, those of the other
// one inside,
template <class V>
struct DuplicateEntries : PlainEntries<V> {
    static constexpr bool distinct = false;
};

// or, where there are few different values (stars, say), in half the memory: what lies far away comes sooner.
template <class V>
class LookupEntries {
   public:
    static constexpr bool distinct = true;
    using Entry = std::uint32_t;
    static constexpr std::size_t most_rows = std::size_t{1} << 24, most_values = 256;

    static std::size_t position(Entry entry) { return entry >> 8; }
    double value(Entry entry) const { return level_[entry & 255]; }
    Entry entry(std::int32_t position, V value) const {
        return static_cast<Entry>(position) << 8 | static_cast<Entry>(code_[slot(value)]);
    }

    // Learn the values there are; false if they are too many.
    bool fit(const CooMatrix<V>& cells) {
        if (cells.rows > most_rows) return false;
        std::size_t count = 0;
        for (std::size_t e = 0; e < cells.size; ++e) {
            const std::size_t at = slot(cells.value[e]);
            if (code_[at] >= 0) continue;
            if (count == most_values) return false;
            key_[at] = bits(cells.value[e]);
            code_[at] = static_cast<std::int16_t>(count);
            level_[count++] = static_cast<double>(cells.value[e]);
        }
        return true;
    }

   private:
    static constexpr std::size_t slots = 1024;
    double level_[most_values] = {};
    std::vector<std::uint64_t> key_ = std::vector<std::uint64_t>(slots);
    std::vector<std::int16_t> code_ = std::vector<std::int16_t>(slots, -1);

    static std::uint64_t bits(V value) {
        std::uint64_t found = 0;
        std::memcpy(&found, &value, sizeof value);
        return found;
    }

    // Where a value stands, or would.
    std::size_t slot(V value) const {
        const std::uint64_t key = bits(value);
        std::size_t at = key * 0x9E3779B97F4A7C15ULL >> 54;
        while (code_[at] >= 0 && key_[at] != key) at = (at + 1) % slots;
        return at;
    }
};

template <class Form>
struct RowPlan {
    using Entry = typename Form::Entry;

    std::size_t rows, columns;
    Form form;
    std::vector<std::int32_t> order;         // the row at each position
    std::vector<std::int64_t> column_start;  // (columns + 1)
    std::vector<Entry> entry;                // by column, then position
    std::vector<std::int64_t> row_start;     // by position (rows + 1)
    std::vector<std::uint32_t> at;  // where the row's entries stand in `entry`, by position, then column
    std::vector<std::int32_t> column_of;  // and their columns
    std::vector<double> inverse_norm;     // by position; 0 for a row of zeros

    template <class V>
    RowPlan(const CooMatrix<V>& cells, Form entry_form)
        : rows(cells.rows), columns(cells.columns), form(std::move(entry_form)), order(rows),
          column_start(columns + 1), entry(cells.size), row_start(rows + 1), at(cells.size),
          column_of(cells.size), inverse_norm(rows) {
        const std::vector<std::int32_t> position = positions(cells);
        for (std::size_t e = 0; e < cells.size; ++e) ++column_start[cells.column[e] + 1];
        for (std::size_t c = 0; c < columns; ++c) column_start[c + 1] += column_start[c];
        std::vector<std::int64_t> next(column_start.begin(), column_start.end() - 1);
        for (std::size_t e = 0; e < cells.size; ++e)
            entry[next[cells.column[e]]++] = form.entry(position[cells.row[e]], cells.value[e]);
    }

    // Before `list_rows`; columns may be sorted by several threads at once.
    void sort_column(std::size_t column) {
        const auto from = entry.begin() + column_start[column], to = entry.begin() + column_start[column + 1];
        const auto before = [](const Entry& a, const Entry& b) {
            return Form::position(a) < Form::position(b);
        };
        if constexpr (Form::distinct) std::sort(from, to, before);
        else std::stable_sort(from, to, before);
    }

    void list_rows() {
        std::vector<std::int64_t> next(row_start.begin(), row_start.end() - 1);
        std::vector<double> square(rows);
        for (std::size_t c = 0; c < columns; ++c)
            for (std::int64_t e = column_start[c]; e < column_start[c + 1]; ++e) {
                const std::size_t position = Form::position(entry[e]);
                const auto value = static_cast<double>(form.value(entry[e]));
                at[next[position]] = static_cast<std::uint32_t>(e);
                column_of[next[position]++] = static_cast<std::int32_t>(c);
                square[position] += value * value;
            }
        for (std::size_t p = 0; p < rows; ++p) inverse_norm[p] = square[p] > 0 ? 1 / std::sqrt(square[p]) : 0;
    }

    // How many entries stand behind those of a row, or (`both_sides`) beside them.
    std::int64_t work(std::size_t position, bool both_sides) const {
        std::int64_t total = 0;
        for (std::int64_t e = row_start[position]; e < row_start[position + 1]; ++e)
            total += column_start[column_of[e] + 1] - (both_sides ? column_start[column_of[e]] : at[e]) - 1;
        return total;
    }

   private:
    template <class V>
    std::vector<std::int32_t> positions(const CooMatrix<V>& cells) {
        std::vector<std::int64_t> count(rows);
        for (std::size_t e = 0; e < cells.size; ++e) ++count[cells.row[e]];
        for (std::size_t r = 0; r < rows; ++r) order[r] = static_cast<std::int32_t>(r);
        std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return count[a] < count[b]; });
        std::vector<std::int32_t> position(rows);
        for (std::size_t p = 0; p < rows; ++p) {
            position[order[p]] = static_cast<std::int32_t>(p);
            row_start[p + 1] = row_start[p] + count[order[p]];
        }
        return position;
    }
};

// The sums of one row with others, one thread's.
template <class Form, class Sums>
class RowSums {
   public:
    explicit RowSums(const RowPlan<Form>& plan) : plan_(plan), sums_(plan.rows) {}

    // Add up for a row all those behind it (or all others, with `both_sides`), then call use(position, sums)
    // for each with a column in common, in no particular order.
    template <class Use>
    void walk(std::size_t position, bool both_sides, Use use) {
        if constexpr (Sums::counted) {
            if (plan_.work(position, both_sides) < static_cast<std::int64_t>(plan_.rows / 8)) {
                touched_.clear();
                add<true>(position, both_sides);
                for (const std::int32_t other : touched_) emit(static_cast<std::size_t>(other), use);
                return;
            }
        }
        add<false>(position, both_sides);
        for (std::size_t other = both_sides ? 0 : position + 1; other < plan_.rows; ++other)
            if (sums_[other].any()) emit(other, use);
    }

   private:
    using Entry = typename Form::Entry;
    const RowPlan<Form>& plan_;
    std::vector<Sums> sums_;
    std::vector<std::int32_t> touched_;

    template <class Use>
    void emit(std::size_t other, Use& use) {
        use(other, sums_[other]);
        sums_[other] = Sums{};
    }

    template <bool LISTED>
    void add(std::size_t position, bool both_sides) {
        if constexpr (!Form::distinct) add_repeating<LISTED>(position);
        else add_distinct<LISTED>(position, both_sides);
    }

    template <bool LISTED>
    void add_repeating(std::size_t position) {
        const Entry* const entry = plan_.entry.data();
        const std::int32_t row = plan_.order[position];
        const std::int64_t last = plan_.row_start[position + 1];
        for (std::int64_t e = plan_.row_start[position], next; e < last; e = next) {
            const std::int32_t column = plan_.column_of[e];
            for (next = e; next < last && plan_.column_of[next] == column;) ++next;
            const Entry* const from = entry + plan_.column_start[column];
            const Entry* const to = entry + plan_.column_start[column + 1];
            for (std::int64_t own = e; own < next; ++own)
                for (const Entry* other = from; other < to; ++other)
                    if (other != entry + plan_.at[own] && plan_.order[Form::position(*other)] >= row)
                        accumulate<LISTED>(other, other + 1, plan_.form.value(entry[plan_.at[own]]),
                                           sums_.data());
            for (const Entry* other = from; other < to; ++other)
                if (plan_.order[Form::position(*other)] < row)
                    for (std::int64_t own = e; own < next; ++own)
                        accumulate<LISTED>(other, other + 1, plan_.form.value(entry[plan_.at[own]]),
                                           sums_.data());
        }
    }

    template <bool LISTED>
    void add_distinct(std::size_t position, bool both_sides) {
        const Entry* const entry = plan_.entry.data();
        const std::int64_t* const column_start = plan_.column_start.data();
        Sums* const sums = sums_.data();
        const std::int64_t last = plan_.row_start[position + 1];
        for (std::int64_t e = plan_.row_start[position]; e < last; ++e) {
            if (e + 3 <
                last) {  // what stands behind an entry to come is far away: ask for it now, up to 2 kB
                const char* address = reinterpret_cast<const char*>(entry + plan_.at[e + 3]);
                const char* end =
                    reinterpret_cast<const char*>(entry + column_start[plan_.column_of[e + 3] + 1]);
                // Here, not in a function of its own: GCC 12 takes one that does nothing else for idle.
                for (end = end - address > 2048 ? address + 2048 : end; address < end; address += 64)
                    __builtin_prefetch(address);
            }
            const std::int64_t own = plan_.at[e];
            const std::int32_t column = plan_.column_of[e];
            const auto x = plan_.form.value(entry[own]);
            if (both_sides) accumulate<LISTED>(entry + column_start[column], entry + own, x, sums);
            accumulate<LISTED>(entry + own + 1, entry + column_start[column + 1], x, sums);
        }
    }

    template <bool LISTED, class Number>
    void accumulate(const Entry* from, const Entry* to, Number x, Sums* sums) {
        const Form& form = plan_.form;
        if constexpr (!LISTED && Form::distinct) {
            for (; to - from >= 4;
                 from += 4) {  // the positions of a column differ: four at a time hide the latency
                Sums* const at[] = {sums + Form::position(from[0]), sums + Form::position(from[1]),
                                    sums + Form::position(from[2]), sums + Form::position(from[3])};
                Sums a = *at[0], b = *at[1], c = *at[2], d = *at[3];
                a.add(x, form.value(from[0])), b.add(x, form.value(from[1]));
                c.add(x, form.value(from[2])), d.add(x, form.value(from[3]));
                *at[0] = a, *at[1] = b, *at[2] = c, *at[3] = d;
            }
        }
        for (; from != to; ++from) {
            Sums& sum = sums[Form::position(*from)];
            if constexpr (LISTED)
                if (!sum.any()) touched_.push_back(static_cast<std::int32_t>(Form::position(*from)));
            sum.add(x, form.value(*from));
        }
    }
};

}  // namespace foretaste
