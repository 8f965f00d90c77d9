// Encodes ids: the code of a cell is the position of its id among all distinct ids, sorted.
//
// Columns come in chunks. Each thread numbers the ids that it meets in a table of its own, and keeps
// these provisional codes; when all rows are in, the ids of all threads are sorted together, numbers as
// numbers and texts by their bytes (which is by code point in UTF-8), and the codes are replaced. So the
// result does not depend on which thread met what.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <vector>

#include "io/id_table.hpp"
#include "runtime/growable_array.hpp"
#include "runtime/threads.hpp"

namespace foretaste {

// Whether a text is a whole number as Python would print it, of at most 18 digits, which int64 holds.
inline bool is_canonical(std::string_view text) {
    if (text.empty() || text.size() > 18 || (text[0] == '0' && text.size() > 1)) return false;
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

inline std::int64_t canonical_number(std::string_view text) {
    std::int64_t number = 0;
    for (const char c : text) number = 10 * number + (c - '0');
    return number;
}

// Cells of whole numbers, none missing.
class Numbers {
   public:
    explicit Numbers(const std::int64_t* numbers) : numbers_(numbers) {}
    std::int64_t operator[](std::size_t row) const { return numbers_[row]; }
    static bool valid(std::size_t) { return true; }

   private:
    const std::int64_t* numbers_;
};

class IdEncoder {
   public:
    static constexpr std::size_t block = 32768;  // rows of a task; a signal waits for no longer than that

    IdEncoder(int workers, bool empty_is_missing)
        : tables_(static_cast<std::size_t>(workers)), empty_is_missing_(empty_is_missing) {}

    int workers() const { return static_cast<int>(tables_.size()); }
    std::size_t blocks() const { return blocks_.size(); }

    // Make room for the codes of a chunk of rows, which `add_block` cuts into blocks; returns the number of
    // the first block. Codes that were written before may move.
    std::size_t add_chunk(std::size_t rows) {
        next_row_ = codes_.size();
        codes_.extend(rows);
        return blocks_.size();
    }

    void add_block(std::size_t rows) {
        blocks_.push_back({next_row_, rows, 0});
        next_row_ += rows;
    }

    // The same with blocks of the usual size.
    std::size_t add_rows(std::size_t rows) {
        const std::size_t first = add_chunk(rows);
        for (std::size_t from = 0; from < rows; from += block) add_block(std::min(block, rows - from));
        return first;
    }

    // Encode the rows of a block, which are the cells from `first` on.
    template <class Cells>
    void encode(std::size_t number, const Cells& cells, std::size_t first, int worker) {
        Block& mine = blocks_[number];
        mine.worker = worker;
        IdTable& table = tables_[static_cast<std::size_t>(worker)];
        std::int32_t* out = codes_.data() + mine.row;
        constexpr std::size_t step = 32;  // rows whose slots are fetched before the first is needed
        std::remove_cvref_t<decltype(cells[0])> cell[step];
        Key key[step];
        std::uint64_t hash[step];
        for (std::size_t i = 0; i < mine.rows; i += step) {
            const std::size_t many = std::min(step, mine.rows - i), row = first + i;
            for (std::size_t k = 0; k < many; ++k) {
                const bool there = cells.valid(row + k);
                if (there) cell[k] = cells[row + k];
                key[k] = there && !missing(cell[k]) ? key_of(cell[k]) : missing_key;
                hash[k] = hash_of(key[k]);
                table.prefetch(hash[k]);
            }
            for (std::size_t k = 0; k < many; ++k)
                out[i + k] = key[k] == missing_key ? -1 : table.code_of(key[k], hash[k], cell[k]);
        }
    }

    // List the ids of all threads, to be sorted: as numbers if that is what they are, or if all texts may
    // be and are canonical numbers.
    void collect(bool texts, bool texts_may_be_numbers) {
        std::size_t total = 0, canonical = 0;
        for (IdTable& table : tables_) {
            table.drop_slots();
            total += table.ids().size();
            for (const Id& id : table.ids()) canonical += id.text != nullptr && is_canonical(id.view());
        }
        numbers_ = !texts || (texts_may_be_numbers && canonical == total);
        ranked_.reserve(total);
        for (std::uint32_t worker = 0; worker < tables_.size(); ++worker) {
            std::uint32_t code = 0;
            for (const Id& id : tables_[worker].ids()) ranked_.push_back({sort_key(id), worker, code++});
        }
        merged_.resize(total > block ? total : 0);
    }

    std::size_t parts() const { return (ranked_.size() + block - 1) / block; }

    void sort_part(std::size_t part) {
        const auto start = ranked_.begin() + static_cast<std::ptrdiff_t>(part * block);
        const auto end =
            ranked_.begin() + static_cast<std::ptrdiff_t>(std::min((part + 1) * block, ranked_.size()));
        std::sort(start, end, [&](const Ranked& a, const Ranked& b) { return before(a, b); });
    }

    // Merge a pair of neighboring runs of `width` ids each; after all pairs, `swap_merged`.
    void merge_pair(std::size_t pair, std::size_t width, const Stop& stop) {
        const std::size_t total = ranked_.size();
        std::size_t to = pair * 2 * width, a = to;
        const std::size_t middle = std::min(a + width, total), end = std::min(a + 2 * width, total);
        for (std::size_t b = middle; to < end; ++to) {
            if (to % block == 0 && stop.requested()) return;
            const bool first = b == end || (a < middle && !before(ranked_[b], ranked_[a]));
            merged_[to] = first ? ranked_[a++] : ranked_[b++];
        }
    }

    void swap_merged() { ranked_.swap(merged_); }

    // Number the distinct ids in their order, and say what each thread's codes become.
    void number_ids() {
        merged_ = std::vector<Ranked>();
        final_.resize(tables_.size());
        for (std::size_t w = 0; w < final_.size(); ++w) final_[w].resize(tables_[w].ids().size());
        for (const Ranked& next : ranked_) {
            const Id& id = id_of(next);
            if (distinct_.empty() || !same(distinct_.back(), id)) distinct_.push_back(id);
            final_[next.worker][next.code] = static_cast<std::int32_t>(distinct_.size() - 1);
        }
        ranked_ = std::vector<Ranked>();
    }

    // Put the final codes of a block in place of the provisional ones.
    void finalize_codes(std::size_t number) {
        const Block& mine = blocks_[number];
        std::int32_t* codes = codes_.data() + mine.row;
        const std::int32_t* final = final_[static_cast<std::size_t>(mine.worker)].data();
        for (std::size_t i = 0; i < mine.rows; ++i)
            if (codes[i] >= 0) codes[i] = final[codes[i]];
    }

    GrowableArray<std::int32_t>& codes() { return codes_; }

    // After `number_ids`: the distinct ids in their order, and whether they are numbers.
    const std::vector<Id>& distinct() const { return distinct_; }
    bool numbers() const { return numbers_; }
    static std::int64_t number(const Id& id) {
        return id.text == nullptr ? id.number() : canonical_number(id.view());
    }

   private:
    struct Block {
        std::size_t row, rows;
        int worker;
    };
    struct Ranked {
        std::uint64_t key;  // orders like the ids, except that texts with the same first 8 bytes tie
        std::uint32_t worker, code;
    };

    static constexpr Key missing_key{0, std::uint64_t{0xfd} << 56};

    bool missing(std::string_view text) const { return empty_is_missing_ && text.empty(); }
    static bool missing(std::int64_t) { return false; }

    const Id& id_of(const Ranked& ranked) const { return tables_[ranked.worker].ids()[ranked.code]; }

    std::uint64_t sort_key(const Id& id) const {
        if (numbers_) return static_cast<std::uint64_t>(number(id)) ^ std::uint64_t{1} << 63;
        return __builtin_bswap64(load_up_to_8(id.text, std::min<std::size_t>(8, id.size_or_number)));
    }

    bool before(const Ranked& a, const Ranked& b) const {
        if (a.key != b.key || numbers_) return a.key < b.key;
        return id_of(a).view() < id_of(b).view();
    }

    bool same(const Id& a, const Id& b) const {
        return numbers_ ? number(a) == number(b) : a.view() == b.view();
    }

    std::vector<IdTable> tables_;  // one a worker
    std::vector<Block> blocks_;
    GrowableArray<std::int32_t> codes_;
    std::size_t next_row_ = 0;
    const bool empty_is_missing_;
    bool numbers_ = true;
    std::vector<Ranked> ranked_, merged_;
    std::vector<std::vector<std::int32_t>> final_;
    std::vector<Id> distinct_;
};

}  // namespace foretaste
