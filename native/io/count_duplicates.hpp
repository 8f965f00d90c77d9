// How many rows repeat a pair of user and item that an earlier row has.
//
// The rows of a user are looked at together, and each item remembers the last user that had it: no sort.
// Where the file has each user's rows in one run, as most have, one pass does; else the items are grouped
// by user first, each thread those of its own users.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/threads.hpp"

namespace foretaste {

class DuplicateCounter {
   public:
    DuplicateCounter(const std::int32_t* user, const std::int32_t* item, std::size_t rows, std::size_t users,
                     std::size_t items, std::size_t parts)
        : user_(user), item_(item), rows_(rows), users_(users), items_(items), parts_(parts),
          seen_(new std::atomic<bool>[users]()), counts_(parts) {}

    // Count them in one pass, done once for every part of the rows; `in_runs` becomes false if a user comes
    // back after another one, and then the count means nothing.
    void count_runs(std::size_t part, const Stop& stop) {
        std::vector<std::int32_t> last(items_, -1);
        std::int32_t current = -1;
        std::int64_t count = 0;
        each_row(first_run(part), first_run(part + 1), stop, [&](std::size_t i) {
            if (user_[i] != current) {
                current = user_[i];
                if (seen_[static_cast<std::size_t>(current)].exchange(true, std::memory_order_relaxed))
                    in_runs_ = false;
                if (!in_runs_.load(std::memory_order_relaxed)) return false;
            }
            count += visit(last, item_[i], current);
            return true;
        });
        counts_[part] = count;
    }

    bool in_runs() const { return in_runs_; }

    // The general way, in three steps; the first and the last are done once for every part of the users.
    void prepare_grouping() {
        starts_.assign(users_ + 1, 0);
        grouped_.reset(new std::int32_t[rows_]);
    }

    void count_part(std::size_t part, const Stop& stop) {
        const std::uint32_t from = first_user(part), many = first_user(part + 1) - from;
        each_row(0, rows_, stop, [&](std::size_t i) {
            if (static_cast<std::uint32_t>(user_[i]) - from < many)
                ++starts_[static_cast<std::size_t>(user_[i]) + 1];
            return true;
        });
    }

    void sum_starts() {
        for (std::size_t u = 0; u < users_; ++u) starts_[u + 1] += starts_[u];
    }

    void visit_part(std::size_t part, const Stop& stop) {
        const std::uint32_t from = first_user(part), many = first_user(part + 1) - from;
        std::vector<std::int64_t> next(starts_.begin() + from, starts_.begin() + from + many);
        const bool whole = each_row(0, rows_, stop, [&](std::size_t i) {
            const std::uint32_t mine = static_cast<std::uint32_t>(user_[i]) - from;
            if (mine < many) grouped_[static_cast<std::size_t>(next[mine]++)] = item_[i];
            return true;
        });
        if (!whole) return;
        std::vector<std::int32_t> last(items_, -1);
        std::int64_t count = 0;
        for (std::uint32_t u = from; u < from + many; ++u)
            for (std::int64_t i = starts_[u]; i < starts_[u + 1]; ++i)
                count += visit(last, grouped_[static_cast<std::size_t>(i)], static_cast<std::int32_t>(u));
        counts_[part] = count;
    }

    std::int64_t count() const {
        std::int64_t total = 0;
        for (const std::int64_t part : counts_) total += part;
        return total;
    }

   private:
    // Visit the rows until one says no; false then, or if the work is stopped.
    template <class Visit>
    bool each_row(std::size_t row, std::size_t end, const Stop& stop, const Visit& visit) const {
        constexpr std::size_t block = 65536;
        for (; row < end; row += block) {
            if (stop.requested()) return false;
            for (std::size_t i = row, until = std::min(end, row + block); i < until; ++i)
                if (!visit(i)) return false;
        }
        return true;
    }

    static bool visit(std::vector<std::int32_t>& last, std::int32_t item, std::int32_t user) {
        std::int32_t& before = last[static_cast<std::size_t>(item)];
        const bool again = before == user;
        before = user;
        return again;
    }

    // Where the rows of a part start, moved on to the start of a user's run.
    std::size_t first_run(std::size_t part) const {
        std::size_t row = rows_ / parts_ * part + std::min(rows_ % parts_, part);
        while (row > 0 && row < rows_ && user_[row] == user_[row - 1]) ++row;
        return row;
    }

    std::uint32_t first_user(std::size_t part) const {
        return static_cast<std::uint32_t>(users_ * part / parts_);
    }

    const std::int32_t *user_, *item_;
    const std::size_t rows_, users_, items_, parts_;
    std::unique_ptr<std::atomic<bool>[]> seen_;
    std::atomic<bool> in_runs_{true};
    std::vector<std::int64_t> counts_, starts_;
    std::unique_ptr<std::int32_t[]> grouped_;
};

}  // namespace foretaste
