// Which instruction set to use: the best that the processor has, or the one named in FORETASTE_ISA.
#include <cstdlib>
#include <cstring>

#include "runtime/kernels.hpp"

namespace foretaste {

namespace plain {
extern const Kernels table;
}
#ifdef FORETASTE_HAS_v3
namespace v3 {
extern const Kernels table;
}
#endif
#ifdef FORETASTE_HAS_v4
namespace v4 {
extern const Kernels table;
}
#endif

namespace {

const Kernels* const* detect() {
    static const Kernels* found[4] = {};
    int n = 0;
#if defined(FORETASTE_HAS_v3) || defined(FORETASTE_HAS_v4)
    __builtin_cpu_init();
#endif
#ifdef FORETASTE_HAS_v4
    if (__builtin_cpu_supports("x86-64-v4")) found[n++] = &v4::table;
#endif
#ifdef FORETASTE_HAS_v3
    if (__builtin_cpu_supports("x86-64-v3")) found[n++] = &v3::table;
#endif
    found[n++] = &plain::table;
    return found;
}

const Kernels* chosen = nullptr;

}  // namespace

const Kernels* const* available_kernels() {
    static const Kernels* const* found = detect();
    return found;
}

bool use_kernels(const char* isa) {
    for (const Kernels* const* k = available_kernels(); *k != nullptr; ++k) {
        if (std::strcmp((*k)->isa, isa) != 0) continue;
        chosen = *k;
        return true;
    }
    return false;
}

const Kernels& kernels() {
    if (chosen == nullptr) {
        const char* wanted = std::getenv("FORETASTE_ISA");
        if (wanted == nullptr || !use_kernels(wanted)) chosen = available_kernels()[0];
    }
    return *chosen;
}

}  // namespace foretaste
