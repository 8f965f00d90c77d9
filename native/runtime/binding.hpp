// What every binding file shares: array types, checks with clear messages, and running on the pool.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "runtime/threads.hpp"

namespace foretaste {

namespace nb = nanobind;

template <class T>
using In = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using In2 = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
template <class T>
using Out2 = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using New = nb::ndarray<nb::numpy, T, nb::ndim<1>, nb::c_contig>;
template <class T>
using New2 = nb::ndarray<nb::numpy, T, nb::ndim<2>, nb::c_contig>;

inline void check(bool ok, const char* what) {
    if (!ok) throw nb::value_error(what);
}

// Every index of the array lies in [low, high).
template <class Index>
void check_range(const In<Index>& array, std::int64_t low, std::int64_t high, const char* what) {
    const Index* index = array.data();
    auto least = static_cast<Index>(high), most = static_cast<Index>(low);
    for (std::size_t i = 0; i < array.size(); ++i) {
        least = index[i] < least ? index[i] : least;
        most = index[i] > most ? index[i] : most;
    }
    check(array.size() == 0 || (least >= low && most < high), what);
}

// Groups one behind another: starts that rise from 0 to the number of rows; returns how many groups there
// are.
inline std::size_t check_starts(const In<std::int64_t>& starts, std::size_t rows) {
    const char* const what = "starts must rise from 0 to the number of rows";
    check(starts.size() >= 1 && starts(0) == 0, what);
    const std::size_t groups = starts.size() - 1;
    for (std::size_t g = 0; g < groups; ++g) check(starts.data()[g] <= starts.data()[g + 1], what);
    check(starts.data()[groups] == static_cast<std::int64_t>(rows), what);
    return groups;
}

// A new numpy array that owns its memory; not initialized.
template <class T>
New<T> new_array(std::size_t n) {
    T* data = new T[n];
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return New<T>(data, {n}, owner);
}

template <class T>
New2<T> new_matrix(std::size_t rows, std::size_t columns) {
    T* data = new T[rows * columns];
    nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
    return New2<T>(data, {rows, columns}, owner);
}

// Run tasks without the GIL, on the pool where there are several; Ctrl-C ends the work and is raised in
// Python.
inline void run_on_pool(int threads, std::size_t tasks, const std::function<void(std::size_t, int)>& work,
                        Stop& stop) {
    bool finished;
    {
        nb::gil_scoped_release released;
        finished = Pool::instance().run(
            threads, tasks, work,
            [] {
                nb::gil_scoped_acquire held;
                return PyErr_CheckSignals() != 0;
            },
            stop);
    }
    if (!finished) throw nb::python_error();
}

inline void run_on_pool(int threads, std::size_t tasks, const std::function<void(std::size_t, int)>& work) {
    Stop stop;
    run_on_pool(threads, tasks, work, stop);
}

// Cut [0, n) into parts of `size` and run them.
inline void run_in_parts(int threads, std::size_t n, std::size_t size,
                         const std::function<void(std::size_t, std::size_t)>& work) {
    run_on_pool(threads, (n + size - 1) / size, [&](std::size_t part, int) {
        const std::size_t from = part * size;
        work(from, from + size < n ? from + size : n);
    });
}

}  // namespace foretaste
