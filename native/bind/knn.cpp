// Bindings of neighborhood models: checks, drops the GIL, hands parts of the rows to the pool.
#include <nanobind/stl/string.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "bind/row_pairs.hpp"
#include "kernels/top_neighbors.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

constexpr double most_bytes = 1e9;  // of what threads gather; beyond, every pair is met twice

struct Lists {
    New<std::int64_t> start;
    New<std::int32_t> other;
    New<float> similarity;

    explicit Lists(const std::vector<std::int64_t>& count)
        : start(new_array<std::int64_t>(count.size() + 1)) {
        std::int64_t total = 0;
        for (std::size_t r = 0; r < count.size(); ++r) {
            start.data()[r] = total;
            total += count[r];
        }
        start.data()[count.size()] = total;
        other = new_array<std::int32_t>(static_cast<std::size_t>(total));
        similarity = new_array<float>(static_cast<std::size_t>(total));
    }

    void put(std::size_t row, const std::vector<Candidate>& chosen) {
        std::int64_t to = start.data()[row];
        for (const Candidate& candidate : chosen) {
            other.data()[to] = candidate.row;
            similarity.data()[to++] = static_cast<float>(std::clamp(candidate.similarity, -1.0, 1.0));
        }
    }
};

// Every pair met once; each thread keeps the best that it met of every row, and these are put together.
template <class Sums, class Form>
Lists nearest_once(const RowPlan<Form>& plan, const SimilarityRules& rules, std::size_t keep, int threads) {
    std::vector<std::unique_ptr<NeighborCandidates>> best(static_cast<std::size_t>(threads));
    const auto visit = [&](int worker, std::size_t position, std::size_t other, const Sums& sums) {
        const Norms norms{plan.inverse_norm[position], plan.inverse_norm[other]};
        NeighborCandidates& mine = *best[static_cast<std::size_t>(worker)];
        const double computed = similarity_of(sums, norms),
                     bound = 1.000001 * std::fabs(computed);  // rules only lessen
        if (mine.cannot_enter(position, bound) && mine.cannot_enter(other, bound)) return;
        const double similarity = rules(computed, columns_of(sums));
        if (similarity == 0) return;
        mine.offer(other, {similarity, plan.order[position]});
        mine.offer(position, {similarity, plan.order[other]});
    };
    for (auto& one : best) one = std::make_unique<NeighborCandidates>(plan.rows, keep);
    walk_pairs<Sums>(plan, false, threads, visit, [](int, std::size_t) {});
    std::vector<std::int64_t> count(plan.rows);
    for (std::size_t p = 0; p < plan.rows; ++p) {
        std::size_t met = 0;
        for (const auto& one : best) met += static_cast<std::size_t>(one->end(p) - one->begin(p));
        count[plan.order[p]] = static_cast<std::int64_t>(std::min(met, keep));
    }
    Lists lists(count);
    run_in_parts(threads, plan.rows, 256, [&](std::size_t from, std::size_t to) {
        std::vector<Candidate> found;
        for (std::size_t p = from; p < to; ++p) {
            found.clear();
            for (const auto& one : best) found.insert(found.end(), one->begin(p), one->end(p));
            keep_best(found, keep);
            lists.put(static_cast<std::size_t>(plan.order[p]), found);
        }
    });
    return lists;
}

// Every pair met from both sides: twice the work, and no more memory than what is kept. With `first`, only
// the rows from there on have lists, and they are of rows before it.
template <class Sums, class Form>
Lists nearest_twice(const RowPlan<Form>& plan, const SimilarityRules& rules, std::size_t keep,
                    std::int32_t first, int threads) {
    std::vector<std::vector<Candidate>> found(static_cast<std::size_t>(threads));
    std::vector<std::vector<Candidate>> chosen(plan.rows);
    const auto visit = [&](int worker, std::size_t position, std::size_t other, const Sums& sums) {
        if (first > 0 && plan.order[other] >= first) return;
        const Norms norms{plan.inverse_norm[position], plan.inverse_norm[other]};
        const double similarity = rules(similarity_of(sums, norms), columns_of(sums));
        if (similarity != 0)
            found[static_cast<std::size_t>(worker)].push_back({similarity, plan.order[other]});
    };
    walk_pairs<Sums>(
        plan, true, threads, visit,
        [&](int worker, std::size_t position) {
            auto& mine = found[static_cast<std::size_t>(worker)];
            keep_best(mine, keep);
            chosen[plan.order[position]].assign(mine.begin(), mine.end());
            mine.clear();
        },
        first);
    std::vector<std::int64_t> count(plan.rows);
    for (std::size_t r = 0; r < plan.rows; ++r) count[r] = static_cast<std::int64_t>(chosen[r].size());
    Lists lists(count);
    for (std::size_t r = 0; r < plan.rows; ++r) {
        lists.put(r, chosen[r]);
        std::vector<Candidate>().swap(chosen[r]);
    }
    return lists;
}

