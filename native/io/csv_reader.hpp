// Reads plain lines of fields: no quotes, as many fields in every line, numbers written plainly. What is not
// so is not read at all but left to a reader that knows more; nothing is guessed or passed over here.
//
// A batch of whole lines is cut into pieces. First the positions of all separators and line ends of a piece
// are listed, 64 bytes at a time, and it is checked that they alternate as they must; then the fields between
// them are encoded as ids or read as numbers, straight from the text.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "io/id_encoder.hpp"
#include "runtime/growable_array.hpp"
#include "runtime/threads.hpp"

namespace foretaste {

// 64 bytes of text, and at which of them something stands; on any machine.
class Text64Words {
   public:
    explicit Text64Words(const char* from) { std::memcpy(word_, from, 64); }
    std::uint64_t at(char wanted) const {
        const std::uint64_t all = low * static_cast<unsigned char>(wanted);
        return gathered([&](int i) {  // the top bit of every byte that is 0 once the wanted one is taken off
            const std::uint64_t rest = word_[i] ^ all;
            return ~(((rest & ~high) + ~high) | rest);
        });
    }
    std::uint64_t not_ascii() const {
        return gathered([&](int i) { return word_[i]; });
    }

   private:
    static constexpr std::uint64_t low = 0x0101010101010101u, high = 0x8080808080808080u;

    template <class Word>
    static std::uint64_t gathered(const Word& word) {
        std::uint64_t bits = 0;
        for (int i = 7; i >= 0; --i) bits = bits << 8 | ((word(i) & high) >> 7) * 0x0102040810204080u >> 56;
        return bits;
    }
    std::uint64_t word_[8];
};

#if defined(__SSE2__)
// The same on every x86-64 processor.
class Text64Vectors {
   public:
    explicit Text64Vectors(const char* from) {
        for (int i = 0; i < 4; ++i) part_[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from) + i);
    }
    std::uint64_t at(char wanted) const {
        const __m128i all = _mm_set1_epi8(wanted);
        return gathered([&](int i) { return _mm_cmpeq_epi8(part_[i], all); });
    }
    std::uint64_t not_ascii() const {
        return gathered([&](int i) { return part_[i]; });
    }

   private:
    template <class Part>
    static std::uint64_t gathered(const Part& part) {
        std::uint64_t bits = 0;
        for (int i = 3; i >= 0; --i)
            bits = bits << 16 | static_cast<std::uint32_t>(_mm_movemask_epi8(part(i)));
        return bits;
    }
    __m128i part_[4];
};
using Text64 = Text64Vectors;
#else
using Text64 = Text64Words;
#endif

// Whether bytes are UTF-8: no byte missing, none too many, no character written longer than it must be.
inline bool is_utf8(std::string_view text) {
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    const auto* end = at + text.size();
    while (at < end) {
        if (end - at >= 8 && (load_8(reinterpret_cast<const char*>(at)) & 0x8080808080808080u) == 0) {
            at += 8;
            continue;
        }
        const unsigned first = *at++;
        if (first < 0x80) continue;
        const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc2 || first > 0xf4 || end - at < more) return false;
        const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (*at < least || *at > most) return false;
        for (int k = 1; k < more; ++k)
            if ((at[k] & 0xc0) != 0x80) return false;
        at += more;
    }
    return true;
}

// A piece of text of whole lines, and where its fields end.
class Piece {
   public:
    void open(const char* text, std::size_t size) { text_ = text, size_ = size; }

    // Find all ends of fields; false if the lines are not plain. `quotes`: whether a quote is no plain byte.
    bool cut(char separator, std::size_t width, bool quotes) {
        if (capacity_ < size_ + 128) ends_.reset(new std::uint32_t[capacity_ = size_ + 128]);
        std::size_t count = 0;
        std::uint64_t special = 0, returns = 0, not_ascii = 0;
        const auto scan = [&](const char* at, std::size_t position) {
            const Text64 bytes(at);
            std::uint64_t found = bytes.at(separator) | bytes.at('\n');
            special |= bytes.at('\0') | (quotes ? bytes.at('"') : 0);
            returns |= bytes.at('\r');
            not_ascii |= bytes.not_ascii();
            const int many = std::popcount(found);
            std::uint32_t* to = ends_.get() + count;
            for (int k = 0; k < many || k == 0; k += 8) {  // eight at once: fewer branches to guess
                for (int j = 0; j < 8; ++j, found &= found - 1)
                    to[k + j] = static_cast<std::uint32_t>(position) +
                                static_cast<std::uint32_t>(std::countr_zero(found));
            }
            count += static_cast<std::size_t>(many);
        };
        std::size_t position = 0;
        for (; position + 64 <= size_; position += 64) scan(text_ + position, position);
        if (position < size_) {
            char rest[64];
            std::memset(rest, separator == ' ' ? '-' : ' ', 64);
            std::memcpy(rest, text_ + position, size_ - position);
            scan(rest, position);
        }
        if (special != 0 || count % width != 0 || count == 0 || ends_[count - 1] != size_ - 1) return false;
        rows_ = count / width, width_ = width, returned_ = 0;
        return ends_alternate() && (returns == 0 || strip_carriage_returns()) &&
               (not_ascii == 0 || is_utf8({text_, size_}));
    }

