// Alternating least squares, one row (a user, or an item): the factors of what it rated are given, its own
// are solved for.
//
// With q the factors of what was rated, z the rating less the other side's bias and w the weight, the factors
// x and the bias b of the row minimize  sum w (z - b - x.q)^2 + ridge sum growth x^2 + bias_ridge b^2.  The
// bias is the unknown of a constant column: it borders the system of the factors.
#pragma once

#include "kernels/als_row.hpp"
#include "kernels/nmf.hpp"

namespace foretaste::FORETASTE_ISA {

// By the system of normal equations: exact, or with factors that are not negative.
class AlsSystem : AlsRow {
   public:
    static std::size_t memory(int factors) {
        const std::size_t width = static_cast<std::size_t>(Gram::padded(factors)), rows = tile_rows(width);
        return width * width + 8 * (width + 16) + rows * (width + 2) + 32;
    }

    AlsSystem(const AlsData& data, std::int64_t row, float* memory) : AlsRow(data, row, memory) {
        gram_ = allocate(static_cast<std::size_t>(width_) * width_);
        right_sides_ = allocate(2 * width_);
        residual_ = allocate(2 * width_);
        solved_ = allocate(2 * width_);
        inverse_ = allocate(width_);
        tile_ = allocate(static_cast<std::size_t>(tile_rows(width_)) * width_);
        pairs_ = allocate(2 * tile_rows(width_));
    }

    // Solve for the row and return its sum of weighted squared errors.
    double solve() {
        build_system();
        if (data_.solver == AlsSolver::cholesky) solve_cholesky();
        else solve_nonnegative();
        store_result();
        double explained = dot(x_, right_sides_) + dot(x_, residual_);
        if (own_bias_) explained += static_cast<double>(bias_) * (weighted_sum_ + bias_residual_);
        const double rest = squares_ - explained - penalty();
        return rest > 0 ? rest : 0;
    }

   private:
    static constexpr float pivot_tolerance = Gram::pivot_tolerance;

    static int tile_rows(std::size_t width) {  // so many that they stay in the first cache
        const int rows = static_cast<int>(6144 / width) / 8 * 8;
        return rows < 16 ? 16 : rows;
    }

    // Sum up the system: gram (upper triangle), sides (of z, and of the constant), weights, squares.
    void build_system() {
        const std::size_t cells = static_cast<std::size_t>(width_) * width_;
        for (std::size_t c = 0; c < cells; c += lanes) store(gram_ + c, vec<float>{});
        for (int c = 0; c < 2 * width_; c += lanes) store(right_sides_ + c, vec<float>{});
        const int size = tile_rows(width_);
        for (int done = 0; done < count_; done += size) {
            const int n = count_ - done < size ? count_ - done : size;
            gather_rows(done, n);
            Gram::add_products(gram_, tile_, width_, n);
            Gram::band<2, false>(right_sides_, width_, pairs_, 2, tile_, width_, 0, width_, n);
        }
        for (int c = 0; c < width_; ++c)
            gram_[c * width_ + c] += c < data_.factors ? ridge_ * data_.growth[c] : 1;
    }

    // A tile of rows: factors times the root of w; and in pairs z and 1, times the same.
    void gather_rows(int done, int n) {
        float weights = 0, weighted_sum = 0, squares = 0;
        for (int t = 0; t < n; ++t) {
            prefetch_features(done + t + ahead);
            const std::int64_t rating = first_ + done + t;
            const float* const from = features(rating);
            float* const to = tile_ + static_cast<std::size_t>(t) * width_;
            const float root = data_.weight ? __builtin_sqrtf(data_.weight[rating]) : 1,
                        z = root * target(rating);
            for (int c = 0; c < width_; c += lanes) store(to + c, load(from + c) * root);
            pairs_[2 * t] = z, pairs_[2 * t + 1] = root;
            weights += root * root, weighted_sum += root * z, squares += z * z;
        }
        weights_ += weights, weighted_sum_ += weighted_sum, squares_ += squares;
    }

    // By Cholesky factorization, the bias last.
    void solve_cholesky() {
        Gram::factorize(gram_, inverse_, width_);
        for (int c = 0; c < 2 * width_; c += lanes) store(residual_ + c, load(right_sides_ + c));
        if (own_bias_) {
            Gram::forward<2>(gram_, inverse_, residual_, solved_, width_);
            const float* const constant = solved_ + width_;
            const float total = weights_ + bias_ridge_, pivot = total - dot(constant, constant);
            bias_ = pivot > pivot_tolerance * total ? (weighted_sum_ - dot(constant, solved_)) / pivot : 0;
            subtract_scaled(solved_, bias_, constant);
        } else {
            Gram::forward<1>(gram_, inverse_, residual_, solved_, width_);
        }
        Gram::backward(gram_, inverse_, solved_, x_, width_);
        for (int c = 0; c < width_; c += lanes)
            store(residual_ + c, vec<float>{});  // nothing is left of the sides
        bias_residual_ = 0;
    }

