// Binding of alternating least squares and multiplicative updates: checks, drops the GIL, hands rows to the
// pool.
#include <memory>
#include <string>
#include <vector>

#include <nanobind/stl/string.h>

#include "runtime/aligned_array.hpp"
#include "runtime/binding.hpp"
#include "runtime/kernels.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

AlsSolver solver_of(const std::string& name) {
    if (name == "cholesky") return AlsSolver::cholesky;
    if (name == "coordinates") return AlsSolver::coordinates;
    if (name == "gradients") return AlsSolver::gradients;
    check(name == "multiplicative", "solver must be cholesky, coordinates, gradients or multiplicative");
    return AlsSolver::multiplicative;
}

// Where the parts start into which rows are cut: about equal work, many more than there are threads.
std::vector<std::size_t> parts_of(const std::int64_t* starts, std::size_t rows, int factors) {
    const auto work = [&](std::size_t row) {
        return static_cast<double>(starts[row + 1] - starts[row]) + factors / 3.0 + 8;
    };
    double total = 0, done = 0;
    for (std::size_t row = 0; row < rows; ++row) total += work(row);
    std::vector<std::size_t> parts{0};
    for (std::size_t row = 0; row < rows; ++row) {
        done += work(row);
        if (done < total / 512 && row + 1 < rows) continue;
        parts.push_back(row + 1);
        done = 0;
    }
    return parts;
}

double als_half(In<std::int64_t> starts, In<std::int32_t> other, In<float> value,
                std::optional<In<float>> weight, In2<float> features, std::optional<In<float>> other_bias,
                Out2<float> own, std::optional<Out<float>> own_bias, In<float> ridge, In<float> growth,
                std::optional<In<float>> bias_ridge, int factors, const std::string& solver, int steps,
                int threads) {
    const std::size_t ratings = other.size(), rows = check_starts(starts, ratings);
    check(ratings < (std::size_t{1} << 31), "there are too many ratings");
    check(value.size() == ratings && (!weight || weight->size() == ratings),
          "other, value and weight must have the same length");
    check_range(other, 0, static_cast<std::int64_t>(features.shape(0)),
                "an index of the other side is out of range");
    check(own.shape(0) == rows && ridge.size() == rows, "one row a user or item is needed");
    check(own.shape(1) == features.shape(1) && own.shape(1) % 16 == 0,
          "factors must be padded to a multiple of 16");
    check(growth.size() == own.shape(1), "growth must be as long as the tables are wide");
    check(factors >= 1 && static_cast<std::size_t>(factors) <= own.shape(1) && own.shape(1) <= 65536,
          "factors must be 1 to the width of the tables");
    check(!own_bias == !other_bias && !own_bias == !bias_ridge,
          "biases need own_bias, other_bias and bias_ridge");
    check(!own_bias || (own_bias->size() == rows && bias_ridge->size() == rows &&
                        other_bias->size() == features.shape(0)),
          "biases and factors must have the same length");
    check(steps >= 1, "steps must be at least 1");
    check(threads >= 1, "threads must be at least 1");
    const AlsData data{starts.data(),
                       other.data(),
                       value.data(),
                       weight ? weight->data() : nullptr,
                       features.data(),
                       other_bias ? other_bias->data() : nullptr,
                       own.data(),
                       own_bias ? own_bias->data() : nullptr,
                       ridge.data(),
                       growth.data(),
                       bias_ridge ? bias_ridge->data() : nullptr,
                       factors,
                       static_cast<int>(own.shape(1)),
                       solver_of(solver),
                       steps};
    const Kernels& kernel = kernels();
    const std::vector<std::size_t> parts = parts_of(data.starts, rows, factors);
    std::vector<double> error(rows);
    std::vector<std::unique_ptr<AlignedArray<float>>> memory(static_cast<std::size_t>(threads));
    Stop stop;
    run_on_pool(
        threads, parts.size() - 1,
        [&](std::size_t part, int worker) {
            auto& mine = memory[static_cast<std::size_t>(worker)];
            if (!mine) mine = std::make_unique<AlignedArray<float>>(kernel.als_memory(data));
            for (std::size_t row = parts[part]; row < parts[part + 1] && !stop.requested(); ++row)
                error[row] = kernel.als_row(data, static_cast<std::int64_t>(row), mine->data());
        },
        stop);
    double total = 0;  // in the order of the rows, so that it is the same at any number of threads
    for (const double one : error) total += one;
    return total;
}

}  // namespace

void bind_als(nb::module_& m) {
    m.def("als_half", &als_half, "starts"_a.noconvert(), "other"_a.noconvert(), "value"_a.noconvert(),
          "weight"_a.noconvert().none(), "features"_a.noconvert(), "other_bias"_a.noconvert().none(),
          "own"_a.noconvert(), "own_bias"_a.noconvert().none(), "ridge"_a.noconvert(), "growth"_a.noconvert(),
          "bias_ridge"_a.noconvert().none(), "factors"_a, "solver"_a, "steps"_a, "threads"_a);
}

}  // namespace foretaste
