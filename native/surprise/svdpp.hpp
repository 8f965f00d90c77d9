// SVD++ as scikit-surprise learns it, in float64, in |N| steps a user instead of |N|^2.
//
// Every rating of a user moves all implicit factors y of the items that the user rated by the same step:
//     y' = keep y + |N|^-1/2 rate error q,  so what counts, z = |N|^-1/2 sum y, moves by  z' = keep z + rate
//     error q.
// z is summed once, learned with the user's own vector, and what it learned is given to the y when the user's
// ratings are done: the same numbers, but for rounding. A user who rated an item twice counts its y twice,
// and the steps are no longer the same: then every step is taken as it is written.
#pragma once

#include "surprise/factors.hpp"

namespace foretaste::FORETASTE_ISA {

template <int PARTS>
[[gnu::noinline]] void surprise_svdpp_visit(const SurpriseSgd& model, std::int64_t user, double* scratch) {
    using V = Doubles;
    constexpr int lanes = Vector<double>::lanes;
    const SurpriseRows& data = model.data;
    const int width = PARTS ? PARTS * lanes : model.width, parts = width / lanes;
    const std::int64_t first = data.start[user], end = data.start[user + 1];
    const double norm = 1 / __builtin_sqrt(static_cast<double>(end - first));
    const double item_bias_kept = 1 - model.item_bias_rate * model.item_bias_reg;
    const double user_bias_kept = 1 - model.user_bias_rate * model.user_bias_reg;
    const double implicit_kept = 1 - model.implicit_rate * model.implicit_reg;
    const V keep_user = broadcast(1 - model.user_rate * model.user_reg),
            keep_implicit = broadcast(implicit_kept);
    const V keep_item = broadcast(1 - model.item_rate * model.item_reg);
    const auto row_of = [&](double* table, std::int64_t r) __attribute__((always_inline)) {
        return table + static_cast<std::size_t>(data.item[r]) * width;
    };

    double* const before = scratch + width;  // z as it was
    for (int c = 0; c < width; ++c) scratch[c] = 0;
    UserVector<PARTS> p(model.user_factors + static_cast<std::size_t>(user) * width), z(scratch);
    for (std::int64_t r = first; r < end; ++r) {
        const double* const y = row_of(model.implicit_factors, r);
        prefetch_item(data, model.implicit_factors, width, r + SurpriseRows::ahead);
#pragma GCC unroll 8
        for (int c = 0; c < parts; ++c) z.set(c, z.get(c) + load(y + c * lanes));
    }
    for (int c = 0; c < parts; ++c) {
        z.set(c, z.get(c) * broadcast(norm));
        store(before + c * lanes, z.get(c));
    }

    double user_bias = model.user_bias[user], implicit_decay = 1, error;
    {
        const double* const q = row_of(model.item_factors, first);
        V product{};
        for (int c = 0; c < parts; ++c) product += (p.get(c) + z.get(c)) * load(q + c * lanes);
        error = data.value[first] -
                (model.mean + user_bias + model.item_bias[data.item[first]] + sum<double>(product));
    }
    for (std::int64_t r = first; r < end; ++r) {
        double* const q = row_of(model.item_factors, r);
        const double* const next = row_of(model.item_factors, r + 1 < end ? r + 1 : r);
        const V user_step = broadcast(model.user_rate * error),
                item_step = broadcast(model.item_rate * error);
        const V implicit_step = broadcast(model.implicit_rate * error);
        double& item_bias = model.item_bias[data.item[r]];
        item_bias = item_bias * item_bias_kept + model.item_bias_rate * error;
        prefetch_item(data, model.item_factors, width, r + SurpriseRows::ahead);
        V with_user[2] = {}, with_item[2] = {};
        const auto pass = [&](int c) __attribute__((always_inline)) {
            const V x = p.get(c), w = z.get(c), y = load(q + c * lanes), following = load(next + c * lanes);
            const V kept = x * keep_user, kept_implicit = w * keep_implicit;
            with_user[c % 2] += (kept + kept_implicit) * following, with_item[c % 2] += y * following;
            p.set(c, kept + user_step * y);
            z.set(c, kept_implicit + implicit_step * y);
            store(q + c * lanes, y * keep_item + item_step * (x + w));
        };
        if constexpr (PARTS != 0) {
#pragma GCC unroll 32
            for (int c = 0; c < PARTS; ++c) pass(c);
        } else {
            int c = 0;
            for (; c + 2 <= parts; c += 2) pass(c), pass(c + 1);
            if (c < parts) pass(c);
        }
        implicit_decay *= implicit_kept;
        if (r + 1 < end) {
            const Dots dots = sum_both(with_user[0] + with_user[1], with_item[0] + with_item[1]);
            const double known = data.value[r + 1] - model.mean - model.item_bias[data.item[r + 1]] -
                                 dots.with_user - user_bias_kept * user_bias;
            const double moved =
                model.user_bias_rate + (model.user_rate + model.implicit_rate) * dots.with_item;
            user_bias = user_bias * user_bias_kept + model.user_bias_rate * error;
            error = known - error * moved;
        } else {
            user_bias = user_bias * user_bias_kept + model.user_bias_rate * error;
        }
    }
    model.user_bias[user] = user_bias;
    p.write_back();

    for (int c = 0; c < parts; ++c)  // what each y gets
        store(before + c * lanes,
              broadcast(norm) * (z.get(c) - broadcast(implicit_decay) * load(before + c * lanes)));
    const V decay = broadcast(implicit_decay);
    for (std::int64_t r = first; r < end; ++r) {
        double* const y = row_of(model.implicit_factors, r);
        prefetch_item(data, model.implicit_factors, width, r + SurpriseRows::ahead);
#pragma GCC unroll 8
        for (int c = 0; c < parts; ++c)
            store(y + c * lanes, load(y + c * lanes) * decay + load(before + c * lanes));
    }
}

// The steps as they are written, for a user who rated an item more than once.
[[gnu::noinline]] inline void surprise_svdpp_repeats(const SurpriseSgd& model, std::int64_t user, double* z) {
    using V = Doubles;
    constexpr int lanes = Vector<double>::lanes;
    const SurpriseRows& data = model.data;
    const int width = model.width;
    const std::int64_t first = data.start[user], end = data.start[user + 1];
    const double root = __builtin_sqrt(static_cast<double>(end - first));
    double* const p = model.user_factors + static_cast<std::size_t>(user) * width;
    double& user_bias = model.user_bias[user];
    for (std::int64_t r = first; r < end; ++r) {
        for (int c = 0; c < width; c += lanes) store(z + c, V{});
        for (std::int64_t k = first; k < end; ++k) {
            const double* const y = model.implicit_factors + static_cast<std::size_t>(data.item[k]) * width;
            for (int c = 0; c < width; c += lanes) store(z + c, load(z + c) + load(y + c) / broadcast(root));
        }
        double* const q = model.item_factors + static_cast<std::size_t>(data.item[r]) * width;
        double& item_bias = model.item_bias[data.item[r]];
        V product{};
        for (int c = 0; c < width; c += lanes) product += load(q + c) * (load(p + c) + load(z + c));
        const double error = data.value[r] - (model.mean + user_bias + item_bias + sum<double>(product));
        user_bias += model.user_bias_rate * (error - model.user_bias_reg * user_bias);
        item_bias += model.item_bias_rate * (error - model.item_bias_reg * item_bias);
        for (int c = 0; c < width; c += lanes) {
            const V x = load(p + c), own = load(q + c), shared = load(z + c), e = broadcast(error);
            store(p + c, x + broadcast(model.user_rate) * (e * own - broadcast(model.user_reg) * x));
            store(q + c,
                  own + broadcast(model.item_rate) * (e * (x + shared) - broadcast(model.item_reg) * own));
            store(z + c, e * own / broadcast(root));
        }
        for (std::int64_t k = first; k < end; ++k) {
            double* const y = model.implicit_factors + static_cast<std::size_t>(data.item[k]) * width;
            for (int c = 0; c < width; c += lanes) {
                const V old = load(y + c);
                store(y + c, old + broadcast(model.implicit_rate) *
                                       (load(z + c) - broadcast(model.implicit_reg) * old));
            }
        }
    }
}

// One user's ratings; `scratch` is (2, width).
inline void surprise_svdpp(const SurpriseSgd& model, std::int64_t user, bool repeats, double* scratch) {
    if (model.data.start[user] == model.data.start[user + 1]) return;
    if (repeats) return surprise_svdpp_repeats(model, user, scratch);
    with_width<1, 2, 3, 4, 5>(model.width / Vector<double>::lanes, [&](auto parts) {
        surprise_svdpp_visit<decltype(parts)::value>(model, user, scratch);
    });
}

}  // namespace foretaste::FORETASTE_ISA
