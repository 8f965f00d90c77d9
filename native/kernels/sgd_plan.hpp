// The order in which stochastic gradient descent visits ratings, the same at any number of threads.
//
// Users and items are cut into `grid` groups each, of about equal numbers of ratings; a rating belongs to
// the block of its two groups. An epoch walks `grid` stages; stage s holds the blocks (i, (i + s) mod grid),
// which share no user and no item. A block waits only for the two blocks of the stage before that hold its
// users or its items, so threads need no barrier and the result does not depend on how many there are.
//
// Users and items are numbered anew, group by group, so that a block's factors lie together in memory: the
// factors given to an epoch stand in that order (`user_order`, `item_order`: the index at each new position).
// Within a block the users with most ratings come first, so that runs walked side by side end together.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "io/counting_sort.hpp"
#include "runtime/kernels.hpp"
#include "runtime/threads.hpp"

namespace foretaste {

struct SgdPlan {
    static constexpr std::size_t spare =
        SgdData<float>::ahead;  // positions behind the last item, which the kernel fetches ahead
    std::int64_t grid, users, items;
    std::vector<std::int32_t> user_order, item_order;
    std::vector<std::int32_t> order;  // the rows as given, in the order of the blocks
    std::vector<std::int64_t> block;
    std::vector<std::int32_t> user, item;  // numbered anew
    std::vector<float> value, weight;

    SgdPlan(const std::int32_t* u, const std::int32_t* i, const float* v, const float* w, std::size_t n,
            std::int64_t users, std::int64_t items, std::int64_t grid)
        : grid(grid), users(users), items(items), order(n), user(n), item(n + spare), value(n),
          weight(w ? n : 0) {
        const std::vector<std::int32_t> user_group = groups(u, n, users), item_group = groups(i, n, items);
        user_order = together(user_group), item_order = together(item_group);
        const std::vector<std::int32_t> user_position = inverse(user_order),
                                        item_position = inverse(item_order);
        std::vector<std::int64_t> starts(users + 1);
        std::vector<std::int32_t> by_user(n), cell(n), within(n);
        group_rows(u, n, users, starts.data(), by_user.data());
        for (std::size_t r = 0; r < n; ++r)
            cell[r] = static_cast<std::int32_t>(user_group[u[by_user[r]]] * grid + item_group[i[by_user[r]]]);
        block.resize(grid * grid + 1);
        group_rows(cell.data(), n, grid * grid, block.data(), within.data());
        for (std::size_t r = 0; r < n; ++r) order[r] = by_user[within[r]];
        for (std::int64_t b = 0; b < grid * grid; ++b) longest_first(u, block[b], block[b + 1]);
        for (std::size_t r = 0; r < n; ++r) {
            const std::int32_t row = order[r];
            user[r] = user_position[u[row]], item[r] = item_position[i[row]], value[r] = v[row];
            if (w) weight[r] = w[row];
        }
    }

    // Run visit(block) for every block of an epoch, as far as `stop` allows; called by the pool's threads.
    template <class Visit>
    static void walk(std::size_t task, std::int64_t grid, std::atomic<bool>* done, const Stop& stop,
                     Visit visit) {
        const auto number = static_cast<std::int64_t>(task), stage = number / grid, i = number % grid;
        if (stage > 0) {
            const std::int64_t before = (stage - 1) * grid;
            for (const std::int64_t needed : {before + i, before + (i + 1) % grid}) {
                Backoff backoff;
                while (!done[needed].load(std::memory_order_acquire)) {
                    if (stop.requested()) return;
                    backoff.pause();
                }
            }
        }
        visit(i * grid + (i + stage) % grid);
        done[task].store(true, std::memory_order_release);
    }

   private:
    // Sort the users of a block by how many rows they have in it, most first.
    void longest_first(const std::int32_t* u, std::int64_t from, std::int64_t to) {
        struct Run {
            std::int64_t start, length;
        };
        std::vector<Run> runs;
        for (std::int64_t r = from; r < to;) {
            std::int64_t end = r;
            while (end < to && u[order[end]] == u[order[r]]) ++end;
            runs.push_back({r, end - r});
            r = end;
        }
        std::stable_sort(runs.begin(), runs.end(),
                         [](const Run& a, const Run& b) { return a.length > b.length; });
        std::vector<std::int32_t> sorted;
        sorted.reserve(to - from);
        for (const Run& run : runs)
            sorted.insert(sorted.end(), order.begin() + run.start, order.begin() + run.start + run.length);
        std::copy(sorted.begin(), sorted.end(), order.begin() + from);
    }

    // The indices sorted by group.
    std::vector<std::int32_t> together(const std::vector<std::int32_t>& group) const {
        std::vector<std::int64_t> starts(grid + 1);
        std::vector<std::int32_t> sorted(group.size());
        group_rows(group.data(), group.size(), grid, starts.data(), sorted.data());
        return sorted;
    }

    static std::vector<std::int32_t> inverse(const std::vector<std::int32_t>& sorted) {
        std::vector<std::int32_t> position(sorted.size());
        for (std::size_t p = 0; p < sorted.size(); ++p) position[sorted[p]] = static_cast<std::int32_t>(p);
        return position;
    }

    // Give the most rated first to the group that has least, so that blocks are about equal.
    std::vector<std::int32_t> groups(const std::int32_t* index, std::size_t n, std::int64_t size) const {
        std::vector<std::int64_t> count(size), load(grid);
        for (std::size_t r = 0; r < n; ++r) ++count[index[r]];
        std::vector<std::int32_t> by_count(size), group(size);
        std::iota(by_count.begin(), by_count.end(), 0);
        std::stable_sort(by_count.begin(), by_count.end(),
                         [&](auto a, auto b) { return count[a] > count[b]; });
        for (const std::int32_t one : by_count) {
            const auto least = std::min_element(load.begin(), load.end());  // the first of equals
            group[one] = static_cast<std::int32_t>(least - load.begin());
            *least += count[one] + 1;
        }
        return group;
    }
};

}  // namespace foretaste
