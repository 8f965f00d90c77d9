// Biases by stochastic gradient descent, float64, one rating after another.
#pragma once

#include <cstddef>
#include <cstdint>

namespace foretaste {

struct BiasData {
    const std::int32_t *user, *item;
    const double* value;  // the rating less the global mean
    const float* weight;  // or null: all 1
    double *user_bias, *item_bias;
    double learning_rate, regularization;
};

// Learn from the rows [from, to) in their order.
inline void descend_biases(const BiasData& data, std::size_t from, std::size_t to) {
    for (std::size_t r = from; r < to; ++r) {
        double& user_bias = data.user_bias[data.user[r]];
        double& item_bias = data.item_bias[data.item[r]];
        const double error = data.value[r] - user_bias - item_bias;
        const double rate =
            data.weight ? data.learning_rate * static_cast<double>(data.weight[r]) : data.learning_rate;
        user_bias += rate * (error - data.regularization * user_bias);
        item_bias += rate * (error - data.regularization * item_bias);
    }
}

}  // namespace foretaste
