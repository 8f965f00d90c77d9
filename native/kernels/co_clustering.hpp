// Co-clustering: assigning users (or items) to clusters, and the sums over blocks of clusters.
//
// A user's squared error under a cluster needs, of the user's ratings, only their number and sum in each
// cluster of items. So one pass over the ratings serves every cluster: the cost is ratings + users x clusters
// x clusters, not ratings x clusters. Several clusterings (from different starts) are done side by side.
//
// Counting and gathering, no vector instructions: compiled once.
#pragma once

#include <cstddef>
#include <cstdint>

namespace foretaste {

// Ratings grouped by the side at work ("rows"); the other side has `others` members.
struct CoclusterData {
    const std::int64_t* starts;  // (rows + 1)
    const std::int32_t* other;
    const float* value;
    const float* weight;                // or null: all 1
    const std::int32_t* other_cluster;  // (clusterings, others)
    std::size_t rows, others, clusterings, own, other_clusters;
};

// Weight and weighted sum of the values of a row in each cluster of the other side.
inline void sum_by_cluster(const CoclusterData& data, std::size_t row, const std::int32_t* cluster,
                           double* count, double* total) {
    for (std::size_t d = 0; d < data.other_clusters; ++d) count[d] = total[d] = 0;
    for (std::int64_t r = data.starts[row]; r < data.starts[row + 1]; ++r) {
        const double weight = data.weight ? data.weight[r] : 1.0;
        const std::int32_t d = cluster[data.other[r]];
        count[d] += weight;
        total[d] += weight * data.value[r];
    }
}

// The cluster whose blocks fit each row best, the first of equals; block: (clusterings, own, other_clusters).
inline void assign_clusters(const CoclusterData& data, const double* block, std::size_t from, std::size_t to,
                            double* count, double* total, std::int32_t* out) {
    const std::size_t width = data.other_clusters;
    for (std::size_t s = 0; s < data.clusterings; ++s) {
        const double* const blocks = block + s * data.own * width;
        for (std::size_t row = from; row < to; ++row) {
            sum_by_cluster(data, row, data.other_cluster + s * data.others, count, total);
            std::size_t best = 0;
            double least = 0;
            for (std::size_t c = 0; c < data.own; ++c) {
                const double* const mean = blocks + c * width;
                double error = 0;  // less the sum of squared values, which is the same for every cluster
                for (std::size_t d = 0; d < width; ++d)
                    error += mean[d] * (count[d] * mean[d] - 2 * total[d]);
                if (c == 0 || error < least) least = error, best = c;
            }
            out[s * data.rows + row] = static_cast<std::int32_t>(best);
        }
    }
}

// Add the weights and weighted sums of rows to their blocks: (clusterings, own, other_clusters, 2).
inline void sum_blocks(const CoclusterData& data, const std::int32_t* own_cluster, std::size_t from,
                       std::size_t to, double* count, double* total, double* sums) {
    const std::size_t width = data.other_clusters;
    for (std::size_t s = 0; s < data.clusterings; ++s)
        for (std::size_t row = from; row < to; ++row) {
            sum_by_cluster(data, row, data.other_cluster + s * data.others, count, total);
            double* const to_block = sums + 2 * width * (s * data.own + own_cluster[s * data.rows + row]);
            for (std::size_t d = 0; d < width; ++d)
                to_block[2 * d] += count[d], to_block[2 * d + 1] += total[d];
        }
}

}  // namespace foretaste
