// Bindings of SVD++ and timeSVD++: checks shapes and indices, drops the GIL, calls.
#include "kernels/svdpp_plan.hpp"
#include "runtime/aligned_array.hpp"
#include "runtime/binding.hpp"
#include "runtime/kernels.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

using Numbers = std::optional<Out<float>>;

void plan_init(SvdppPlan* self, In<std::int32_t> user, In<std::int32_t> item, In<float> value,
               std::optional<In<float>> weight, std::int64_t users, std::int64_t items,
               In<std::int32_t> visits, std::optional<In<float>> deviation,
               std::optional<In<std::int32_t>> bin, std::int64_t bins,
               std::optional<In<std::int32_t>> session, std::int64_t sessions) {
    const std::size_t n = user.size();
    check(item.size() == n && value.size() == n, "user, item and value must have the same length");
    check(!weight || weight->size() == n, "weight must be as long as value");
    check(!deviation || deviation->size() == n, "deviation must be as long as value");
    check(!bin || bin->size() == n, "bin must be as long as value");
    check(!session || session->size() == n, "session must be as long as value");
    check_range(user, 0, users, "a user index is out of range");
    check_range(item, 0, items, "an item index is out of range");
    check(visits.size() == static_cast<std::size_t>(users), "each user must be visited once");
    check_range(visits, 0, users, "each user must be visited once");
    std::vector<bool> visited(visits.size());
    for (std::size_t p = 0; p < visits.size(); ++p) {
        check(!visited[visits.data()[p]], "each user must be visited once");
        visited[visits.data()[p]] = true;
    }
    if (bin) check_range(*bin, 0, bins, "a bin is out of range");
    if (session) check_range(*session, 0, sessions, "a session is out of range");
    nb::gil_scoped_release released;
    const SvdppTimeColumns times{deviation ? deviation->data() : nullptr, bin ? bin->data() : nullptr,
                                 session ? session->data() : nullptr, bins, sessions};
    new (self) SvdppPlan(user.data(), item.data(), value.data(), weight ? weight->data() : nullptr, n, users,
                         items, visits.data(), times);
}

void check_factors(const SvdppPlan& plan, const Out2<float>& p, const Out2<float>& q, const Out2<float>& y,
                   const Out<float>& bu, const Out<float>& bi) {
    check(p.shape(1) == q.shape(1) && p.shape(1) == y.shape(1) && p.shape(1) % 16 == 0,
          "factors must be padded to a multiple of 16");
    check(p.shape(0) == static_cast<std::size_t>(plan.users) && bu.size() == p.shape(0),
          "one row a user is needed");
    check(q.shape(0) == static_cast<std::size_t>(plan.items) && bi.size() == q.shape(0) &&
              y.shape(0) == q.shape(0),
          "one row an item is needed");
}

float* table_of(const Numbers& table, bool planned, std::size_t size, const char* what) {
    check(table.has_value() == planned && (!table || table->size() == size), what);
    return table ? table->data() : nullptr;
}

// The tables of time against what the plan knows of the rows.
SvdppTime<float> time_of(const SvdppPlan& plan, const Out2<float>& p, Numbers drift_bias,
                         std::optional<Out2<float>> drift_factors, Numbers bin_bias, Numbers session_bias,
                         float drift_damping, float bin_damping, float session_damping) {
    check(!drift_factors ||
              (drift_bias && drift_factors->shape(0) == p.shape(0) && drift_factors->shape(1) == p.shape(1)),
          "drift_factors must be as large as user_factors, and come with drift_bias");
    check(drift_damping >= 0 && bin_damping >= 0 && session_damping >= 0, "damping must be at least 0");
    float* const drift =
        table_of(drift_bias, !plan.deviation.empty(), plan.users, "drift_bias must have one row a user");
    float* const bins = table_of(bin_bias, !plan.bin.empty(), plan.bins, "bin_bias must have one row a bin");
    float* const sessions = table_of(session_bias, !plan.session.empty(), plan.sessions,
                                     "session_bias must have one row a session");
    return {plan.deviation.data(),
            plan.bin.data(),
            plan.session.data(),
            plan.user_weight.data(),
            plan.bin_weight.data(),
            plan.session_weight.data(),
            drift,
            drift_factors ? drift_factors->data() : nullptr,
            bins,
            sessions,
            drift_damping,
            bin_damping,
            session_damping};
}

