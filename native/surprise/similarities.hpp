// Similarities as scikit-surprise has them, one row at a time, to the last bit.
//
// Sums over the columns in common are added in double precision and in the order of the columns, so that two
// rows that are equally alike there are so here: which neighbor is the last of k hangs on it. Where all
// ratings are small whole numbers of halves (quarters, ...), every order gives the same sums, and they are
// added as whole numbers, two in one word.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/pair_sums.hpp"

namespace foretaste {

// A similarity that would be something divided by 0.
class UndefinedSimilarity : public std::exception {
   public:
    UndefinedSimilarity(std::size_t row, std::size_t other)
        : text_("the similarity of " + std::to_string(row) + " and " + std::to_string(other) +
                " divides by 0") {}
    const char* what() const noexcept override { return text_.c_str(); }

   private:
    std::string text_;
};

enum class Measure { cosine, msd, pearson, pearson_baseline };

// How an entry is kept where the value is a whole number up to 255 of units.
struct IntegerEntries {
    static constexpr bool distinct = true;
    static constexpr std::size_t most_rows = std::size_t{1} << 24;
    static constexpr double most_units = 255;
    using Entry = std::uint32_t;
    double unit = 1;  // a power of 2

    static std::size_t position(Entry entry) { return entry >> 8; }
    std::uint64_t value(Entry entry) const { return entry & 255; }
    Entry entry(std::int32_t position, double value) const {
        return static_cast<Entry>(position) << 8 | static_cast<Entry>(value / unit);
    }

    // Find the greatest unit of 1, 1/2, 1/4, 1/8 that all values are whole numbers of; false if there is
    // none.
    bool fit(const CooMatrix<double>& cells) {
        if (cells.rows > most_rows) return false;
        for (unit = 1; unit >= 0.125; unit /= 2) {
            std::size_t e = 0;
            while (e < cells.size && fits(cells.value[e] / unit)) ++e;
            if (e == cells.size) return true;
        }
        return false;
    }

   private:
    static bool fits(double units) { return units >= 0 && units <= most_units && units == std::floor(units); }
};

// Sums of whole numbers, the lower half of a word and the upper; none may reach 2^32.
inline double lower(std::uint64_t word) { return static_cast<double>(word & 0xFFFFFFFF); }
inline double upper(std::uint64_t word) { return static_cast<double>(word >> 32); }

struct IntegerMsdSums {
    static constexpr bool counted = true;
    std::uint64_t common_square = 0;
    bool any() const { return common_square != 0; }
    void add(std::uint64_t x, std::uint64_t y) { common_square += 1 | (x - y) * (x - y) << 32; }
    MsdSums sums(double unit) const { return {unit * unit * upper(common_square), lower(common_square)}; }
};

struct IntegerCosineSums {
    static constexpr bool counted = true;
    std::uint64_t common_product = 0, squares = 0;
    bool any() const { return common_product != 0; }
    void add(std::uint64_t x, std::uint64_t y) {
        common_product += 1 | x * y << 32, squares += x * x | y * y << 32;
    }
    CosineSums sums(double unit) const {
        const double square = unit * unit;
        return {square * upper(common_product), lower(common_product), square * lower(squares),
                square * upper(squares)};
    }
};

struct IntegerPearsonSums {
    static constexpr bool counted = true;
    std::uint64_t common_product = 0, squares = 0, values = 0;
    bool any() const { return common_product != 0; }
    void add(std::uint64_t x, std::uint64_t y) {
        common_product += 1 | x * y << 32, squares += x * x | y * y << 32, values += x | y << 32;
    }
    PearsonSums sums(double unit) const {
        const double square = unit * unit;
        return {square * upper(common_product), lower(common_product), square * lower(squares),
                square * upper(squares),        unit * lower(values),  unit * upper(values)};
    }
};

struct IntegerDifferenceSums {
    static constexpr bool counted = true;
    std::int32_t difference = 0, common = 0;
    bool any() const { return common != 0; }
    void add(std::uint64_t x, std::uint64_t y) {
        difference += static_cast<std::int32_t>(x) - static_cast<std::int32_t>(y), common += 1;
    }
    DifferenceSums sums(double unit) const { return {unit * difference, static_cast<double>(common)}; }
};

inline const DifferenceSums& as_doubles(const DifferenceSums& s, const PlainEntries<double>&) { return s; }
inline const MsdSums& as_doubles(const MsdSums& s, const PlainEntries<double>&) { return s; }
inline const CosineSums& as_doubles(const CosineSums& s, const PlainEntries<double>&) { return s; }
inline const PearsonSums& as_doubles(const PearsonSums& s, const PlainEntries<double>&) { return s; }
template <class Sums>
auto as_doubles(const Sums& s, const IntegerEntries& form) {
    return s.sums(form.unit);
}

// The formulas, in the order of operations that settles the last bit.
struct SurpriseRules {
    Measure measure;
    double min_support;
    double shrinkage;

    static constexpr double without_common = 0;  // without columns in common
    double own(double, std::int64_t) const { return 1; }

