// Bindings of neighborhoods and Slope One as scikit-surprise has them: checks, drops the GIL, hands rows to
// the pool.
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "bind/row_pairs.hpp"
#include "surprise/knn.hpp"
#include "surprise/similarities.hpp"

namespace foretaste {

using namespace nb::literals;

namespace {

// Entries as the caller has them: by column, within a column in the order of the file.
struct Entries {
    std::vector<std::int64_t> start;
    std::vector<std::int32_t> row;
    std::vector<std::int32_t> column;
    std::size_t rows;

    std::size_t columns() const { return start.size() - 1; }
};

Entries checked_entries(const In<std::int64_t>& start, const In<std::int32_t>& row, const In<double>& value,
                        std::int64_t rows) {
    check(row.size() == value.size(), "row and value must have the same length");
    check(rows >= 0 && rows < (std::int64_t{1} << 31) && row.size() < (std::size_t{1} << 31),
          "the matrix is too large");
    const std::size_t columns = check_starts(start, row.size());
    check_range(row, 0, rows, "a row index is out of range");
    Entries entries{{start.data(), start.data() + start.size()},
                    {row.data(), row.data() + row.size()},
                    std::vector<std::int32_t>(row.size()),
                    static_cast<std::size_t>(rows)};
    for (std::size_t c = 0; c < columns; ++c)
        std::fill(entries.column.begin() + entries.start[c], entries.column.begin() + entries.start[c + 1],
                  static_cast<std::int32_t>(c));
    return entries;
}

// Whether a row has several entries in a column.
bool repeats(const Entries& entries) {
    std::vector<std::int32_t> last(entries.rows, -1);
    for (std::size_t e = 0; e < entries.row.size(); ++e) {
        if (last[entries.row[e]] == entries.column[e]) return true;
        last[entries.row[e]] = entries.column[e];
    }
    return false;
}

// Whether whole numbers do for sums over any columns in common.
bool fits_integers(const Entries& entries, const CooMatrix<double>& cells, IntegerEntries& integers) {
    if (!integers.fit(cells)) return false;
    std::vector<std::int64_t> count(entries.rows);
    std::int64_t most = 0;
    double largest = 1;
    for (std::size_t e = 0; e < cells.size; ++e) {
        most = std::max(most, ++count[cells.row[e]]);
        largest = std::max(largest, cells.value[e] / integers.unit);
    }
    return static_cast<double>(most) * largest * largest < 2147483648.0;
}

template <class IntegerSums, class Sums, class Rules>
std::unique_ptr<RowSource> source_of(const Entries& entries, const double* value, const Rules& rules,
                                     int threads) {
    const CooMatrix<double> cells{entries.row.data(), entries.column.data(), value,
                                  entries.row.size(), entries.rows,          entries.columns()};
    IntegerEntries integers;
    bool repeated, integral;
    {
        nb::gil_scoped_release released;
        repeated = repeats(entries);
        integral = !repeated && fits_integers(entries, cells, integers);
    }
    if (repeated)
        return std::make_unique<ComputedRows<DuplicateEntries<double>, Sums, Rules>>(
            planned(cells, DuplicateEntries<double>{}, threads), rules);
    if (integral)
        return std::make_unique<ComputedRows<IntegerEntries, IntegerSums, Rules>>(
            planned(cells, integers, threads), rules);
    return std::make_unique<ComputedRows<PlainEntries<double>, Sums, Rules>>(
        planned(cells, PlainEntries<double>{}, threads), rules);
}

New<double> row_of(const RowSource& source, std::size_t rows, std::int64_t row) {
    check(row >= 0 && row < static_cast<std::int64_t>(rows), "a row index is out of range");
    New<double> out = new_array<double>(rows);
    nb::gil_scoped_release released;
    std::copy_n(source.reader()->read(static_cast<std::size_t>(row)), rows, out.data());
    return out;
}

// Call visit(worker, row, values) for each row that is asked for; use lists the pairs of it.
template <class Visit>
void read_rows(const RowSource& source, const std::vector<std::int64_t>& start, int threads, Visit visit) {
    const std::size_t rows = start.size() - 1;
    std::vector<std::size_t> cuts{0};
    std::int64_t sum = 0;
    for (std::size_t r = 0; r < rows; ++r) {
        if (start[r] < start[r + 1]) sum += source.work(r) + static_cast<std::int64_t>(rows) + 1;
        if (sum < 500'000) continue;
        cuts.push_back(r + 1);
        sum = 0;
    }
    if (cuts.back() != rows) cuts.push_back(rows);
    std::vector<std::unique_ptr<RowReader>> reader(static_cast<std::size_t>(threads));
    run_on_pool(threads, cuts.size() - 1, [&](std::size_t part, int worker) {
        auto& mine = reader[static_cast<std::size_t>(worker)];
        for (std::size_t r = cuts[part]; r < cuts[part + 1]; ++r) {
            if (start[r] == start[r + 1]) continue;
            if (!mine) mine = source.reader();
            visit(worker, r, mine->read(r));
        }
    });
}

// Every row, one behind another.
New2<double> matrix_of(const RowSource& source, std::size_t rows, int threads) {
    check(threads >= 1, "threads must be at least 1");
    New2<double> out = new_matrix<double>(rows, rows);
    double* const to = out.data();
    std::vector<std::int64_t> every(rows + 1);
    for (std::size_t r = 0; r <= rows; ++r) every[r] = static_cast<std::int64_t>(r);
    read_rows(source, every, threads, [&](int, std::size_t row, const double* values) {
        std::copy_n(values, rows, to + row * rows);
    });
    return out;
}

// Pairs grouped by row: those of row r are [start[r], start[r + 1]) of order; unknown ones are left out.
struct Grouped {
    std::vector<std::int64_t> start;
    std::vector<std::int32_t> order;
};

Grouped grouped(const In<std::int32_t>& row, const In<std::int32_t>& column, std::size_t rows,
                std::size_t columns) {
    check(row.size() == column.size() && row.size() < (std::size_t{1} << 31),
          "row and column must have the same length");
    check_range(row, -1, static_cast<std::int64_t>(rows), "a row index is out of range");
    check_range(column, -1, static_cast<std::int64_t>(columns), "a column index is out of range");
    std::vector<std::int32_t> group(row.size());
    for (std::size_t i = 0; i < row.size(); ++i)
        group[i] =
            row.data()[i] < 0 || column.data()[i] < 0 ? static_cast<std::int32_t>(rows) : row.data()[i];
    Grouped pairs{std::vector<std::int64_t>(rows + 2), std::vector<std::int32_t>(row.size())};
    group_rows(group.data(), group.size(), rows + 1, pairs.start.data(), pairs.order.data());
    pairs.start.pop_back();
    return pairs;
}

using Optional = std::optional<In<double>>;

const double* data_of(const Optional& array, std::size_t size, const char* what) {
    if (!array) return nullptr;
    check(array->size() == size, what);
    return array->data();
}

struct Means {
    New<double> ratings, similarities;
    New<std::int64_t> count;
    New<bool> undefined;

    explicit Means(std::size_t n)
        : ratings(new_array<double>(n)), similarities(new_array<double>(n)),
          count(new_array<std::int64_t>(n)), undefined(new_array<bool>(n)) {
        std::fill_n(ratings.data(), n, 0.0), std::fill_n(similarities.data(), n, 0.0);
        std::fill_n(count.data(), n, std::int64_t{0}), std::fill_n(undefined.data(), n, false);
    }

    nb::tuple tuple() const { return nb::make_tuple(ratings, similarities, count, undefined); }
};

// What is written to while the GIL is dropped.
struct MeanPointers {
    double *ratings, *similarities;
    std::int64_t* count;
    bool* undefined;

    explicit MeanPointers(Means& of)
        : ratings(of.ratings.data()), similarities(of.similarities.data()), count(of.count.data()),
          undefined(of.undefined.data()) {}
    void put(std::size_t i, const SurpriseMean& mean) const {
        ratings[i] = mean.ratings, similarities[i] = mean.similarities, count[i] = mean.count,
        undefined[i] = mean.undefined;
    }
};

// Similarities of the rows of a trainset, and means over the nearest of those with a rating in a column.
class SurpriseNeighbors {
   public:
    SurpriseNeighbors(In<std::int64_t> start, In<std::int32_t> row, In<double> rating, In<double> compared,
                      std::int64_t rows, const std::string& measure, double min_support, double shrinkage,
                      int threads)
        : entries_(checked_entries(start, row, rating, rows)),
          rating_(rating.data(), rating.data() + rating.size()) {
        check(threads >= 1, "threads must be at least 1");
        check(compared.size() == row.size(), "what belongs together must be equally long");
        source_ = source(measure, compared.data(), min_support, shrinkage, threads);
    }

    New<double> row(std::int64_t row) const { return row_of(*source_, entries_.rows, row); }
    New2<double> matrix(int threads) const { return matrix_of(*source_, entries_.rows, threads); }

    nb::tuple means(In<std::int32_t> row, In<std::int32_t> column, std::int64_t neighbors,
                    const Optional& center, const Optional& offset, const Optional& spread, double mean,
                    int threads) const {
        check(threads >= 1, "threads must be at least 1");
        const SurpriseDeviation deviation = checked(center, offset, spread, mean);
        const Grouped pairs = grouped(row, column, entries_.rows, entries_.columns());
        Means found(row.size());
        const MeanPointers out(found);
        std::vector<std::unique_ptr<NearestRated>> nearest(static_cast<std::size_t>(threads));
        const std::int32_t* const columns = column.data();
        read_rows(*source_, pairs.start, threads, [&](int worker, std::size_t r, const double* similarity) {
            auto& mine = nearest[static_cast<std::size_t>(worker)];
            if (!mine) mine = std::make_unique<NearestRated>(rated(), clipped(neighbors));
            for (std::int64_t p = pairs.start[r]; p < pairs.start[r + 1]; ++p) {
                const auto i = static_cast<std::size_t>(pairs.order[p]);
                out.put(i, mine->compute(similarity, columns[i], deviation));
            }
        });
        return found.tuple();
    }

    // The same with similarities that are there: those of each pair's row stand in row `at` of them.
    nb::tuple means_from(In2<double> similarity, In<std::int32_t> at, In<std::int32_t> column,
                         std::int64_t neighbors, const Optional& center, const Optional& offset,
                         const Optional& spread, double mean, int threads) const {
        check(threads >= 1, "threads must be at least 1");
        check(similarity.shape(1) == entries_.rows, "similarities must be as wide as there are rows");
        check(at.size() == column.size(), "at and column must have the same length");
        check_range(at, -1, static_cast<std::int64_t>(similarity.shape(0)),
                    "a row of similarities is out of range");
        check_range(column, -1, static_cast<std::int64_t>(entries_.columns()),
                    "a column index is out of range");
        const SurpriseDeviation deviation = checked(center, offset, spread, mean);
        Means found(at.size());
        const MeanPointers out(found);
        const double* const all = similarity.data();
        const auto work = [&](std::size_t from, std::size_t to) {
            NearestRated nearest(rated(), clipped(neighbors));
            for (std::size_t i = from; i < to; ++i) {
                if (at.data()[i] < 0 || column.data()[i] < 0) continue;
                out.put(i, nearest.compute(all + static_cast<std::size_t>(at.data()[i]) * entries_.rows,
                                           column.data()[i], deviation));
            }
        };
        run_in_parts(threads, at.size(), 1024, work);
        return found.tuple();
    }

   private:
    const Entries entries_;
    const std::vector<double> rating_;
    std::unique_ptr<RowSource> source_;

    RatedColumns rated() const { return {entries_.start.data(), entries_.row.data(), rating_.data()}; }

    std::size_t clipped(std::int64_t neighbors) const {
        return static_cast<std::size_t>(
            std::clamp<std::int64_t>(neighbors, 0, static_cast<std::int64_t>(rating_.size())));
    }

    SurpriseDeviation checked(const Optional& center, const Optional& offset, const Optional& spread,
                              double mean) const {
        check(center || (!offset && !spread), "offset and spread need a centre");
        check(!offset || !spread, "offset and spread exclude each other");
        return {data_of(center, entries_.rows, "center must be as long as there are rows"),
                data_of(offset, entries_.columns(), "offset must be as long as there are columns"),
                data_of(spread, entries_.rows, "spread must be as long as there are rows"), mean};
    }

    std::unique_ptr<RowSource> source(const std::string& name, const double* compared, double min_support,
                                      double shrinkage, int threads) const {
        SurpriseRules rules{Measure::cosine, min_support, shrinkage};
        if (name == "msd") {
            rules.measure = Measure::msd;
            return source_of<IntegerMsdSums, MsdSums>(entries_, compared, rules, threads);
        }
        if (name == "pearson") {
            rules.measure = Measure::pearson;
            return source_of<IntegerPearsonSums, PearsonSums>(entries_, compared, rules, threads);
        }
        check(name == "cosine" || name == "pearson_baseline", "no such similarity");
        if (name == "pearson_baseline") rules.measure = Measure::pearson_baseline;
        return source_of<IntegerCosineSums, CosineSums>(entries_, compared, rules, threads);
    }
};

// How much more one row (item) gets than another from those (users) who rated both.
class SurpriseDeviations {
   public:
    SurpriseDeviations(In<std::int64_t> start, In<std::int32_t> row, In<double> value, std::int64_t rows,
                       int threads)
        : entries_(checked_entries(start, row, value, rows)),
          value_(value.data(), value.data() + value.size()) {
        check(threads >= 1, "threads must be at least 1");
        source_ = source_of<IntegerDifferenceSums, DifferenceSums>(entries_, value_.data(), DeviationRules{},
                                                                   threads);
    }

    New<double> row(std::int64_t row) const { return row_of(*source_, entries_.rows, row); }
    New2<double> matrix(int threads) const { return matrix_of(*source_, entries_.rows, threads); }

    New2<double> common(int threads) const {
        check(threads >= 1, "threads must be at least 1");
        const auto source =
            source_of<IntegerDifferenceSums, DifferenceSums>(entries_, value_.data(), CommonRules{}, threads);
        return matrix_of(*source, entries_.rows, threads);
    }

    // The sum and the number of each pair's deviations from the rows of its column that share a column with
    // it.
    nb::tuple sums(In<std::int32_t> row, In<std::int32_t> column, int threads) const {
        check(threads >= 1, "threads must be at least 1");
        const Grouped pairs = grouped(row, column, entries_.rows, entries_.columns());
        New<double> total = new_array<double>(row.size());
        New<std::int64_t> count = new_array<std::int64_t>(row.size());
        double* const totals = total.data();
        std::int64_t* const counts = count.data();
        std::fill_n(totals, row.size(), 0.0), std::fill_n(counts, row.size(), std::int64_t{0});
        const std::int32_t* const columns = column.data();
        read_rows(*source_, pairs.start, threads, [&](int, std::size_t r, const double* deviation) {
            for (std::int64_t p = pairs.start[r]; p < pairs.start[r + 1]; ++p) {
                const auto i = static_cast<std::size_t>(pairs.order[p]);
                add(deviation, columns[i], totals[i], counts[i]);
            }
        });
        return nb::make_tuple(total, count);
    }

    nb::tuple sum_from(In<double> deviation, std::int64_t column) const {
        check(deviation.size() == entries_.rows, "deviations must be as long as there are rows");
        check(column >= 0 && column < static_cast<std::int64_t>(entries_.columns()),
              "a column index is out of range");
        double total = 0;
        std::int64_t count = 0;
        add(deviation.data(), static_cast<std::int32_t>(column), total, count);
        return nb::make_tuple(total, count);
    }

   private:
    const Entries entries_;
    const std::vector<double> value_;
    std::unique_ptr<RowSource> source_;

    void add(const double* deviation, std::int32_t column, double& total, std::int64_t& count) const {
        for (std::int64_t e = entries_.start[column]; e < entries_.start[column + 1]; ++e) {
            const double one = deviation[entries_.row[e]];
            if (one != one) continue;  // nobody rated both
            total += one;
            ++count;
        }
    }
};

}  // namespace

void bind_surprise_knn(nb::module_& m) {
    // NOLINTNEXTLINE(bugprone-throw-keyword-missing, bugprone-unused-raii): it registers the type
    nb::exception<UndefinedSimilarity>(m, "UndefinedSimilarity", PyExc_ZeroDivisionError);
    nb::class_<SurpriseNeighbors>(m, "SurpriseNeighbors")
        .def(nb::init<In<std::int64_t>, In<std::int32_t>, In<double>, In<double>, std::int64_t,
                      const std::string&, double, double, int>(),
             "start"_a.noconvert(), "row"_a.noconvert(), "rating"_a.noconvert(), "compared"_a.noconvert(),
             "rows"_a, "measure"_a, "min_support"_a, "shrinkage"_a, "threads"_a)
        .def("row", &SurpriseNeighbors::row, "row"_a)
        .def("matrix", &SurpriseNeighbors::matrix, "threads"_a)
        .def("means", &SurpriseNeighbors::means, "row"_a.noconvert(), "column"_a.noconvert(), "neighbors"_a,
             "centre"_a.noconvert().none(), "offset"_a.noconvert().none(), "spread"_a.noconvert().none(),
             "mean"_a, "threads"_a)
        .def("means_from", &SurpriseNeighbors::means_from, "similarity"_a.noconvert(), "at"_a.noconvert(),
             "column"_a.noconvert(), "neighbors"_a, "centre"_a.noconvert().none(),
             "offset"_a.noconvert().none(), "spread"_a.noconvert().none(), "mean"_a, "threads"_a);
    nb::class_<SurpriseDeviations>(m, "SurpriseDeviations")
        .def(nb::init<In<std::int64_t>, In<std::int32_t>, In<double>, std::int64_t, int>(),
             "start"_a.noconvert(), "row"_a.noconvert(), "value"_a.noconvert(), "rows"_a, "threads"_a)
        .def("row", &SurpriseDeviations::row, "row"_a)
        .def("matrix", &SurpriseDeviations::matrix, "threads"_a)
        .def("common", &SurpriseDeviations::common, "threads"_a)
        .def("sums", &SurpriseDeviations::sums, "row"_a.noconvert(), "column"_a.noconvert(), "threads"_a)
        .def("sum_from", &SurpriseDeviations::sum_from, "deviation"_a.noconvert(), "column"_a);
}

}  // namespace foretaste
