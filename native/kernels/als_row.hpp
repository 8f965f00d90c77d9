// What every way to learn one row of alternating least squares shares; see als.hpp.
#pragma once

#include "kernels/gram.hpp"
#include "runtime/kernels.hpp"

namespace foretaste::FORETASTE_ISA {

// The row's ratings, its unknowns, and memory of the thread.
class AlsRow {
   public:
    AlsRow(const AlsData& data, std::int64_t row, float* memory)
        : data_(data), first_(data.starts[row]),
          count_(static_cast<int>(data.starts[row + 1] - data.starts[row])),
          width_(Gram::padded(data.factors)), ridge_(data.ridge[row]),
          bias_ridge_(data.bias_ridge ? data.bias_ridge[row] : 0),
          own_(data.own + static_cast<std::size_t>(row) * data.stride),
          own_bias_(data.own_bias ? data.own_bias + row : nullptr), next_(memory) {
        x_ = allocate(width_);
        for (int c = 0; c < width_; c += lanes) store(x_ + c, load(own_ + c));
        bias_ = own_bias_ ? *own_bias_ : 0;
    }

   protected:
    static constexpr int lanes = Gram::lanes;
    static constexpr int ahead = 8;  // rows that are fetched before their use

    float* allocate(std::size_t size) {
        float* const start = next_;
        next_ += (size + 15) / 16 * 16;
        return start;
    }

    void store_result() const {
        for (int c = 0; c < width_; c += lanes) store(own_ + c, load(x_ + c));
        if (own_bias_) *own_bias_ = bias_;
    }

    const float* features(std::int64_t rating) const {
        return data_.features + static_cast<std::size_t>(data_.other[rating]) * data_.stride;
    }

    float target(std::int64_t rating) const {
        return own_bias_ ? data_.value[rating] - data_.other_bias[data_.other[rating]] : data_.value[rating];
    }

    void prefetch_features(int t) const {
        prefetch_row<false>(features(first_ + (t < count_ ? t : count_ - 1)), width_);
    }

    float dot(const float* a, const float* b) const {
        vec<float> total{};
        for (int c = 0; c < width_; c += lanes) total += load(a + c) * load(b + c);
        return sum<float>(total);
    }

    // y -= by x
    void subtract_scaled(float* y, float by, const float* x) const {
        for (int c = 0; c < width_; c += lanes) store(y + c, load(y + c) - by * load(x + c));
    }

    // What regularization adds to the squared error.
    double penalty() const {
        vec<float> total{};
        for (int c = 0; c < width_; c += lanes) total += load(data_.growth + c) * load(x_ + c) * load(x_ + c);
        return static_cast<double>(ridge_) * sum<float>(total) +
               static_cast<double>(bias_ridge_) * bias_ * bias_;
    }

    const AlsData& data_;
    const std::int64_t first_;
    const int count_, width_;
    const float ridge_, bias_ridge_;
    float* const own_;
    float* const own_bias_;  // null: no biases
    float* next_;
    float* x_;
    float bias_;
};

}  // namespace foretaste::FORETASTE_ISA
