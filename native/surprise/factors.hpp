// Matrix factorization as scikit-surprise learns it, rating after rating in float64.
//
// Every rating needs what the one before has learned, so the time of a step is the latency of a dot product,
// of the error and of the update, one after another. Within a user the chain is cut: with x the user's vector
// and q the items of two rows that follow each other,
//     x' = keep x + rate error q,  so  q'.x' = keep q'.x + rate error q'.q,
// and both dot products on the right are known before the error is. They are taken in the same pass that
// learns the row before; what is left between two errors is a multiplication. Two rows of the same item are
// learned apart.
#pragma once

#include "runtime/simd.hpp"
#include "surprise/data.hpp"

namespace foretaste::FORETASTE_ISA {

using Doubles = vec<double>;

struct Dots {
    double with_user, with_item;
};

// The sums of the lanes of two vectors: halves that are half as wide together take half the steps.
template <class V = Doubles>
[[gnu::always_inline]] inline Dots sum_both(V a, V b) {
    constexpr int lanes = Vector<double>::lanes;
    if constexpr (lanes == 4) {
        const V pairs = __builtin_shufflevector(a, b, 0, lanes, 2, lanes + 2) +
                        __builtin_shufflevector(a, b, 1, lanes + 1, 3, lanes + 3);
        return {pairs[0] + pairs[2], pairs[1] + pairs[3]};
    } else {
        return {sum<double>(a), sum<double>(b)};
    }
}

// The vectors of one user: in registers where PARTS, their number, is known and small.
template <int PARTS>
struct UserVector {
    explicit UserVector(double* row) : row(row) {
        for (int c = 0; c < PARTS; ++c) part[c] = load(row + c * Vector<double>::lanes);
    }
    Doubles get(int c) const { return part[c]; }
    void set(int c, Doubles value) { part[c] = value; }
    void write_back() {
        for (int c = 0; c < PARTS; ++c) store(row + c * Vector<double>::lanes, part[c]);
    }
    double* row;
    Doubles part[PARTS];
};

template <>
struct UserVector<0> {
    explicit UserVector(double* row) : row(row) {}
    Doubles get(int c) const { return load(row + c * Vector<double>::lanes); }
    void set(int c, Doubles value) { store(row + c * Vector<double>::lanes, value); }
    void write_back() {}
    double* row;
};

[[gnu::always_inline]] inline void prefetch_item(const SurpriseRows& data, const double* table, int width,
                                                 std::int64_t r) {
    if (r >= data.rows) r = data.rows - 1;
    prefetch_row<true>(table + static_cast<std::size_t>(data.item[r]) * width, width);
}

template <int PARTS>
[[gnu::noinline]] void surprise_svd_walk(const SurpriseSgd model, std::int64_t from, std::int64_t to) {
    using V = Doubles;
    constexpr int lanes = Vector<double>::lanes;
    const SurpriseRows& data = model.data;
    const int width = PARTS ? PARTS * lanes : model.width, parts = width / lanes;
    const double user_kept = 1 - model.user_rate * model.user_reg;
    const double item_bias_kept = 1 - model.item_bias_rate * model.item_bias_reg;
    const double user_bias_kept = 1 - model.user_bias_rate * model.user_bias_reg;
    const V keep_user = broadcast(user_kept), keep_item = broadcast(1 - model.item_rate * model.item_reg);
    const auto row_of = [&](std::int64_t r) __attribute__((always_inline)) {
        return model.item_factors + static_cast<std::size_t>(data.item[r]) * width;
    };
    for (std::int64_t user = from; user < to; ++user) {
        const std::int64_t end = data.start[user + 1];
        std::int64_t r = data.start[user];
        if (r == end) continue;
        UserVector<PARTS> p(model.user_factors + static_cast<std::size_t>(user) * width);
        double user_bias = model.user_bias[user];
        // The error of a row of which nothing is known yet.
        const auto plain_error = [&](std::int64_t row) __attribute__((always_inline)) {
            const double* const q = row_of(row);
            V even{}, odd{};
#pragma GCC unroll 4
            for (int c = 0; c < parts; c += 2) {
                even += p.get(c) * load(q + c * lanes);
                if (c + 1 < parts) odd += p.get(c + 1) * load(q + (c + 1) * lanes);
            }
            return data.value[row] -
                   (model.mean + user_bias + model.item_bias[data.item[row]] + sum<double>(even + odd));
        };
        double error = plain_error(r);
        for (;; ++r) {
            double* const q = row_of(r);
            const V user_step = broadcast(model.user_rate * error),
                    item_step = broadcast(model.item_rate * error);
            double& item_bias = model.item_bias[data.item[r]];
            item_bias = item_bias * item_bias_kept + model.item_bias_rate * error;
            prefetch_item(data, model.item_factors, width, r + SurpriseRows::ahead);
            if (r + 1 == end || data.item[r + 1] == data.item[r]) {
                for (int c = 0; c < parts; ++c) {
                    const V x = p.get(c), y = load(q + c * lanes);
                    p.set(c, x * keep_user + user_step * y);
                    store(q + c * lanes, y * keep_item + item_step * x);
                }
                user_bias = user_bias * user_bias_kept + model.user_bias_rate * error;
                if (r + 1 == end) break;
                error = plain_error(r + 1);
                continue;
            }
            const double* const next = row_of(r + 1);
            V with_user[2] = {}, with_item[2] = {};
            const auto pass = [&](int c) __attribute__((always_inline)) {
                const V x = p.get(c), y = load(q + c * lanes), z = load(next + c * lanes);
                with_user[c % 2] += x * z, with_item[c % 2] += y * z;
                p.set(c, x * keep_user + user_step * y);
                store(q + c * lanes, y * keep_item + item_step * x);
            };
            if constexpr (PARTS != 0) {
#pragma GCC unroll 32
                for (int c = 0; c < PARTS; ++c) pass(c);
            } else {
                int c = 0;
                for (; c + 2 <= parts; c += 2) pass(c), pass(c + 1);
                if (c < parts) pass(c);
            }
            const Dots dots = sum_both(with_user[0] + with_user[1], with_item[0] + with_item[1]);
            const double known = data.value[r + 1] - model.mean - model.item_bias[data.item[r + 1]] -
                                 user_kept * dots.with_user - user_bias_kept * user_bias;
            user_bias = user_bias * user_bias_kept + model.user_bias_rate * error;
            error = known - error * (model.user_bias_rate + model.user_rate * dots.with_item);
        }
        model.user_bias[user] = user_bias;
        p.write_back();
    }
}

// One epoch over the users [from, to).
inline void surprise_svd(const SurpriseSgd& model, std::int64_t from, std::int64_t to) {
    with_width<1, 2, 3, 4, 5, 6, 7, 8>(model.width / Vector<double>::lanes, [&](auto parts) {
        surprise_svd_walk<decltype(parts)::value>(model, from, to);
    });
}

}  // namespace foretaste::FORETASTE_ISA
