// Bindings of scikit-surprise's matrix factorization: checks shapes and indices, drops the GIL, learns
// epochs.
#include <cmath>
#include <vector>

#include "bind/surprise_epochs.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

using Table = Out2<double>;
using Biases = Out<double>;
using Items = In<std::int32_t>;
using Numbers = In<double>;

void check_tables(const Starts& starts, const Table& p, const Table& q, const Biases& bu, const Biases& bi) {
    check(p.shape(1) == q.shape(1), "users and items must have the same number of factors");
    check(p.shape(0) + 1 == starts.size() && bu.size() == p.shape(0), "one row a user is needed");
    check(bi.size() == q.shape(0), "one row an item is needed");
}

PaddedTable padded(const Table& table) {
    return {table.data(), table.shape(0), table.shape(1), static_cast<std::size_t>(kernels().double_lanes)};
}

// Rates and regularization of: user biases, item biases, user factors, item factors and, where there are any,
// implicit factors.
SurpriseSgd sgd_of(const SurpriseRows& rows, double mean, const Numbers& rates, const Numbers& regs) {
    SurpriseSgd model{};
    model.data = rows, model.mean = mean;
    const double *rate = rates.data(), *reg = regs.data();
    model.user_bias_rate = rate[0], model.item_bias_rate = rate[1], model.user_rate = rate[2],
    model.item_rate = rate[3];
    model.user_bias_reg = reg[0], model.item_bias_reg = reg[1], model.user_reg = reg[2],
    model.item_reg = reg[3];
    if (rates.size() > 4) model.implicit_rate = rate[4], model.implicit_reg = reg[4];
    return model;
}

void surprise_svd(Starts starts, Items item, Numbers value, double mean, Table p, Table q, Biases bu,
                  Biases bi, Numbers rates, Numbers regs, std::int64_t epochs) {
    check_tables(starts, p, q, bu, bi);
    check(rates.size() == 4 && regs.size() == 4, "4 rates and 4 regularizations are needed");
    const SurpriseRows rows = surprise_rows(starts, item, value, static_cast<std::int64_t>(bi.size()));
    InterruptibleCall::run([&](InterruptibleCall& call) {
        PaddedTable users = padded(p), items = padded(q);
        SurpriseSgd model = sgd_of(rows, mean, rates, regs);
        model.user_factors = users.data(), model.item_factors = items.data(), model.width = users.width();
        model.user_bias = bu.data(), model.item_bias = bi.data();
        const auto kernel = kernels().surprise_svd;
        for (std::int64_t epoch = 0; epoch < epochs; ++epoch)
            surprise_epoch(rows, static_cast<std::int64_t>(bu.size()), call,
                           [&](std::int64_t from, std::int64_t to) { kernel(model, from, to); });
        users.copy_back(), items.copy_back();
    });
}

// Whether each user has an item more than once.
std::vector<char> repeats_of(const SurpriseRows& rows, std::size_t users, std::size_t items) {
    std::vector<char> repeats(users);
    std::vector<std::int64_t> last(items, -1);
    for (std::size_t user = 0; user < users; ++user)
        for (std::int64_t r = rows.start[user]; r < rows.start[user + 1]; ++r) {
            std::int64_t& seen = last[rows.item[r]];
            if (seen == static_cast<std::int64_t>(user)) repeats[user] = 1;
            seen = static_cast<std::int64_t>(user);
        }
    return repeats;
}

