// Bindings of co-clustering: checks, drops the GIL, hands parts to the pool.
#include <vector>

#include "kernels/co_clustering.hpp"
#include "runtime/binding.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

using Clusters = In2<std::int32_t>;
using In3 = nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using New4 = nb::ndarray<nb::numpy, double, nb::ndim<4>, nb::c_contig>;

void check_clusters(const Clusters& cluster, std::int64_t clusters, const char* what) {
    bool ok = true;
    for (std::size_t k = 0; k < cluster.size(); ++k)
        ok = ok && cluster.data()[k] >= 0 && cluster.data()[k] < clusters;
    check(ok, what);
}

CoclusterData cocluster_data(const In<std::int64_t>& starts, const In<std::int32_t>& other,
                             const In<float>& value, const std::optional<In<float>>& weight,
                             const Clusters& other_cluster, std::size_t own, std::size_t other_clusters) {
    check(value.size() == other.size() && (!weight || weight->size() == other.size()),
          "other, value and weight must have the same length");
    const std::size_t rows = check_starts(starts, other.size());
    check_range(other, 0, static_cast<std::int64_t>(other_cluster.shape(1)),
                "an index of the other side is out of range");
    check(own >= 1 && other_clusters >= 1, "there must be at least one cluster");
    check_clusters(other_cluster, static_cast<std::int64_t>(other_clusters), "a cluster is out of range");
    return {starts.data(),
            other.data(),
            value.data(),
            weight ? weight->data() : nullptr,
            other_cluster.data(),
            rows,
            other_cluster.shape(1),
            other_cluster.shape(0),
            own,
            other_clusters};
}

constexpr std::size_t rows_a_part = 512;

New2<std::int32_t> assign_clusters_of(In<std::int64_t> starts, In<std::int32_t> other, In<float> value,
                                      std::optional<In<float>> weight, Clusters other_cluster, In3 block,
                                      int threads) {
    const CoclusterData data =
        cocluster_data(starts, other, value, weight, other_cluster, block.shape(1), block.shape(2));
    check(block.shape(0) == data.clusterings, "there must be one set of blocks a clustering");
    New2<std::int32_t> out = new_matrix<std::int32_t>(data.clusterings, data.rows);
    std::int32_t* to = out.data();
    run_in_parts(threads, data.rows, rows_a_part, [&](std::size_t from, std::size_t until) {
        std::vector<double> count(data.other_clusters), total(data.other_clusters);
        assign_clusters(data, block.data(), from, until, count.data(), total.data(), to);
    });
    return out;
}

New4 block_sums_of(In<std::int64_t> starts, In<std::int32_t> other, In<float> value,
                   std::optional<In<float>> weight, Clusters own_cluster, Clusters other_cluster,
                   std::size_t own, std::size_t other_clusters, int threads) {
    const CoclusterData data =
        cocluster_data(starts, other, value, weight, other_cluster, own, other_clusters);
    check(own_cluster.shape(0) == data.clusterings && own_cluster.shape(1) == data.rows,
          "there must be one cluster a row and clustering");
    check_clusters(own_cluster, static_cast<std::int64_t>(own), "a cluster is out of range");
    const std::size_t size = 2 * data.clusterings * own * other_clusters;
    const std::size_t parts = (data.rows + rows_a_part - 1) / rows_a_part;
    std::vector<double> partial(parts * size);
    run_in_parts(threads, data.rows, rows_a_part, [&](std::size_t from, std::size_t until) {
        std::vector<double> count(other_clusters), total(other_clusters);
        sum_blocks(data, own_cluster.data(), from, until, count.data(), total.data(),
                   partial.data() + from / rows_a_part * size);
    });
    auto* sums = new double[size]();
    nb::capsule owner(sums, [](void* p) noexcept { delete[] static_cast<double*>(p); });
    for (std::size_t part = 0; part < parts; ++part)  // in their order, whoever did them
        for (std::size_t k = 0; k < size; ++k) sums[k] += partial[part * size + k];
    return New4(sums, {data.clusterings, own, other_clusters, 2}, owner);
}

}  // namespace

void bind_co_clustering(nb::module_& m) {
    m.def("assign_clusters", &assign_clusters_of, "starts"_a.noconvert(), "other"_a.noconvert(),
          "value"_a.noconvert(), "weight"_a.noconvert().none(), "other_cluster"_a.noconvert(),
          "block"_a.noconvert(), "threads"_a);
    m.def("block_sums", &block_sums_of, "starts"_a.noconvert(), "other"_a.noconvert(), "value"_a.noconvert(),
          "weight"_a.noconvert().none(), "own_cluster"_a.noconvert(), "other_cluster"_a.noconvert(), "own"_a,
          "other_clusters"_a, "threads"_a);
}

}  // namespace foretaste
