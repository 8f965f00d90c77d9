// Bindings of Slope One: checks, drops the GIL, hands pairs of rows to the pool.
#include "kernels/slope_one.hpp"
#include "bind/row_pairs.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

// Fill in the mean difference of every two rows over the columns in common, and how many there are.
void deviations(In<std::int32_t> row, In<std::int32_t> column, In<float> value, std::int64_t columns,
                Out2<float> mean, Out2<std::int32_t> common, int threads) {
    const std::size_t n = mean.shape(0);
    check(mean.shape(1) == n && common.shape(0) == n && common.shape(1) == n, "deviations must be square");
    const CooMatrix<float> cells = checked_cells(row, column, value, static_cast<std::int64_t>(n), columns);
    check(threads >= 1, "threads must be at least 1");
    float* const means = mean.data();
    std::int32_t* const counts = common.data();
    run_in_parts(threads, n, 256, [&](std::size_t from, std::size_t to) {
        std::fill(means + from * n, means + to * n, 0.0F);
        std::fill(counts + from * n, counts + to * n, 0);
    });
    with_plan(cells, threads, [&](const auto& plan) {
        const auto visit = [&](int, std::size_t position, std::size_t other, const DifferenceSums& sums) {
            const auto one = static_cast<std::size_t>(plan.order[position]),
                       two = static_cast<std::size_t>(plan.order[other]);
            const auto difference = static_cast<float>(sums.difference / sums.common);
            means[one * n + two] = difference, means[two * n + one] = -difference;
            counts[one * n + two] = counts[two * n + one] = static_cast<std::int32_t>(sums.common);
        };
        walk_pairs<DifferenceSums>(plan, false, threads, visit, [](int, std::size_t) {});
    });
}

// For each pair of an item (row) and a user (column), the sums that slope_one_sums makes; 0 where one is
// unknown.
nb::tuple deviation_sums(In<std::int32_t> row, In<std::int32_t> column, In2<float> mean,
                         In2<std::int32_t> common, In<std::int64_t> column_start, In<std::int32_t> entry_row,
                         In<float> value, bool weighted, int threads) {
    const std::size_t n = mean.shape(0);
    check(mean.shape(1) == n && common.shape(0) == n && common.shape(1) == n, "deviations must be square");
    check(entry_row.size() == value.size() && row.size() == column.size(),
          "what belongs together must be equally long");
    const std::size_t columns = check_starts(column_start, value.size());
    check_range(entry_row, 0, static_cast<std::int64_t>(n), "a row index is out of range");
    check_range(row, -1, static_cast<std::int64_t>(n), "a row index is out of range");
    check_range(column, -1, static_cast<std::int64_t>(columns), "a column index is out of range");
    check(threads >= 1, "threads must be at least 1");
    New<double> total = new_array<double>(row.size()), weight = new_array<double>(row.size());
    double* const totals = total.data();
    double* const weights = weight.data();
    const Deviations deviations{mean.data(), common.data(), n};
    by_column(column, row, n, threads, [&](const std::int32_t* from, const std::int32_t* end, int) {
        for (; from != end; ++from) {
            const std::int32_t item = row.data()[*from], user = column.data()[*from];
            totals[*from] = weights[*from] = 0;
            if (item < 0 || user < 0) continue;
            const std::int64_t first = column_start.data()[user], last = column_start.data()[user + 1];
            slope_one_sums(deviations, item, entry_row.data() + first, value.data() + first, last - first,
                           weighted, totals[*from], weights[*from]);
        }
    });
    return nb::make_tuple(total, weight);
}

}  // namespace

void bind_slope_one(nb::module_& m) {
    m.def("deviations", &deviations, "row"_a.noconvert(), "column"_a.noconvert(), "value"_a.noconvert(),
          "columns"_a, "mean"_a.noconvert(), "common"_a.noconvert(), "threads"_a);
    m.def("deviation_sums", &deviation_sums, "row"_a.noconvert(), "column"_a.noconvert(),
          "mean"_a.noconvert(), "common"_a.noconvert(), "column_start"_a.noconvert(),
          "entry_row"_a.noconvert(), "value"_a.noconvert(), "weighted"_a, "threads"_a);
}

}  // namespace foretaste
