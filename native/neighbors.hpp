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
#include <cstring>
#include <utility>
#include <vector>

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

// How an entry of a column is kept: its place and value as they are,
template <class V>
struct Whole {
    static constexpr bool distinct = true;  // a row has at most one entry in a column
    struct Entry {
        std::int32_t place;
        V value;
    };
    static std::size_t place(const Entry& entry) { return static_cast<std::size_t>(entry.place); }
    double value(const Entry& entry) const { return static_cast<double>(entry.value); }
    Entry entry(std::int32_t place, V value) const { return {place, value}; }
};

// or the same where a row may have several entries in a column: each of them meets each of the other row's (of
// all others, that is `whole`), those of the row with the lower number outside, those of the other one inside,
template <class V>
struct Repeating : Whole<V> {
    static constexpr bool distinct = false;
};

// or, where there are few different values (stars, say), in half the memory: what lies far away comes sooner.
template <class V>
class Packed {
   public:
    static constexpr bool distinct = true;
    using Entry = std::uint32_t;
    static constexpr std::size_t most_rows = std::size_t{1} << 24, most_values = 256;

    static std::size_t place(Entry entry) { return entry >> 8; }
    double value(Entry entry) const { return level_[entry & 255]; }
    Entry entry(std::int32_t place, V value) const {
        return static_cast<Entry>(place) << 8 | static_cast<Entry>(code_[slot(value)]);
    }

