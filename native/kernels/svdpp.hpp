// Matrix factorization with implicit feedback (SVD++), in time if wanted (timeSVD++): one user's ratings.
//
// What a user rated counts by z = |N|^-1/2 * (the sum of the implicit factors y of those items), and every
// rating of the user moves all of these y by the same step, |N|^-1/2 * rate * error * q. So z itself moves by
// rate * error * q, and the sum over |N| items need not be taken anew for each rating: z is summed once when
// the user's visit begins and learned like the user's factors, and what it learned is given to the y when the
// visit ends. That is the same algorithm in |N| steps a visit instead of |N|^2.
//
// The users of a round read items as they were when the round began (svdpp_visit); their steps are kept aside
// and added when all of them are done, in the order of the visits (svdpp_share). So it does not matter who
// is visited by which thread.
#pragma once

#include "runtime/kernels.hpp"
#include "runtime/simd.hpp"

namespace foretaste::FORETASTE_ISA {

// What time adds to one rating: the part of the prediction, then a step of learning.
template <class T>
struct SvdppTimeTerms {
    const SvdppTime<T>& time;
    const std::int32_t user;
    const std::int64_t row;
    const T deviation = time.drift_bias ? time.deviation[row] : T(0);

    T predicted() const {
        T value = 0;
        if (time.drift_bias) value += deviation * time.drift_bias[user];
        if (time.bin_bias) value += time.bin_bias[time.bin[row]];
        if (time.session_bias) value += time.session_bias[time.session[row]];
        return value;
    }

    // How much is left of a number drawn to 0 by a step, `damping` being shared by all its rows; never below
    // 0.
    static T shrinkage(T weight, T rate, T damping) {
        return rate == 0 ? T(1) : weight / (weight + rate * damping);
    }

