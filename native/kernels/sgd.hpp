// Biased matrix factorization by stochastic gradient descent, one block of ratings.
//
// Rows of a block are sorted by user. A user's factors are kept at hand over its rows ("a run"), and several
// runs are walked side by side, so that the latency of one dot product hides behind the others. Runs of
// different users touch the same item rarely; when they do, that step is done one after another.
#pragma once

#include "runtime/kernels.hpp"
#include "runtime/simd.hpp"

namespace foretaste::FORETASTE_ISA {

// WIDTH = 0: a width known only at run time; then the factors stay in memory.
template <class T, int WIDTH, int RUNS, bool WEIGHTED>
[[gnu::noinline]] double sgd_walk(const SgdData<T> data, std::int64_t block) {
    using V = vec<T>;
    constexpr int lanes = Vector<T>::lanes;
    constexpr int parts = WIDTH ? WIDTH / lanes : 1;
    const std::int32_t* const item = data.item;
    const T* const value = data.value;
    const int width = WIDTH ? WIDTH : data.width;
    std::int64_t next = data.block[block];
    const std::int64_t end = data.block[block + 1];
    const V decay_without_weights = broadcast(1 - data.learning_rate * data.regularization);
    double loss = 0;

    std::int64_t row[RUNS], last[RUNS];
    T* user_row[RUNS];
    T user_bias[RUNS];
    V factors[RUNS][parts];

    const auto start = [&](int run) __attribute__((always_inline)) {
        if (next == end) return false;
        const std::int32_t user = data.user[next];
        row[run] = next;
        while (next != end && data.user[next] == user) ++next;
        last[run] = next;
        if (WIDTH != 0 && next != end) {  // the user who comes next: its factors are far away
            prefetch_row<true>(data.user_factors + static_cast<std::size_t>(data.user[next]) * width, WIDTH);
        }
        user_row[run] = data.user_factors + static_cast<std::size_t>(user) * width;
        user_bias[run] = data.user_bias[user];
        if constexpr (WIDTH != 0)
            for (int c = 0; c < parts; ++c) factors[run][c] = load(user_row[run] + c * lanes);
        return true;
    };
    const auto finish = [&](int run) __attribute__((always_inline)) {
        data.user_bias[data.user[last[run] - 1]] = user_bias[run];
        if constexpr (WIDTH != 0)
            for (int c = 0; c < parts; ++c) store(user_row[run] + c * lanes, factors[run][c]);
    };
    const auto item_row_of = [&](std::int64_t r) __attribute__((always_inline)) {
        return data.item_factors + static_cast<std::size_t>(item[r]) * width;
    };
    const auto dot = [&](int run, const T* q) __attribute__((always_inline)) {
        V even{}, odd{};
        if constexpr (WIDTH != 0) {
#pragma GCC unroll 32
            for (int c = 0; c < parts; c += 2) {
                even += factors[run][c] * load(q + c * lanes);
                if (c + 1 < parts) odd += factors[run][c + 1] * load(q + (c + 1) * lanes);
            }
        } else {
            for (int c = 0; c < width; c += lanes) even += load(user_row[run] + c) * load(q + c);
        }
        return sum<T>(even + odd);
    };
    // The error of a row whose dot product is known; the biases learn from it.
    const auto update_biases = [&](int run, std::int64_t r, T product) __attribute__((always_inline)) {
        T& item_bias = data.item_bias[item[r]];
        const T error = value[r] - (user_bias[run] + item_bias + product);
        const T weight = WEIGHTED ? data.weight[r] : T(1);
        loss += static_cast<double>(weight * error * error);
        const T rate = data.bias_learning_rate * weight, bias_decay = 1 - rate * data.bias_regularization;
        user_bias[run] = user_bias[run] * bias_decay + rate * error;
        item_bias = item_bias * bias_decay + rate * error;
        return error;
    };
    const auto learn = [&](int run, std::int64_t r, T* q, T error) __attribute__((always_inline)) {
        const T rate = WEIGHTED ? data.learning_rate * data.weight[r] : data.learning_rate;
        const V decay = WEIGHTED ? broadcast(1 - rate * data.regularization) : decay_without_weights;
        const V step = broadcast(rate * error);
        if constexpr (WIDTH != 0) {
#pragma GCC unroll 32
            for (int c = 0; c < parts; ++c) {
                const V p = factors[run][c], old = load(q + c * lanes);
                factors[run][c] = p * decay + step * old;
                store(q + c * lanes, old * decay + step * p);
            }
        } else {
            for (int c = 0; c < width; c += lanes) {
                const V p = load(user_row[run] + c), old = load(q + c);
                store(user_row[run] + c, p * decay + step * old);
                store(q + c, old * decay + step * p);
            }
        }
    };
    const auto step_one = [&](int run, std::int64_t r) __attribute__((always_inline)) {
        T* const q = item_row_of(r);
        learn(run, r, q, update_biases(run, r, dot(run, q)));
    };
    // Every run's row `k` positions after the one at which it stands.
    const auto step_all = [&](std::int64_t k) __attribute__((always_inline)) {
        T* q[RUNS];
        bool shared = false;
#pragma GCC unroll 4
        for (int run = 0; run < RUNS; ++run) {
            q[run] = item_row_of(row[run] + k);
            if constexpr (WIDTH != 0)
                prefetch_row<true>(item_row_of(row[run] + k + SgdData<T>::ahead), WIDTH);
            for (int other = 0; other < run; ++other) shared |= q[run] == q[other];
        }
        if (__builtin_expect(shared, 0)) {
            for (int run = 0; run < RUNS; ++run) step_one(run, row[run] + k);
            return;
        }
        T error[RUNS];
#pragma GCC unroll 4
        for (int run = 0; run < RUNS; ++run) error[run] = dot(run, q[run]);
        asm volatile("" ::: "memory");  // all dot products first: their latencies then overlap
#pragma GCC unroll 4
        for (int run = 0; run < RUNS; ++run) error[run] = update_biases(run, row[run] + k, error[run]);
#pragma GCC unroll 4
        for (int run = 0; run < RUNS; ++run) learn(run, row[run] + k, q[run], error[run]);
    };

    bool active[RUNS], all = true;
    for (int run = 0; run < RUNS; ++run) all &= active[run] = start(run);
    while (all) {
        std::int64_t steps = last[0] - row[0];
        for (int run = 1; run < RUNS; ++run)
            if (last[run] - row[run] < steps) steps = last[run] - row[run];
        for (std::int64_t k = 0; k < steps; ++k) step_all(k);
        for (int run = 0; run < RUNS; ++run) {
            row[run] += steps;
            if (row[run] != last[run]) continue;
            finish(run);
            all &= active[run] = start(run);
        }
    }
    for (int run = 0; run < RUNS; ++run) {
        if (!active[run]) continue;
        for (; row[run] != last[run]; ++row[run]) step_one(run, row[run]);
        finish(run);
    }
    return loss;
}

template <class T>
double sgd_block(const SgdData<T>& data, std::int64_t block) {
    return with_width<16, 32, 48, 64, 96, 128>(data.width, [&](auto width) {
        constexpr int known = decltype(width)::value, wide_runs = known > 64 ? 2 : 4;
        constexpr int runs = known == 0 ? 1 : wide_runs;
        return data.weight ? sgd_walk<T, known, runs, true>(data, block)
                           : sgd_walk<T, known, runs, false>(data, block);
    });
}

template <class T>
void dot_pairs(const DotData<T>& data, std::size_t from, std::size_t to, T* out) {
    constexpr int lanes = Vector<T>::lanes;
    for (std::size_t n = from; n < to; ++n) {
        const std::int32_t user = data.user[n], item = data.item[n];
        T value = data.mean;
        if (user >= 0) value += data.user_bias[user];
        if (item >= 0) value += data.item_bias[item];
        if (user >= 0 && item >= 0) {
            const T* p = data.user_factors + static_cast<std::size_t>(user) * data.width;
            const T* q = data.item_factors + static_cast<std::size_t>(item) * data.width;
            vec<T> total{};
            int c = 0;
            for (; c + lanes <= data.width; c += lanes) total += load(p + c) * load(q + c);
            value += sum<T>(total);
            for (; c < data.width; ++c) value += p[c] * q[c];
        }
        out[n] = value;
    }
}

}  // namespace foretaste::FORETASTE_ISA
