// Alternating least squares, one row (a user, or an item): the factors of what it rated are given, its own are
// solved for.
//
// With q the factors of what was rated, z the rating less the other side's bias and w the weight, the factors x
// and the bias b of the row minimise  sum w (z - b - x.q)^2 + ridge sum growth x^2 + bias_ridge b^2.  The bias is
// the unknown of a constant column: it borders the system of the factors.
#pragma once

#include "gram.hpp"
#include "kernels.hpp"

namespace foretaste::FORETASTE_ISA {

// What all ways to solve share: the row's ratings, its unknowns, and memory of the thread.
class AlsRow {
   public:
    AlsRow(const AlsData& data, std::int64_t row, float* memory)
        : data_(data),
          first_(data.starts[row]),
          count_(static_cast<int>(data.starts[row + 1] - data.starts[row])),
          width_(Gram::padded(data.factors)),
          ridge_(data.ridge[row]),
          bias_ridge_(data.bias_ridge ? data.bias_ridge[row] : 0),
          own_(data.own + static_cast<std::size_t>(row) * data.stride),
          own_bias_(data.own_bias ? data.own_bias + row : nullptr),
          next_(memory) {
        x_ = take(width_);
        for (int c = 0; c < width_; c += lanes) store(x_ + c, load(own_ + c));
        bias_ = own_bias_ ? *own_bias_ : 0;
    }

   protected:
    static constexpr int lanes = Gram::lanes;
    static constexpr int ahead = 8;  // rows that are fetched before their use

    float* take(std::size_t size) {
        float* const taken = next_;
        next_ += (size + 15) / 16 * 16;
        return taken;
    }

    void keep() const {
        for (int c = 0; c < width_; c += lanes) store(own_ + c, load(x_ + c));
        if (own_bias_) *own_bias_ = bias_;
    }

    const float* features(std::int64_t rating) const {
        return data_.features + static_cast<std::size_t>(data_.other[rating]) * data_.stride;
    }

    float target(std::int64_t rating) const {
        return own_bias_ ? data_.value[rating] - data_.other_bias[data_.other[rating]] : data_.value[rating];
    }

    void fetch(int t) const {
        const char* soon = reinterpret_cast<const char*>(features(first_ + (t < count_ ? t : count_ - 1)));
        for (int byte = 0; byte < width_ * static_cast<int>(sizeof(float)); byte += 64) __builtin_prefetch(soon + byte);
    }

    float dot(const float* a, const float* b) const {
        vec<float> total{};
        for (int c = 0; c < width_; c += lanes) total += load(a + c) * load(b + c);
        return sum<float>(total);
    }

    // y -= by x
    void take_off(float* y, float by, const float* x) const {
        for (int c = 0; c < width_; c += lanes) store(y + c, load(y + c) - by * load(x + c));
    }