template <class Sums, class V>
Lists nearest_by(const CooMatrix<V>& cells, const SimilarityRules& rules, std::size_t keep,
                 std::int32_t first, int threads) {
    const double bytes =
        static_cast<double>(threads) *
        static_cast<double>(cells.rows * NeighborCandidates::capacity(keep) * sizeof(Candidate));
    return with_plan(cells, threads, [&](const auto& plan) {
        return first == 0 && bytes <= most_bytes ? nearest_once<Sums>(plan, rules, keep, threads)
                                                 : nearest_twice<Sums>(plan, rules, keep, first, threads);
    });
}

template <class V>
nb::tuple nearest_rows(In<std::int32_t> row, In<std::int32_t> column, In<V> value, std::int64_t rows,
                       std::int64_t columns, const std::string& similarity, std::int64_t keep,
                       double shrinkage, std::int64_t min_support, std::int64_t significance, bool negative,
                       bool as_computed, int threads, std::int64_t first) {
    const CooMatrix<V> cells = checked_cells(row, column, value, rows, columns);
    check(keep >= 1 && threads >= 1, "keep and threads must be at least 1");
    check(first >= 0 && first <= rows, "first must be a row");
    check(shrinkage >= 0 && min_support >= 0 && significance >= 0, "no rule of similarities may be negative");
    const SimilarityRules rules{shrinkage, static_cast<double>(min_support),
                                static_cast<double>(significance), negative, as_computed};
    const auto kept = static_cast<std::size_t>(std::min(keep, std::max<std::int64_t>(rows - 1, 1)));
    const auto from = static_cast<std::int32_t>(first);
    const auto made = [](const Lists& lists) {
        return nb::make_tuple(lists.start, lists.other, lists.similarity);
    };
    if (similarity == "product") {
        if (shrinkage == 0 && min_support <= 1 && significance <= 1)
            return made(nearest_by<ProductSums>(cells, rules, kept, from, threads));
        return made(nearest_by<CountedSums>(cells, rules, kept, from, threads));
    }
    if (similarity == "cosine") return made(nearest_by<CosineSums>(cells, rules, kept, from, threads));
    if (similarity == "pearson") return made(nearest_by<PearsonSums>(cells, rules, kept, from, threads));
    check(similarity == "msd", "no such similarity");
    return made(nearest_by<MsdSums>(cells, rules, kept, from, threads));
}

struct NeighborQuery {
    std::size_t rows, columns;
    NeighborLists lists;
    ColumnLists entries;
};

NeighborQuery checked_lists(const In<std::int64_t>& list_start, const In<std::int32_t>& other,
                            const In<float>& similarity, const In<std::int64_t>& column_start,
                            const In<std::int32_t>& entry_row, const In<float>& value) {
    check(other.size() == similarity.size(), "neighbors and similarities must have the same length");
    check(entry_row.size() == value.size(), "rows and values must have the same length");
    const std::size_t rows = check_starts(list_start, other.size());
    const std::size_t columns = check_starts(column_start, value.size());
    check_range(other, 0, static_cast<std::int64_t>(rows), "a neighbor is out of range");
    check_range(entry_row, 0, static_cast<std::int64_t>(rows), "a row index is out of range");
    return {rows,
            columns,
            {list_start.data(), other.data(), similarity.data()},
            {column_start.data(), entry_row.data(), value.data()}};
}

void check_pairs(const In<std::int32_t>& row, const In<std::int32_t>& column, const NeighborQuery& query) {
    check(row.size() == column.size(), "row and column must have the same length");
    check_range(row, -1, static_cast<std::int64_t>(query.rows), "a row index is out of range");
    check_range(column, -1, static_cast<std::int64_t>(query.columns), "a column index is out of range");
}

