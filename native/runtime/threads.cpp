#include "runtime/threads.hpp"

#include <chrono>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif

namespace foretaste {

namespace {

std::atomic<Pool*> current{nullptr};

#if defined(__unix__) || defined(__APPLE__)
// In the child the old threads are gone and its locks may be held for ever: forget the pool, never free it.
const int registered = pthread_atfork(nullptr, nullptr, [] { current.store(nullptr); });

void block_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}
#else
void block_signals() {}
#endif

}  // namespace

Pool& Pool::instance() {
    Pool* pool = current.load();
    if (pool == nullptr) {
        Pool* fresh = new Pool;  // never freed: its threads live as long as the process
        if (current.compare_exchange_strong(pool, fresh)) return *fresh;
        delete fresh;
    }
    return *pool;
}

void WorkerGroup::grow(int threads) {
    while (static_cast<int>(workers_.size()) < threads) {
        workers_.emplace_back(&WorkerGroup::serve, this, static_cast<int>(workers_.size()));
        workers_.back().detach();
    }
}

void WorkerGroup::serve(int worker) {
    block_signals();
    std::size_t seen = 0;
    for (;;) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [&] { return round_ != seen && worker < wanted_; });
            seen = round_;
        }
        for (;;) {
            const std::size_t task = next_.fetch_add(1);
            if (task >= tasks_ || stop_->requested()) break;
            try {
                (*work_)(task, worker);
            } catch (...) {
                std::lock_guard lock(mutex_);
                if (!failure_) failure_ = std::current_exception();
                stop_->request();
            }
        }
        std::lock_guard lock(mutex_);
        if (--busy_ == 0) done_.notify_all();
    }
}

namespace {

bool run_on_caller(std::size_t tasks, const std::function<void(std::size_t, int)>& work,
                   const std::function<bool()>& poll, Stop& stop) {
    struct Polling {
        Stop& stop;
        ~Polling() { stop.poll_by(nullptr); }
    } polling{stop};
    stop.poll_by(&poll);
    for (std::size_t task = 0; task < tasks && !stop.requested(); ++task) work(task, 0);
    return !stop.requested();
}

}  // namespace

bool Pool::run(int threads, std::size_t tasks, const std::function<void(std::size_t, int)>& work,
               const std::function<bool()>& poll, Stop& stop) {
    if (tasks == 0) return true;
    if (threads < 1) threads = 1;
    if (static_cast<std::size_t>(threads) > tasks) threads = static_cast<int>(tasks);
    if (threads == 1) return run_on_caller(tasks, work, poll, stop);
    struct Lease {
        Pool& pool;
        WorkerGroup* group = nullptr;
        explicit Lease(Pool& from) : pool(from) {
            std::lock_guard lock(pool.mutex_);
            if (!pool.idle_.empty()) {
                group = pool.idle_.back();
                pool.idle_.pop_back();
            }
            if (group == nullptr) {
                pool.idle_.reserve(++pool.groups_);  // so that giving back cannot fail
                group = new WorkerGroup;
            }
        }
        ~Lease() {
            std::lock_guard lock(pool.mutex_);
            pool.idle_.push_back(group);
        }
    } lease(*this);
    return lease.group->run(threads, tasks, work, poll, stop);
}

bool WorkerGroup::run(int threads, std::size_t tasks, const std::function<void(std::size_t, int)>& work,
                      const std::function<bool()>& poll, Stop& stop) {
    bool interrupted = false;
    {
        std::unique_lock lock(mutex_);
        grow(threads);
        next_ = 0, tasks_ = tasks, work_ = &work, stop_ = &stop, failure_ = nullptr;
        wanted_ = busy_ = threads;
        ++round_;
        wake_.notify_all();
        while (!done_.wait_for(lock, std::chrono::milliseconds(50), [&] { return busy_ == 0; })) {
            lock.unlock();
            if (!interrupted && poll()) {
                interrupted = true;
                stop.request();
            }
            lock.lock();
        }
        wanted_ = 0;
    }
    if (failure_) std::rethrow_exception(failure_);
    return !interrupted;
}

}  // namespace foretaste
