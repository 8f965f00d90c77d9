// Bindings of the encoder of ids, which takes columns of text from whoever speaks Arrow and of numbers from
// numpy, and of the search for repeated pairs of ids.
#include <atomic>
#include <string>

#include "bind/encoded_ids.hpp"
#include "io/arrow.hpp"
#include "io/count_duplicates.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

// An encoder and what it is used for; a call that was interrupted leaves it unusable.
struct IdEncoderBinding {
    enum class Kind { open, texts, numbers };

    IdEncoder encoder;
    Kind kind = Kind::open;
    std::atomic<bool> available{true};

    IdEncoderBinding(int threads, bool empty_is_missing) : encoder(threads, empty_is_missing) {}

    void acquire(Kind wanted) {
        check(available.exchange(false), "this encoder is at work, was interrupted or has given its codes");
        if (kind == Kind::open) kind = wanted;
        if (kind != wanted) {
            available = true;
            throw nb::value_error("an encoder takes either texts or numbers");
        }
    }

    template <class Cells>
    void feed(const Cells& cells, std::size_t rows) {
        const std::size_t first = encoder.add_rows(rows), blocks = encoder.blocks() - first;
        run_on_pool(encoder.workers(), blocks, [&](std::size_t task, int worker) {
            encoder.encode(first + task, cells, task * IdEncoder::block, worker);
        });
    }
};

void encoder_init(IdEncoderBinding* self, int threads, bool empty_is_missing) {
    check(threads >= 1, "threads must be at least 1");
    new (self) IdEncoderBinding(threads, empty_is_missing);
}

[[noreturn]] void refuse(ArrowArrayStream& stream, const char* what) {
    const char* why = stream.get_last_error(&stream);
    throw nb::value_error((std::string(what) + (why != nullptr ? why : "no reason given")).c_str());
}

void feed_array(IdEncoderBinding& self, const ArrowArray& array, const std::string& format) {
    const auto rows = static_cast<std::size_t>(array.length);
    if (format == "vu") self.feed(TextViews(array), rows);
    else if (format == "u") self.feed(TextRuns<std::int32_t>(array), rows);
    else self.feed(TextRuns<std::int64_t>(array), rows);
}

void feed_texts(IdEncoderBinding& self, const nb::object& column) {
    nb::object capsule = column.attr("__arrow_c_stream__")();
    auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.ptr(), "arrow_array_stream"));
    if (stream == nullptr) throw nb::python_error();
    Released<ArrowSchema> schema;
    if (stream->get_schema(stream, &schema) != 0) refuse(*stream, "the column gives no schema: ");
    const std::string format = schema.format;
    check((format == "vu" || format == "u" || format == "U") && schema.dictionary == nullptr,
          "the column must be of text (Arrow's string_view, string or large_string)");
    self.acquire(IdEncoderBinding::Kind::texts);
    for (;;) {
        Released<ArrowArray> array;
        if (stream->get_next(stream, &array) != 0) refuse(*stream, "the column cannot be read: ");
        if (array.release == nullptr) break;
        feed_array(self, array, format);
    }
    self.available = true;
}

void feed_numbers(IdEncoderBinding& self, In<std::int64_t> numbers) {
    self.acquire(IdEncoderBinding::Kind::numbers);
    self.feed(Numbers(numbers.data()), numbers.size());
    self.available = true;
}

nb::tuple finish(IdEncoderBinding& self, bool texts_may_be_numbers) {
    self.acquire(self.kind);  // never given back: the codes are handed out once
    return ids_and_codes(self.encoder, self.kind == IdEncoderBinding::Kind::texts, texts_may_be_numbers);
}

std::int64_t count_repeats(In<std::int32_t> user, In<std::int32_t> item, std::int64_t users,
                           std::int64_t items, int threads) {
    check(user.size() == item.size(), "user and item must have the same length");
    check(threads >= 1, "threads must be at least 1");
    check(users >= 0 && users <= INT32_MAX && items >= 0 && items <= INT32_MAX,
          "users or items is out of range");
    check_range(user, 0, users, "a user index is out of range");
    check_range(item, 0, items, "an item index is out of range");
    const auto parts = static_cast<std::size_t>(threads);
    DuplicateCounter counter(user.data(), item.data(), user.size(), static_cast<std::size_t>(users),
                             static_cast<std::size_t>(items), parts);
    Stop stop;
    run_on_pool(threads, parts, [&](std::size_t part, int) { counter.count_runs(part, stop); }, stop);
    if (counter.in_runs()) return counter.count();
    counter.prepare_grouping();
    run_on_pool(threads, parts, [&](std::size_t part, int) { counter.count_part(part, stop); }, stop);
    counter.sum_starts();
    run_on_pool(threads, parts, [&](std::size_t part, int) { counter.visit_part(part, stop); }, stop);
    return counter.count();
}

}  // namespace

void bind_id_encoder(nb::module_& m) {
    nb::class_<IdEncoderBinding>(m, "IdEncoder")
        .def("__init__", &encoder_init, "threads"_a, "empty_is_missing"_a)
        .def("feed_texts", &feed_texts, "column"_a)
        .def("feed_numbers", &feed_numbers, "numbers"_a.noconvert())
        .def("finish", &finish, "texts_may_be_numbers"_a);
    m.def("count_repeats", &count_repeats, "user"_a.noconvert(), "item"_a.noconvert(), "users"_a, "items"_a,
          "threads"_a);
}

}  // namespace foretaste
