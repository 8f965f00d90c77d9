// Bindings of scikit-surprise's baselines and co-clustering: checks shapes and indices, drops the GIL.
#include "surprise/biases.hpp"

#include <vector>

#include "bind/surprise_epochs.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

using Biases = Out<double>;
using Items = In<std::int32_t>;
using Numbers = In<double>;
using Clusters = Out<std::int64_t>;

std::int64_t size_of(const Starts& starts) { return static_cast<std::int64_t>(starts.size()) - 1; }

// False where a bias would be divided by 0.
bool surprise_als(Starts user_starts, Items item, Numbers value_by_user, Starts item_starts, Items user,
                  Numbers value_by_item, double mean, double user_reg, double item_reg, Biases bu, Biases bi,
                  std::int64_t epochs) {
    const auto users = static_cast<std::int64_t>(bu.size()), items = static_cast<std::int64_t>(bi.size());
    const SurpriseRows by_user = surprise_rows(user_starts, item, value_by_user, items);
    const SurpriseRows by_item = surprise_rows(item_starts, user, value_by_item, users);
    check(size_of(user_starts) == users, "one bias a user is needed");
    check(size_of(item_starts) == items, "one bias an item is needed");
    bool good = true;
    InterruptibleCall::run([&](InterruptibleCall& call) {
        for (std::int64_t epoch = 0; epoch < epochs && good; ++epoch) {
            surprise_epoch(by_item, items, call, [&](std::int64_t from, std::int64_t to) {
                good = good && surprise_als_side(by_item, from, to, mean, item_reg, bu.data(), bi.data());
            });
            surprise_epoch(by_user, users, call, [&](std::int64_t from, std::int64_t to) {
                good = good && surprise_als_side(by_user, from, to, mean, user_reg, bi.data(), bu.data());
            });
        }
    });
    return good;
}

void surprise_sgd_biases(Starts starts, Items item, Numbers value, double mean, double rate, double reg,
                         Biases bu, Biases bi, std::int64_t epochs) {
    const SurpriseRows rows = surprise_rows(starts, item, value, static_cast<std::int64_t>(bi.size()));
    check(starts.size() == bu.size() + 1, "one bias a user is needed");
    InterruptibleCall::run([&](InterruptibleCall& call) {
        for (std::int64_t epoch = 0; epoch < epochs; ++epoch)
            surprise_epoch(rows, static_cast<std::int64_t>(bu.size()), call,
                           [&](std::int64_t from, std::int64_t to) {
                               surprise_bias_sgd(rows, from, to, mean, rate, reg, bu.data(), bi.data());
                           });
    });
}

SurpriseClusters clusters_of(Numbers user_mean, Numbers item_mean, double mean, const Clusters& cu,
                             const Clusters& ci, const Biases& au, const Biases& ai,
                             const Out2<double>& average) {
    const auto n = static_cast<std::int64_t>(au.size()), m = static_cast<std::int64_t>(ai.size());
    check(n >= 1 && m >= 1, "at least 1 cluster is needed");
    check(average.shape(0) == au.size() && average.shape(1) == ai.size(),
          "one average a pair of clusters is needed");
    check(user_mean.size() == cu.size() && item_mean.size() == ci.size(),
          "one mean a user and an item is needed");
    check_range(In<std::int64_t>(cu), 0, n, "a cluster of users is out of range");
    check_range(In<std::int64_t>(ci), 0, m, "a cluster of items is out of range");
    return {user_mean.data(), item_mean.data(), au.data(),           ai.data(),           average.data(),
            cu.data(),        ci.data(),        static_cast<int>(n), static_cast<int>(m), mean};
}

// Clusters and averages in place; with 0 epochs, only the averages of the clusters given.
void surprise_cocluster(Starts user_starts, Items item, Numbers value_by_user, Starts item_starts, Items user,
                        Numbers value_by_item, Numbers user_mean, Numbers item_mean, double mean, Clusters cu,
                        Clusters ci, Biases au, Biases ai, Out2<double> average, std::int64_t epochs) {
    const auto users = static_cast<std::int64_t>(cu.size()), items = static_cast<std::int64_t>(ci.size());
    const SurpriseRows by_user = surprise_rows(user_starts, item, value_by_user, items);
    const SurpriseRows by_item = surprise_rows(item_starts, user, value_by_item, users);
    check(size_of(user_starts) == users && size_of(item_starts) == items,
          "one cluster a user and an item is needed");
    const SurpriseClusters is = clusters_of(user_mean, item_mean, mean, cu, ci, au, ai, average);
    InterruptibleCall::run([&](InterruptibleCall& call) {
        const std::size_t n = is.user_clusters, m = is.item_clusters;
        std::vector<double> count(n + m + n * m), total(n + m + n * m), errors(n + m), table(n * m),
            part(users * m);
        for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
            surprise_averages(by_user, users, is, count.data(), total.data());
            surprise_epoch(by_user, users, call, [&](std::int64_t from, std::int64_t to) {
                surprise_assign_users(by_user, from, to, is, errors.data(), table.data());
            });
            surprise_user_parts(users, is, part.data());
            surprise_epoch(by_item, items, call, [&](std::int64_t from, std::int64_t to) {
                surprise_assign_items(by_item, from, to, is, errors.data(), part.data());
            });
        }
        surprise_averages(by_user, users, is, count.data(), total.data());
    });
}

}  // namespace

void bind_surprise_biases(nb::module_& m) {
    m.def("surprise_als", &surprise_als, "user_starts"_a.noconvert(), "item"_a.noconvert(),
          "value_by_user"_a.noconvert(), "item_starts"_a.noconvert(), "user"_a.noconvert(),
          "value_by_item"_a.noconvert(), "mean"_a, "user_reg"_a, "item_reg"_a, "user_bias"_a.noconvert(),
          "item_bias"_a.noconvert(), "epochs"_a);
    m.def("surprise_sgd_biases", &surprise_sgd_biases, "starts"_a.noconvert(), "item"_a.noconvert(),
          "value"_a.noconvert(), "mean"_a, "rate"_a, "reg"_a, "user_bias"_a.noconvert(),
          "item_bias"_a.noconvert(), "epochs"_a);
    m.def("surprise_cocluster", &surprise_cocluster, "user_starts"_a.noconvert(), "item"_a.noconvert(),
          "value_by_user"_a.noconvert(), "item_starts"_a.noconvert(), "user"_a.noconvert(),
          "value_by_item"_a.noconvert(), "user_mean"_a.noconvert(), "item_mean"_a.noconvert(), "mean"_a,
          "user_cluster"_a.noconvert(), "item_cluster"_a.noconvert(), "user_average"_a.noconvert(),
          "item_average"_a.noconvert(), "average"_a.noconvert(), "epochs"_a);
}

}  // namespace foretaste