// The weighted mean of each pair's neighbors; 0 if there are too few, or a side is unknown (-1).
New<float> neighbor_means(In<std::int32_t> row, In<std::int32_t> column, In<std::int64_t> list_start,
                          In<std::int32_t> other, In<float> similarity, In<std::int64_t> column_start,
                          In<std::int32_t> entry_row, In<float> value, std::int64_t neighbors,
                          std::int64_t min_neighbors, double damping, int threads) {
    const NeighborQuery query = checked_lists(list_start, other, similarity, column_start, entry_row, value);
    check_pairs(row, column, query);
    check(neighbors >= 1 && min_neighbors >= 0 && damping >= 0 && threads >= 1, "no number may be negative");
    New<float> out = new_array<float>(row.size());
    float* to = out.data();
    std::vector<std::unique_ptr<NeighborMean>> means(static_cast<std::size_t>(threads));
    by_column(row, column, query.columns, threads,
              [&](const std::int32_t* from, const std::int32_t* end, int worker) {
                  auto& mine = means[static_cast<std::size_t>(worker)];
                  if (!mine)
                      mine = std::make_unique<NeighborMean>(query.lists, query.entries, query.rows,
                                                            static_cast<std::size_t>(neighbors),
                                                            static_cast<std::size_t>(min_neighbors), damping);
                  for (; from != end; ++from) {
                      const std::int32_t r = row.data()[*from], c = column.data()[*from];
                      to[*from] = 0;
                      if (r < 0 || c < 0) continue;
                      mine->open(c);
                      double weight;
                      to[*from] =
                          static_cast<float>(mine->compute(r, weight, [](std::int32_t, double, float) {}));
                  }
              });
    return out;
}

// The neighbors of each pair and the share of each in the mean, the most alike first; -1 and 0 behind the
// last.
nb::tuple neighbor_shares(In<std::int32_t> row, In<std::int32_t> column, In<std::int64_t> list_start,
                          In<std::int32_t> other, In<float> similarity, In<std::int64_t> column_start,
                          In<std::int32_t> entry_row, In<float> value, std::int64_t neighbors,
                          std::int64_t min_neighbors, double damping) {
    const NeighborQuery query = checked_lists(list_start, other, similarity, column_start, entry_row, value);
    check_pairs(row, column, query);
    check(neighbors >= 1 && min_neighbors >= 0 && damping >= 0, "no number may be negative");
    const auto most = static_cast<std::size_t>(std::min(neighbors, static_cast<std::int64_t>(query.rows)));
    New2<std::int32_t> neighbor_of = new_matrix<std::int32_t>(row.size(), most);
    New2<float> share = new_matrix<float>(row.size(), most);
    std::int32_t* const names = neighbor_of.data();
    float* const parts = share.data();
    std::fill_n(names, row.size() * most, -1);
    std::fill_n(parts, row.size() * most, 0.0F);
    NeighborMean mean(query.lists, query.entries, query.rows, most, static_cast<std::size_t>(min_neighbors),
                      damping);
    by_column(row, column, query.columns, 1, [&](const std::int32_t* from, const std::int32_t* end, int) {
        std::vector<double> weighted(most);
        for (; from != end; ++from) {
            const std::int32_t r = row.data()[*from], c = column.data()[*from];
            if (r < 0 || c < 0) continue;
            mean.open(c);
            std::size_t count = 0;
            double weight;
            std::int32_t* const own = names + static_cast<std::size_t>(*from) * most;
            mean.compute(r, weight, [&](std::int32_t neighbor, double alike, float rating) {
                own[count] = neighbor;
                weighted[count++] = alike * static_cast<double>(rating);
            });
            const bool enough = count > 0 && count >= static_cast<std::size_t>(min_neighbors);
            for (std::size_t k = 0; k < count; ++k) {
                if (!enough) own[k] = -1;
                parts[static_cast<std::size_t>(*from) * most + k] =
                    enough ? static_cast<float>(weighted[k] / weight) : 0;
            }
        }
    });
    return nb::make_tuple(neighbor_of, share);
}

template <class V>
void def_nearest(nb::module_& m) {
    m.def("nearest_rows", &nearest_rows<V>, "row"_a.noconvert(), "column"_a.noconvert(),
          "value"_a.noconvert(), "rows"_a, "columns"_a, "similarity"_a, "keep"_a, "shrinkage"_a,
          "min_support"_a, "significance"_a, "negative"_a, "as_computed"_a, "threads"_a, "first"_a = 0);
}

}  // namespace

void bind_knn(nb::module_& m) {
    def_nearest<float>(m);
    def_nearest<double>(m);
    m.def("neighbor_means", &neighbor_means, "row"_a.noconvert(), "column"_a.noconvert(),
          "list_start"_a.noconvert(), "other"_a.noconvert(), "similarity"_a.noconvert(),
          "column_start"_a.noconvert(), "entry_row"_a.noconvert(), "value"_a.noconvert(), "neighbors"_a,
          "min_neighbors"_a, "damping"_a, "threads"_a);
    m.def("neighbor_shares", &neighbor_shares, "row"_a.noconvert(), "column"_a.noconvert(),
          "list_start"_a.noconvert(), "other"_a.noconvert(), "similarity"_a.noconvert(),
          "column_start"_a.noconvert(), "entry_row"_a.noconvert(), "value"_a.noconvert(), "neighbors"_a,
          "min_neighbors"_a, "damping"_a);
}

}  // namespace foretaste
