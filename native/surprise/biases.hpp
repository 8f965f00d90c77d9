// Biases and co-clusters as scikit-surprise finds them: sums in its own order, so that the numbers are the
// same.
#pragma once

#include <cstdint>

#include "surprise/data.hpp"

namespace foretaste {

// The biases of one side, given those of the other: the shrunken mean of what the ratings leave. False where
// that is a division by 0.
inline bool surprise_als_side(const SurpriseRows& data, std::int64_t from, std::int64_t to, double mean,
                              double reg, const double* other, double* own) {
    for (std::int64_t k = from; k < to; ++k) {
        double residual = 0;
        for (std::int64_t r = data.start[k]; r < data.start[k + 1]; ++r)
            residual += data.value[r] - mean - other[data.item[r]];
        const double weight = reg + static_cast<double>(data.start[k + 1] - data.start[k]);
        if (weight == 0) return false;
        own[k] = residual / weight;
    }
    return true;
}

// Biases learned rating after rating; a user's bias needs one multiplication between two ratings.
inline void surprise_bias_sgd(const SurpriseRows& data, std::int64_t from, std::int64_t to, double mean,
                              double rate, double reg, double* user_bias, double* item_bias) {
    const double kept = 1 - rate * reg, faster = kept - rate;
    for (std::int64_t user = from; user < to; ++user) {
        double own = user_bias[user];
        for (std::int64_t r = data.start[user]; r < data.start[user + 1]; ++r) {
            double& other = item_bias[data.item[r]];
            const double wanted = data.value[r] - mean - other, error = wanted - own;
            own = own * faster + rate * wanted;
            other = other * kept + rate * error;
        }
        user_bias[user] = own;
    }
}

// A co-clustering: the clusters of both sides, and the means that estimates are made of.
struct SurpriseClusters {
    const double *user_mean, *item_mean;
    double *user_average, *item_average,
        *average;  // of each cluster; of each pair, (users' clusters, items')
    std::int64_t *user_cluster, *item_cluster;
    int user_clusters, item_clusters;
    double mean;  // of everything: the average of an empty cluster
};

// The averages of the clusters as they are; `count` and `total` have one entry for every average. Ratings are
// whole numbers, whose sums are exact in any order.
inline void surprise_averages(const SurpriseRows& by_user, std::int64_t users, const SurpriseClusters& is,
                              double* count, double* total) {
    const int wide = is.item_clusters, sides = is.user_clusters + wide, all = sides + is.user_clusters * wide;
    for (int k = 0; k < all; ++k) count[k] = total[k] = 0;
    for (std::int64_t user = 0; user < users; ++user)
        for (std::int64_t r = by_user.start[user]; r < by_user.start[user + 1]; ++r) {
            const std::int64_t pair = sides + is.user_cluster[user] * wide + is.item_cluster[by_user.item[r]];
            count[pair] += 1, total[pair] += by_user.value[r];
        }
    for (int a = 0; a < is.user_clusters; ++a)
        for (int b = 0; b < wide; ++b) {
            const int pair = sides + a * wide + b;
            count[a] += count[pair], total[a] += total[pair];
            count[is.user_clusters + b] += count[pair], total[is.user_clusters + b] += total[pair];
        }
    const auto average = [&](int k) { return count[k] != 0 ? total[k] / count[k] : is.mean; };
    for (int a = 0; a < is.user_clusters; ++a) is.user_average[a] = average(a);
    for (int b = 0; b < wide; ++b) is.item_average[b] = average(is.user_clusters + b);
    for (int k = 0; k < is.user_clusters * wide; ++k) is.average[k] = average(sides + k);
}

// The first of the least.
inline std::int64_t surprise_least(const double* errors, int n) {
    int best = 0;
    for (int k = 1; k < n; ++k)
        if (errors[k] < errors[best]) best = k;
    return best;
}

// The cluster with the least squared error for each of the users [from, to). `table` is (items' clusters,
// users' clusters). Additions stand in scikit-surprise's order: near ties are decided by the last bit.
inline void surprise_assign_users(const SurpriseRows& by_user, std::int64_t from, std::int64_t to,
                                  const SurpriseClusters& is, double* errors, double* table) {
    const int n = is.user_clusters;
    for (std::int64_t user = from; user < to; ++user) {
        for (int b = 0; b < is.item_clusters; ++b)
            for (int k = 0; k < n; ++k)
                table[b * n + k] =
                    is.average[k * is.item_clusters + b] + is.user_mean[user] - is.user_average[k];
        for (int k = 0; k < n; ++k) errors[k] = 0;
        for (std::int64_t r = by_user.start[user]; r < by_user.start[user + 1]; ++r) {
            const std::int32_t item = by_user.item[r];
            const std::int64_t b = is.item_cluster[item];
            for (int k = 0; k < n; ++k) {
                const double error =
                    by_user.value[r] - (table[b * n + k] + is.item_mean[item] - is.item_average[b]);
                errors[k] += error * error;
            }
        }
        is.user_cluster[user] = surprise_least(errors, n);
    }
}

// What an estimate owes to the user, for each user and cluster of items: (users, items' clusters).
inline void surprise_user_parts(std::int64_t users, const SurpriseClusters& is, double* part) {
    const int n = is.item_clusters;
    for (std::int64_t user = 0; user < users; ++user) {
        const std::int64_t a = is.user_cluster[user];
        for (int k = 0; k < n; ++k)
            part[user * n + k] = is.average[a * n + k] + is.user_mean[user] - is.user_average[a];
    }
}

// The same for each of the items [from, to); in `by_item` the other side are users.
inline void surprise_assign_items(const SurpriseRows& by_item, std::int64_t from, std::int64_t to,
                                  const SurpriseClusters& is, double* errors, const double* part) {
    const int n = is.item_clusters;
    for (std::int64_t item = from; item < to; ++item) {
        for (int k = 0; k < n; ++k) errors[k] = 0;
        for (std::int64_t r = by_item.start[item]; r < by_item.start[item + 1]; ++r) {
            const double* const of_user = part + static_cast<std::int64_t>(by_item.item[r]) * n;
            for (int k = 0; k < n; ++k) {
                const double error =
                    by_item.value[r] - (of_user[k] + is.item_mean[item] - is.item_average[k]);
                errors[k] += error * error;
            }
        }
        is.item_cluster[item] = surprise_least(errors, n);
    }
}

}  // namespace foretaste
