// How the bindings hand encoded columns over to Python.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "io/id_encoder.hpp"
#include "runtime/binding.hpp"
#include "runtime/growable_array.hpp"

namespace foretaste {

// Sort the ids in parts, then merge ever longer runs.
inline void sort_ids(IdEncoder& encoder) {
    run_on_pool(encoder.workers(), encoder.parts(), [&](std::size_t part, int) { encoder.sort_part(part); });
    const std::size_t total = encoder.parts() * IdEncoder::block;
    for (std::size_t width = IdEncoder::block; width < total; width *= 2) {
        Stop stop;
        run_on_pool(
            encoder.workers(), (total + 2 * width - 1) / (2 * width),
            [&](std::size_t pair, int) { encoder.merge_pair(pair, width, stop); }, stop);
        encoder.swap_merged();
    }
}

inline nb::object number_array(const IdEncoder& encoder) {
    New<std::int64_t> numbers = new_array<std::int64_t>(encoder.distinct().size());
    std::int64_t* out = numbers.data();
    for (const Id& id : encoder.distinct()) *out++ = IdEncoder::number(id);
    return nb::cast(numbers);
}

inline nb::object text_list(const IdEncoder& encoder) {
    const std::vector<Id>& ids = encoder.distinct();
    nb::object list = nb::steal(PyList_New(static_cast<Py_ssize_t>(ids.size())));
    if (!list.is_valid()) throw nb::python_error();
    for (std::size_t i = 0; i < ids.size(); ++i) {
        PyObject* text =
            PyUnicode_DecodeUTF8(ids[i].text, static_cast<Py_ssize_t>(ids[i].size_or_number), nullptr);
        if (text == nullptr || (i % 65536 == 0 && PyErr_CheckSignals() != 0)) {
            Py_XDECREF(text);
            throw nb::python_error();
        }
        PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), text);
    }
    return list;
}

// A numpy array that takes over the memory of what has grown.
template <class T>
nb::object to_numpy(GrowableArray<T>& numbers) {
    const std::size_t size = numbers.size();
    if (size == 0) return nb::cast(new_array<T>(0));
    T* data = numbers.release();
    nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
    return nb::cast(New<T>(data, {size}, owner));
}

// The ids in their order and the codes of all rows; once.
inline nb::tuple ids_and_codes(IdEncoder& encoder, bool texts, bool texts_may_be_numbers) {
    run_on_pool(1, 1, [&](std::size_t, int) { encoder.collect(texts, texts_may_be_numbers); });
    sort_ids(encoder);
    run_on_pool(1, 1, [&](std::size_t, int) { encoder.number_ids(); });
    run_on_pool(encoder.workers(), encoder.blocks(),
                [&](std::size_t block, int) { encoder.finalize_codes(block); });
    return nb::make_tuple(encoder.numbers() ? number_array(encoder) : text_list(encoder),
                          to_numpy(encoder.codes()));
}

}  // namespace foretaste
