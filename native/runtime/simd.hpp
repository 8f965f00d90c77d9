// Vectors of whatever width the instruction set has, by GCC/Clang vector extensions.
//
// Included only by isa.cpp, which is compiled once for each instruction set with FORETASTE_ISA (a
// namespace) and FORETASTE_VECTOR_BYTES. Code of one instruction set must not be linked in place of
// another's, so kernels use no standard containers or algorithms over plain types: everything that is
// instantiated here carries a type of this namespace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace foretaste::FORETASTE_ISA {

template <class T>
struct Vector {
    static constexpr int lanes = FORETASTE_VECTOR_BYTES / sizeof(T);
    typedef T type __attribute__((vector_size(FORETASTE_VECTOR_BYTES)));
    typedef T unaligned __attribute__((vector_size(FORETASTE_VECTOR_BYTES), aligned(alignof(T))));
};

template <class T>
using vec = typename Vector<T>::type;

template <class T>
[[gnu::always_inline]] inline vec<T> load(const T* from) {
    return *reinterpret_cast<const typename Vector<T>::unaligned*>(from);
}

template <class T>
[[gnu::always_inline]] inline void store(T* to, vec<T> value) {
    *reinterpret_cast<typename Vector<T>::unaligned*>(to) = value;
}

template <class T>
[[gnu::always_inline]] inline vec<T> broadcast(T value) {
    return value - vec<T>{};  // x - 0 is x, also for -0: the compiler drops it
}

// A bit for each lane of a comparison (lanes of all ones or all zeros).
[[gnu::always_inline]] inline std::uint32_t lanes_of(typename Vector<std::int32_t>::type mask) {
    std::uint32_t bits = 0;
#if defined(__AVX512F__) && FORETASTE_VECTOR_BYTES == 64
    bits = _mm512_movepi32_mask((__m512i)mask);
#elif defined(__AVX__) && FORETASTE_VECTOR_BYTES == 32
    bits = static_cast<std::uint32_t>(_mm256_movemask_ps((__m256)mask));
#elif defined(__SSE__) && FORETASTE_VECTOR_BYTES == 16
    bits = static_cast<std::uint32_t>(_mm_movemask_ps((__m128)mask));
#else
    for (int lane = 0; lane < Vector<std::int32_t>::lanes; ++lane) bits |= (mask[lane] & 1u) << lane;
#endif
    return bits;
}

[[gnu::always_inline]] inline std::uint32_t above(vec<float> a, vec<float> b) { return lanes_of(a > b); }
[[gnu::always_inline]] inline std::uint32_t equal(vec<float> a, vec<float> b) { return lanes_of(a == b); }

template <class T, class V>
[[gnu::always_inline]] inline T sum_16_bytes(V value) {
    if constexpr (sizeof(T) == 4) {
        value += __builtin_shufflevector(value, value, 2, 3, 0, 1);
        value += __builtin_shufflevector(value, value, 1, 0, 3, 2);
    } else {
        value += __builtin_shufflevector(value, value, 1, 0);
    }
    return value[0];
}

// The sum of all lanes, halves added to halves: the same order on every call.
template <class T>
[[gnu::always_inline]] inline T sum(vec<T> value) {
    constexpr int lanes = Vector<T>::lanes;
    typedef T half_t __attribute__((vector_size(FORETASTE_VECTOR_BYTES / 2)));
    if constexpr (sizeof(half_t) >= 16) {
        half_t low, high;
        std::memcpy(&low, &value, sizeof low);
        std::memcpy(&high, reinterpret_cast<const char*>(&value) + sizeof low, sizeof high);
        low += high;
        if constexpr (sizeof(half_t) > 16) {
            typedef T quarter_t __attribute__((vector_size(FORETASTE_VECTOR_BYTES / 4)));
            quarter_t first, second;
            std::memcpy(&first, &low, sizeof first);
            std::memcpy(&second, reinterpret_cast<const char*>(&low) + sizeof first, sizeof second);
            first += second;
            return sum_16_bytes<T>(first);
        } else {
            return sum_16_bytes<T>(low);
        }
    } else {
        static_assert(lanes * sizeof(T) == 16);
        return sum_16_bytes<T>(value);
    }
}

template <int N>
struct Constant {
    static constexpr int value = N;
};

// Call use with the constant among the widths that equals `width`, or with 0 where none does.
template <int FIRST, int... REST, class Use>
[[gnu::always_inline]] inline auto with_width(int width, const Use& use) {
    if (width == FIRST) return use(Constant<FIRST>{});
    if constexpr (sizeof...(REST) == 0) return use(Constant<0>{});
    else return with_width<REST...>(width, use);
}

// Ask for a row that is used soon, to be written to or only read.
template <bool WRITTEN, class T>
[[gnu::always_inline]] inline void prefetch_row(const T* row, int width) {
    const char* const bytes = reinterpret_cast<const char*>(row);
    for (int byte = 0; byte < width * static_cast<int>(sizeof(T)); byte += 64)
        __builtin_prefetch(bytes + byte, WRITTEN);
}

}  // namespace foretaste::FORETASTE_ISA
