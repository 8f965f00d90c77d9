// The kernels of one instruction set, as a table of functions; `kernels()` gives the best one there is.
#pragma once

#include <cstddef>
#include <cstdint>

#include "surprise/data.hpp"

namespace foretaste {

// One epoch of biased matrix factorization by stochastic gradient descent; see kernels/sgd.hpp.
template <class T>
struct SgdData {
    static constexpr int ahead = 4;  // rows whose item is fetched before its use
    const std::int64_t* block;       // where each block's rows start, grid * grid + 1
    const std::int32_t* user;        // rows sorted by block, then user
    const std::int32_t* item;        // and `ahead` more positions, holding 0
    const T* value;
    const T* weight;  // or null: all 1
    T* user_factors;  // (users, width), aligned to nothing
    T* item_factors;  // (items, width)
    T* user_bias;
    T* item_bias;
    int width;  // factors, padded with zeros to a multiple of 16
    T learning_rate, regularization;
    T bias_learning_rate, bias_regularization;
};

template <class T>
struct DotData {
    const std::int32_t* user;  // -1 = unknown: its bias and factors count as 0
    const std::int32_t* item;
    const T* user_factors;
    const T* item_factors;
    const T* user_bias;
    const T* item_bias;
    int width;
    T mean;
};

// What time adds to SVD++ (timeSVD++); each part is missing where its table is null.
template <class T>
struct SvdppTime {
    const T* deviation;           // of each row: how far it lies from the user's mean time
    const std::int32_t* bin;      // of each row: the item's bin
    const std::int32_t* session;  // of each row: the user's session
    const T *user_weight, *bin_weight, *session_weight;  // the sums of the weights of their rows
    T* drift_bias;                                       // (users)
    T* drift_factors;                                    // (users, width); never without drift_bias
    T* bin_bias;
    T* session_bias;
    T drift_damping, bin_damping, session_damping;
};

// Matrix factorization with implicit feedback by stochastic gradient descent; see kernels/svdpp.hpp.
template <class T>
struct SvdppData {
    static constexpr int ahead = 4;  // rows whose item is fetched before its use
    const std::int64_t*
        start;  // where the rows of the user at each position of the order of visits start, users + 1
    const std::int32_t* user;  // the user at each position
    const std::int32_t* item;  // of each row, increasing within a user; and `ahead` more positions, holding 0
    const T* value;
    const T* weight;      // or null: all 1
    T* user_factors;      // (users, width), aligned to nothing
    T* item_factors;      // (items, width)
    T* implicit_factors;  // (items, width)
    T* user_bias;
    T* item_bias;
    int width;  // factors, padded with zeros to a multiple of 16
    T learning_rate, regularization;
    T implicit_rate, implicit_regularization;
    SvdppTime<T> time;
};

// Users visited together, and what they learned of items, until it is shared.
template <class T>
struct SvdppRound {
    std::int64_t first, last;  // their positions in the order of visits
    T* item_step;              // (rows, width)
    T* bias_step;              // (rows)
    T* bin_step;               // (rows), or null without bins
    T* shared_step;            // (last - first, width): what each implicit factor of a user's items gets
    T* decay;                  // (last - first): by what it is multiplied before
};

// Rows cut into tiles of donors; see kernels/impute.hpp.
template <class T>
struct ImputeTiles {
    const T* value;             // (tiles, columns, donors of a tile), NaN = missing
    const std::uint8_t* known;  // the same shape: 1, or 0 = missing
    std::size_t tiles, columns;
};

// Rows whose distances are wanted: the columns that each has, and its values there.
template <class T>
struct ImputeReceivers {
    const std::int64_t* starts;  // (count + 1)
    const std::int32_t* column;
    const T* value;
    int count;
};

// How the unknowns of a row are found; see kernels/als.hpp and kernels/nmf.hpp.
enum class AlsSolver { cholesky, coordinates, gradients, multiplicative };

// Ratings grouped by row (a user, or an item), what is known of the other side, and the row's own unknowns.
struct AlsData {
    const std::int64_t* starts;  // (rows + 1)
    const std::int32_t* other;   // who was rated, or who rated
    const float* value;
    const float* weight;      // or null: all 1
    const float* features;    // (others, stride): their factors
    const float* other_bias;  // (others), or null as own_bias
    float* own;               // (rows, stride)
    float* own_bias;          // (rows), or null: no biases
    const float* ridge;       // (rows)
    const float* growth;      // (stride): how many times the ridge weighs on each factor
    const float* bias_ridge;  // (rows), or null as own_bias
    int factors, stride;      // stride: factors, padded with zeros to a multiple of 16
    AlsSolver solver;
    int steps;  // of the solvers that do not end by themselves
};

// The items to choose from, in the order in which they are met; see kernels/topk.hpp.
struct TopkItems {
    const float* factors;      // (items, width)
    const float* bias;         // (items)
    const std::int32_t* item;  // (count): which
    std::size_t count;
    int width;
};

// A block of users and their best items so far.
struct TopkUsers {
    const float* factors;  // (tiles of users, width, users of a tile), the last tile filled up with zeros
    float* least;          // (users, filled up): only a higher score is of interest; infinity where filled up
    std::int32_t* kept;    // (users): how many are kept
    float* score;          // (users, keep)
    std::int32_t* item;    // (users, keep)
    const std::uint64_t* seen;  // (users, words), a bit for each item that is left out; or null
    std::size_t count, keep, words;
};

struct Kernels {
    const char* isa;
    double (*sgd_block)(const SgdData<float>&, std::int64_t block);
    void (*dot_pairs)(const DotData<float>&, std::size_t from, std::size_t to, float* out);
    double (*svdpp_visit)(const SvdppData<float>&, const SvdppRound<float>&, std::int64_t position,
                          float* scratch);
    void (*svdpp_share)(const SvdppData<float>&, const SvdppRound<float>&, std::int32_t low,
                        std::int32_t high);
    int impute_tile;  // donors of a tile; the distances of a receiver take tiles * donors numbers
    void (*impute_distances)(const ImputeTiles<float>&, const ImputeReceivers<float>&, float* out);
    void (*impute_distances_double)(const ImputeTiles<double>&, const ImputeReceivers<double>&, double* out);
    std::size_t (*als_memory)(const AlsData&);  // floats of memory that als_row needs, aligned to 64 bytes
    double (*als_row)(const AlsData&, std::int64_t row, float* memory);
    int topk_users, topk_items;  // of a tile
    void (*topk_panel)(const TopkItems&, std::size_t from, const TopkUsers&,
                       float* packed);  // (width, topk_items)
    void (*topk_sort)(float* score, std::int32_t* item, std::size_t size);
    std::size_t (*topk_row)(const float* row, const std::int32_t* item, std::size_t n, std::size_t keep,
                            float* score, std::int32_t* chosen);
    int double_lanes;  // float64 numbers of a vector
    void (*dot_pairs_double)(const DotData<double>&, std::size_t from, std::size_t to, double* out);
    void (*surprise_svd)(const SurpriseSgd&, std::int64_t from, std::int64_t to);
    void (*surprise_svdpp)(const SurpriseSgd&, std::int64_t user, bool repeats, double* scratch);
    bool (*surprise_nmf_user)(const SurpriseNmf&, std::int64_t user, double* scratch);
    bool (*surprise_nmf_item)(const SurpriseNmf&, std::int64_t item);
};

const Kernels& kernels();

// Every instruction set in this build that this processor can run, best first; null after the last.
const Kernels* const* available_kernels();

// Use the instruction set of this name from now on; false if it is not available.
bool use_kernels(const char* isa);

}  // namespace foretaste
