// Binding of the reader of plain lines: takes batches of bytes, gives arrays.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <atomic>
#include <string>
#include <vector>

#include "bind/encoded_ids.hpp"
#include "io/csv_reader.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

// A reader of plain lines, which a batch that is not plain leaves unusable.
struct CsvReaderBinding {
    CsvReader lines;
    std::atomic<bool> available{true};

    CsvReaderBinding(char separator, bool quotes, const std::vector<Column>& columns, int threads)
        : lines(separator, quotes, columns, threads) {}

    void acquire() {
        check(available.exchange(false), "this reader is at work, was interrupted or has given its columns");
    }
};

Column column_of(const std::string& name) {
    check(name.empty() || name == "id" || name == "real" || name == "whole",
          "a column is id, real, whole or empty");
    if (name.empty()) return Column::unread;
    return name == "id" ? Column::id : name == "real" ? Column::real : Column::whole;
}

void lines_init(CsvReaderBinding* self, const std::string& separator, bool quotes,
                const std::vector<std::string>& columns, int threads) {
    check(threads >= 1, "threads must be at least 1");
    check(separator.size() == 1 && separator[0] != '\n' && separator[0] != '\r' && separator[0] != '\0',
          "the separator must be one byte other than a line end");
    check(!columns.empty(), "a line has at least one field");
    std::vector<Column> kinds;
    kinds.reserve(columns.size());
    for (const std::string& name : columns) kinds.push_back(column_of(name));
    new (self) CsvReaderBinding(separator[0], quotes, kinds, threads);
}

// For tests: at which of 64 bytes one stands, and which are not ASCII, in either way.
nb::tuple text_marks(const nb::bytes& text, const nb::bytes& wanted, bool portable) {
    check(text.size() == 64 && wanted.size() == 1, "text must have 64 bytes, wanted one");
    const auto marks = [&](const auto& bytes) {
        return nb::make_tuple(bytes.at(wanted.c_str()[0]), bytes.not_ascii());
    };
    return portable ? marks(Text64Words(text.c_str())) : marks(Text64(text.c_str()));
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

bool lines_feed(CsvReaderBinding& self, const nb::object& text) {
    const Bytes bytes(text);
    self.acquire();
    CsvReader& lines = self.lines;
    const std::size_t pieces = lines.open(bytes.data(), bytes.size());
    run_on_pool(lines.workers(), pieces, [&](std::size_t piece, int) { lines.cut(piece); });
    if (!lines.plain()) return false;
    lines.reserve_rows();
    run_on_pool(lines.workers(), pieces, [&](std::size_t piece, int worker) { lines.read(piece, worker); });
    if (!lines.plain()) return false;
    self.available = true;
    return true;
}

nb::list lines_finish(CsvReaderBinding& self) {
    self.acquire();
    nb::list found;
    for (std::size_t c = 0; c < self.lines.columns().size(); ++c) {
        const Column column = self.lines.columns()[c];
        if (column == Column::id) found.append(ids_and_codes(self.lines.encoder(c), true, true));
        else if (column == Column::real) found.append(to_numpy(self.lines.reals(c)));
        else if (column == Column::whole) found.append(to_numpy(self.lines.wholes(c)));
        else found.append(nb::none());
    }
    return found;
}

}  // namespace

void bind_csv_reader(nb::module_& m) {
    nb::class_<CsvReaderBinding>(m, "PlainLines")
        .def("__init__", &lines_init, "separator"_a, "quotes"_a, "columns"_a, "threads"_a)
        .def("feed", &lines_feed, "text"_a)
        .def("finish", &lines_finish);
    m.def("text_marks", &text_marks, "text"_a, "wanted"_a, "portable"_a);
}

}  // namespace foretaste
