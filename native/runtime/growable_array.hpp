// An array whose length is not known yet.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace foretaste {

// Numbers in a row, none of them initialized. An array that has become long sets aside much more than it
// needs: memory that is not written costs nothing, and blocks above 32 MB are what C libraries map by
// themselves and can enlarge without copying.
template <class T>
class GrowableArray {
   public:
    // Make room for so many more and return where they start; what was there before may move.
    T* extend(std::size_t count) {
        if (size_ + count > capacity_) {
            std::size_t capacity = std::max(size_ + count, capacity_ + capacity_ / 2);
            if (capacity * sizeof(T) > small_bytes) capacity = std::max(capacity, large_bytes / sizeof(T));
            void* moved = std::realloc(data_.get(), capacity * sizeof(T));
            if (moved == nullptr) throw std::bad_alloc();
            (void)data_.release();
            data_.reset(static_cast<T*>(moved));
            capacity_ = capacity;
        }
        size_ += count;
        return data_.get() + size_ - count;
    }

    std::size_t size() const { return size_; }
    T* data() { return data_.get(); }

    // Hand over the memory, without what was set aside, to be freed with std::free.
    T* release() {
        if (size_ > 0 && size_ < capacity_)
            if (void* moved = std::realloc(data_.get(), size_ * sizeof(T))) {
                (void)data_.release();
                return static_cast<T*>(moved);
            }
        return data_.release();
    }

   private:
    static constexpr std::size_t small_bytes = std::size_t{1} << 20, large_bytes = std::size_t{1} << 26;

    struct Free {
        void operator()(T* data) const { std::free(data); }
    };
    std::unique_ptr<T, Free> data_;
    std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace foretaste
