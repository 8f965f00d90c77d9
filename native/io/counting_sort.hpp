// Counting sort: the rows of each group.
#pragma once

#include <cstddef>
#include <cstdint>

namespace foretaste {

// Group rows by a small index: starts (groups + 1) and the rows of each group in their order (n).
template <class Index>
void group_rows(const Index* group, std::size_t n, std::size_t groups, std::int64_t* starts,
                std::int32_t* rows) {
    for (std::size_t g = 0; g <= groups; ++g) starts[g] = 0;
    for (std::size_t i = 0; i < n; ++i) ++starts[group[i] + 1];
    for (std::size_t g = 0; g < groups; ++g) starts[g + 1] += starts[g];
    for (std::size_t i = 0; i < n; ++i) rows[starts[group[i]]++] = static_cast<std::int32_t>(i);
    for (std::size_t g = groups; g > 0; --g) starts[g] = starts[g - 1];
    starts[0] = 0;
}

}  // namespace foretaste
