// Bindings of the figures of ranked lists: checks, drops the GIL, hands rows to the pool.
#include <atomic>
#include <memory>
#include <tuple>
#include <vector>

#include "kernels/rank_metrics.hpp"
#include "runtime/binding.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

// The figures of each list, shape (rows, 6): precision, recall, nDCG, average precision, reciprocal rank,
// hit.
New2<double> rank_figures(In2<std::int32_t> lists, In<std::int64_t> starts, In<std::int32_t> item,
                          std::optional<In<double>> gain, std::int64_t items, std::int64_t most,
                          int threads) {
    const std::size_t rows = lists.shape(0), n = lists.shape(1);
    check(n >= 1 && n < (std::size_t{1} << 31), "lists must have a position at least");
    check(items >= 0 && items < (std::int64_t{1} << 31), "items must be at least 0");
    check(most >= 1, "most must be at least 1");
    check(threads >= 1, "threads must be at least 1");
    check(!gain || gain->size() == item.size(), "gain must be as long as item");
    for (std::size_t k = 0; k < rows * n; ++k)
        check(lists.data()[k] >= -1 && lists.data()[k] < items, "a listed item is out of range");
    check_range(item, 0, items, "a relevant item is out of range");
    check(check_starts(starts, item.size()) == rows, "starts must have one more entry than there are lists");
    New2<double> figures = new_matrix<double>(rows, rank_columns);
    const std::int32_t *const listed = lists.data(), *const relevant = item.data();
    const std::int64_t* const from = starts.data();
    const double* const gains = gain ? gain->data() : nullptr;
    double* const to = figures.data();
    std::vector<std::unique_ptr<RankRow>> scratch(static_cast<std::size_t>(threads));
    std::atomic<bool> list_fault{false}, relevant_fault{false};
    constexpr std::size_t size = 256;
    run_on_pool(threads, (rows + size - 1) / size, [&](std::size_t task, int worker) {
        auto& mine = scratch[static_cast<std::size_t>(worker)];
        if (!mine) mine = std::make_unique<RankRow>(static_cast<std::size_t>(items), n);
        for (std::size_t r = task * size; r < std::min(rows, (task + 1) * size); ++r) {
            const RankFault fault = mine->measure(listed + r * n, n, relevant + from[r],
                                                  gains == nullptr ? nullptr : gains + from[r],
                                                  static_cast<std::size_t>(from[r + 1] - from[r]),
                                                  static_cast<std::size_t>(most), to + r * rank_columns);
            if (fault == RankFault::list) list_fault.store(true, std::memory_order_relaxed);
            if (fault == RankFault::relevant) relevant_fault.store(true, std::memory_order_relaxed);
        }
    });
    check(!list_fault.load(), "an item stands twice in a list");
    check(!relevant_fault.load(), "an item is relevant twice for a list");
    return figures;
}

// The concordant and the discordant pairs of each group.
nb::tuple concordant_pairs_of(In<std::int64_t> starts, In<double> truth, In<double> guess) {
    check(truth.size() == guess.size(), "truth and guess must have the same length");
    check(starts.size() >= 1 && starts(0) == 0, "starts must begin with 0");
    check_range(starts, 0, static_cast<std::int64_t>(truth.size()) + 1, "a start is out of range");
    const std::size_t groups = starts.size() - 1;
    New<std::int64_t> same = new_array<std::int64_t>(groups), other = new_array<std::int64_t>(groups);
    std::int64_t *const in_order = same.data(), *const not_in_order = other.data();
    run_in_parts(1, groups, 256, [&](std::size_t from, std::size_t to) {
        for (std::size_t g = from; g < to; ++g)
            std::tie(in_order[g], not_in_order[g]) =
                concordant_pairs(truth.data(), guess.data(), starts.data()[g], starts.data()[g + 1]);
    });
    return nb::make_tuple(same, other);
}

// The means of resampled rows, shape (draws, columns).
New2<double> resampled_means(In2<double> table, std::int64_t draws, std::uint64_t seed, int threads) {
    const std::size_t rows = table.shape(0), columns = table.shape(1);
    check(rows >= 1 && rows < (std::size_t{1} << 32), "the table must have a row at least");
    check(draws >= 0, "draws must be at least 0");
    check(threads >= 1, "threads must be at least 1");
    New2<double> means = new_matrix<double>(static_cast<std::size_t>(draws), columns);
    const double* const from = table.data();
    double* const to = means.data();
    run_on_pool(threads, static_cast<std::size_t>(draws), [&](std::size_t draw, int) {
        resampled_mean(from, rows, columns, seed, draw, to + draw * columns);
    });
    return means;
}

}  // namespace

void bind_rank_metrics(nb::module_& m) {
    m.def("rank_figures", &rank_figures, "lists"_a.noconvert(), "starts"_a.noconvert(), "item"_a.noconvert(),
          "gain"_a.noconvert().none(), "items"_a, "most"_a, "threads"_a);
    m.def("concordant_pairs", &concordant_pairs_of, "starts"_a.noconvert(), "truth"_a.noconvert(),
          "guess"_a.noconvert());
    m.def("resampled_means", &resampled_means, "table"_a.noconvert(), "draws"_a, "seed"_a, "threads"_a);
}

}  // namespace foretaste