    // Learn the values there are; false if they are too many.
    bool learn(const Cells<V>& cells) {
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
    std::vector<std::int32_t> order;         // the row at each place
    std::vector<std::int64_t> column_start;  // (columns + 1)
    std::vector<Entry> entry;                // by column, then place
    std::vector<std::int64_t> row_start;     // by place (rows + 1)
    std::vector<std::uint32_t> at;           // where the row's entries stand in `entry`, by place, then column
    std::vector<std::int32_t> column_of;     // and their columns
    std::vector<double> inverse_norm;        // by place; 0 for a row of zeros

    template <class V>
    RowPlan(const Cells<V>& cells, Form form_)
        : rows(cells.rows), columns(cells.columns), form(std::move(form_)), order(rows), column_start(columns + 1),
          entry(cells.size), row_start(rows + 1), at(cells.size), column_of(cells.size), inverse_norm(rows) {
        const std::vector<std::int32_t> place = places(cells);
        for (std::size_t e = 0; e < cells.size; ++e) ++column_start[cells.column[e] + 1];
        for (std::size_t c = 0; c < columns; ++c) column_start[c + 1] += column_start[c];
        std::vector<std::int64_t> next(column_start.begin(), column_start.end() - 1);
        for (std::size_t e = 0; e < cells.size; ++e)
            entry[next[cells.column[e]]++] = form.entry(place[cells.row[e]], cells.value[e]);
    }

    // Before `list_rows`; columns may be sorted by several threads at once.
    void sort_column(std::size_t column) {
        const auto from = entry.begin() + column_start[column], to = entry.begin() + column_start[column + 1];
        const auto before = [](const Entry& a, const Entry& b) { return Form::place(a) < Form::place(b); };
        if constexpr (Form::distinct)
            std::sort(from, to, before);
        else
            std::stable_sort(from, to, before);
    }

    void list_rows() {
        std::vector<std::int64_t> next(row_start.begin(), row_start.end() - 1);
        std::vector<double> square(rows);
        for (std::size_t c = 0; c < columns; ++c)
            for (std::int64_t e = column_start[c]; e < column_start[c + 1]; ++e) {
                const std::size_t place = Form::place(entry[e]);
                const auto value = static_cast<double>(form.value(entry[e]));
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
    template <class V>
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
template <class Form, class Sums>
class RowSums {
   public:
    explicit RowSums(const RowPlan<Form>& plan) : plan_(plan), sums_(plan.rows) {}

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
    using Entry = typename Form::Entry;
    const RowPlan<Form>& plan_;
    std::vector<Sums> sums_;
    std::vector<std::int32_t> met_;

    template <class Use>
    void take(std::size_t other, Use& use) {
        use(other, sums_[other]);
        sums_[other] = Sums{};
    }

    template <bool LISTED>
    void add(std::size_t place, bool whole) {
        if constexpr (!Form::distinct)
            add_repeating<LISTED>(place);
        else
            add_distinct<LISTED>(place, whole);
    }

    template <bool LISTED>
    void add_repeating(std::size_t place) {
        const Entry* const entry = plan_.entry.data();
        const std::int32_t row = plan_.order[place];
        const std::int64_t last = plan_.row_start[place + 1];
        for (std::int64_t e = plan_.row_start[place], next; e < last; e = next) {
            const std::int32_t column = plan_.column_of[e];
            for (next = e; next < last && plan_.column_of[next] == column;) ++next;
            const Entry* const from = entry + plan_.column_start[column];
            const Entry* const to = entry + plan_.column_start[column + 1];
            for (std::int64_t own = e; own < next; ++own)
                for (const Entry* other = from; other < to; ++other)
                    if (other != entry + plan_.at[own] && plan_.order[Form::place(*other)] >= row)
                        meet<LISTED>(other, other + 1, plan_.form.value(entry[plan_.at[own]]), sums_.data());
            for (const Entry* other = from; other < to; ++other)
                if (plan_.order[Form::place(*other)] < row)
                    for (std::int64_t own = e; own < next; ++own)
                        meet<LISTED>(other, other + 1, plan_.form.value(entry[plan_.at[own]]), sums_.data());
        }
    }

    template <bool LISTED>
    void add_distinct(std::size_t place, bool whole) {
        const Entry* const entry = plan_.entry.data();
        const std::int64_t* const column_start = plan_.column_start.data();
        Sums* const sums = sums_.data();
        const std::int64_t last = plan_.row_start[place + 1];
        for (std::int64_t e = plan_.row_start[place]; e < last; ++e) {
            if (e + 3 < last) {  // what stands behind an entry to come is far away: ask for it now, up to 2 kB
                const char* soon = reinterpret_cast<const char*>(entry + plan_.at[e + 3]);
                const char* end = reinterpret_cast<const char*>(entry + column_start[plan_.column_of[e + 3] + 1]);
                // Here, not in a function of its own: GCC 12 takes one that does nothing else for idle.
                for (end = end - soon > 2048 ? soon + 2048 : end; soon < end; soon += 64) __builtin_prefetch(soon);
            }
            const std::int64_t own = plan_.at[e];
            const std::int32_t column = plan_.column_of[e];
            const auto x = plan_.form.value(entry[own]);
            if (whole) meet<LISTED>(entry + column_start[column], entry + own, x, sums);
            meet<LISTED>(entry + own + 1, entry + column_start[column + 1], x, sums);
        }
    }

    template <bool LISTED, class Number>
    void meet(const Entry* from, const Entry* to, Number x, Sums* sums) {
        const Form& form = plan_.form;
        if constexpr (!LISTED && Form::distinct) {
            for (; to - from >= 4; from += 4) {  // the places of a column differ: four at a time hide the latency
                Sums* const at[] = {sums + Form::place(from[0]), sums + Form::place(from[1]),
                                    sums + Form::place(from[2]), sums + Form::place(from[3])};
                Sums a = *at[0], b = *at[1], c = *at[2], d = *at[3];
                a.meet(x, form.value(from[0])), b.meet(x, form.value(from[1]));
                c.meet(x, form.value(from[2])), d.meet(x, form.value(from[3]));
                *at[0] = a, *at[1] = b, *at[2] = c, *at[3] = d;
            }
        }
        for (; from != to; ++from) {
            Sums& sum = sums[Form::place(*from)];
            if constexpr (LISTED)
                if (!sum.any()) met_.push_back(static_cast<std::int32_t>(Form::place(*from)));
            sum.meet(x, form.value(*from));
        }
    }
};

}  // namespace foretaste
