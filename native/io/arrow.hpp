// Columns of text as the Arrow C data interface hands them over (its structures are a public standard).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

// The names and fields that the standard prescribes.
extern "C" {
struct ArrowSchema {
    const char* format;
    const char* name;
    const char* metadata;
    std::int64_t flags, n_children;
    ArrowSchema** children;
    ArrowSchema* dictionary;
    void (*release)(ArrowSchema*);
    void* private_data;
};

struct ArrowArray {
    std::int64_t length, null_count, offset, n_buffers, n_children;
    const void** buffers;
    ArrowArray** children;
    ArrowArray* dictionary;
    void (*release)(ArrowArray*);
    void* private_data;
};

struct ArrowArrayStream {
    int (*get_schema)(ArrowArrayStream*, ArrowSchema*);
    int (*get_next)(ArrowArrayStream*, ArrowArray*);
    const char* (*get_last_error)(ArrowArrayStream*);
    void (*release)(ArrowArrayStream*);
    void* private_data;
};
}

namespace foretaste {

// What has a release callback is released when it goes out of scope.
template <class T>
struct Released : T {
    Released() : T{} {}
    Released(const Released&) = delete;
    Released& operator=(const Released&) = delete;
    ~Released() {
        if (this->release != nullptr) this->release(this);
    }
};

// Which cells are there: a bitmap, or null if all are.
class Validity {
   public:
    explicit Validity(const ArrowArray& array)
        : bits_(array.null_count == 0 ? nullptr : static_cast<const std::uint8_t*>(array.buffers[0])),
          offset_(static_cast<std::size_t>(array.offset)) {}

    bool operator()(std::size_t row) const {
        if (bits_ == nullptr) return true;
        const std::size_t bit = row + offset_;
        return bits_[bit / 8] >> (bit % 8) & 1;
    }

   private:
    const std::uint8_t* bits_;
    std::size_t offset_;
};

// Format "vu": 16 bytes a cell, which hold the text itself if it has at most 12 bytes.
class TextViews {
   public:
    explicit TextViews(const ArrowArray& array)
        : valid(array), views_(static_cast<const char*>(array.buffers[1]) + 16 * array.offset),
          buffers_(array.buffers + 2) {}

    std::string_view operator[](std::size_t row) const {
        const char* view = views_ + 16 * row;
        std::uint32_t field[4];  // length, first four bytes, buffer, position in it
        std::memcpy(field, view, 16);
        if (field[0] <= 12) return {view + 4, field[0]};
        return {static_cast<const char*>(buffers_[field[2]]) + field[3], field[0]};
    }

    const Validity valid;

   private:
    const char* views_;
    const void** buffers_;
};

// Formats "u" (Offset = int32) and "U" (int64): where each text starts, and all texts in a row.
template <class Offset>
class TextRuns {
   public:
    explicit TextRuns(const ArrowArray& array)
        : valid(array), starts_(static_cast<const Offset*>(array.buffers[1]) + array.offset),
          text_(static_cast<const char*>(array.buffers[2])) {}

    std::string_view operator[](std::size_t row) const {
        return {text_ + starts_[row], static_cast<std::size_t>(starts_[row + 1] - starts_[row])};
    }

    const Validity valid;

   private:
    const Offset* starts_;
    const char* text_;
};

}  // namespace foretaste
