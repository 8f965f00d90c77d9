// Biased matrix factorisation by stochastic gradient descent, one block of ratings.
//
// Rows of a block are sorted by user. A user's factors stay in registers over its rows ("a run"), and
// several runs are walked side by side, so that the latency of one dot product hides behind the others.
// Runs of different users touch the same item rarely; when they do, that step is done one after another.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace foretaste::FORETASTE_ISA {

// WIDTH = 0: a width known only at run time.
template <class T, int WIDTH, int RUNS, bool WEIGHTED>
struct SgdBlock {
    using V = vec<T>;
    static constexpr int lanes = Vector<T>::lanes;
    static constexpr int parts = WIDTH ? WIDTH / lanes : 1;
    static constexpr int ahead = 5;  // rows prefetched before their use

    const SgdData<T>& data;
    std::int64_t next, end;  // rows of the block not yet given to a run
    double loss = 0;
    std::int64_t row[RUNS], last[RUNS];
    T* user_row[RUNS];
    T user_bias[RUNS];
    V factors[RUNS][parts];

    SgdBlock(const SgdData<T>& d, std::int64_t block) : data(d), next(d.block[block]), end(d.block[block + 1]) {}

    [[gnu::always_inline]] bool start(int run) {
        if (next == end) return false;
        const std::int32_t user = data.user[next];
        row[run] = next;
        while (next != end && data.user[next] == user) ++next;
        last[run] = next;
        user_row[run] = data.user_factors + static_cast<std::size_t>(user) * data.width;
        user_bias[run] = data.user_bias[user];
        if constexpr (WIDTH != 0)
            for (int c = 0; c < parts; ++c) factors[run][c] = load(user_row[run] + c * lanes);
        return true;
    }

    [[gnu::always_inline]] void finish(int run) {
        data.user_bias[data.user[last[run] - 1]] = user_bias[run];
        if constexpr (WIDTH != 0)
            for (int c = 0; c < parts; ++c) store(user_row[run] + c * lanes, factors[run][c]);
    }

    [[gnu::always_inline]] T dot(int run, const T* item_row) const {
        V even{}, odd{};
        if constexpr (WIDTH != 0) {
            for (int c = 0; c < parts; c += 2) {
                even += factors[run][c] * load(item_row + c * lanes);
                if (c + 1 < parts) odd += factors[run][c + 1] * load(item_row + (c + 1) * lanes);
            }
        } else {
            for (int c = 0; c < data.width; c += lanes) even += load(user_row[run] + c) * load(item_row + c);
        }
        return sum<T>(even + odd);
    }

    // Learn from the run's current row, whose dot product is known, and go to its next row.
    [[gnu::always_inline]] void learn(int run, T* item_row, T product) {
        const std::int64_t r = row[run]++;
        const std::int32_t item = data.item[r];
        const T item_bias = data.item_bias[item];
        const T error = data.value[r] - (user_bias[run] + item_bias + product);
        const T weight = WEIGHTED ? data.weight[r] : T(1);
        loss += static_cast<double>(weight * error * error);
        const T rate = data.learning_rate * weight, bias_rate = data.bias_learning_rate * weight;
        const T keep = 1 - rate * data.regularization, bias_keep = 1 - bias_rate * data.bias_regularization;
        user_bias[run] = user_bias[run] * bias_keep + bias_rate * error;
        data.item_bias[item] = item_bias * bias_keep + bias_rate * error;
        const V kept = broadcast(keep), step = broadcast(rate * error);
        if constexpr (WIDTH != 0) {
            for (int c = 0; c < parts; ++c) {
                const V p = factors[run][c], q = load(item_row + c * lanes);
                factors[run][c] = p * kept + step * q;
                store(item_row + c * lanes, q * kept + step * p);
            }
        } else {
            for (int c = 0; c < data.width; c += lanes) {
                const V p = load(user_row[run] + c), q = load(item_row + c);
                store(user_row[run] + c, p * kept + step * q);
                store(item_row + c, q * kept + step * p);
            }
        }
    }

    T* item_row_of(std::int64_t r) const {
        return data.item_factors + static_cast<std::size_t>(data.item[r]) * data.width;
    }

    [[gnu::always_inline]] void fetch(std::int64_t r) const {
        if (r >= end) return;
        const char* item_row = reinterpret_cast<const char*>(item_row_of(r));
        for (int byte = 0; byte < WIDTH * static_cast<int>(sizeof(T)); byte += 64)
            __builtin_prefetch(item_row + byte, 1);
    }

    // One row of every run.
    [[gnu::always_inline]] void step_all() {
        T* item_row[RUNS];
        bool shared = false;
        for (int run = 0; run < RUNS; ++run) {
            item_row[run] = item_row_of(row[run]);
            fetch(row[run] + ahead);
            for (int other = 0; other < run; ++other) shared |= item_row[run] == item_row[other];
        }
        if (__builtin_expect(shared, 0)) {
            for (int run = 0; run < RUNS; ++run) learn(run, item_row[run], dot(run, item_row[run]));
            return;
        }
        T product[RUNS];
        for (int run = 0; run < RUNS; ++run) product[run] = dot(run, item_row[run]);
        for (int run = 0; run < RUNS; ++run) learn(run, item_row[run], product[run]);
    }

    double walk() {
        bool active[RUNS];
        bool all = true;
        for (int run = 0; run < RUNS; ++run) all &= active[run] = start(run);
        while (all) {
            std::int64_t steps = last[0] - row[0];
            for (int run = 1; run < RUNS; ++run)
                if (last[run] - row[run] < steps) steps = last[run] - row[run];
            while (steps-- > 0) step_all();
            for (int run = 0; run < RUNS; ++run) {
                if (row[run] != last[run]) continue;
                finish(run);
                active[run] = start(run);
                all &= active[run];
            }
        }
        for (int run = 0; run < RUNS; ++run) {
            if (!active[run]) continue;
            while (row[run] != last[run]) {
                T* item_row = item_row_of(row[run]);
                learn(run, item_row, dot(run, item_row));
            }
            finish(run);
        }
        return loss;
    }
};

template <class T, int WIDTH, int RUNS>
double sgd_block_of(const SgdData<T>& data, std::int64_t block) {
    return data.weight ? SgdBlock<T, WIDTH, RUNS, true>(data, block).walk()
                       : SgdBlock<T, WIDTH, RUNS, false>(data, block).walk();
}

template <class T>
double sgd_block(const SgdData<T>& data, std::int64_t block) {
    switch (data.width) {
        case 16: return sgd_block_of<T, 16, 4>(data, block);
        case 32: return sgd_block_of<T, 32, 4>(data, block);
        case 48: return sgd_block_of<T, 48, 4>(data, block);
        case 64: return sgd_block_of<T, 64, 4>(data, block);
        case 96: return sgd_block_of<T, 96, 2>(data, block);
        case 128: return sgd_block_of<T, 128, 2>(data, block);
        default: return sgd_block_of<T, 0, 1>(data, block);
    }
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
            for (int c = 0; c < data.width; c += lanes) total += load(p + c) * load(q + c);
            value += sum<T>(total);
        }
        out[n] = value;
    }
}

}  // namespace foretaste::FORETASTE_ISA