    // By coordinate descent, factors kept at 0 or above, until nothing moves or `steps` sweeps.
    void solve_nonnegative() {
        for (int c = 0; c < width_; ++c)
            for (int r = 0; r < c; ++r) gram_[c * width_ + r] = gram_[r * width_ + c];
        for (int c = 0; c < width_; c += lanes) store(residual_ + c, load(right_sides_ + c));
        const float total = weights_ + bias_ridge_;
        bias_residual_ = weighted_sum_;
        move_bias_by(bias_);
        for (int j = 0; j < data_.factors; ++j) {
            x_[j] = x_[j] > 0 ? x_[j] : 0;
            if (x_[j] > 0) move_factor(j, x_[j]);
        }
        for (int sweep = 0; sweep < data_.steps; ++sweep) {
            float gained = 0;
            if (own_bias_) {
                const float step = total > 0 ? bias_residual_ / total : -bias_;
                bias_ += step, move_bias_by(step), gained = step * step * total;
            }
            for (int j = 0; j < data_.factors; ++j) {
                const float pivot = gram_[j * width_ + j];
                const float wanted = pivot > 0 ? x_[j] + residual_[j] / pivot : 0;
                const float next = wanted > 0 ? wanted : 0, step = next - x_[j];
                if (step == 0) continue;
                x_[j] = next, move_factor(j, step);
                const float gain = step * step * pivot;
                gained = gain > gained ? gain : gained;
            }
            if (gained <= 1e-10 * squares_) break;
        }
    }

    // What is left of the sides when one unknown has moved by `step`.
    void move_factor(int j, float step) {
        subtract_scaled(residual_, step, gram_ + static_cast<std::size_t>(j) * width_);
        bias_residual_ -= step * right_sides_[width_ + j];
    }
    void move_bias_by(float step) {
        subtract_scaled(residual_, step, right_sides_ + width_);
        bias_residual_ -= step * (weights_ + bias_ridge_);
    }

    float* gram_;         // (width, width)
    float* right_sides_;  // (2, width): of z, and of the constant
    float* residual_;     // what the unknowns leave of the first; (2, width) while solving
    float* solved_;       // (2, width)
    float* inverse_;      // of the pivots
    float *tile_, *pairs_;
    float bias_residual_ = 0;
    float weights_ = 0, weighted_sum_ = 0;  // sum w, sum w z
    double squares_ = 0;                    // sum w z^2
};

// By a few conjugate gradients from where the row was, scaled by the diagonal; the system is never formed.
class AlsGradients : AlsRow {
   public:
    static std::size_t memory(int factors) {
        const auto width = static_cast<std::size_t>(Gram::padded(factors));
        return kept_rows(width) * width + 5 * (width + 16) + 16;
    }

    AlsGradients(const AlsData& data, std::int64_t row, float* memory) : AlsRow(data, row, memory) {
        residual_ = allocate(width_), scale_ = allocate(width_), direction_ = allocate(width_),
        product_ = allocate(width_);
        kept_ = kept_rows(width_) < count_ ? kept_rows(width_) : count_;
        rows_ = allocate(static_cast<std::size_t>(kept_) * width_);
    }

