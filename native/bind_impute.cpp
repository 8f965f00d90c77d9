// Binding of k-nearest-neighbour imputation: checks, drops the GIL, hands blocks of rows to the pool.
#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "binding.hpp"
#include "impute_plan.hpp"
#include "impute_row.hpp"
#include "kernels.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

// What one thread needs for a block of receivers.
struct ImputeScratch {
    ImputeRow row;
    std::vector<std::int64_t> starts;
    std::vector<std::int32_t> column, receiver;
    std::vector<float> value, near;

    ImputeScratch(const ImputePlan& plan, int neighbors, bool by_distance) : row(plan, neighbors, by_distance) {}
};

// Fill the rows [from, to): their distances to all rows first, so that a tile is used while it is in cache.
void fill_block(const ImputePlan& plan, const Kernels& kernel, ImputeScratch& scratch, std::size_t from,
                std::size_t to, float* out) {
    scratch.starts.assign(1, 0);
    scratch.column.clear(), scratch.value.clear(), scratch.receiver.clear();
    for (std::size_t row = from; row < to; ++row) {
        const std::size_t before = scratch.column.size();
        for (std::size_t w = 0; w < plan.words; ++w)
            each_bit(plan.row_bits(row)[w], w * 64, [&](std::size_t c) {
                scratch.column.push_back(static_cast<std::int32_t>(c));
                scratch.value.push_back(plan.row_values(row)[c] * plan.scale);
            });
        const std::size_t known = scratch.column.size() - before;
        if (known == 0 || known == plan.columns) {
            scratch.column.resize(before), scratch.value.resize(before);
            scratch.row.fill(row, nullptr, out + row * plan.columns);
            continue;
        }
        scratch.receiver.push_back(static_cast<std::int32_t>(row));
        scratch.starts.push_back(static_cast<std::int64_t>(scratch.column.size()));
    }
    const std::size_t width = plan.tiles * plan.donors;
    scratch.near.resize(scratch.receiver.size() * width);
    kernel.impute_distances(plan.data(),
                            {scratch.starts.data(), scratch.column.data(), scratch.value.data(),
                             static_cast<int>(scratch.receiver.size())},
                            scratch.near.data());
    for (std::size_t r = 0; r < scratch.receiver.size(); ++r) {
        const auto row = static_cast<std::size_t>(scratch.receiver[r]);
        scratch.row.fill(row, scratch.near.data() + r * width, out + row * plan.columns);
    }
}

// Rows a block: enough to use each tile often, few enough for the memory (16 MB) and time of a task.
std::size_t block_size(const ImputePlan& plan) {
    const double rows = static_cast<double>(plan.rows), cells = static_cast<double>(plan.known());
    const double size = std::min({64.0, 4e6 / rows, 8e8 / std::max(1.0, cells), rows / 32});
    return static_cast<std::size_t>(std::max(4.0, size));
}

New2<float> impute_nearest(In2<float> matrix, int neighbors, bool by_distance, int threads) {
    check(neighbors >= 1, "neighbors must be at least 1");
    check(threads >= 1, "threads must be at least 1");
    const Kernels& kernel = kernels();
    const std::size_t rows = matrix.shape(0), columns = matrix.shape(1);
    check(rows < (std::size_t{1} << 31) && columns < (std::size_t{1} << 31), "the matrix is too large");
    New2<float> out = new_matrix<float>(rows, columns);
    if (rows == 0 || columns == 0) return out;
    ImputePlan plan(matrix.data(), rows, columns, kernel.impute_tile);
    run_in_parts(threads, rows, 1024, [&](std::size_t from, std::size_t to) {
        for (std::size_t row = from; row < to; ++row) plan.mark_row(row);
    });
    run_on_pool(threads, plan.words, [&](std::size_t word, int) { plan.count_word(word); });
    check(plan.settle(), "the matrix must hold finite numbers, or NaN where a cell is missing");
    run_on_pool(threads, plan.words, [&](std::size_t word, int) { plan.list_word(word); });
    run_on_pool(threads, plan.tiles, [&](std::size_t tile, int) { plan.pack_tile(tile); });
    std::vector<std::unique_ptr<ImputeScratch>> scratch(static_cast<std::size_t>(threads));
    const std::size_t size = block_size(plan);
    float* to = out.data();
    run_on_pool(threads, (rows + size - 1) / size, [&](std::size_t block, int worker) {
        auto& mine = scratch[static_cast<std::size_t>(worker)];
        if (!mine) mine = std::make_unique<ImputeScratch>(plan, neighbors, by_distance);
        fill_block(plan, kernel, *mine, block * size, std::min(rows, (block + 1) * size), to);
    });
    return out;
}

}  // namespace

void bind_impute(nb::module_& m) {
    m.def("impute_nearest", &impute_nearest, "matrix"_a.noconvert(), "neighbors"_a, "by_distance"_a, "threads"_a);
}

}  // namespace foretaste
