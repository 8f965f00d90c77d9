// Binding of k-nearest-neighbor imputation: checks, drops the GIL, hands blocks of rows to the pool.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "kernels/impute_plan.hpp"
#include "kernels/impute_row.hpp"
#include "runtime/binding.hpp"
#include "runtime/kernels.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

// What one thread needs for a block of receivers.
template <class T>
struct ImputeScratch {
    ImputeRow<T> row;
    std::vector<std::int64_t> starts;
    std::vector<std::int32_t> column, receiver;
    std::vector<T> value, near;

    ImputeScratch(const ImputePlan<T>& plan, int neighbors, bool by_distance)
        : row(plan, neighbors, by_distance) {}
};

void find_distances(const Kernels& kernel, const ImputeTiles<float>& data,
                    const ImputeReceivers<float>& receivers, float* out) {
    kernel.impute_distances(data, receivers, out);
}

void find_distances(const Kernels& kernel, const ImputeTiles<double>& data,
                    const ImputeReceivers<double>& receivers, double* out) {
    kernel.impute_distances_double(data, receivers, out);
}

// Fill the rows [from, to): their distances to all donors first, so that a tile is used while it is in cache.
template <class T>
void fill_block(const ImputePlan<T>& plan, const ImputeCells<T>& receivers, const Kernels& kernel,
                ImputeScratch<T>& scratch, std::size_t from, std::size_t to, T* out) {
    scratch.starts.assign(1, 0);
    scratch.column.clear(), scratch.value.clear(), scratch.receiver.clear();
    for (std::size_t row = from; row < to; ++row) {
        const std::size_t before = scratch.column.size();
        for (std::size_t w = 0; w < receivers.words; ++w)
            each_bit(receivers.row_bits(row)[w], w * 64, [&](std::size_t c) {
                scratch.column.push_back(static_cast<std::int32_t>(c));
                scratch.value.push_back(receivers.row_values(row)[c] * plan.scale);
            });
        const std::size_t known = scratch.column.size() - before;
        if (known == 0 || known == plan.columns || plan.known() == 0) {
            scratch.column.resize(before), scratch.value.resize(before);
            scratch.row.fill(receivers, row, nullptr, out + row * plan.columns);
            continue;
        }
        scratch.receiver.push_back(static_cast<std::int32_t>(row));
        scratch.starts.push_back(static_cast<std::int64_t>(scratch.column.size()));
    }
    const std::size_t width = plan.tiles * plan.donors;
    scratch.near.resize(scratch.receiver.size() * width);
    find_distances(kernel, plan.data(),
                   {scratch.starts.data(), scratch.column.data(), scratch.value.data(),
                    static_cast<int>(scratch.receiver.size())},
                   scratch.near.data());
    for (std::size_t r = 0; r < scratch.receiver.size(); ++r) {
        const auto row = static_cast<std::size_t>(scratch.receiver[r]);
        scratch.row.fill(receivers, row, scratch.near.data() + r * width, out + row * plan.columns);
    }
}

// Receivers a block: enough to use each tile often, few enough for the memory (4 million distances) and time
// of a task, and for all threads to have work.
template <class T>
std::size_t block_size(const ImputePlan<T>& plan, std::size_t receivers) {
    const auto rows = static_cast<double>(plan.rows), cells = static_cast<double>(plan.known());
    const double size =
        std::min({64.0, 4e6 / rows, 8e8 / std::max(1.0, cells), static_cast<double>(receivers) / 32});
    return static_cast<std::size_t>(std::max(4.0, size));
}

template <class T>
void mark_rows(ImputeCells<T>& cells, int threads) {
    run_in_parts(threads, cells.rows, 1024, [&](std::size_t from, std::size_t to) {
        for (std::size_t row = from; row < to; ++row) cells.mark_row(row);
    });
}

// Fill `receivers` from `plan`, which are marked; they may be the same rows.
template <class T>
void impute(ImputePlan<T>& plan, const ImputeCells<T>& receivers, int neighbors, bool by_distance,
            int threads, T* out) {
    const Kernels& kernel = kernels();
    const T most = std::max(plan.most(), receivers.most());
    check(std::isfinite(most), "the matrix must hold finite numbers, or NaN where a cell is missing");
    run_on_pool(threads, plan.words, [&](std::size_t word, int) { plan.count_word(word); });
    plan.finish_columns(most);
    run_on_pool(threads, plan.words, [&](std::size_t word, int) { plan.list_word(word); });
    run_on_pool(threads, plan.tiles, [&](std::size_t tile, int) { plan.pack_tile(tile); });
    std::vector<std::unique_ptr<ImputeScratch<T>>> scratch(static_cast<std::size_t>(threads));
    const std::size_t size = block_size(plan, receivers.rows);
    run_on_pool(threads, (receivers.rows + size - 1) / size, [&](std::size_t block, int worker) {
        auto& mine = scratch[static_cast<std::size_t>(worker)];
        if (!mine) mine = std::make_unique<ImputeScratch<T>>(plan, neighbors, by_distance);
        fill_block(plan, receivers, kernel, *mine, block * size, std::min(receivers.rows, (block + 1) * size),
                   out);
    });
}

void check_arguments(std::size_t rows, std::size_t columns, int neighbors, int threads) {
    check(neighbors >= 1, "neighbors must be at least 1");
    check(threads >= 1, "threads must be at least 1");
    check(rows < (std::size_t{1} << 31) && columns < (std::size_t{1} << 31), "the matrix is too large");
}

New2<float> impute_nearest(In2<float> matrix, int neighbors, bool by_distance, int threads) {
    const std::size_t rows = matrix.shape(0), columns = matrix.shape(1);
    check_arguments(rows, columns, neighbors, threads);
    New2<float> out = new_matrix<float>(rows, columns);
    if (rows == 0 || columns == 0) return out;
    ImputePlan<float> plan(matrix.data(), rows, columns, kernels().impute_tile);
    mark_rows(plan, threads);
    impute<float>(plan, plan, neighbors, by_distance, threads, out.data());
    return out;
}

// The rows of `receivers`, filled from those of `matrix`.
template <class T>
New2<T> impute_from(In2<T> receivers, In2<T> matrix, int neighbors, bool by_distance, int threads) {
    const std::size_t rows = receivers.shape(0), donors = matrix.shape(0), columns = matrix.shape(1);
    check_arguments(std::max(rows, donors), columns, neighbors, threads);
    check(receivers.shape(1) == columns, "both matrices must have the same columns");
    check(donors >= 1, "the matrix that is imputed from must have a row");
    New2<T> out = new_matrix<T>(rows, columns);
    if (rows == 0 || columns == 0) return out;
    ImputePlan<T> plan(matrix.data(), donors, columns, kernels().impute_tile);
    ImputeCells<T> cells(receivers.data(), rows, columns);
    mark_rows(plan, threads);
    mark_rows(cells, threads);
    impute(plan, cells, neighbors, by_distance, threads, out.data());
    return out;
}

}  // namespace

void bind_impute(nb::module_& m) {
    m.def("impute_nearest", &impute_nearest, "matrix"_a.noconvert(), "neighbors"_a, "by_distance"_a,
          "threads"_a);
    m.def("impute_from", &impute_from<float>, "asked"_a.noconvert(), "matrix"_a.noconvert(), "neighbors"_a,
          "by_distance"_a, "threads"_a);
    m.def("impute_from", &impute_from<double>, "asked"_a.noconvert(), "matrix"_a.noconvert(), "neighbors"_a,
          "by_distance"_a, "threads"_a);
}

}  // namespace foretaste
