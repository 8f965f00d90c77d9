// Bindings of EASE, a linear model over items: checks, drops the GIL, hands parts to the pool.
#include "kernels/ease.hpp"

#include "runtime/binding.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

SparseRows sparse_rows(const In<std::int64_t>& starts, const In<std::int32_t>& column, const In<float>& value,
                       std::int64_t columns) {
    check(value.size() == column.size(), "column and value must have the same length");
    check_starts(starts, column.size());
    check_range(column, 0, columns, "a column is out of range");
    return {starts.data(), column.data(), value.data()};
}

New2<double> gram_matrix(In<std::int64_t> row_starts, In<std::int32_t> row_columns, In<float> row_values,
                         In<std::int64_t> column_starts, In<std::int32_t> column_rows,
                         In<float> column_values, int threads) {
    const std::size_t rows = check_starts(row_starts, row_columns.size());
    const std::size_t columns = check_starts(column_starts, column_rows.size());
    const SparseRows by_row =
        sparse_rows(row_starts, row_columns, row_values, static_cast<std::int64_t>(columns));
    const SparseRows by_column =
        sparse_rows(column_starts, column_rows, column_values, static_cast<std::int64_t>(rows));
    New2<double> out = new_matrix<double>(columns, columns);
    double* to = out.data();
    run_in_parts(threads, columns, 1, [&](std::size_t i, std::size_t) {
        for (std::size_t j = 0; j < columns; ++j) to[i * columns + j] = 0;
        gram_row(by_row, by_column, i, to + i * columns);
    });
    run_in_parts(threads, columns, 64, [&](std::size_t from, std::size_t until) {
        for (std::size_t i = from; i < until; ++i)
            for (std::size_t j = i + 1; j < columns; ++j) to[i * columns + j] = to[j * columns + i];
    });
    return out;
}

New<float> item_scores(In<std::int64_t> starts, In<std::int32_t> columns, In<float> values, In2<float> weight,
                       In<std::int32_t> user, In<std::int32_t> item, int threads) {
    check(weight.shape(0) == weight.shape(1), "weight must be square");
    check(user.size() == item.size(), "user and item must have the same length");
    const std::size_t items = weight.shape(0);
    const SparseRows rows = sparse_rows(starts, columns, values, static_cast<std::int64_t>(items));
    check_range(user, -1, static_cast<std::int64_t>(starts.size()) - 1, "a user index is out of range");
    check_range(item, -1, static_cast<std::int64_t>(items), "an item index is out of range");
    New<float> out = new_array<float>(user.size());
    float* to = out.data();
    run_in_parts(threads, user.size(), 4096, [&](std::size_t from, std::size_t until) {
        for (std::size_t n = from; n < until; ++n)
            to[n] = item_score(rows, weight.data(), items, user.data()[n], item.data()[n]);
    });
    return out;
}

}  // namespace

void bind_ease(nb::module_& m) {
    m.def("gram_matrix", &gram_matrix, "row_starts"_a.noconvert(), "row_columns"_a.noconvert(),
          "row_values"_a.noconvert(), "column_starts"_a.noconvert(), "column_rows"_a.noconvert(),
          "column_values"_a.noconvert(), "threads"_a);
    m.def("item_scores", &item_scores, "starts"_a.noconvert(), "columns"_a.noconvert(),
          "values"_a.noconvert(), "weight"_a.noconvert(), "user"_a.noconvert(), "item"_a.noconvert(),
          "threads"_a);
}

}  // namespace foretaste