    bool defined_without_common() const {
        return min_support >= 1 || measure == Measure::pearson || measure == Measure::pearson_baseline;
    }

    // False if it divides by 0.
    bool compute(const MsdSums& s, double& found) const {
        found = s.common < min_support ? 0 : s.similarity();
        return true;
    }

    bool compute(const CosineSums& s, double& found) const {
        const bool shrunk = measure == Measure::pearson_baseline;
        found = 0;
        if (s.common < (shrunk && min_support < 2 ? 2 : min_support)) return true;
        const double norms = s.norms();
        if (norms == 0) return false;
        found = s.product / norms;
        if (!shrunk) return true;
        if (s.common - 1 + shrinkage == 0) return false;
        found *= (s.common - 1) / (s.common - 1 + shrinkage);
        return true;
    }

    bool compute(const PearsonSums& s, double& found) const {
        found = 0;
        if (s.common < min_support) return true;
        const double norms = std::sqrt(s.own_variance() * s.other_variance());
        if (norms != 0) found = s.covariance() / norms;  // a number that is none, too
        return true;
    }
};

// How much higher a row lies than another where both have something, on average.
struct DeviationRules {
    static constexpr double without_common = std::numeric_limits<double>::quiet_NaN();
    double own(double, std::int64_t) const { return 0; }
    bool defined_without_common() const { return true; }
    bool compute(const DifferenceSums& s, double& found) const {
        found = s.difference / s.common;
        return true;
    }
};

// In how many columns; a row with several entries in a column meets itself there.
struct CommonRules {
    static constexpr double without_common = 0;
    double own(double count, std::int64_t entries) const { return count + static_cast<double>(entries); }
    bool defined_without_common() const { return true; }
    bool compute(const DifferenceSums& s, double& found) const {
        found = s.common;
        return true;
    }
};

// Reads one row after another; one thread's.
class RowReader {
   public:
    virtual ~RowReader() = default;
    // What of a row is wanted, by row: dense.
    virtual const double* read(std::size_t row) = 0;
};

// What can be read of rows, whatever form their entries have.
class RowSource {
   public:
    virtual ~RowSource() = default;
    virtual std::unique_ptr<RowReader> reader() const = 0;
    virtual std::int64_t work(std::size_t row) const = 0;
};

template <class Form>
std::vector<std::int32_t> positions_of(const RowPlan<Form>& plan) {
    std::vector<std::int32_t> position(plan.rows);
    for (std::size_t p = 0; p < plan.rows; ++p) position[plan.order[p]] = static_cast<std::int32_t>(p);
    return position;
}

template <class Form, class Sums, class Rules>
class ComputedRows : public RowSource {
   public:
    ComputedRows(std::unique_ptr<RowPlan<Form>> plan, const Rules& rules)
        : plan_(std::move(plan)), position_(positions_of(*plan_)), rules_(rules) {}

    std::unique_ptr<RowReader> reader() const override { return std::make_unique<Reader>(*this); }
    std::int64_t work(std::size_t row) const override { return plan_->work(position_[row], true); }

   private:
    std::unique_ptr<RowPlan<Form>> plan_;
    const std::vector<std::int32_t> position_;
    const Rules rules_;

    class Reader : public RowReader {
       public:
        explicit Reader(const ComputedRows& of)
            : of_(of), sums_(*of.plan_), found_(of.plan_->rows, Rules::without_common) {}

        const double* read(std::size_t row) override {
            for (const std::int32_t other : touched_) found_[other] = Rules::without_common;
            touched_.clear();
            const RowPlan<Form>& plan = *of_.plan_;
            const auto position = static_cast<std::size_t>(of_.position_[row]);
            std::int32_t undefined = -1;
            double self = 0;
            sums_.walk(position, true, [&](std::size_t at, const Sums& found) {
                const std::int32_t other = plan.order[at];
                const auto& sums = as_doubles(found, plan.form);
                if (at == position) {
                    self = sums.common;
                    return;
                }
                touched_.push_back(other);
                if (!of_.rules_.compute(sums, found_[other])) undefined = other;
            });
            touched_.push_back(static_cast<std::int32_t>(row));
            found_[row] = of_.rules_.own(self, plan.row_start[position + 1] - plan.row_start[position]);
            if (!of_.rules_.defined_without_common() && undefined < 0) undefined = row_without_common();
            if (undefined >= 0) throw UndefinedSimilarity(row, static_cast<std::size_t>(undefined));
            return found_.data();
        }

       private:
        const ComputedRows& of_;
        RowSums<Form, Sums> sums_;
        std::vector<double> found_;
        std::vector<std::int32_t> touched_;

        // A row without a column in common, or -1.
        std::int32_t row_without_common() const {
            std::vector<bool> known(found_.size());
            for (const std::int32_t other : touched_) known[other] = true;
            for (std::size_t other = 0; other < known.size(); ++other)
                if (!known[other]) return static_cast<std::int32_t>(other);
            return -1;
        }
    };
};

}  // namespace foretaste