    // The user's own numbers at once; the item's bin as a step, which is returned.
    T learn(T rate, T error) const {
        if (time.drift_bias) {
            T& drift = time.drift_bias[user];
            drift = (drift + rate * error * deviation) *
                    shrinkage(time.user_weight[user], rate, time.drift_damping);
        }
        if (time.session_bias) {
            T& session = time.session_bias[time.session[row]];
            session = (session + rate * error) *
                      shrinkage(time.session_weight[time.session[row]], rate, time.session_damping);
        }
        if (!time.bin_bias) return 0;
        const T bin = time.bin_bias[time.bin[row]];
        return (bin + rate * error) * shrinkage(time.bin_weight[time.bin[row]], rate, time.bin_damping) - bin;
    }
};

// WIDTH = 0: a width known only at run time; then the user's factors stay in `scratch`, (2, width), aligned.
template <class T, int WIDTH, bool TIMED, bool DRIFTING>
[[gnu::noinline]] double svdpp_walk(const SvdppData<T> data, const SvdppRound<T> round, std::int64_t position,
                                    T* scratch) {
    using V = vec<T>;
    constexpr int lanes = Vector<T>::lanes, known_parts = WIDTH ? WIDTH / lanes : 1;
    const int width = WIDTH ? WIDTH : data.width, parts = width / lanes;
    const std::int64_t from = data.start[position], to = data.start[position + 1],
                       slot = position - round.first;
    const std::int32_t user = data.user[position];
    const std::int32_t* const item = data.item;
    T* const user_row = data.user_factors + static_cast<std::size_t>(user) * width;
    T* const drift_row =
        DRIFTING ? data.time.drift_factors + static_cast<std::size_t>(user) * width : nullptr;
    T* const shared_step = round.shared_step + slot * width;
    const T norm = 1 / __builtin_sqrt(static_cast<T>(to - from));
    V own_registers[known_parts], shared_registers[known_parts];
    V* const own = WIDTH ? own_registers : reinterpret_cast<V*>(scratch);
    V* const shared = WIDTH ? shared_registers : reinterpret_cast<V*>(scratch) + parts;

#pragma GCC unroll 32
    for (int c = 0; c < parts; ++c) own[c] = load(user_row + c * lanes), shared[c] = V{};
    for (std::int64_t r = from; r < to; ++r) {
        const T* y = data.implicit_factors + static_cast<std::size_t>(item[r]) * width;
        prefetch_row<false>(
            data.implicit_factors + static_cast<std::size_t>(item[r + SvdppData<T>::ahead]) * width, width);
#pragma GCC unroll 32
        for (int c = 0; c < parts; ++c) shared[c] += load(y + c * lanes);
    }
#pragma GCC unroll 32
    for (int c = 0; c < parts; ++c) {
        shared[c] *= broadcast(norm);
        store(shared_step + c * lanes, shared[c]);  // as it was, until the visit ends
    }

    T user_bias = data.user_bias[user], shared_decay = 1;
    double loss = 0;
    for (std::int64_t r = from; r < to; ++r) {
        const T* q = data.item_factors + static_cast<std::size_t>(item[r]) * width;
        T* const q_step = round.item_step + static_cast<std::size_t>(r - data.start[round.first]) * width;
        prefetch_row<false>(
            data.item_factors + static_cast<std::size_t>(item[r + SvdppData<T>::ahead]) * width, width);
        const T weight = data.weight ? data.weight[r] : T(1), rate = data.learning_rate * weight;
        const SvdppTimeTerms<T> time_terms{data.time, user, r};
        const V deviation = broadcast(DRIFTING ? time_terms.deviation : T(0));
        const auto user_vector = [&](int c) __attribute__((always_inline)) {
            if constexpr (DRIFTING) return own[c] + shared[c] + deviation * load(drift_row + c * lanes);
            else return own[c] + shared[c];
        };
        V even{}, odd{};
#pragma GCC unroll 32
        for (int c = 0; c < parts; c += 2) {
            even += user_vector(c) * load(q + c * lanes);
            if (c + 1 < parts) odd += user_vector(c + 1) * load(q + (c + 1) * lanes);
        }
        const T item_bias = data.item_bias[item[r]];
        T guess = user_bias + item_bias + sum<T>(even + odd);
        if constexpr (TIMED) guess += time_terms.predicted();
        const T error = data.value[r] - guess;
        loss += static_cast<double>(weight * error * error);

        const T decay = rate * data.regularization, shared_rate = data.implicit_rate * weight;
        const T one_shared_decay = 1 - shared_rate * data.implicit_regularization;
        const V step = broadcast(rate * error), kept = broadcast(1 - decay), decayed = broadcast(decay);
        const V step_of_shared = broadcast(shared_rate * error),
                decay_of_shared = broadcast(one_shared_decay);
        const V drift_decay = broadcast(
            DRIFTING ? time_terms.shrinkage(data.time.user_weight[user], rate, data.time.drift_damping)
                     : T(1));
        round.bias_step[r - data.start[round.first]] = rate * error - decay * item_bias;
        user_bias = user_bias * (1 - decay) + rate * error;
        shared_decay *= one_shared_decay;
        if constexpr (TIMED) round.bin_step[r - data.start[round.first]] = time_terms.learn(rate, error);
#pragma GCC unroll 32
        for (int c = 0; c < parts; ++c) {
            const V old = load(q + c * lanes);
            store(q_step + c * lanes, step * user_vector(c) - decayed * old);
            if constexpr (DRIFTING)
                store(drift_row + c * lanes,
                      (load(drift_row + c * lanes) + step * deviation * old) * drift_decay);
            own[c] = own[c] * kept + step * old;
            shared[c] = shared[c] * decay_of_shared + step_of_shared * old;
        }
    }
    data.user_bias[user] = user_bias;
    round.decay[slot] = shared_decay;
#pragma GCC unroll 32
    for (int c = 0; c < parts; ++c) {
        store(user_row + c * lanes, own[c]);
        const V learned = shared[c] - broadcast(shared_decay) * load(shared_step + c * lanes);
        store(shared_step + c * lanes, broadcast(norm) * learned);
    }
    return loss;
}

template <class T, int WIDTH>
double svdpp_visit_of(const SvdppData<T>& data, const SvdppRound<T>& round, std::int64_t position,
                      T* scratch) {
    if (data.start[position] == data.start[position + 1]) return 0;
    if (data.time.drift_factors) return svdpp_walk<T, WIDTH, true, true>(data, round, position, scratch);
    if (data.time.drift_bias || data.time.bin_bias || data.time.session_bias)
        return svdpp_walk<T, WIDTH, true, false>(data, round, position, scratch);
    return svdpp_walk<T, WIDTH, false, false>(data, round, position, scratch);
}

// Visit the user at a position of the round; returns the sum of the squared errors met.
template <class T>
double svdpp_visit(const SvdppData<T>& data, const SvdppRound<T>& round, std::int64_t position, T* scratch) {
    return with_width<16, 32, 64, 128>(data.width, [&](auto width) {
        return svdpp_visit_of<T, decltype(width)::value>(data, round, position, scratch);
    });
}

// The first of the rows [from, to) whose item is at least `low`; items increase.
inline std::int64_t first_row_from(const std::int32_t* item, std::int64_t from, std::int64_t to,
                                   std::int32_t low) {
    while (from < to) {
        const std::int64_t middle = from + (to - from) / 2;
        if (item[middle] < low) from = middle + 1;
        else to = middle;
    }
    return from;
}

// Give the items in [low, high) what the users of the round learned of them.
template <class T>
void svdpp_share(const SvdppData<T>& data, const SvdppRound<T>& round, std::int32_t low, std::int32_t high) {
    using V = vec<T>;
    constexpr int lanes = Vector<T>::lanes;
    const int width = data.width;
    const std::int64_t first = data.start[round.first];
    for (std::int64_t position = round.first; position < round.last; ++position) {
        const std::int64_t end = data.start[position + 1];
        const T* const shared_step = round.shared_step + (position - round.first) * width;
        const V decay = broadcast(round.decay[position - round.first]);
        std::int64_t r = first_row_from(data.item, data.start[position], end, low);
        for (; r < end && data.item[r] < high; ++r) {
            const std::size_t item = data.item[r];
            T* const q = data.item_factors + item * width;
            T* const y = data.implicit_factors + item * width;
            const T* const q_step = round.item_step + static_cast<std::size_t>(r - first) * width;
            const std::size_t next_item = data.item[r + SvdppData<T>::ahead];
            prefetch_row<true>(data.item_factors + next_item * width, width);
            prefetch_row<true>(data.implicit_factors + next_item * width, width);
            for (int c = 0; c < width; c += lanes) {
                store(q + c, load(q + c) + load(q_step + c));
                store(y + c, load(y + c) * decay + load(shared_step + c));
            }
            data.item_bias[item] += round.bias_step[r - first];
            if (data.time.bin_bias) data.time.bin_bias[data.time.bin[r]] += round.bin_step[r - first];
        }
    }
}

}  // namespace foretaste::FORETASTE_ISA
