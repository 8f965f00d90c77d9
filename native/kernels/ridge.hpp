// Ridge regressions of many users on vectors of items, one small system each, in double precision.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace foretaste {

struct RidgeData {
    const std::int64_t* start;  // where each user's rows start, users + 1
    const std::int32_t* item;
    const double* target;
    const double* weight;
    const float* vectors;  // (items, size)
    std::size_t size;
    const double* penalty;  // (size, size), symmetric
};

// Find the x that minimizes sum over the user's rows of weight * (target - vector . x)^2, plus x . penalty x.
// `system` is scratch, (size, size). A user without rows, or with weights of 0 only, gets 0.
inline void ridge_user(const RidgeData& data, std::int64_t user, double* system, double* x) {
    const std::size_t size = data.size;
    double total = 0;
    for (std::size_t c = 0; c < size * size; ++c) system[c] = data.penalty[c];
    for (std::size_t c = 0; c < size; ++c) x[c] = 0;
    for (std::int64_t r = data.start[user]; r < data.start[user + 1]; ++r) {
        const float* const vector = data.vectors + static_cast<std::size_t>(data.item[r]) * size;
        total += data.weight[r];
        for (std::size_t a = 0; a < size; ++a) {
            const double weighted = data.weight[r] * static_cast<double>(vector[a]);
            x[a] += weighted * data.target[r];
            for (std::size_t b = 0; b <= a; ++b)
                system[a * size + b] += weighted * static_cast<double>(vector[b]);
        }
    }
    if (total == 0) return;
    for (std::size_t a = 0; a < size; ++a) {  // Cholesky: system = L L'
        for (std::size_t b = 0; b <= a; ++b) {
            double rest = system[a * size + b];
            for (std::size_t c = 0; c < b; ++c) rest -= system[a * size + c] * system[b * size + c];
            system[a * size + b] = a == b ? std::sqrt(rest) : rest / system[b * size + b];
        }
        for (std::size_t b = 0; b < a; ++b) x[a] -= system[a * size + b] * x[b];
        x[a] /= system[a * size + a];
    }
    for (std::size_t a = size; a-- > 0;) {
        for (std::size_t b = a + 1; b < size; ++b) x[a] -= system[b * size + a] * x[b];
        x[a] /= system[a * size + a];
    }
}

}  // namespace foretaste
