// The distinct ids that one thread has met, numbered in their order.
//
// Texts of up to 15 bytes are their own key of 128 bits, so that most lookups touch one slot and nothing
// else; longer ones are hashed to as many bits and then compared.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace foretaste {

static_assert(std::endian::native == std::endian::little, "keys are loaded from texts byte by byte");

struct Key {
    std::uint64_t low, high;
    friend bool operator==(const Key&, const Key&) = default;
};

// The top byte of a key: the length of a short text, or what else it is.
constexpr std::size_t short_text = 15;
constexpr std::uint64_t number_key = std::uint64_t{0xfe} << 56, long_key = std::uint64_t{0xff} << 56;

inline std::uint64_t load_8(const char* from) {
    std::uint64_t word;
    std::memcpy(&word, from, 8);
    return word;
}

// At most 8 bytes, zeros after them; no byte outside the text is touched.
inline std::uint64_t load_up_to_8(const char* from, std::size_t size) {
    if (size == 8) return load_8(from);
    if (size >= 4) {
        std::uint32_t first, last;
        std::memcpy(&first, from, 4);
        std::memcpy(&last, from + size - 4, 4);
        return first | std::uint64_t{last} << (8 * (size - 4));
    }
    if (size == 0) return 0;
    const auto at = [&](std::size_t i) {
        return std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
    };
    return at(0) | at(size / 2) | at(size - 1);
}

inline std::uint64_t multiply_and_fold(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t hash_of(const Key& key) {
    return multiply_and_fold(key.low ^ 0x9e3779b97f4a7c15u, key.high ^ 0xe7037ed1a0b428dbu);
}

inline Key key_of_long(std::string_view text) {
    Key key{0x8ebc6af09c88c6e3u ^ text.size(), 0x589965cc75374cc3u};
    std::size_t i = 0;
    for (; i + 16 <= text.size(); i += 16) {
        const std::uint64_t a = load_8(text.data() + i), b = load_8(text.data() + i + 8);
        key = {multiply_and_fold(key.low ^ a, b ^ 0xa0761d6478bd642fu),
               multiply_and_fold(key.high ^ b, a ^ 0x1d8e4e27c47d124fu)};
    }
    const std::uint64_t a = load_8(text.data() + text.size() - 16), b = load_8(text.data() + text.size() - 8);
    key = {multiply_and_fold(key.low ^ a, b ^ 0xeb44accab455d165u),
           multiply_and_fold(key.high ^ b, a ^ 0x9c6e6877736c46e3u)};
    return {key.low, key.high | long_key};
}

inline Key key_of(std::string_view text) {
    const std::size_t size = text.size();
    if (size > short_text) return key_of_long(text);
    const std::uint64_t length = std::uint64_t{size} << 56;
    if (size <= 8) return {load_up_to_8(text.data(), size), length};
    return {load_8(text.data()), load_8(text.data() + size - 8) >> (8 * (16 - size)) | length};
}

inline Key key_of(std::int64_t number) { return {static_cast<std::uint64_t>(number), number_key}; }

// A text, or a number if `text` is null.
struct Id {
    const char* text;
    std::uint64_t size_or_number;

    std::string_view view() const { return {text, size_or_number}; }
    std::int64_t number() const { return static_cast<std::int64_t>(size_or_number); }
};

class IdTable {
   public:
    IdTable() : slots_(1024, Slot{{0, 0}, -1}) {}
    IdTable(const IdTable&) = delete;
    IdTable& operator=(const IdTable&) = delete;

    void prefetch(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]); }

    // The code of an id, which is kept if it is new.
    template <class Cell>
    std::int32_t code_of(const Key& key, std::uint64_t hash, Cell cell) {
        std::size_t position = hash & (slots_.size() - 1);
        for (;; position = (position + 1) & (slots_.size() - 1)) {
            const Slot& slot = slots_[position];
            if (slot.code < 0) break;
            if (slot.key == key && same(slot.code, cell)) return slot.code;
        }
        if (ids_.size() == INT32_MAX) throw std::length_error("more than 2**31 - 1 distinct ids");
        const auto code = static_cast<std::int32_t>(ids_.size());
        append(cell);
        slots_[position] = {key, code};
        if (2 * ids_.size() > slots_.size()) grow();
        return code;
    }

    const std::vector<Id>& ids() const { return ids_; }

    // Forget how ids are looked up, which needs the most memory, but not the ids.
    void drop_slots() { slots_ = std::vector<Slot>(); }

   private:
    struct Slot {
        Key key;
        std::int32_t code;  // -1: free
    };

    bool same(std::int32_t code, std::string_view text) const {
        return text.size() <= short_text || ids_[static_cast<std::size_t>(code)].view() == text;
    }
    static bool same(std::int32_t, std::int64_t) { return true; }

    void append(std::int64_t number) { ids_.push_back({nullptr, static_cast<std::uint64_t>(number)}); }
    void append(std::string_view text) {
        constexpr std::size_t page = std::size_t{1} << 18;
        if (text.size() > free_bytes_) {
            const std::size_t size = text.size() > page / 4 ? text.size() : page;
            pages_.emplace_back(new char[size]);
            next_ = pages_.back().get(), free_bytes_ = size;
        }
        if (!text.empty()) std::memcpy(next_, text.data(), text.size());
        ids_.push_back({next_, text.size()});
        next_ += text.size(), free_bytes_ -= text.size();
    }

    void grow() {
        std::vector<Slot> old(4 * slots_.size(), Slot{{0, 0}, -1});
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.code < 0) continue;
            std::size_t position = hash_of(slot.key) & (slots_.size() - 1);
            while (slots_[position].code >= 0) position = (position + 1) & (slots_.size() - 1);
            slots_[position] = slot;
        }
    }

    std::vector<Slot> slots_;  // a power of two of them, at most half in use
    std::vector<Id> ids_;
    std::vector<std::unique_ptr<char[]>> pages_;
    char nothing_ = 0;  // what an empty text points to until there is a page
    char* next_ = &nothing_;
    std::size_t free_bytes_ = 0;
};

}  // namespace foretaste
