// The extension module: general bindings here, one file for each family of kernels beside it.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <tuple>
#include <vector>

#include "binding.hpp"
#include "grouping.hpp"
#include "kernels.hpp"

namespace foretaste {

using namespace nb::literals;

void bind_als(nb::module_& m);
void bind_encode(nb::module_& m);
void bind_classics(nb::module_& m);
void bind_impute(nb::module_& m);
void bind_neighbors(nb::module_& m);
void bind_slope_one(nb::module_& m);
void bind_lines(nb::module_& m);
void bind_sgd(nb::module_& m);
void bind_svdpp(nb::module_& m);
void bind_ridge(nb::module_& m);
void bind_rank_metrics(nb::module_& m);
void bind_surprise_neighbors(nb::module_& m);
void bind_topk(nb::module_& m);
void bind_surprise_factors(nb::module_& m);
void bind_surprise_biases(nb::module_& m);

namespace {

nb::tuple group_rows_of(In<std::int32_t> group, std::int64_t groups) {
    check(groups >= 0, "groups must be at least 0");
    check_range(group, 0, groups, "a group is out of range");
    New<std::int64_t> starts = new_array<std::int64_t>(groups + 1);
    New<std::int32_t> rows = new_array<std::int32_t>(group.size());
    {
        nb::gil_scoped_release released;
        group_rows(group.data(), group.size(), groups, starts.data(), rows.data());
    }
    return nb::make_tuple(starts, rows);
}

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

std::vector<std::string> isas() {
    std::vector<std::string> names;
    for (const Kernels* const* k = available_kernels(); *k != nullptr; ++k) names.emplace_back((*k)->isa);
    return names;
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Native kernels of foretaste; private.";
    m.def("group_rows", &group_rows_of, "group"_a.noconvert(), "groups"_a);
    m.def("concordant_pairs", &concordant_pairs_of, "starts"_a.noconvert(), "truth"_a.noconvert(),
          "guess"_a.noconvert());
    m.def("isas", &isas, "The instruction sets that this build and processor have, best first.");
    m.def("isa", [] { return std::string(kernels().isa); }, "The instruction set in use.");
    m.def("use_isa", [](const std::string& name) { check(use_kernels(name.c_str()), "no such instruction set here"); });
    bind_als(m);
    bind_encode(m);
    bind_classics(m);
    bind_impute(m);
    bind_neighbors(m);
    bind_slope_one(m);
    bind_lines(m);
    bind_sgd(m);
    bind_svdpp(m);
    bind_ridge(m);
    bind_rank_metrics(m);
    bind_surprise_neighbors(m);
    bind_topk(m);
    bind_surprise_factors(m);
    bind_surprise_biases(m);
}

}  // namespace foretaste
