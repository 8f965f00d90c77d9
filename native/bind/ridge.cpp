// Binding of ridge regressions: checks shapes and indices, drops the GIL, calls.
#include <memory>

#include "kernels/ridge.hpp"
#include "runtime/binding.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

New2<double> ridge_users(In<std::int64_t> starts, In<std::int32_t> item, In<double> target, In<double> weight,
                         In2<float> vectors, In2<double> penalty, int threads) {
    const std::size_t n = item.size(), size = vectors.shape(1);
    check(target.size() == n && weight.size() == n, "item, target and weight must have the same length");
    const std::size_t users = check_starts(starts, n);
    check_range(item, 0, static_cast<std::int64_t>(vectors.shape(0)), "an item index is out of range");
    check(penalty.shape(0) == size && penalty.shape(1) == size,
          "penalty must be a square as wide as the vectors");
    New2<double> out = new_matrix<double>(users, size);
    const RidgeData data{starts.data(),  item.data(), target.data(), weight.data(),
                         vectors.data(), size,        penalty.data()};
    double* const to = out.data();
    run_in_parts(threads, users, 16, [&](std::size_t from, std::size_t until) {
        const auto system = std::make_unique_for_overwrite<double[]>(size * size);
        for (std::size_t u = from; u < until; ++u)
            ridge_user(data, static_cast<std::int64_t>(u), system.get(), to + u * size);
    });
    return out;
}

}  // namespace

void bind_ridge(nb::module_& m) {
    m.def("ridge_users", &ridge_users, "starts"_a.noconvert(), "item"_a.noconvert(), "target"_a.noconvert(),
          "weight"_a.noconvert(), "vectors"_a.noconvert(), "penalty"_a.noconvert(), "threads"_a);
}

}  // namespace foretaste
