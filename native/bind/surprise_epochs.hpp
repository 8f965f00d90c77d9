// What the bindings of scikit-surprise's factor models share: padded tables, and epochs that can be
// interrupted.
#pragma once

#include <cstring>

#include "runtime/aligned_array.hpp"
#include "runtime/interrupt.hpp"
#include "runtime/kernels.hpp"

namespace foretaste {

// A copy of a table whose rows are padded with zeros to whole vectors and begin at a line of the cache where
// they can; `copy_back` writes it to where it came from.
class PaddedTable {
   public:
    PaddedTable(double* from, std::size_t rows, std::size_t columns, std::size_t lanes)
        : from_(from), rows_(rows), columns_(columns),
          width_(columns == 0 ? lanes : (columns + lanes - 1) / lanes * lanes), memory_(rows * width_) {
        for (std::size_t row = 0; row < rows_ && columns_ != 0; ++row)
            std::memcpy(memory_.data() + row * width_, from_ + row * columns_, columns_ * sizeof(double));
    }

    double* data() { return memory_.data(); }
    int width() const { return static_cast<int>(width_); }

    void copy_back() const {
        for (std::size_t row = 0; row < rows_ && columns_ != 0; ++row)
            std::memcpy(from_ + row * columns_, memory_.data() + row * width_, columns_ * sizeof(double));
    }

   private:
    double* from_;
    std::size_t rows_, columns_, width_;
    AlignedArray<double> memory_;
};

using Starts = In<std::int64_t>;

inline SurpriseRows surprise_rows(const Starts& starts, const In<std::int32_t>& item, const In<double>& value,
                                  std::int64_t items) {
    check(item.size() == value.size(), "item and value must have the same length");
    check_starts(starts, item.size());
    check_range(item, 0, items, "an item index is out of range");
    return {starts.data(), item.data(), value.data(), static_cast<std::int64_t>(item.size())};
}

// All users once, in their order, in parts after which Ctrl-C is heard.
template <class Visit>
void surprise_epoch(const SurpriseRows& data, std::int64_t users, InterruptibleCall& call, Visit&& visit) {
    constexpr std::int64_t part = 16384;  // rows: less than a millisecond of most models
    for (std::int64_t from = 0, to; from < users; from = to) {
        for (to = from + 1; to < users && data.start[to + 1] - data.start[from] <= part;) ++to;
        visit(from, to);
        call.check_signals();
    }
}

}  // namespace foretaste
