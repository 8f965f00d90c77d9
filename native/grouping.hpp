// Counting sorts and counts that need no vector instructions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace foretaste {

// Group rows by a small index: starts (groups + 1) and the rows of each group in their order (n).
template <class Index>
void group_rows(const Index* group, std::size_t n, std::size_t groups, std::int64_t* starts, std::int32_t* rows) {
    for (std::size_t g = 0; g <= groups; ++g) starts[g] = 0;
    for (std::size_t i = 0; i < n; ++i) ++starts[group[i] + 1];
    for (std::size_t g = 0; g < groups; ++g) starts[g + 1] += starts[g];
    for (std::size_t i = 0; i < n; ++i) rows[starts[group[i]]++] = static_cast<std::int32_t>(i);
    for (std::size_t g = groups; g > 0; --g) starts[g] = starts[g - 1];
    starts[0] = 0;
}

// Pairs of rows [from, to) with different true values, whose predictions stand in the same order or not.
inline std::pair<std::int64_t, std::int64_t> concordant_pairs(const double* truth, const double* guess,
                                                              std::int64_t from, std::int64_t to) {
    std::int64_t same = 0, other = 0;
    for (std::int64_t i = from; i < to; ++i) {
        std::int64_t in_order = 0, not_in_order = 0;
        for (std::int64_t j = i + 1; j < to; ++j) {  // compared, not subtracted: NaN stands in no order at all
            const bool above = truth[i] > truth[j], below = truth[i] < truth[j];
            in_order += (above & (guess[i] > guess[j])) | (below & (guess[i] < guess[j]));
            not_in_order += (above & (guess[i] <= guess[j])) | (below & (guess[i] >= guess[j]));
        }
        same += in_order;
        other += not_in_order;
    }
    return {same, other};
}

}  // namespace foretaste
