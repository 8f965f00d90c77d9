// The order in which SVD++ visits users, the same at any number of threads.
//
// Users are visited in rounds of `together`. Visits of a round read items as they were when it began, so they
// can be made at the same time; then the round's steps are added to the items, and parts of the items can be
// served at the same time. The next round waits for that. Few users a round, because each of them moves the
// implicit factors as if it were alone: with hundreds together the common part of the steps would overshoot.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "io/counting_sort.hpp"
#include "runtime/kernels.hpp"
#include "runtime/threads.hpp"

namespace foretaste {

// Rows in time as they are given: each part may be missing (null).
struct SvdppTimeColumns {
    const float* deviation;
    const std::int32_t* bin;
    const std::int32_t* session;
    std::int64_t bins, sessions;  // how many numbers there are of each
};

struct SvdppPlan {
    static constexpr std::int64_t together = 8;
    std::int64_t users, items;
    std::vector<std::int32_t> visits;  // the user at each position
    std::vector<std::int32_t> order;   // the rows as given, by position, then item
    std::vector<std::int64_t> start,
        item_end;  // rows of each position; how many rows the items up to each have
    std::vector<std::int32_t> item, bin, session;
    std::vector<float> value, weight, deviation;
    std::vector<float> user_weight, bin_weight, session_weight;  // sums over the rows of each
    std::int64_t bins, sessions, most_rows = 0;                  // rows of the longest round

    SvdppPlan(const std::int32_t* u, const std::int32_t* i, const float* v, const float* w, std::size_t n,
              std::int64_t users, std::int64_t items, const std::int32_t* visits,
              const SvdppTimeColumns& times)
        : users(users), items(items), visits(visits, visits + users), order(n), start(users + 1),
          item_end(items), item(n + SvdppData<float>::ahead), value(n), weight(w ? n : 0), bins(times.bins),
          sessions(times.sessions) {
        std::vector<std::int32_t> position_of(users), by_item(n), position(n), within(n);
        std::vector<std::int64_t> item_start(items + 1);
        for (std::int64_t p = 0; p < users; ++p) position_of[visits[p]] = static_cast<std::int32_t>(p);
        group_rows(i, n, items, item_start.data(), by_item.data());
        std::copy(item_start.begin() + 1, item_start.end(), item_end.begin());
        for (std::size_t r = 0; r < n; ++r) position[r] = position_of[u[by_item[r]]];
        group_rows(position.data(), n, users, start.data(), within.data());
        for (std::size_t r = 0; r < n; ++r) {
            const std::int32_t row = order[r] = by_item[within[r]];
            item[r] = i[row], value[r] = v[row];
            if (w) weight[r] = w[row];
        }
        for (std::int64_t p = 0; p < users; p += together)
            most_rows = std::max(most_rows, start[std::min(p + together, users)] - start[p]);
        add_time_columns(u, times);
    }

    std::int64_t rounds() const { return (users + together - 1) / together; }

    // Where the items are cut so that each of `parts` has about as many rows: parts + 1 positions.
    std::vector<std::int32_t> cuts(int parts) const {
        std::vector<std::int32_t> cut(parts + 1, 0);
        const auto rows = static_cast<std::int64_t>(order.size());
        for (int p = 1; p < parts; ++p) {
            const auto at = std::lower_bound(item_end.begin(), item_end.end(), rows * p / parts);
            cut[p] = static_cast<std::int32_t>(at - item_end.begin());
        }
        cut[parts] = static_cast<std::int32_t>(items);
        return cut;
    }

   private:
    void add_time_columns(const std::int32_t* u, const SvdppTimeColumns& times) {
        const std::size_t n = order.size();
        const auto weight_of = [&](std::size_t r) { return weight.empty() ? 1.0F : weight[r]; };
        if (times.deviation) {
            deviation.resize(n), user_weight.resize(users);
            for (std::size_t r = 0; r < n; ++r)
                deviation[r] = times.deviation[order[r]], user_weight[u[order[r]]] += weight_of(r);
        }
        if (times.bin) {
            bin.resize(n), bin_weight.resize(bins);
            for (std::size_t r = 0; r < n; ++r)
                bin[r] = times.bin[order[r]], bin_weight[bin[r]] += weight_of(r);
        }
        if (times.session) {
            session.resize(n), session_weight.resize(sessions);
            for (std::size_t r = 0; r < n; ++r)
                session[r] = times.session[order[r]], session_weight[session[r]] += weight_of(r);
        }
    }
};

// The tasks of an epoch and which are done: a visit waits for the round before, a part of the items for its
// round.
//
// Rounds are short, so a thread that the machine does not let run holds up all others. A thread that has
// waited for long a few times therefore leaves the rest of the epoch to the others: no result depends on it.
class SvdppSchedule {
   public:
    SvdppSchedule(const SvdppPlan& plan, int parts)
        : parts_(parts), tasks_(plan.rounds() * (SvdppPlan::together + parts)), working_(parts),
          long_wait_(1'000'000 + 200 * plan.most_rows), rounds_(std::make_unique<Round[]>(plan.rounds())) {}

    // Run visit(round, k) and share(round, part) for the next task, as far as `stop` allows, until there is
    // none.
    template <class Visit, class Share>
    void work(const Stop& stop, Visit visit, Share share) {
        int long_waits = 0;
        while (!stop.requested()) {
            const std::int64_t task =
                next_.fetch_add(1);  // in increasing order: whoever waits, waits for others
            if (task >= tasks_) return;
            const std::int64_t each = SvdppPlan::together + parts_, round = task / each, k = task % each;
            if (k < SvdppPlan::together) {
                if (round > 0 && !reached(rounds_[round - 1].shared, parts_, stop, long_waits)) return;
                visit(round, k);
                rounds_[round].visited.fetch_add(1, std::memory_order_acq_rel);
            } else {
                if (!reached(rounds_[round].visited, SvdppPlan::together, stop, long_waits)) return;
                share(round, k - SvdppPlan::together);
                rounds_[round].shared.fetch_add(1, std::memory_order_acq_rel);
            }
            if (long_waits >= 3 && may_leave()) return;
        }
    }

   private:
    struct alignas(64) Round {
        std::atomic<int> visited{0}, shared{0};
    };

    bool reached(const std::atomic<int>& count, int wanted, const Stop& stop, int& long_waits) const {
        using Clock = std::chrono::steady_clock;
        if (count.load(std::memory_order_acquire) >= wanted) return true;
        const Clock::time_point begin = Clock::now();
        Backoff backoff;
        while (count.load(std::memory_order_acquire) < wanted) {
            if (stop.requested()) return false;
            backoff.pause();
        }
        long_waits += Clock::now() - begin > long_wait_;
        return true;
    }

    bool may_leave() {
        int working = working_.load();
        while (working > 1)
            if (working_.compare_exchange_weak(working, working - 1)) return true;
        return false;
    }

    int parts_;
    std::int64_t tasks_;
    std::atomic<std::int64_t> next_{0};
    std::atomic<int> working_;
    std::chrono::nanoseconds
        long_wait_;  // longer than the longest round takes, so that it was not the work that took so long
    std::unique_ptr<Round[]> rounds_;
};

}  // namespace foretaste
