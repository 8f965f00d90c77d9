// Groups of threads that live as long as the process and survive fork, and a way to be interrupted.
//
// Work on one thread, and so whatever is a single task, runs on the calling thread. Otherwise the calling
// thread waits. Either way it asks `poll` every 50 ms whether to stop (Ctrl-C). Tasks are taken in increasing
// order, so a task may wait for an earlier one without deadlock. Which thread runs a task never changes a
// result.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace foretaste {

// Says at most every 50 ms that it is time to look for Ctrl-C.
class PollTimer {
   public:
    bool due() {
        const std::int64_t time = milliseconds();
        if (time - last_ < 50) return false;
        last_ = time;
        return true;
    }

   private:
    static std::int64_t milliseconds() {
#ifdef CLOCK_MONOTONIC_COARSE  // some milliseconds late, in a fraction of the time: it is asked for every row
        timespec time;
        clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
        return static_cast<std::int64_t>(time.tv_sec) * 1000 + time.tv_nsec / 1'000'000;
#else
        using namespace std::chrono;
        return duration_cast<std::chrono::milliseconds>(steady_clock::now().time_since_epoch()).count();
#endif
    }

    std::int64_t last_ = milliseconds();
};

// Whether the work is to end early; long tasks ask between their parts.
class Stop {
   public:
    // On the calling thread this polls, for nobody else does; no other thread has a part in the work then.
    bool requested() const {
        if (poll_ != nullptr && !flag_.load(std::memory_order_relaxed) && timer_.due() && (*poll_)())
            request();
        return flag_.load(std::memory_order_relaxed);
    }
    void request() const { flag_.store(true); }
    void poll_by(const std::function<bool()>* poll) { poll_ = poll; }

   private:
    mutable std::atomic<bool> flag_{false};
    mutable PollTimer timer_;
    const std::function<bool()>* poll_ = nullptr;
};

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
