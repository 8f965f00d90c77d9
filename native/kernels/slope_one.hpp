// Slope One: how much more one item gets than another from the users who rated both.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/pair_sums.hpp"

namespace foretaste {

struct Deviations {
    const float* mean;           // (items, items): of the row's item above the column's
    const std::int32_t* common;  // how many users rated both
    std::size_t items;
};

// Sum and weight over the items that a user rated: of deviations, or (weighted by `common`) of ratings moved
// by them.
inline void slope_one_sums(const Deviations& deviations, std::int32_t item, const std::int32_t* rated,
                           const float* value, std::int64_t count, bool weighted, double& total,
                           double& weight) {
    const float* mean = deviations.mean + static_cast<std::size_t>(item) * deviations.items;
    const std::int32_t* common = deviations.common + static_cast<std::size_t>(item) * deviations.items;
    for (std::int64_t e = 0; e < count; ++e) {
        const std::int32_t other = rated[e];
        const auto users = static_cast<double>(common[other]);
        const auto deviation = static_cast<double>(mean[other]);
        if (weighted) {
            total += users * (deviation + static_cast<double>(value[e]));
            weight += users;
        } else if (users > 0) {
            total += deviation;
            weight += 1;
        }
    }
}

}  // namespace foretaste
