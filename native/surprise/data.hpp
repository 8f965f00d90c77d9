// What the kernels of scikit-surprise's factor models work on; see surprise/factors.hpp.
#pragma once

#include <cstdint>

namespace foretaste {

// Ratings in the order in which they are learned: by user, within a user as they were given.
struct SurpriseRows {
    static constexpr int ahead = 4;  // rows whose item is fetched before its use
    const std::int64_t* start;       // where the rows of each user start, users + 1
    const std::int32_t* item;
    const double* value;
    std::int64_t rows;
};

// Tables are (rows, width), rows padded with zeros to whole vectors; biases that are not learned have rate 0.
struct SurpriseSgd {
    SurpriseRows data;
    double *user_factors, *item_factors, *implicit_factors;  // the last is null without implicit feedback
    double *user_bias, *item_bias;
    int width;
    double mean;
    double user_bias_rate, item_bias_rate, user_rate, item_rate, implicit_rate;
    double user_bias_reg, item_bias_reg, user_reg, item_reg, implicit_reg;
};

// Non-negative factors, multiplied once an epoch by what its ratings and estimates sum up to.
struct SurpriseNmf {
    SurpriseRows data;
    double *user_factors, *item_factors;
    double *user_bias, *item_bias;
    double* item_sums;         // (items, 2, width): of p * rating, of p * estimate; 0 before an epoch
    const double* item_count;  // (items): how many ratings each has
    int width;
    double mean;
    double user_bias_rate, item_bias_rate, user_bias_reg, item_bias_reg;
    double user_reg, item_reg;
    bool biased;
};

}  // namespace foretaste
