// Bindings of the best items of users: checks, drops the GIL, hands blocks of users to the pool.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "runtime/binding.hpp"
#include "runtime/kernels.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

constexpr float least_of_all = -std::numeric_limits<float>::infinity();

// Items that each row leaves out: those of row r stand in [starts[r], starts[r + 1]), in any order.
struct Seen {
    const std::int64_t* starts = nullptr;
    const std::int32_t* item = nullptr;
    std::size_t words = 0;  // bits of a row, in words
};

// What one thread needs for a block of users.
class TopkBlock {
   public:
    TopkBlock(const Kernels& kernel, const TopkItems& items, const Seen& seen, std::size_t keep)
        : kernel_(kernel), items_(items), seen_(seen), keep_(keep) {
        packed_.resize(static_cast<std::size_t>(items.width * kernel.topk_items) + 16);
    }

    // Fill the rows [from, to); ends early when it is to stop.
    void fill(const float* factors, const std::int32_t* user, std::size_t from, std::size_t to,
              std::int32_t* item, float* score, const Stop& stop) {
        const std::size_t count = to - from, tile = static_cast<std::size_t>(kernel_.topk_users);
        const std::size_t full = (count + tile - 1) / tile * tile,
                          width = static_cast<std::size_t>(items_.width);
        factors_.assign(full * width, 0.0f);
        for (std::size_t u = 0; u < count; ++u) {
            const float* const p = factors + static_cast<std::size_t>(user[from + u]) * width;
            float* const out = factors_.data() + u / tile * tile * width + u % tile;
            for (std::size_t k = 0; k < width; ++k) out[k * tile] = p[k];
        }
        least_.assign(full, std::numeric_limits<float>::infinity());
        std::fill_n(least_.begin(), count, least_of_all);
        kept_.assign(full, 0);
        mark(from, to);
        const TopkUsers users{factors_.data(),
                              least_.data(),
                              kept_.data(),
                              score + from * keep_,
                              item + from * keep_,
                              seen_.starts == nullptr ? nullptr : bits_.data(),
                              count,
                              keep_,
                              seen_.words};
        const auto panel = static_cast<std::size_t>(kernel_.topk_items);
        // At the start of a cache line, so that no vector crosses two.
        float* const packed = packed_.data() + (-reinterpret_cast<std::uintptr_t>(packed_.data()) / 4 % 16);
        for (std::size_t first = 0; first < items_.count; first += panel) {
            if (stop.requested()) return;
            kernel_.topk_panel(items_, first, users, packed);
        }
        for (std::size_t u = 0; u < count; ++u) {
            const auto size = static_cast<std::size_t>(kept_[u]);
            kernel_.topk_sort(users.score + u * keep_, users.item + u * keep_, size);
            std::fill(users.score + u * keep_ + size, users.score + (u + 1) * keep_, least_of_all);
            std::fill(users.item + u * keep_ + size, users.item + (u + 1) * keep_, -1);
        }
    }

   private:
    void mark(std::size_t from, std::size_t to) {
        if (seen_.starts == nullptr) return;
        bits_.assign((to - from) * seen_.words, 0);
        for (std::size_t row = from; row < to; ++row)
            for (std::int64_t k = seen_.starts[row]; k < seen_.starts[row + 1]; ++k) {
                const auto item = static_cast<std::size_t>(seen_.item[k]);
                bits_[(row - from) * seen_.words + item / 64] |= std::uint64_t{1} << item % 64;
            }
    }

    const Kernels& kernel_;
    const TopkItems items_;
    const Seen seen_;
    const std::size_t keep_;
    std::vector<float> factors_, packed_, least_;
    std::vector<std::int32_t> kept_;
    std::vector<std::uint64_t> bits_;
};

// Users a block: enough to use a packed panel often, few enough that factors (256 kB) and bits (16 MB) stay
// small.
std::size_t block_size(std::size_t rows, std::size_t width, std::size_t words, int threads,
                       std::size_t tile) {
    std::size_t size = std::min<std::size_t>(512, rows / static_cast<std::size_t>(2 * threads) + 1);
    size = std::min(size, 65536 / std::max<std::size_t>(1, width));
    size = std::min(size, (std::size_t{1} << 21) / std::max<std::size_t>(1, words));
    return std::max<std::size_t>(1, (size + tile - 1) / tile) * tile;
}

void check_seen(const In<std::int64_t>& starts, const In<std::int32_t>& seen, std::size_t rows,
                std::size_t items) {
    check(check_starts(starts, seen.size()) == rows, "starts must have one more entry than there are rows");
    check_range(seen, 0, static_cast<std::int64_t>(items), "a seen item is out of range");
}

