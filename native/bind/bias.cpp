// Binding of biases by gradient descent: checks, drops the GIL, calls.
#include "kernels/bias.hpp"

#include <algorithm>

#include "runtime/binding.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

// Biases by stochastic gradient descent, rows in the order given: each moves its user's and its item's.
nb::tuple bias_descent(In<std::int32_t> user, In<std::int32_t> item, In<double> value,
                       std::optional<In<float>> weight, std::int64_t users, std::int64_t items,
                       std::int64_t epochs, double learning_rate, double regularization) {
    const std::size_t n = value.size();
    check(user.size() == n && item.size() == n, "user, item and value must have the same length");
    check(!weight || weight->size() == n, "weight must be as long as value");
    check(users >= 0 && items >= 0 && epochs >= 0, "no number may be negative");
    check_range(user, 0, users, "a user index is out of range");
    check_range(item, 0, items, "an item index is out of range");
    New<double> user_bias = new_array<double>(users), item_bias = new_array<double>(items);
    std::fill_n(user_bias.data(), users, 0.0);
    std::fill_n(item_bias.data(), items, 0.0);
    const BiasData data{user.data(),      item.data(),      value.data(),  weight ? weight->data() : nullptr,
                        user_bias.data(), item_bias.data(), learning_rate, regularization};
    constexpr std::size_t part = 1'000'000;  // one after another, on one thread; Ctrl-C stops between two
    const std::size_t parts = (n + part - 1) / part;
    run_on_pool(1, static_cast<std::size_t>(epochs) * parts, [&](std::size_t task, int) {
        const std::size_t first = task % parts * part;
        descend_biases(data, first, std::min(n, first + part));
    });
    return nb::make_tuple(user_bias, item_bias);
}

}  // namespace

void bind_bias(nb::module_& m) {
    m.def("bias_descent", &bias_descent, "user"_a.noconvert(), "item"_a.noconvert(), "value"_a.noconvert(),
          "weight"_a.noconvert().none(), "users"_a, "items"_a, "epochs"_a, "learning_rate"_a,
          "regularization"_a);
}

}  // namespace foretaste
