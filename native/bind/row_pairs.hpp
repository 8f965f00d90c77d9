// What the bindings of neighborhood models share: checks, and walking pairs of rows on the pool.
#pragma once

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "io/counting_sort.hpp"
#include "kernels/pair_sums.hpp"
#include "runtime/binding.hpp"

namespace foretaste {

template <class V>
CooMatrix<V> checked_cells(const In<std::int32_t>& row, const In<std::int32_t>& column, const In<V>& value,
                           std::int64_t rows, std::int64_t columns) {
    const std::size_t n = value.size();
    check(row.size() == n && column.size() == n, "row, column and value must have the same length");
    check(rows >= 0 && columns >= 0 && rows < (std::int64_t{1} << 31) && columns < (std::int64_t{1} << 31) &&
              n < (std::size_t{1} << 31),
          "the matrix is too large");
    check_range(row, 0, rows, "a row index is out of range");
    check_range(column, 0, columns, "a column index is out of range");
    return {row.data(),
            column.data(),
            value.data(),
            n,
            static_cast<std::size_t>(rows),
            static_cast<std::size_t>(columns)};
}

template <class Form, class V>
std::unique_ptr<RowPlan<Form>> planned(const CooMatrix<V>& cells, Form form, int threads) {
    std::unique_ptr<RowPlan<Form>> plan;
    {
        nb::gil_scoped_release released;
        plan = std::make_unique<RowPlan<Form>>(cells, std::move(form));
    }
    run_in_parts(threads, cells.columns, 256, [&](std::size_t from, std::size_t to) {
        for (std::size_t c = from; c < to; ++c) plan->sort_column(c);
    });
    nb::gil_scoped_release released;
    plan->list_rows();
    return plan;
}

// Call use(plan) with the entries in the form that suits them; it never changes a bit of what is found.
template <class V, class Use>
auto with_plan(const CooMatrix<V>& cells, int threads, Use use) {
    LookupEntries<V> packed;
    bool packable;
    {
        nb::gil_scoped_release released;
        packable = packed.fit(cells);
    }
    return packable ? use(*planned(cells, std::move(packed), threads))
                    : use(*planned(cells, PlainEntries<V>{}, threads));
}

// Places cut into parts of about equal work, each of some milliseconds; rows before `first` are none.
template <class Form>
std::vector<std::size_t> parts_of(const RowPlan<Form>& plan, bool both_sides, int threads,
                                  std::int32_t first) {
    std::vector<std::int64_t> work(plan.rows);
    run_in_parts(threads, plan.rows, 256, [&](std::size_t from, std::size_t to) {
        for (std::size_t p = from; p < to; ++p) {
            if (plan.order[p] < first) continue;
            work[p] = plan.work(p, both_sides) +
                      static_cast<std::int64_t>((both_sides ? plan.rows : plan.rows - p) / 4) + 1;
        }
    });
    std::int64_t total = 0, sum = 0;
    for (const std::int64_t one : work) total += one;
    const std::int64_t part = std::clamp<std::int64_t>(total / 256, 20'000, 10'000'000);
    std::vector<std::size_t> cuts{0};
    for (std::size_t p = 0; p < plan.rows; ++p) {
        sum += work[p];
        if (sum < part) continue;
        cuts.push_back(p + 1);
        sum = 0;
    }
    if (cuts.back() != plan.rows) cuts.push_back(plan.rows);
    return cuts;
}

// Call visit(worker, position, other, sums) for every pair of positions with a column in common: once, or
// (`both_sides`) from both sides; end(worker, position) when all of a position have been visited. Rows before
// `first` are passed over.
template <class Sums, class Form, class Visit, class End>
void walk_pairs(const RowPlan<Form>& plan, bool both_sides, int threads, Visit visit, End end,
                std::int32_t first = 0) {
    const std::vector<std::size_t> cuts = parts_of(plan, both_sides, threads, first);
    std::vector<std::unique_ptr<RowSums<Form, Sums>>> sums(static_cast<std::size_t>(threads));
    run_on_pool(threads, cuts.size() - 1, [&](std::size_t part, int worker) {
        auto& mine = sums[static_cast<std::size_t>(worker)];
        if (!mine) mine = std::make_unique<RowSums<Form, Sums>>(plan);
        part = cuts.size() - 2 - part;  // popular rows first: the most alike are mostly among them
        for (std::size_t p = cuts[part + 1]; p-- > cuts[part];) {
            if (plan.order[p] < first) continue;
            mine->walk(p, both_sides,
                       [&](std::size_t other, const Sums& found) { visit(worker, p, other, found); });
            end(worker, p);
        }
    });
}

// Pairs in the order of their columns, cut into parts: work(first, last, worker).
template <class Work>
void by_column(const In<std::int32_t>& row, const In<std::int32_t>& column, std::size_t columns, int threads,
               Work work) {
    const std::size_t n = row.size();
    std::vector<std::int32_t> group(n), order(n);
    std::vector<std::int64_t> starts(columns + 2);
    for (std::size_t i = 0; i < n; ++i)
        group[i] = row.data()[i] < 0 ? 0 : column.data()[i] + 1;  // 0: unknown
    group_rows(group.data(), n, columns + 1, starts.data(), order.data());
    run_on_pool(threads, (n + 4095) / 4096, [&](std::size_t part, int worker) {
        work(order.data() + part * 4096, order.data() + std::min(n, (part + 1) * 4096), worker);
    });
}

}  // namespace foretaste
