// Bindings of matrix factorization: checks shapes and indices, drops the GIL, calls.
#include "kernels/sgd_plan.hpp"
#include "runtime/binding.hpp"
#include "runtime/kernels.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

void plan_init(SgdPlan* self, In<std::int32_t> user, In<std::int32_t> item, In<float> value,
               std::optional<In<float>> weight, std::int64_t users, std::int64_t items, std::int64_t grid) {
    const std::size_t n = user.size();
    check(item.size() == n && value.size() == n, "user, item and value must have the same length");
    check(!weight || weight->size() == n, "weight must be as long as value");
    check(grid >= 1 && grid <= 1024, "grid must be 1 to 1024");
    check_range(user, 0, users, "a user index is out of range");
    check_range(item, 0, items, "an item index is out of range");
    nb::gil_scoped_release released;
    new (self) SgdPlan(user.data(), item.data(), value.data(), weight ? weight->data() : nullptr, n, users,
                       items, grid);
}

template <class T>
New<T> copied(const std::vector<T>& values) {
    New<T> out = new_array<T>(values.size());
    std::copy(values.begin(), values.end(), out.data());
    return out;
}

void check_factors(const SgdPlan& plan, const Out2<float>& p, const Out2<float>& q, const Out<float>& bu,
                   const Out<float>& bi) {
    check(p.shape(1) == q.shape(1) && p.shape(1) % 16 == 0, "factors must be padded to a multiple of 16");
    check(p.shape(0) == static_cast<std::size_t>(plan.users) && bu.size() == p.shape(0),
          "one row a user is needed");
    check(q.shape(0) == static_cast<std::size_t>(plan.items) && bi.size() == q.shape(0),
          "one row an item is needed");
}

double plan_epoch(const SgdPlan& plan, Out2<float> p, Out2<float> q, Out<float> bu, Out<float> bi,
                  float learning_rate, float regularization, float bias_learning_rate,
                  float bias_regularization, int threads) {
    check_factors(plan, p, q, bu, bi);
    const SgdData<float> data{plan.block.data(),
                              plan.user.data(),
                              plan.item.data(),
                              plan.value.data(),
                              plan.weight.empty() ? nullptr : plan.weight.data(),
                              p.data(),
                              q.data(),
                              bu.data(),
                              bi.data(),
                              static_cast<int>(p.shape(1)),
                              learning_rate,
                              regularization,
                              bias_learning_rate,
                              bias_regularization};
    const std::size_t blocks = plan.grid * plan.grid;
    const auto done = std::make_unique<std::atomic<bool>[]>(blocks);
    std::vector<double> loss(blocks);
    Stop stop;
    const auto kernel = kernels().sgd_block;
    run_on_pool(
        threads, blocks,
        [&](std::size_t task, int) {
            SgdPlan::walk(task, plan.grid, done.get(), stop,
                          [&](std::int64_t block) { loss[block] = kernel(data, block); });
        },
        stop);
    double total = 0;  // in the order of the blocks, so that it is the same at any number of threads
    for (const double part : loss) total += part;
    return total;
}

New<float> dot_pairs(In<std::int32_t> user, In<std::int32_t> item, In2<float> p, In2<float> q, In<float> bu,
                     In<float> bi, float mean, int threads) {
    check(user.size() == item.size(), "user and item must have the same length");
    check(p.shape(1) == q.shape(1), "users and items must have the same number of factors");
    check(p.shape(0) == bu.size() && q.shape(0) == bi.size(), "biases and factors must have the same length");
    check_range(user, -1, static_cast<std::int64_t>(bu.size()), "a user index is out of range");
    check_range(item, -1, static_cast<std::int64_t>(bi.size()), "an item index is out of range");
    New<float> out = new_array<float>(user.size());
    const DotData<float> data{
        user.data(), item.data(), p.data(), q.data(), bu.data(), bi.data(), static_cast<int>(p.shape(1)),
        mean};
    float* to = out.data();
    const auto kernel = kernels().dot_pairs;
    run_in_parts(threads, user.size(), 16384,
                 [&](std::size_t from, std::size_t until) { kernel(data, from, until, to); });
    return out;
}

}  // namespace

void bind_sgd(nb::module_& m) {
    nb::class_<SgdPlan>(m, "SgdPlan")
        .def("__init__", &plan_init, "user"_a.noconvert(), "item"_a.noconvert(), "value"_a.noconvert(),
             "weight"_a.noconvert().none(), "users"_a, "items"_a, "grid"_a)
        .def("epoch", &plan_epoch, "user_factors"_a.noconvert(), "item_factors"_a.noconvert(),
             "user_bias"_a.noconvert(), "item_bias"_a.noconvert(), "learning_rate"_a, "regularization"_a,
             "bias_learning_rate"_a, "bias_regularization"_a, "threads"_a)
        .def_ro("grid", &SgdPlan::grid)
        .def("order", [](const SgdPlan& plan) { return copied(plan.order); })
        .def("blocks", [](const SgdPlan& plan) { return copied(plan.block); })
        .def("user_order", [](const SgdPlan& plan) { return copied(plan.user_order); })
        .def("item_order", [](const SgdPlan& plan) { return copied(plan.item_order); });
    m.def("dot_pairs", &dot_pairs, "user"_a.noconvert(), "item"_a.noconvert(), "user_factors"_a.noconvert(),
          "item_factors"_a.noconvert(), "user_bias"_a.noconvert(), "item_bias"_a.noconvert(), "mean"_a,
          "threads"_a);
}

}  // namespace foretaste