    std::size_t rows() const { return rows_; }

    std::string_view field(std::size_t row, std::size_t column) const {
        const std::size_t position = row * width_ + column;
        const std::size_t start =
            position == 0 ? 0 : ends_[position - 1] + std::size_t{1} + (column == 0 ? returned_ : 0);
        return {text_ + start, ends_[position] - start};
    }

   private:
    // Every `width`th end is a line's and no other is; and no line is blank.
    bool ends_alternate() const {
        bool fits = true;
        std::size_t start = 0;
        for (std::size_t row = 0; row < rows_; ++row) {
            const std::uint32_t* end = ends_.get() + row * width_;
            for (std::size_t k = 0; k + 1 < width_; ++k) fits &= text_[end[k]] != '\n';
            fits &= text_[end[width_ - 1]] == '\n' && end[width_ - 1] > start;
            start = end[width_ - 1] + std::size_t{1};
        }
        return fits;
    }

    // Lines may all end in a carriage return, which is no part of the last field; no other may be there.
    bool strip_carriage_returns() {
        const auto total = static_cast<std::size_t>(std::count(text_, text_ + size_, '\r'));
        if (total != rows_) return false;
        returned_ = 1;
        for (std::size_t row = 0; row < rows_; ++row) {
            std::uint32_t& end = ends_[row * width_ + width_ - 1];
            if (end == 0 || text_[end - 1] != '\r') return false;
            --end;
            if (width_ == 1 && field(row, 0).empty()) return false;
        }
        return true;
    }

    const char* text_ = nullptr;
    std::size_t size_ = 0, rows_ = 0, width_ = 1, returned_ = 0;
    std::unique_ptr<std::uint32_t[]> ends_;
    std::size_t capacity_ = 0;
};

// Read up to 18 digits; false if there is anything else.
inline bool read_digits(std::string_view text, std::uint64_t& number) {
    if (text.empty() || text.size() > 18) return false;
    const char* at = text.data();
    std::size_t left = text.size();
    std::uint64_t value = 0;
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word = load_8(at) ^ 0x3030303030303030u;
        if (((word + 0x7676767676767676u) | word) & 0x8080808080808080u) return false;
        word = word * 10 + (word >> 8);  // pairs of digits, then fours, then all eight
        word = ((word & 0x000000ff000000ffu) * 0x000f424000000064u +
                (word >> 16 & 0x000000ff000000ffu) * 0x0000271000000001u) >>
               32;
        value = value * 100000000 + word;
    }
    for (; left > 0; ++at, --left) {
        const auto digit = static_cast<unsigned>(*at) - unsigned{'0'};
        if (digit > 9) return false;
        value = value * 10 + digit;
    }
    number = value;
    return true;
}

inline bool read_number(std::string_view text, std::int64_t& number) {
    const bool negative = !text.empty() && text[0] == '-';
    std::uint64_t digits;
    if (!read_digits(text.substr(negative), digits)) return false;
    number = negative ? -static_cast<std::int64_t>(digits) : static_cast<std::int64_t>(digits);
    return true;
}

// Read a number like 3.5, the nearest float to what is written; false if it is written in another way.
inline bool read_number(std::string_view text, float& number) {
    static constexpr double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
    const bool negative = !text.empty() && text[0] == '-';
    std::uint64_t value = 0;
    std::size_t i = negative, digits = 0, point = text.size();
    for (; i < text.size(); ++i) {
        const auto digit = static_cast<unsigned>(text[i]) - unsigned{'0'};
        if (digit <= 9) value = value * 10 + digit, ++digits;
        else if (text[i] == '.' && point == text.size() && digits > 0) point = i;
        else return false;
    }
    const std::size_t decimals = point == text.size() ? 0 : text.size() - 1 - point;
    if (digits == 0 || digits > 15 || decimals > 7 || (point != text.size() && decimals == 0)) return false;
    // Both are exact, so the quotient is the nearest double; with so few decimals none lies so near to the
    // middle between two floats that rounding twice would differ from rounding once.
    const auto size = static_cast<float>(static_cast<double>(value) / power[decimals]);
    number = negative ? -size : size;
    return true;
}

