// Bindings of the encoder of ids, which takes columns of text from whoever speaks Arrow and of numbers from
// numpy, and of the search for repeated pairs of ids.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <vector>

#include "arrow.hpp"
#include "binding.hpp"
#include "encode.hpp"
#include "lines.hpp"
#include "repeats.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

// An encoder and what it is used for; a call that was interrupted leaves it unusable.
struct BoundEncoder {
    enum class Kind { open, texts, numbers };

    IdEncoder encoder;
    Kind kind = Kind::open;
    std::atomic<bool> free{true};

    BoundEncoder(int threads, bool empty_is_missing) : encoder(threads, empty_is_missing) {}

    void take(Kind wanted) {
        check(free.exchange(false), "this encoder is at work, was interrupted or has given its codes");
        if (kind == Kind::open) kind = wanted;
        if (kind != wanted) {
            free = true;
            throw nb::value_error("an encoder takes either texts or numbers");
        }
    }

    template <class Cells>
    void feed(const Cells& cells, std::size_t rows) {
        const std::size_t first = encoder.add_rows(rows), blocks = encoder.blocks() - first;
        run_on_pool(encoder.workers(), blocks,
                    [&](std::size_t task, int worker) {
                        encoder.encode(first + task, cells, task * IdEncoder::block, worker);
                    });
    }
};

void encoder_init(BoundEncoder* self, int threads, bool empty_is_missing) {
    check(threads >= 1, "threads must be at least 1");
    new (self) BoundEncoder(threads, empty_is_missing);
}

[[noreturn]] void refuse(ArrowArrayStream& stream, const char* what) {
    const char* why = stream.get_last_error(&stream);
    throw nb::value_error((std::string(what) + (why != nullptr ? why : "no reason given")).c_str());
}

void feed_array(BoundEncoder& self, const ArrowArray& array, const std::string& format) {
    const auto rows = static_cast<std::size_t>(array.length);
    if (format == "vu") self.feed(TextViews(array), rows);
    else if (format == "u") self.feed(TextRuns<std::int32_t>(array), rows);
    else self.feed(TextRuns<std::int64_t>(array), rows);
}

void feed_texts(BoundEncoder& self, nb::object column) {
    nb::object capsule = column.attr("__arrow_c_stream__")();
    auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule.ptr(), "arrow_array_stream"));
    if (stream == nullptr) throw nb::python_error();
    Released<ArrowSchema> schema;
    if (stream->get_schema(stream, &schema) != 0) refuse(*stream, "the column gives no schema: ");
    const std::string format = schema.format;
    check((format == "vu" || format == "u" || format == "U") && schema.dictionary == nullptr,
          "the column must be of text (Arrow's string_view, string or large_string)");
    self.take(BoundEncoder::Kind::texts);
    for (;;) {
        Released<ArrowArray> array;
        if (stream->get_next(stream, &array) != 0) refuse(*stream, "the column cannot be read: ");
        if (array.release == nullptr) break;
        feed_array(self, array, format);
    }
    self.free = true;
}

void feed_numbers(BoundEncoder& self, In<std::int64_t> numbers) {
    self.take(BoundEncoder::Kind::numbers);
    self.feed(Numbers(numbers.data()), numbers.size());
    self.free = true;
}

// Sort the ids in parts, then merge ever longer runs.
void sort_ids(IdEncoder& encoder) {
    run_on_pool(encoder.workers(), encoder.parts(), [&](std::size_t part, int) { encoder.sort_part(part); });
    const std::size_t total = encoder.parts() * IdEncoder::block;
    for (std::size_t width = IdEncoder::block; width < total; width *= 2) {
        Stop stop{false};
        run_on_pool(
            encoder.workers(), (total + 2 * width - 1) / (2 * width),
            [&](std::size_t pair, int) { encoder.merge_pair(pair, width, stop); }, stop);
        encoder.swap_merged();
    }
}

nb::object number_array(const IdEncoder& encoder) {
    New<std::int64_t> numbers = new_array<std::int64_t>(encoder.distinct().size());
    std::int64_t* out = numbers.data();
    for (const Id& id : encoder.distinct()) *out++ = IdEncoder::number(id);
    return nb::cast(numbers);
}

nb::object text_list(const IdEncoder& encoder) {
    const std::vector<Id>& ids = encoder.distinct();
    nb::object list = nb::steal(PyList_New(static_cast<Py_ssize_t>(ids.size())));
    if (!list.is_valid()) throw nb::python_error();
    for (std::size_t i = 0; i < ids.size(); ++i) {
        PyObject* text = PyUnicode_DecodeUTF8(ids[i].text, static_cast<Py_ssize_t>(ids[i].size_or_number), nullptr);
        if (text == nullptr || (i % 65536 == 0 && PyErr_CheckSignals() != 0)) {
            Py_XDECREF(text);
            throw nb::python_error();
        }
        PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(i), text);
    }
    return list;
}

template <class T>
nb::object grown(Growing<T>& numbers) {
    const std::size_t size = numbers.size();
    if (size == 0) return nb::cast(new_array<T>(0));
    T* data = numbers.release();
    nb::capsule owner(data, [](void* p) noexcept { std::free(p); });
    return nb::cast(New<T>(data, {size}, owner));
}

