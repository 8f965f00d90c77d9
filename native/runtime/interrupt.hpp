// Work done by the thread that calls, without the GIL; now and then it asks whether Ctrl-C was pressed.
// For work that goes step by step: no crew is woken for it, so that one prediction costs no more than its
// sums.
#pragma once

#include <chrono>
#include <utility>

#include "runtime/binding.hpp"

namespace foretaste {

class InterruptibleCall {
   public:
    template <class Work>
    static void run(Work&& work) {
        nb::gil_scoped_release released;
        InterruptibleCall call;
        std::forward<Work>(work)(call);
    }

    // Call between parts of the work, as often as is cheap; raises KeyboardInterrupt.
    void check_signals() {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ < std::chrono::milliseconds(50)) return;
        last_ = now;
        nb::gil_scoped_acquire held;
        if (PyErr_CheckSignals() != 0) throw nb::python_error();
    }

   private:
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace foretaste
