// The extension module: general bindings here, one file for each family of kernels beside it.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "io/counting_sort.hpp"
#include "runtime/binding.hpp"
#include "runtime/kernels.hpp"

namespace foretaste {

using namespace nb::literals;

void bind_als(nb::module_& m);
void bind_bias(nb::module_& m);
void bind_co_clustering(nb::module_& m);
void bind_csv_reader(nb::module_& m);
void bind_ease(nb::module_& m);
void bind_id_encoder(nb::module_& m);
void bind_impute(nb::module_& m);
void bind_knn(nb::module_& m);
void bind_rank_metrics(nb::module_& m);
void bind_ridge(nb::module_& m);
void bind_sgd(nb::module_& m);
void bind_slope_one(nb::module_& m);
void bind_surprise_biases(nb::module_& m);
void bind_surprise_factors(nb::module_& m);
void bind_surprise_knn(nb::module_& m);
void bind_svdpp(nb::module_& m);
void bind_topk(nb::module_& m);

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

std::vector<std::string> isas() {
    std::vector<std::string> names;
    for (const Kernels* const* k = available_kernels(); *k != nullptr; ++k) names.emplace_back((*k)->isa);
    return names;
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Native kernels of foretaste; private.";
    m.def("group_rows", &group_rows_of, "group"_a.noconvert(), "groups"_a);
    m.def("isas", &isas, "The instruction sets that this build and processor have, best first.");
    m.def("isa", [] { return std::string(kernels().isa); }, "The instruction set in use.");
    m.def("use_isa",
          [](const std::string& name) { check(use_kernels(name.c_str()), "no such instruction set here"); });
    bind_als(m);
    bind_bias(m);
    bind_co_clustering(m);
    bind_csv_reader(m);
    bind_ease(m);
    bind_id_encoder(m);
    bind_impute(m);
    bind_knn(m);
    bind_rank_metrics(m);
    bind_ridge(m);
    bind_sgd(m);
    bind_slope_one(m);
    bind_surprise_biases(m);
    bind_surprise_factors(m);
    bind_surprise_knn(m);
    bind_svdpp(m);
    bind_topk(m);
}

}  // namespace foretaste
