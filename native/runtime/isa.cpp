// Compiled once for each instruction set; see CMakeLists.txt.
#include "kernels/als.hpp"
#include "kernels/impute.hpp"
#include "kernels/sgd.hpp"
#include "kernels/svdpp.hpp"
#include "kernels/topk.hpp"
#include "runtime/kernels.hpp"
#include "surprise/factors.hpp"
#include "surprise/nmf.hpp"
#include "surprise/svdpp.hpp"

#define FORETASTE_TEXT_(word) #word
#define FORETASTE_TEXT(word) FORETASTE_TEXT_(word)

namespace foretaste::FORETASTE_ISA {

extern const Kernels table;
const Kernels table{
    FORETASTE_TEXT(FORETASTE_ISA),
    &sgd_block<float>,
    &dot_pairs<float>,
    &svdpp_visit<float>,
    &svdpp_share<float>,
    ImputeTile<float>::donors,
    &impute_distances<float>,
    &impute_distances<double>,
    &als_memory,
    &als_row,
    TopkTile::users,
    TopkTile::items,
    &topk_panel,
    &topk_sort,
    &topk_row,
    Vector<double>::lanes,
    &dot_pairs<double>,
    &surprise_svd,
    &surprise_svdpp,
    &surprise_nmf_user,
    &surprise_nmf_item,
};

}  // namespace foretaste::FORETASTE_ISA