void surprise_svdpp(Starts starts, Items item, Numbers value, double mean, Table p, Table q, Table y,
                    Biases bu, Biases bi, Numbers rates, Numbers regs, std::int64_t epochs) {
    check_tables(starts, p, q, bu, bi);
    check(y.shape(0) == q.shape(0) && y.shape(1) == q.shape(1),
          "implicit factors must be as many as those of items");
    check(rates.size() == 5 && regs.size() == 5, "5 rates and 5 regularizations are needed");
    const SurpriseRows rows = surprise_rows(starts, item, value, static_cast<std::int64_t>(bi.size()));
    InterruptibleCall::run([&](InterruptibleCall& call) {
        PaddedTable users = padded(p), items = padded(q), implicit = padded(y);
        SurpriseSgd model = sgd_of(rows, mean, rates, regs);
        model.user_factors = users.data(), model.item_factors = items.data(), model.width = users.width();
        model.implicit_factors = implicit.data();
        model.user_bias = bu.data(), model.item_bias = bi.data();
        const std::vector<char> repeats = repeats_of(rows, bu.size(), bi.size());
        const AlignedArray<double> scratch(2 * static_cast<std::size_t>(users.width()));
        const auto kernel = kernels().surprise_svdpp;
        for (std::int64_t epoch = 0; epoch < epochs; ++epoch)
            surprise_epoch(rows, static_cast<std::int64_t>(bu.size()), call,
                           [&](std::int64_t from, std::int64_t to) {
                               for (std::int64_t user = from; user < to; ++user) {
                                   kernel(model, user, repeats[user] != 0, scratch.data());
                                   if (repeats[user]) call.check_signals();  // such a user takes longer
                               }
                           });
        users.copy_back(), items.copy_back(), implicit.copy_back();
    });
}

// False, and the tables as they were, where a factor would be divided by 0.
bool surprise_nmf(Starts starts, Items item, Numbers value, double mean, Table p, Table q, Biases bu,
                  Biases bi, Numbers rates, Numbers regs, bool biased, std::int64_t epochs) {
    check_tables(starts, p, q, bu, bi);
    check(rates.size() == 2 && regs.size() == 4, "2 rates and 4 regularizations are needed");
    const auto users = static_cast<std::int64_t>(bu.size()), items = static_cast<std::int64_t>(bi.size());
    const SurpriseRows rows = surprise_rows(starts, item, value, items);
    bool good = true;
    InterruptibleCall::run([&](InterruptibleCall& call) {
        PaddedTable user_table = padded(p), item_table = padded(q);
        const int width = user_table.width();
        std::vector<double> sums(2 * static_cast<std::size_t>(items) * width), count(items);
        const AlignedArray<double> scratch(2 * static_cast<std::size_t>(width));
        for (std::int64_t r = 0; r < rows.rows; ++r) count[rows.item[r]] += 1;
        const SurpriseNmf model{rows,           user_table.data(), item_table.data(), bu.data(),
                                bi.data(),      sums.data(),       count.data(),      width,
                                mean,           rates.data()[0],   rates.data()[1],   regs.data()[0],
                                regs.data()[1], regs.data()[2],    regs.data()[3],    biased};
        const Kernels& best = kernels();
        for (std::int64_t epoch = 0; epoch < epochs && good; ++epoch) {
            surprise_epoch(rows, users, call, [&](std::int64_t from, std::int64_t to) {
                for (std::int64_t user = from; user < to; ++user)
                    good &= best.surprise_nmf_user(model, user, scratch.data());
            });
            for (std::int64_t one = 0; one < items; ++one) good &= best.surprise_nmf_item(model, one);
        }
        if (good) user_table.copy_back(), item_table.copy_back();
    });
    return good;
}

// mean + bias of the user + bias of the item + product of the factors; what is unknown (-1) counts as 0.
New<double> surprise_dots(In<std::int32_t> user, In<std::int32_t> item, In2<double> p, In2<double> q,
                          Numbers bu, Numbers bi, double mean) {
    check(user.size() == item.size(), "user and item must have the same length");
    check(p.shape(1) == q.shape(1), "users and items must have the same number of factors");
    check(p.shape(0) == bu.size() && q.shape(0) == bi.size(), "biases and factors must have the same length");
    check_range(user, -1, static_cast<std::int64_t>(bu.size()), "a user index is out of range");
    check_range(item, -1, static_cast<std::int64_t>(bi.size()), "an item index is out of range");
    New<double> out = new_array<double>(user.size());
    const DotData<double> data{
        user.data(), item.data(), p.data(), q.data(), bu.data(), bi.data(), static_cast<int>(p.shape(1)),
        mean};
    double* const to = out.data();
    InterruptibleCall::run([&](InterruptibleCall& call) {
        for (std::size_t from = 0; from < user.size(); from += 16384) {
            const std::size_t until = from + 16384 < user.size() ? from + 16384 : user.size();
            kernels().dot_pairs_double(data, from, until, to);
            call.check_signals();
        }
    });
    return out;
}

