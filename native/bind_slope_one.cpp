// Bindings of Slope One and of biases by gradient descent: checks, drops the GIL, calls.
#include "neighbors_binding.hpp"
#include "slope_one.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

// Fill in the mean difference of every two rows over the columns in common, and how many there are.
void deviations(In<std::int32_t> row, In<std::int32_t> column, In<float> value, std::int64_t columns, Out2<float> mean,
                Out2<std::int32_t> common, int threads) {
    const std::size_t n = mean.shape(0);
    check(mean.shape(1) == n && common.shape(0) == n && common.shape(1) == n, "deviations must be square");
    const Cells<float> cells = checked_cells(row, column, value, static_cast<std::int64_t>(n), columns);
    check(threads >= 1, "threads must be at least 1");
    float* const means = mean.data();
    std::int32_t* const counts = common.data();
    run_in_parts(threads, n, 256, [&](std::size_t from, std::size_t to) {
        std::fill(means + from * n, means + to * n, 0.0F);
        std::fill(counts + from * n, counts + to * n, 0);
    });
    with_plan(cells, threads, [&](const auto& plan) {
        const auto visit = [&](int, std::size_t place, std::size_t other, const DifferenceSums& sums) {
            const auto one = static_cast<std::size_t>(plan.order[place]), two = static_cast<std::size_t>(plan.order[other]);
            const auto difference = static_cast<float>(sums.difference / sums.common);
            means[one * n + two] = difference, means[two * n + one] = -difference;
            counts[one * n + two] = counts[two * n + one] = static_cast<std::int32_t>(sums.common);
        };
        walk_pairs<DifferenceSums>(plan, false, threads, visit, [](int, std::size_t) {});
    });
}

// For each pair of an item (row) and a user (column), the sums that slope_one_sums makes; 0 where one is unknown.
nb::tuple deviation_sums(In<std::int32_t> row, In<std::int32_t> column, In2<float> mean, In2<std::int32_t> common,
                         In<std::int64_t> column_start, In<std::int32_t> entry_row, In<float> value, bool weighted,
                         int threads) {
    const std::size_t n = mean.shape(0);
    check(mean.shape(1) == n && common.shape(0) == n && common.shape(1) == n, "deviations must be square");
    check(column_start.size() >= 1, "starts must begin with 0");
    check(entry_row.size() == value.size() && row.size() == column.size(), "what belongs together must be equally long");
    const std::size_t columns = column_start.size() - 1;
    check_starts(column_start, columns, value.size(), "the lists of entries must rise from 0 to their end");
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
            slope_one_sums(deviations, item, entry_row.data() + first, value.data() + first, last - first, weighted,
                           totals[*from], weights[*from]);
        }
    });
    return nb::make_tuple(total, weight);
}

// Biases by stochastic gradient descent, rows in the order given: each moves its user's and its item's.
nb::tuple bias_descent(In<std::int32_t> user, In<std::int32_t> item, In<double> value, std::optional<In<float>> weight,
                       std::int64_t users, std::int64_t items, std::int64_t epochs, double learning_rate,
                       double regularization) {
    const std::size_t n = value.size();
    check(user.size() == n && item.size() == n, "user, item and value must have the same length");
    check(!weight || weight->size() == n, "weight must be as long as value");
    check(users >= 0 && items >= 0 && epochs >= 0, "no number may be negative");
    check_range(user, 0, users, "a user index is out of range");
    check_range(item, 0, items, "an item index is out of range");
    New<double> user_bias = new_array<double>(users), item_bias = new_array<double>(items);
    std::fill_n(user_bias.data(), users, 0.0);
    std::fill_n(item_bias.data(), items, 0.0);
    constexpr std::size_t part = 1'000'000;  // one after another, on one thread; Ctrl-C stops between two
    const std::size_t parts = (n + part - 1) / part;
    run_on_pool(1, static_cast<std::size_t>(epochs) * parts, [&](std::size_t task, int) {
        const std::size_t first = task % parts * part;
        for (std::size_t r = first; r < std::min(n, first + part); ++r) {
            double& u = user_bias.data()[user.data()[r]];
            double& i = item_bias.data()[item.data()[r]];
            const double error = value.data()[r] - u - i;
            const double rate = weight ? learning_rate * static_cast<double>(weight->data()[r]) : learning_rate;
            u += rate * (error - regularization * u);
            i += rate * (error - regularization * i);
        }
    });
    return nb::make_tuple(user_bias, item_bias);
}

}  // namespace

void bind_slope_one(nb::module_& m) {
    m.def("deviations", &deviations, "row"_a.noconvert(), "column"_a.noconvert(), "value"_a.noconvert(),
          "columns"_a, "mean"_a.noconvert(), "common"_a.noconvert(), "threads"_a);
    m.def("deviation_sums", &deviation_sums, "row"_a.noconvert(), "column"_a.noconvert(), "mean"_a.noconvert(),
          "common"_a.noconvert(), "column_start"_a.noconvert(), "entry_row"_a.noconvert(), "value"_a.noconvert(),
          "weighted"_a, "threads"_a);
    m.def("bias_descent", &bias_descent, "user"_a.noconvert(), "item"_a.noconvert(), "value"_a.noconvert(),
          "weight"_a.noconvert().none(), "users"_a, "items"_a, "epochs"_a, "learning_rate"_a, "regularization"_a);
}

}  // namespace foretaste
