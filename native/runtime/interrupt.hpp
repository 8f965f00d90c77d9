// Work done by the thread that calls, without the GIL; now and then it asks whether Ctrl-C was pressed.
// For work that goes step by step, and throws where run_on_pool's tasks ask Stop.
#pragma once

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
        if (!timer_.due()) return;
        nb::gil_scoped_acquire held;
        if (PyErr_CheckSignals() != 0) throw nb::python_error();
    }

   private:
    PollTimer timer_;
};

}  // namespace foretaste
