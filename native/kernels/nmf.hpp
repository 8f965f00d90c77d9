// Multiplicative updates of one row's factors, which stay at 0 or above (Lee and Seung 2001; Luo et al.
// 2014).
//
// With t the rating less both biases, t+ and t- what it lies above and below 0:
//     x *= sum w t+ q / (sum w (x.q + t-) q + ridge growth x),
// which never makes  sum w (t - x.q)^2 + ridge sum growth x^2  larger.
#pragma once

#include "kernels/als_row.hpp"

namespace foretaste::FORETASTE_ISA {

class NmfRow : AlsRow {
   public:
    static std::size_t memory(int factors) {
        return 3 * (static_cast<std::size_t>(Gram::padded(factors)) + 16);
    }

    NmfRow(const AlsData& data, std::int64_t row, float* memory) : AlsRow(data, row, memory) {
        above_ = allocate(width_), below_ = allocate(width_);
    }

    // Move the bias to where it is best, then the factors; returns the squared error that was met in between.
    double solve() {
        if (own_bias_) fit_bias();
        double squares = 0;
        for (int step = 0; step < data_.steps; ++step) squares = update();
        store_result();
        return squares;
    }

   private:
    static constexpr float smallest = 1e-12f;  // a factor this small is 0: its products would underflow

    void fit_bias() {
        float weights = 0, weighted_sum = 0;
        for (int t = 0; t < count_; ++t) {
            prefetch_features(t + ahead);
            const std::int64_t rating = first_ + t;
            const float w = data_.weight ? data_.weight[rating] : 1;
            weights += w, weighted_sum += w * (target(rating) - dot(x_, features(rating)));
        }
        const float total = weights + bias_ridge_;
        bias_ = total > 0 ? weighted_sum / total : 0;
    }

    double update() {
        return with_width<1, 2, 3, 4>(width_ / lanes, [&](auto parts) {  // few: both sums stay in registers
            if constexpr (decltype(parts)::value == 0) return update_in_memory();
            else return update_in_registers<decltype(parts)::value>();
        });
    }

    template <int PARTS>
    [[gnu::noinline]] double update_in_registers() {
        using V = vec<float>;
        V x[PARTS], above[PARTS], below[PARTS];
#pragma GCC unroll 4
        for (int c = 0; c < PARTS; ++c) {
            x[c] = load(x_ + c * lanes), above[c] = V{};
            below[c] = ridge_ * load(data_.growth + c * lanes) * x[c];
        }
        double squares = 0;
        for (int t = 0; t < count_; ++t) {
            prefetch_features(t + ahead);
            const std::int64_t rating = first_ + t;
            const float w = data_.weight ? data_.weight[rating] : 1;
            const float* const row = features(rating);
            V q[PARTS], total{};
#pragma GCC unroll 4
            for (int c = 0; c < PARTS; ++c) q[c] = load(row + c * lanes), total += x[c] * q[c];
            const float rest = target(rating) - bias_, product = sum<float>(total), error = rest - product;
            const V up = broadcast(w * (rest > 0 ? rest : 0)),
                    down = broadcast(w * (product - (rest < 0 ? rest : 0)));
#pragma GCC unroll 4
            for (int c = 0; c < PARTS; ++c) above[c] += up * q[c], below[c] += down * q[c];
            squares += static_cast<double>(w) * error * error;
        }
#pragma GCC unroll 4
        for (int c = 0; c < PARTS; ++c)
            store(above_ + c * lanes, above[c]), store(below_ + c * lanes, below[c]);
        update_factors();
        return squares;
    }

    double update_in_memory() {
        for (int c = 0; c < width_; c += lanes) {
            store(above_ + c, vec<float>{});
            store(below_ + c, ridge_ * load(data_.growth + c) * load(x_ + c));
        }
        double squares = 0;
        for (int t = 0; t < count_; ++t) {
            prefetch_features(t + ahead);
            const std::int64_t rating = first_ + t;
            const float w = data_.weight ? data_.weight[rating] : 1;
            const float* const q = features(rating);
            const float rest = target(rating) - bias_, product = dot(x_, q), error = rest - product;
            subtract_scaled(above_, -w * (rest > 0 ? rest : 0), q);
            subtract_scaled(below_, -w * (product - (rest < 0 ? rest : 0)), q);
            squares += static_cast<double>(w) * error * error;
        }
        update_factors();
        return squares;
    }

    void update_factors() {
        for (int c = 0; c < data_.factors; ++c) {
            const float next = below_[c] > 0 ? x_[c] * (above_[c] / below_[c]) : 0;
            x_[c] = next > smallest ? next : 0;
        }
    }

    float *above_, *below_;
};

}  // namespace foretaste::FORETASTE_ISA