nb::tuple top_items(In2<float> user_factors, In2<float> item_factors, In<float> item_bias,
                    In<std::int32_t> user, In<std::int32_t> item, std::optional<In<std::int64_t>> starts,
                    std::optional<In<std::int32_t>> seen, std::int64_t keep, int threads) {
    const std::size_t rows = user.size(), items = item_bias.size(), width = item_factors.shape(1);
    check(user_factors.shape(1) == width, "users and items must have the same number of factors");
    check(item_factors.shape(0) == items, "biases and factors must have the same length");
    check(items < (std::size_t{1} << 31) && width < (std::size_t{1} << 24), "the model is too large");
    check(keep >= 1 && keep < (std::int64_t{1} << 31), "keep must be at least 1");
    check(threads >= 1, "threads must be at least 1");
    check_range(user, 0, static_cast<std::int64_t>(user_factors.shape(0)), "a user index is out of range");
    check_range(item, 0, static_cast<std::int64_t>(items), "an item index is out of range");
    check(starts.has_value() == seen.has_value(), "starts and seen come together");
    Seen excluded;
    if (starts) {
        check_seen(*starts, *seen, rows, items);
        excluded = {starts->data(), seen->data(), (items + 63) / 64};
    }
    const auto room = static_cast<std::size_t>(keep);
    New2<std::int32_t> chosen = new_matrix<std::int32_t>(rows, room);
    New2<float> score = new_matrix<float>(rows, room);
    const Kernels& kernel = kernels();
    const TopkItems data{item_factors.data(), item_bias.data(), item.data(), item.size(),
                         static_cast<int>(width)};
    std::vector<std::unique_ptr<TopkBlock>> blocks(static_cast<std::size_t>(threads));
    const std::size_t size =
        block_size(rows, width, excluded.words, threads, static_cast<std::size_t>(kernel.topk_users));
    const float* const factors = user_factors.data();
    const std::int32_t* const users_of_rows = user.data();
    std::int32_t* const to_item = chosen.data();
    float* const to_score = score.data();
    Stop stop;
    run_on_pool(
        threads, (rows + size - 1) / size,
        [&](std::size_t task, int worker) {
            auto& mine = blocks[static_cast<std::size_t>(worker)];
            if (!mine) mine = std::make_unique<TopkBlock>(kernel, data, excluded, room);
            mine->fill(factors, users_of_rows, task * size, std::min(rows, (task + 1) * size), to_item,
                       to_score, stop);
        },
        stop);
    return nb::make_tuple(chosen, score);
}

nb::tuple top_of_rows(In2<float> rows, std::optional<In2<std::int32_t>> items, std::int64_t keep,
                      int threads) {
    const std::size_t count = rows.shape(0), n = rows.shape(1), room = static_cast<std::size_t>(keep);
    check(n < (std::size_t{1} << 31), "a row is too long");
    check(keep >= 1 && keep < (std::int64_t{1} << 31), "keep must be at least 1");
    check(threads >= 1, "threads must be at least 1");
    check(!items || (items->shape(0) == count && items->shape(1) == n),
          "items must have the shape of the rows");
    New2<std::int32_t> chosen = new_matrix<std::int32_t>(count, room);
    New2<float> score = new_matrix<float>(count, room);
    const float* const from = rows.data();
    const std::int32_t* const names = items ? items->data() : nullptr;
    std::int32_t* const to_item = chosen.data();
    float* const to_score = score.data();
    const auto kernel = kernels().topk_row;
    const std::size_t size = std::max<std::size_t>(1, 65536 / std::max<std::size_t>(1, n));
    run_in_parts(threads, count, size, [&](std::size_t first, std::size_t last) {
        for (std::size_t r = first; r < last; ++r) {
            float* const s = to_score + r * room;
            std::int32_t* const i = to_item + r * room;
            const std::size_t found =
                kernel(from + r * n, names == nullptr ? nullptr : names + r * n, n, room, s, i);
            std::fill(s + found, s + room, least_of_all);
            std::fill(i + found, i + room, -1);
        }
    });
    return nb::make_tuple(chosen, score);
}

}  // namespace

void bind_topk(nb::module_& m) {
    m.def("top_items", &top_items, "user_factors"_a.noconvert(), "item_factors"_a.noconvert(),
          "item_bias"_a.noconvert(), "user"_a.noconvert(), "item"_a.noconvert(),
          "starts"_a.noconvert().none(), "seen"_a.noconvert().none(), "keep"_a, "threads"_a);
    m.def("top_of_rows", &top_of_rows, "rows"_a.noconvert(), "items"_a.noconvert().none(), "keep"_a,
          "threads"_a);
}

}  // namespace foretaste