double run_epoch(const SvdppPlan& plan, const SvdppData<float>& data, int threads) {
    const std::int64_t rounds = plan.rounds(), together = SvdppPlan::together;
    // A short round is over before another core has heard of it.
    const bool short_rounds = static_cast<std::int64_t>(plan.order.size()) * data.width < 16384 * rounds;
    const int parts =
        threads < 1 || short_rounds ? 1 : static_cast<int>(threads < together ? threads : together);
    const std::vector<std::int32_t> cuts = plan.cuts(parts);
    const std::size_t rows = plan.most_rows, width = data.width;
    const auto item_step = std::make_unique_for_overwrite<float[]>(rows * width);
    const auto row_step = std::make_unique_for_overwrite<float[]>(2 * rows);
    std::vector<float> shared_step(together * width), decay(together);
    std::vector<double> loss(plan.users);
    const AlignedArray<float> scratch(parts * 2 * width);
    const auto round_of = [&](std::int64_t round) {
        const std::int64_t first = round * together;
        return SvdppRound<float>{first,
                                 std::min(first + together, plan.users),
                                 item_step.get(),
                                 row_step.get(),
                                 row_step.get() + rows,
                                 shared_step.data(),
                                 decay.data()};
    };
    SvdppSchedule schedule(plan, parts);
    Stop stop;
    const Kernels& best = kernels();
    run_on_pool(
        parts, parts,
        [&](std::size_t, int worker) {
            schedule.work(
                stop,
                [&](std::int64_t round, std::int64_t k) {
                    const std::int64_t position = round * together + k;
                    float* const own = scratch.data() + worker * 2 * width;
                    if (position < plan.users)
                        loss[position] = best.svdpp_visit(data, round_of(round), position, own);
                },
                [&](std::int64_t round, std::int64_t part) {
                    best.svdpp_share(data, round_of(round), cuts[part], cuts[part + 1]);
                });
        },
        stop);
    double total = 0;  // in the order of the visits, so that it is the same at any number of threads
    for (const double one : loss) total += one;
    return total;
}

double plan_epoch(const SvdppPlan& plan, Out2<float> p, Out2<float> q, Out2<float> y, Out<float> bu,
                  Out<float> bi, float learning_rate, float regularization, float implicit_rate,
                  float implicit_regularization, int threads, Numbers drift_bias,
                  std::optional<Out2<float>> drift_factors, Numbers bin_bias, Numbers session_bias,
                  float drift_damping, float bin_damping, float session_damping) {
    check_factors(plan, p, q, y, bu, bi);
    const SvdppTime<float> time = time_of(plan, p, drift_bias, drift_factors, bin_bias, session_bias,
                                          drift_damping, bin_damping, session_damping);
    const SvdppData<float> data{plan.start.data(),
                                plan.visits.data(),
                                plan.item.data(),
                                plan.value.data(),
                                plan.weight.empty() ? nullptr : plan.weight.data(),
                                p.data(),
                                q.data(),
                                y.data(),
                                bu.data(),
                                bi.data(),
                                static_cast<int>(p.shape(1)),
                                learning_rate,
                                regularization,
                                implicit_rate,
                                implicit_regularization,
                                time};
    return run_epoch(plan, data, threads);
}

}  // namespace

void bind_svdpp(nb::module_& m) {
    nb::class_<SvdppPlan>(m, "SvdppPlan")
        .def("__init__", &plan_init, "user"_a.noconvert(), "item"_a.noconvert(), "value"_a.noconvert(),
             "weight"_a.noconvert().none(), "users"_a, "items"_a, "visits"_a.noconvert(),
             "deviation"_a.noconvert().none() = nb::none(), "bin"_a.noconvert().none() = nb::none(),
             "bins"_a = 0, "session"_a.noconvert().none() = nb::none(), "sessions"_a = 0)
        .def("epoch", &plan_epoch, "user_factors"_a.noconvert(), "item_factors"_a.noconvert(),
             "implicit_factors"_a.noconvert(), "user_bias"_a.noconvert(), "item_bias"_a.noconvert(),
             "learning_rate"_a, "regularization"_a, "implicit_rate"_a, "implicit_regularization"_a,
             "threads"_a, "drift_bias"_a.noconvert().none() = nb::none(),
             "drift_factors"_a.noconvert().none() = nb::none(), "bin_bias"_a.noconvert().none() = nb::none(),
             "session_bias"_a.noconvert().none() = nb::none(), "drift_damping"_a = 0.0F,
             "bin_damping"_a = 0.0F, "session_damping"_a = 0.0F)
        .def("order",
             [](const SvdppPlan& plan) {
                 New<std::int32_t> out = new_array<std::int32_t>(plan.order.size());
                 std::copy(plan.order.begin(), plan.order.end(), out.data());
                 return out;
             })
        .def_ro_static("together", &SvdppPlan::together);
}

}  // namespace foretaste
