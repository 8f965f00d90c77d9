// Means of the nearest neighbors, as scikit-surprise takes them: of equally alike ones those that come first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace foretaste {

// The rows that have an entry in each column, in the order of the file, and what they have there.
struct RatedColumns {
    const std::int64_t* start;  // (columns + 1)
    const std::int32_t* row;
    const double* value;
};

// What of a rating is averaged.
struct SurpriseDeviation {
    const double* center;  // (rows), or null: the rating itself
    const double* offset;  // (columns), or null; with it, less mean + center + offset
    const double* spread;  // (rows), or null: in units of it
    double mean;

    double weighted(double similarity, double rating, std::int32_t row, std::int32_t column) const {
        if (center == nullptr) return similarity * rating;
        if (offset != nullptr) return similarity * (rating - (mean + center[row] + offset[column]));
        const double weighted = similarity * (rating - center[row]);
        return spread == nullptr ? weighted : weighted / spread[row];
    }
};

struct SurpriseMean {
    double ratings = 0, similarities = 0;
    std::int64_t count = 0;
    bool undefined = false;  // a similarity is not a number: what comes first is for another to say
};

// One thread's.
class NearestRated {
   public:
    NearestRated(const RatedColumns& columns, std::size_t neighbors)
        : columns_(columns), neighbors_(neighbors) {}

    SurpriseMean compute(const double* similarity, std::int32_t column, const SurpriseDeviation& deviation) {
        SurpriseMean mean;
        mean.undefined = gather(similarity, column);
        if (mean.undefined) return mean;
        keep_nearest();
        std::sort(found_.begin(), found_.end(), nearer);
        for (const Found& one : found_) {
            mean.similarities += one.similarity;
            mean.ratings +=
                deviation.weighted(one.similarity, columns_.value[one.at], columns_.row[one.at], column);
        }
        mean.count = static_cast<std::int64_t>(found_.size());
        return mean;
    }

   private:
    struct Found {
        double similarity;
        std::int64_t at;
    };
    const RatedColumns columns_;
    const std::size_t neighbors_;
    std::vector<Found> found_;

    static bool nearer(const Found& a, const Found& b) {
        return a.similarity != b.similarity ? a.similarity > b.similarity : a.at < b.at;
    }

    void keep_nearest() {
        if (found_.size() <= neighbors_) return;
        std::nth_element(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(neighbors_),
                         found_.end(), nearer);
        found_.resize(neighbors_);
    }

    // Find those who may be among the nearest. Only positive similarities count; the rest comes after them.
    bool gather(const double* similarity, std::int32_t column) {
        found_.clear();
        if (neighbors_ == 0) return false;
        const std::size_t most_found = neighbors_ + neighbors_ / 2 + 16;
        double least = 0;
        for (std::int64_t e = columns_.start[column]; e < columns_.start[column + 1]; ++e) {
            const double alike = similarity[columns_.row[e]];
            if (alike <= least) continue;  // who comes later loses against equals
            if (alike != alike) return true;
            found_.push_back({alike, e});
            if (found_.size() < most_found) continue;
            keep_nearest();
            least = found_[0].similarity;
            for (const Found& one : found_) least = std::min(least, one.similarity);
        }
        return false;
    }
};

}  // namespace foretaste