// What the items of some users say of them: the sum of their implicit factors over the root of their number.
New2<double> surprise_implicit(Starts starts, Items item, In2<double> y, In<std::int32_t> user) {
    check(starts.size() >= 1, "starts must begin with 0");
    check_range(starts, 0, static_cast<std::int64_t>(item.size()) + 1, "a start is out of range");
    check_range(item, 0, static_cast<std::int64_t>(y.shape(0)), "an item index is out of range");
    check_range(user, 0, static_cast<std::int64_t>(starts.size()) - 1, "a user index is out of range");
    const std::size_t factors = y.shape(1);
    New2<double> out = new_matrix<double>(user.size(), factors);
    double* row = out.data();
    InterruptibleCall::run([&](InterruptibleCall& call) {
        for (std::size_t n = 0; n < user.size(); ++n, row += factors) {
            const std::int64_t first = starts.data()[user.data()[n]], end = starts.data()[user.data()[n] + 1];
            const double root = std::sqrt(static_cast<double>(end - first));
            for (std::size_t f = 0; f < factors; ++f) row[f] = 0;
            for (std::int64_t r = first; r < end; ++r) {
                const double* const one = y.data() + static_cast<std::size_t>(item.data()[r]) * factors;
                for (std::size_t f = 0; f < factors; ++f) row[f] += one[f];
            }
            for (std::size_t f = 0; f < factors; ++f) row[f] /= root;
            if (n % 256 == 255) call.check_signals();
        }
    });
    return out;
}

}  // namespace

void bind_surprise_factors(nb::module_& m) {
    m.def("surprise_svd", &surprise_svd, "starts"_a.noconvert(), "item"_a.noconvert(), "value"_a.noconvert(),
          "mean"_a, "user_factors"_a.noconvert(), "item_factors"_a.noconvert(), "user_bias"_a.noconvert(),
          "item_bias"_a.noconvert(), "rates"_a.noconvert(), "regs"_a.noconvert(), "epochs"_a);
    m.def("surprise_svdpp", &surprise_svdpp, "starts"_a.noconvert(), "item"_a.noconvert(),
          "value"_a.noconvert(), "mean"_a, "user_factors"_a.noconvert(), "item_factors"_a.noconvert(),
          "implicit_factors"_a.noconvert(), "user_bias"_a.noconvert(), "item_bias"_a.noconvert(),
          "rates"_a.noconvert(), "regs"_a.noconvert(), "epochs"_a);
    m.def("surprise_nmf", &surprise_nmf, "starts"_a.noconvert(), "item"_a.noconvert(), "value"_a.noconvert(),
          "mean"_a, "user_factors"_a.noconvert(), "item_factors"_a.noconvert(), "user_bias"_a.noconvert(),
          "item_bias"_a.noconvert(), "rates"_a.noconvert(), "regs"_a.noconvert(), "biased"_a, "epochs"_a);
    m.def("surprise_dots", &surprise_dots, "user"_a.noconvert(), "item"_a.noconvert(),
          "user_factors"_a.noconvert(), "item_factors"_a.noconvert(), "user_bias"_a.noconvert(),
          "item_bias"_a.noconvert(), "mean"_a);
    m.def("surprise_implicit", &surprise_implicit, "starts"_a.noconvert(), "item"_a.noconvert(),
          "implicit_factors"_a.noconvert(), "user"_a.noconvert());
}

}  // namespace foretaste
