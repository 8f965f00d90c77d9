// Non-negative factors as scikit-surprise learns them: one pass over the ratings, then every factor times the
// sum of the ratings over the sum of the estimates.
//
// The factors stand still during a pass, so a user's can be multiplied as soon as the user's ratings are
// done.
#pragma once

#include "surprise/factors.hpp"

namespace foretaste::FORETASTE_ISA {

// x * above / (below + weight x), and 0 where x is 0; false where that would be a division by 0.
[[gnu::always_inline]] inline bool surprise_multiply(double* x, const double* above, const double* below,
                                                     double weight, int width) {
    using V = Doubles;
    bool good = true;
    for (int c = 0; c < width; c += Vector<double>::lanes) {
        const V old = load(x + c), under = load(below + c) + broadcast(weight) * old, zero{};
        const auto live = old != zero;
        const auto bad = live & (under == zero);
        for (int lane = 0; lane < Vector<double>::lanes; ++lane) good &= bad[lane] == 0;
        store(x + c, live ? old * (load(above + c) / under) : old);
    }
    return good;
}

// One user's ratings; `scratch` is (2, width). False where a division by 0 was met.
template <int PARTS>
[[gnu::noinline]] bool surprise_nmf_visit(const SurpriseNmf& model, std::int64_t user, double* scratch) {
    using V = Doubles;
    constexpr int lanes = Vector<double>::lanes;
    const SurpriseRows& data = model.data;
    const int width = PARTS ? PARTS * lanes : model.width, parts = width / lanes;
    const std::int64_t first = data.start[user], end = data.start[user + 1];
    const double user_bias_kept = 1 - model.user_bias_rate * model.user_bias_reg;
    const double item_bias_kept = 1 - model.item_bias_rate * model.item_bias_reg;
    for (int c = 0; c < 2 * width; ++c) scratch[c] = 0;
    double* const own = model.user_factors + static_cast<std::size_t>(user) * width;
    UserVector<PARTS> p(own), above(scratch), below(scratch + width);
    double user_bias = model.user_bias[user];
    for (std::int64_t r = first; r < end; ++r) {
        const std::size_t item = data.item[r];
        const double* const q = model.item_factors + item * width;
        double* const item_above = model.item_sums + item * 2 * width;
        double* const item_below = item_above + width;
        prefetch_item(data, model.item_factors, width, r + SurpriseRows::ahead);
        prefetch_item(data, model.item_sums, 2 * width, r + SurpriseRows::ahead);
        V even{}, odd{};
#pragma GCC unroll 8
        for (int c = 0; c < parts; c += 2) {
            even += p.get(c) * load(q + c * lanes);
            if (c + 1 < parts) odd += p.get(c + 1) * load(q + (c + 1) * lanes);
        }
        double& item_bias = model.item_bias[item];
        const double value = data.value[r],
                     estimate = model.mean + item_bias + sum<double>(even + odd) + user_bias;
        if (model.biased) {
            const double error = value - estimate;
            user_bias = user_bias * user_bias_kept + model.user_bias_rate * error;
            item_bias = item_bias * item_bias_kept + model.item_bias_rate * error;
        }
        const V up = broadcast(value), down = broadcast(estimate);
#pragma GCC unroll 8
        for (int c = 0; c < parts; ++c) {
            const V x = p.get(c), y = load(q + c * lanes);
            above.set(c, above.get(c) + y * up);
            below.set(c, below.get(c) + y * down);
            store(item_above + c * lanes, load(item_above + c * lanes) + x * up);
            store(item_below + c * lanes, load(item_below + c * lanes) + x * down);
        }
    }
    model.user_bias[user] = user_bias;
    above.write_back(), below.write_back();
    return surprise_multiply(own, scratch, scratch + width, static_cast<double>(end - first) * model.user_reg,
                             width);
}

inline bool surprise_nmf_user(const SurpriseNmf& model, std::int64_t user, double* scratch) {
    return with_width<1, 2, 3, 4, 5>(model.width / Vector<double>::lanes, [&](auto parts) {
        return surprise_nmf_visit<decltype(parts)::value>(model, user, scratch);
    });
}

// When all users are done: the item's factors, and its sums back to 0.
inline bool surprise_nmf_item(const SurpriseNmf& model, std::int64_t item) {
    const int width = model.width;
    double* const sums = model.item_sums + static_cast<std::size_t>(item) * 2 * width;
    const bool good = surprise_multiply(model.item_factors + static_cast<std::size_t>(item) * width, sums,
                                        sums + width, model.item_count[item] * model.item_reg, width);
    for (int c = 0; c < 2 * width; c += Vector<double>::lanes) store(sums + c, Doubles{});
    return good;
}

}  // namespace foretaste::FORETASTE_ISA
