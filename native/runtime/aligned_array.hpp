// Memory that begins at a line of the cache, so that no vector of a padded row crosses two.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

namespace foretaste {

template <class T>
class AlignedArray {
   public:
    explicit AlignedArray(std::size_t size)
        : data_(static_cast<T*>(::operator new[](size * sizeof(T), alignment))) {
        std::fill_n(data_.get(), size, T{});
    }
    T* data() const { return data_.get(); }

   private:
    static constexpr std::align_val_t alignment{64};
    struct Free {
        void operator()(T* data) const { ::operator delete[](data, alignment); }
    };
    std::unique_ptr<T[], Free> data_;
};

}  // namespace foretaste