// The ids in their order and the codes of all rows; once.
nb::tuple ids_and_codes(IdEncoder& encoder, bool texts, bool texts_may_be_numbers) {
    run_on_pool(1, 1, [&](std::size_t, int) { encoder.collect(texts, texts_may_be_numbers); });
    sort_ids(encoder);
    run_on_pool(1, 1, [&](std::size_t, int) { encoder.number_ids(); });
    run_on_pool(encoder.workers(), encoder.blocks(), [&](std::size_t block, int) { encoder.settle(block); });
    return nb::make_tuple(encoder.numbers() ? number_array(encoder) : text_list(encoder), grown(encoder.codes()));
}

nb::tuple finish(BoundEncoder& self, bool texts_may_be_numbers) {
    self.take(self.kind);  // never given back: the codes are handed out once
    return ids_and_codes(self.encoder, self.kind == BoundEncoder::Kind::texts, texts_may_be_numbers);
}

// A reader of plain lines, which a batch that is not plain leaves unusable.
struct BoundLines {
    PlainLines lines;
    std::atomic<bool> free{true};

    BoundLines(char separator, bool quotes, const std::vector<Column>& columns, int threads)
        : lines(separator, quotes, columns, threads) {}

    void take() { check(free.exchange(false), "this reader is at work, was interrupted or has given its columns"); }
};

void lines_init(BoundLines* self, const std::string& separator, bool quotes, const std::vector<std::string>& columns,
                int threads) {
    check(threads >= 1, "threads must be at least 1");
    check(separator.size() == 1 && separator[0] != '\n' && separator[0] != '\r' && separator[0] != '\0',
          "the separator must be one byte other than a line end");
    check(!columns.empty(), "a line has at least one field");
    std::vector<Column> kinds;
    for (const std::string& name : columns) {
        check(name.empty() || name == "id" || name == "real" || name == "whole", "a column is id, real, whole or empty");
        kinds.push_back(name.empty() ? Column::unread : name == "id" ? Column::id : name == "real" ? Column::real : Column::whole);
    }
    new (self) BoundLines(separator[0], quotes, kinds, threads);
}

// The bytes of any object that has some, for as long as this lives.
class Bytes {
   public:
    explicit Bytes(nb::handle object) {
        if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_SIMPLE) != 0) throw nb::python_error();
    }
    Bytes(const Bytes&) = delete;
    Bytes& operator=(const Bytes&) = delete;
    ~Bytes() { PyBuffer_Release(&view_); }
    const char* data() const { return static_cast<const char*>(view_.buf); }
    std::size_t size() const { return static_cast<std::size_t>(view_.len); }

   private:
    Py_buffer view_;
};

bool lines_feed(BoundLines& self, nb::object text) {
    self.take();
    const Bytes bytes(text);
    PlainLines& lines = self.lines;
    const std::size_t pieces = lines.open(bytes.data(), bytes.size());
    run_on_pool(lines.workers(), pieces, [&](std::size_t piece, int) { lines.cut(piece); });
    if (!lines.plain()) return false;
    lines.make_room();
    run_on_pool(lines.workers(), pieces, [&](std::size_t piece, int worker) { lines.read(piece, worker); });
    if (!lines.plain()) return false;
    self.free = true;
    return true;
}

nb::list lines_finish(BoundLines& self) {
    self.take();
    nb::list found;
    for (std::size_t c = 0; c < self.lines.columns().size(); ++c) {
        const Column column = self.lines.columns()[c];
        if (column == Column::id) found.append(ids_and_codes(self.lines.encoder(c), true, true));
        else if (column == Column::real) found.append(grown(self.lines.reals(c)));
        else if (column == Column::whole) found.append(grown(self.lines.wholes(c)));
        else found.append(nb::none());
    }
    return found;
}

std::int64_t count_repeats(In<std::int32_t> user, In<std::int32_t> item, std::int64_t users, std::int64_t items,
                           int threads) {
    check(user.size() == item.size(), "user and item must have the same length");
    check(threads >= 1, "threads must be at least 1");
    check(users >= 0 && users <= INT32_MAX && items >= 0 && items <= INT32_MAX, "users or items is out of range");
    check_range(user, 0, users, "a user index is out of range");
    check_range(item, 0, items, "an item index is out of range");
    const auto parts = static_cast<std::size_t>(threads);
    Repeats repeats(user.data(), item.data(), user.size(), static_cast<std::size_t>(users),
                    static_cast<std::size_t>(items), parts);
    Stop stop{false};
    run_on_pool(threads, parts, [&](std::size_t part, int) { repeats.count_runs(part, stop); }, stop);
    if (repeats.in_runs()) return repeats.count();
    repeats.open();
    run_on_pool(threads, parts, [&](std::size_t part, int) { repeats.count_part(part, stop); }, stop);
    repeats.sum_starts();
    run_on_pool(threads, parts, [&](std::size_t part, int) { repeats.visit_part(part, stop); }, stop);
    return repeats.count();
}

}  // namespace

void bind_encode(nb::module_& m) {
    nb::class_<BoundEncoder>(m, "IdEncoder")
        .def("__init__", &encoder_init, "threads"_a, "empty_is_missing"_a)
        .def("feed_texts", &feed_texts, "column"_a)
        .def("feed_numbers", &feed_numbers, "numbers"_a.noconvert())
        .def("finish", &finish, "texts_may_be_numbers"_a);
    nb::class_<BoundLines>(m, "PlainLines")
        .def("__init__", &lines_init, "separator"_a, "quotes"_a, "columns"_a, "threads"_a)
        .def("feed", &lines_feed, "text"_a)
        .def("finish", &lines_finish);
    m.def("count_repeats", &count_repeats, "user"_a.noconvert(), "item"_a.noconvert(), "users"_a, "items"_a,
          "threads"_a);
}

}  // namespace foretaste