    double solve() {
        double error = find_residual() + penalty();
        float norm = precondition(0);
        const float tolerance = 1e-10f * norm;
        for (int step = 0; step < data_.steps && norm > tolerance; ++step) {
            const float curvature = multiply();
            if (!(curvature > 0)) break;
            const float by = norm / curvature;
            subtract_scaled(x_, -by, direction_), subtract_scaled(residual_, by, product_);
            if (own_bias_) bias_ += by * bias_direction_, bias_residual_ -= by * bias_product_;
            error -= static_cast<double>(by) * norm;
            norm = precondition(norm);
        }
        error -= penalty();
        for (int c = 0; c < width_; ++c) x_[c] = scale_[c] > 0 ? x_[c] : 0;  // no rating says anything of it
        if (!(bias_scale_ > 0)) bias_ = 0;
        store_result();
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
    double find_residual() {
        for (int c = 0; c < width_; c += lanes) {
            const vec<float> ridge = ridge_ * load(data_.growth + c);
            store(residual_ + c, -ridge * load(x_ + c));
            store(scale_ + c, ridge);
        }
        squares_ = 0, weights_ = 0, weighted_sum_ = 0;
        int t = 0;
        for (; t + 4 <= count_; t += 4) add_to_residual<4>(t);
        for (; t < count_; ++t) add_to_residual<1>(t);
        for (int c = 0; c < width_; ++c) scale_[c] = scale_[c] > 0 ? 1 / scale_[c] : 0;
        const float total = weights_ + bias_ridge_;
        bias_scale_ = own_bias_ && total > 0 ? 1 / total : 0;
        bias_residual_ = weighted_sum_ - bias_ridge_ * bias_;
        return squares_;
    }

    // Add N ratings to the residual and the diagonal, and keep their rows for the steps.
    template <int N>
    [[gnu::always_inline]] void add_to_residual(int t) {
        const float* from[N];
        vec<float> totals[N] = {};
        for (int k = 0; k < N; ++k) prefetch_features(t + ahead + k), from[k] = features(first_ + t + k);
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
        float weighted_error[N], w[N];
#pragma GCC unroll 4
        for (int k = 0; k < N; ++k) {
            const float error = target(first_ + t + k) - bias_ - sum<float>(totals[k]);
            w[k] = weight(t + k), weighted_error[k] = w[k] * error;
            squares_ += static_cast<double>(weighted_error[k]) * error, weights_ += w[k],
                weighted_sum_ += weighted_error[k];
        }
        for (int c = 0; c < width_; c += lanes) {
            vec<float> rest = load(residual_ + c), diagonal = load(scale_ + c);
#pragma GCC unroll 4
            for (int k = 0; k < N; ++k) {
                const vec<float> q = load(from[k] + c);
                rest += weighted_error[k] * q, diagonal += w[k] * q * q;
            }
            store(residual_ + c, rest), store(scale_ + c, diagonal);
        }
    }

    // The next direction; returns the length of the residual in the metric of the diagonal. `previous`: the
    // last one.
    float precondition(float previous) {
        vec<float> total{};
        for (int c = 0; c < width_; c += lanes)
            total += load(residual_ + c) * load(residual_ + c) * load(scale_ + c);
        const float norm = sum<float>(total) + bias_residual_ * bias_residual_ * bias_scale_;
        const float beta = previous > 0 ? norm / previous : 0;
        for (int c = 0; c < width_; c += lanes) {
            const vec<float> old = previous > 0 ? load(direction_ + c) : vec<float>{};
            store(direction_ + c, load(residual_ + c) * load(scale_ + c) + beta * old);
        }
        bias_direction_ = bias_residual_ * bias_scale_ + (previous > 0 ? beta * bias_direction_ : 0);
        return norm;
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
        float weighted_error[N];
#pragma GCC unroll 4
        for (int k = 0; k < N; ++k) {
            weighted_error[k] = weight(t + k) * (sum<float>(totals[k]) + bias_direction_);
            bias_product_ += weighted_error[k];
        }
        for (int c = 0; c < width_; c += lanes) {
            vec<float> sums = load(product_ + c);
#pragma GCC unroll 4
            for (int k = 0; k < N; ++k) sums += weighted_error[k] * load(q[k] + c);
            store(product_ + c, sums);
        }
    }

    float *residual_, *scale_, *direction_, *product_;
    float bias_residual_ = 0, bias_scale_ = 0, bias_direction_ = 0, bias_product_ = 0;
    float weights_ = 0, weighted_sum_ = 0;  // sum w, sum w times the error
    double squares_ = 0;                    // sum w times its square
    int kept_;
    float* rows_;
};

inline std::size_t als_memory(const AlsData& data) {
    switch (data.solver) {
        case AlsSolver::gradients: return AlsGradients::memory(data.factors);
        case AlsSolver::multiplicative: return NmfRow::memory(data.factors);
        default: return AlsSystem::memory(data.factors);
    }
}

// Learn one row; returns its sum of weighted squared errors.
inline double als_row(const AlsData& data, std::int64_t row, float* memory) {
    switch (data.solver) {
        case AlsSolver::gradients: return AlsGradients(data, row, memory).solve();
        case AlsSolver::multiplicative: return NmfRow(data, row, memory).solve();
        default: return AlsSystem(data, row, memory).solve();
    }
}

}  // namespace foretaste::FORETASTE_ISA
