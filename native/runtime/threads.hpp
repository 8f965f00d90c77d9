// Groups of threads that live as long as the process and survive fork, and a way to be interrupted.
//
// The calling thread does no work: it waits, and every 50 ms asks `poll` whether to stop (Ctrl-C). Tasks
// are taken in increasing order, so a task may wait for an earlier one without deadlock. Which thread
// runs a task never changes a result.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace foretaste {

// Set when the caller wants the work to end early; long tasks look at it between their parts.
using Stop = std::atomic<bool>;

// Threads that do one piece of work at a time.
class WorkerGroup {
   public:
    bool run(int threads, std::size_t tasks, const std::function<void(std::size_t, int)>& work,
             const std::function<bool()>& poll, Stop& stop);

   private:
    void grow(int threads);
    void serve(int worker);

    std::mutex mutex_;
    std::condition_variable wake_, done_;
    std::vector<std::thread> workers_;
    std::size_t round_ = 0;
    int wanted_ = 0, busy_ = 0;
    std::atomic<std::size_t> next_{0};
    std::size_t tasks_ = 0;
    const std::function<void(std::size_t, int)>* work_ = nullptr;
    Stop* stop_ = nullptr;
    std::exception_ptr failure_;
};

class Pool {
   public:
    // The pool of this process: a child of fork gets a new one, since threads do not survive fork.
    static Pool& instance();

    // Run work(task, worker) for every task below `tasks` on `threads` threads; returns when all are done.
    // Returns false if `poll` asked to stop. Rethrows the first exception of a task. Callers on several
    // threads work side by side: each has a group of its own until it is done.
    bool run(int threads, std::size_t tasks, const std::function<void(std::size_t, int)>& work,
             const std::function<bool()>& poll, Stop& stop);

   private:
    std::mutex mutex_;
    std::size_t groups_ = 0;
    std::vector<WorkerGroup*> idle_;  // never freed: their threads live as long as the process
};

// Spin a little, then yield the processor.
class Backoff {
   public:
    void pause() {
        if (++turns_ < 200) {
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#endif
        } else {
            std::this_thread::yield();
        }
    }

   private:
    int turns_ = 0;
};

}  // namespace foretaste