    // What regularisation adds to the squared error.
    double penalty() const {
        vec<float> total{};
        for (int c = 0; c < width_; c += lanes) total += load(data_.growth + c) * load(x_ + c) * load(x_ + c);
        return static_cast<double>(ridge_) * sum<float>(total) + static_cast<double>(bias_ridge_) * bias_ * bias_;
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

// By the system of normal equations: exact, or with factors that are not negative.
class AlsSystem : AlsRow {
   public:
    static std::size_t memory(int factors) {
        const std::size_t width = static_cast<std::size_t>(Gram::padded(factors)), rows = tile_rows(width);
        return width * width + 8 * (width + 16) + rows * (width + 2) + 32;
    }

    AlsSystem(const AlsData& data, std::int64_t row, float* memory) : AlsRow(data, row, memory) {
        gram_ = take(static_cast<std::size_t>(width_) * width_);
        sides_ = take(2 * width_);
        residual_ = take(2 * width_);
        solved_ = take(2 * width_);
        inverse_ = take(width_);
        tile_ = take(static_cast<std::size_t>(tile_rows(width_)) * width_);
        pairs_ = take(2 * tile_rows(width_));
    }

    // Solve for the row and return its sum of weighted squared errors.
    double solve() {
        add_up();
        if (data_.solver == AlsSolver::cholesky) exact();
        else not_negative();
        keep();
        double explained = dot(x_, sides_) + dot(x_, residual_);
        if (own_bias_) explained += static_cast<double>(bias_) * (moment_ + bias_residual_);
        const double rest = squares_ - explained - penalty();
        return rest > 0 ? rest : 0;
    }

   private:
    static constexpr float lost = Gram::lost;

    static int tile_rows(std::size_t width) {  // so many that they stay in the first cache
        const int rows = static_cast<int>(6144 / width) / 8 * 8;
        return rows < 16 ? 16 : rows;
    }

    // Sum up the system: gram (upper triangle), sides (of z, and of the constant), weights, squares.
    void add_up() {
        const std::size_t cells = static_cast<std::size_t>(width_) * width_;
        for (std::size_t c = 0; c < cells; c += lanes) store(gram_ + c, vec<float>{});
        for (int c = 0; c < 2 * width_; c += lanes) store(sides_ + c, vec<float>{});
        const int size = tile_rows(width_);
        for (int done = 0; done < count_; done += size) {
            const int n = count_ - done < size ? count_ - done : size;
            gather(done, n);
            Gram::add_products(gram_, tile_, width_, n);
            Gram::band<2, false>(sides_, width_, pairs_, 2, tile_, width_, 0, width_, n);
        }
        for (int c = 0; c < width_; ++c) gram_[c * width_ + c] += c < data_.factors ? ridge_ * data_.growth[c] : 1;
    }

    // A tile of rows: factors times the root of w; and in pairs z and 1, times the same.
    void gather(int done, int n) {
        float weights = 0, moment = 0, squares = 0;
        for (int t = 0; t < n; ++t) {
            fetch(done + t + ahead);
            const std::int64_t rating = first_ + done + t;
            const float* const from = features(rating);
            float* const to = tile_ + static_cast<std::size_t>(t) * width_;
            const float root = data_.weight ? __builtin_sqrtf(data_.weight[rating]) : 1, z = root * target(rating);
            for (int c = 0; c < width_; c += lanes) store(to + c, load(from + c) * root);
            pairs_[2 * t] = z, pairs_[2 * t + 1] = root;
            weights += root * root, moment += root * z, squares += z * z;
        }
        weights_ += weights, moment_ += moment, squares_ += squares;
    }

    // By Cholesky factorisation, the bias last.
    void exact() {
        Gram::factorise(gram_, inverse_, width_);
        for (int c = 0; c < 2 * width_; c += lanes) store(residual_ + c, load(sides_ + c));
        if (own_bias_) {
            Gram::forward<2>(gram_, inverse_, residual_, solved_, width_);
            const float* const constant = solved_ + width_;
            const float total = weights_ + bias_ridge_, pivot = total - dot(constant, constant);
            bias_ = pivot > lost * total ? (moment_ - dot(constant, solved_)) / pivot : 0;
            take_off(solved_, bias_, constant);
        } else {
            Gram::forward<1>(gram_, inverse_, residual_, solved_, width_);
        }
        Gram::backward(gram_, inverse_, solved_, x_, width_);
        for (int c = 0; c < width_; c += lanes) store(residual_ + c, vec<float>{});  // nothing is left of the sides
        bias_residual_ = 0;
    }

    // By coordinate descent, factors kept at 0 or above, until nothing moves or `steps` sweeps.
    void not_negative() {
        for (int c = 0; c < width_; ++c)
            for (int r = 0; r < c; ++r) gram_[c * width_ + r] = gram_[r * width_ + c];
        for (int c = 0; c < width_; c += lanes) store(residual_ + c, load(sides_ + c));
        const float total = weights_ + bias_ridge_;
        bias_residual_ = moment_;
        move_bias(bias_);
        for (int j = 0; j < data_.factors; ++j) {
            x_[j] = x_[j] > 0 ? x_[j] : 0;
            if (x_[j] > 0) move(j, x_[j]);
        }
        for (int sweep = 0; sweep < data_.steps; ++sweep) {
            float gained = 0;
            if (own_bias_) {
                const float step = total > 0 ? bias_residual_ / total : -bias_;
                bias_ += step, move_bias(step), gained = step * step * total;
            }
            for (int j = 0; j < data_.factors; ++j) {
                const float pivot = gram_[j * width_ + j];
                const float wanted = pivot > 0 ? x_[j] + residual_[j] / pivot : 0;
                const float next = wanted > 0 ? wanted : 0, step = next - x_[j];
                if (step == 0) continue;
                x_[j] = next, move(j, step);
                const float gain = step * step * pivot;
                gained = gain > gained ? gain : gained;
            }
            if (gained <= 1e-10 * squares_) break;
        }
    }

    // What is left of the sides when one unknown has moved by `step`.
    void move(int j, float step) {
        take_off(residual_, step, gram_ + static_cast<std::size_t>(j) * width_);
        bias_residual_ -= step * sides_[width_ + j];
    }
    void move_bias(float step) {
        take_off(residual_, step, sides_ + width_);
        bias_residual_ -= step * (weights_ + bias_ridge_);
    }

    float* gram_;      // (width, width)
    float* sides_;     // (2, width): of z, and of the constant
    float* residual_;  // what the unknowns leave of the first; (2, width) while solving
    float* solved_;    // (2, width)
    float* inverse_;   // of the pivots
    float *tile_, *pairs_;
    float bias_residual_ = 0;
    float weights_ = 0, moment_ = 0;  // sum w, sum w z
    double squares_ = 0;              // sum w z^2
};

// By a few conjugate gradients from where the row was, scaled by the diagonal; the system is never formed.
class AlsGradients : AlsRow {
   public:
    static std::size_t memory(int factors) {
        const std::size_t width = static_cast<std::size_t>(Gram::padded(factors));
        return kept_rows(width) * width + 5 * (width + 16) + 16;
    }

    AlsGradients(const AlsData& data, std::int64_t row, float* memory) : AlsRow(data, row, memory) {
        residual_ = take(width_), scale_ = take(width_), direction_ = take(width_), product_ = take(width_);
        kept_ = kept_rows(width_) < count_ ? kept_rows(width_) : count_;
        rows_ = take(static_cast<std::size_t>(kept_) * width_);
    }

    double solve() {
        double error = start() + penalty();
        float left = precondition(0);
        const float enough = 1e-10f * left;
        for (int step = 0; step < data_.steps && left > enough; ++step) {
            const float curvature = multiply();
            if (!(curvature > 0)) break;
            const float by = left / curvature;
            take_off(x_, -by, direction_), take_off(residual_, by, product_);
            if (own_bias_) bias_ += by * bias_direction_, bias_residual_ -= by * bias_product_;
            error -= static_cast<double>(by) * left;
            left = precondition(left);
        }
        error -= penalty();
        for (int c = 0; c < width_; ++c) x_[c] = scale_[c] > 0 ? x_[c] : 0;  // no rating says anything of it
        if (!(bias_scale_ > 0)) bias_ = 0;
        keep();
        return error > 0 ? error : 0;
    }

   private:
    static int kept_rows(std::size_t width) {  // so many that they stay in the second cache
        const int rows = static_cast<int>(65536 / width) / 4 * 4;  // whole blocks, which are kept or not
        return rows < 16 ? 16 : rows;
    }

    const float* row(int t) const {
        return t < kept_ ? rows_ + static_cast<std::size_t>(t) * width_ : features(first_ + t);
    }
    float weight(int t) const { return data_.weight ? data_.weight[first_ + t] : 1; }

    // The residual of the system and its diagonal; returns the squared error.
    double start() {
        for (int c = 0; c < width_; c += lanes) {
            const vec<float> ridge = ridge_ * load(data_.growth + c);
            store(residual_ + c, -ridge * load(x_ + c));
            store(scale_ + c, ridge);
        }
        squares_ = 0, weights_ = 0, moment_ = 0;
        int t = 0;
        for (; t + 4 <= count_; t += 4) meet_rows<4>(t);
        for (; t < count_; ++t) meet_rows<1>(t);
        for (int c = 0; c < width_; ++c) scale_[c] = scale_[c] > 0 ? 1 / scale_[c] : 0;
        const float total = weights_ + bias_ridge_;
        bias_scale_ = own_bias_ && total > 0 ? 1 / total : 0;
        bias_residual_ = moment_ - bias_ridge_ * bias_;
        return squares_;
    }

    // Add N ratings to the residual and the diagonal, and keep their rows for the steps.
    template <int N>
    [[gnu::always_inline]] void meet_rows(int t) {
        const float* from[N];
        vec<float> totals[N] = {};
        for (int k = 0; k < N; ++k) fetch(t + ahead + k), from[k] = features(first_ + t + k);
        float* const to = t + N <= kept_ ? rows_ + static_cast<std::size_t>(t) * width_ : nullptr;
        for (int c = 0; c < width_; c += lanes) {
            const vec<float> own = load(x_ + c);
#pragma GCC unroll 4
            for (int k = 0; k < N; ++k) {
                const vec<float> q = load(from[k] + c);
                if (to) store(to + k * width_ + c, q);
                totals[k] += q * own;
            }
        }
        float pull[N], w[N];
#pragma GCC unroll 4
        for (int k = 0; k < N; ++k) {
            const float error = target(first_ + t + k) - bias_ - sum<float>(totals[k]);
            w[k] = weight(t + k), pull[k] = w[k] * error;
            squares_ += static_cast<double>(pull[k]) * error, weights_ += w[k], moment_ += pull[k];
        }
        for (int c = 0; c < width_; c += lanes) {
            vec<float> left = load(residual_ + c), diagonal = load(scale_ + c);
#pragma GCC unroll 4
            for (int k = 0; k < N; ++k) {
                const vec<float> q = load(from[k] + c);
                left += pull[k] * q, diagonal += w[k] * q * q;
            }
            store(residual_ + c, left), store(scale_ + c, diagonal);
        }
    }

    // The next direction; returns the length of the residual in the metric of the diagonal. `before`: the last one.
    float precondition(float before) {
        vec<float> total{};
        for (int c = 0; c < width_; c += lanes) total += load(residual_ + c) * load(residual_ + c) * load(scale_ + c);
        const float left = sum<float>(total) + bias_residual_ * bias_residual_ * bias_scale_;
        const float again = before > 0 ? left / before : 0;
        for (int c = 0; c < width_; c += lanes) {
            const vec<float> old = before > 0 ? load(direction_ + c) : vec<float>{};
            store(direction_ + c, load(residual_ + c) * load(scale_ + c) + again * old);
        }
        bias_direction_ = bias_residual_ * bias_scale_ + (before > 0 ? again * bias_direction_ : 0);
        return left;
    }

    // product = system x direction; returns direction . product.
    float multiply() {
        for (int c = 0; c < width_; c += lanes)
            store(product_ + c, ridge_ * load(data_.growth + c) * load(direction_ + c));
        bias_product_ = bias_ridge_ * bias_direction_;
        int t = 0;
        for (; t + 4 <= count_; t += 4) add_rows<4>(t);
        for (; t < count_; ++t) add_rows<1>(t);
        return dot(direction_, product_) + bias_direction_ * bias_product_;
    }

    template <int N>
    [[gnu::always_inline]] void add_rows(int t) {
        const float* q[N];
        vec<float> totals[N] = {};
        for (int k = 0; k < N; ++k) q[k] = row(t + k);
        for (int c = 0; c < width_; c += lanes) {
            const vec<float> along = load(direction_ + c);
#pragma GCC unroll 4
            for (int k = 0; k < N; ++k) totals[k] += load(q[k] + c) * along;
        }
        float pull[N];
#pragma GCC unroll 4
        for (int k = 0; k < N; ++k) {
            pull[k] = weight(t + k) * (sum<float>(totals[k]) + bias_direction_);
            bias_product_ += pull[k];
        }
        for (int c = 0; c < width_; c += lanes) {
            vec<float> sums = load(product_ + c);
#pragma GCC unroll 4
            for (int k = 0; k < N; ++k) sums += pull[k] * load(q[k] + c);
            store(product_ + c, sums);
        }
    }

    float *residual_, *scale_, *direction_, *product_;
    float bias_residual_ = 0, bias_scale_ = 0, bias_direction_ = 0, bias_product_ = 0;
    float weights_ = 0, moment_ = 0;  // sum w, sum w times the error
    double squares_ = 0;              // sum w times its square
    int kept_;
    float* rows_;
};

}  // namespace foretaste::FORETASTE_ISA