enum class Column { unread, id, real, whole };

class CsvReader {
   public:
    static constexpr std::size_t piece_bytes = std::size_t{1} << 18;

    CsvReader(char separator, bool quotes, const std::vector<Column>& columns, int workers)
        : separator_(separator), quotes_(quotes), columns_(columns), workers_(workers) {
        for (const Column column : columns) {
            encoders_.push_back(column == Column::id ? std::make_unique<IdEncoder>(workers, true) : nullptr);
            reals_.emplace_back(), wholes_.emplace_back();
        }
        to_real_.resize(columns.size()), to_whole_.resize(columns.size()),
            first_block_.resize(columns.size());
    }

    int workers() const { return workers_; }

    // Take a batch of whole lines, each with its end; returns into how many pieces it is cut.
    std::size_t open(const char* text, std::size_t size) {
        plain_ = true;
        std::size_t used = 0;
        for (std::size_t from = 0; from < size; ++used) {
            std::size_t to = std::min(size, from + piece_bytes);
            const void* end = to == size ? nullptr : std::memchr(text + to, '\n', size - to);
            to = end == nullptr ? size : static_cast<std::size_t>(static_cast<const char*>(end) - text) + 1;
            if (to - from > UINT32_MAX - 64) plain_ = false;  // no line is so long
            if (used == pieces_.size()) pieces_.emplace_back();
            pieces_[used].open(text + from, to - from);
            from = to;
        }
        used_ = plain_ ? used : 0;
        return used_;
    }

    void cut(std::size_t piece) {
        if (!pieces_[piece].cut(separator_, columns_.size(), quotes_)) plain_ = false;
    }

    bool plain() const { return plain_; }
    // After all pieces are cut: make room for what is in them.
    void reserve_rows() {
        std::size_t rows = 0;
        starts_.assign(1, 0);
        for (std::size_t p = 0; p < used_; ++p) starts_.push_back(rows += pieces_[p].rows());
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            if (columns_[c] == Column::real) to_real_[c] = reals_[c].extend(rows);
            if (columns_[c] == Column::whole) to_whole_[c] = wholes_[c].extend(rows);
            if (columns_[c] != Column::id) continue;
            first_block_[c] = encoders_[c]->add_chunk(rows);
            for (std::size_t p = 0; p < used_; ++p) encoders_[c]->add_block(pieces_[p].rows());
        }
    }

    void read(std::size_t piece, int worker) {
        for (std::size_t c = 0; c < columns_.size(); ++c) {
            if (columns_[c] == Column::id)
                encoders_[c]->encode(first_block_[c] + piece, Fields{pieces_[piece], c}, 0, worker);
            else if (columns_[c] == Column::real) read_column(piece, c, to_real_[c]);
            else if (columns_[c] == Column::whole) read_column(piece, c, to_whole_[c]);
        }
    }

    const std::vector<Column>& columns() const { return columns_; }
    IdEncoder& encoder(std::size_t column) { return *encoders_[column]; }
    GrowableArray<float>& reals(std::size_t column) { return reals_[column]; }
    GrowableArray<std::int64_t>& wholes(std::size_t column) { return wholes_[column]; }

   private:
    // One column of a piece.
    struct Fields {
        const Piece& piece;
        std::size_t column;
        std::string_view operator[](std::size_t row) const { return piece.field(row, column); }
        static bool valid(std::size_t) { return true; }
    };

    template <class T>
    void read_column(std::size_t piece, std::size_t column, T* out) {
        out += starts_[piece];
        bool fits = true;
        for (std::size_t row = 0; row < pieces_[piece].rows(); ++row)
            fits &= read_number(pieces_[piece].field(row, column), out[row]);
        if (!fits) plain_ = false;
    }

    const char separator_;
    const bool quotes_;
    const std::vector<Column> columns_;
    const int workers_;
    std::deque<Piece> pieces_;  // kept from batch to batch for their memory
    std::size_t used_ = 0;
    std::atomic<bool> plain_{true};
    std::vector<std::size_t> starts_, first_block_;
    std::vector<std::unique_ptr<IdEncoder>> encoders_;
    std::deque<GrowableArray<float>> reals_;
    std::deque<GrowableArray<std::int64_t>> wholes_;
    std::vector<float*> to_real_;
    std::vector<std::int64_t*> to_whole_;
};

}  // namespace foretaste
