#include "tensor/tensor.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <map>
#include <mutex>
#include <new>

namespace acol {

namespace {

constexpr std::align_val_t alignment{64};

// Keeps the memory of large tensors that are gone for the next ones of about their size. Given back to the system, it
// would return as fresh pages, whose faults cost a training step 10 to 40 %.
class Memory {
 public:
  std::byte* take(std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    if (size < smallest_kept) return fresh(size);
    const std::lock_guard lock(mutex_);
    std::byte* memory = nullptr;
    const auto above = kept_.upper_bound(size);
    if (above != kept_.begin() && std::prev(above)->first == size) {
      const auto latest = std::prev(above);  // the one most likely to be in the cache
      memory = latest->second;
      kept_.erase(latest);
      kept_bytes_ -= size;
    } else {
      // Never much more than was needed at once, whatever the sizes.
      while (!kept_.empty() && used_bytes_ + kept_bytes_ + size > peak_bytes_ + peak_bytes_ / 4) drop_largest();
      memory = fresh(size);
      while (memory == nullptr && !kept_.empty()) {
        drop_largest();
        memory = fresh(size);
      }
      if (memory == nullptr) return nullptr;
    }
    used_bytes_ += size;
    peak_bytes_ = std::max(peak_bytes_, used_bytes_);
    return memory;
  }

  void give_back(std::byte* memory, std::size_t bytes) {
    const std::size_t size = rounded(bytes);
    if (size < smallest_kept) {
      ::operator delete(memory, alignment);
      return;
    }
    const std::lock_guard lock(mutex_);
    kept_.emplace(size, memory);
    kept_bytes_ += size;
    used_bytes_ -= size;
  }

 private:
  static constexpr std::size_t smallest_kept = std::size_t{64} << 10;

  // Up to one of eight steps between powers of two, so that sizes that differ a little share their memory.
  static std::size_t rounded(std::size_t bytes) {
    const std::size_t step = std::max<std::size_t>(64, std::bit_floor(bytes) / 8);
    return std::max<std::size_t>(1, (bytes + step - 1) / step) * step;
  }

  static std::byte* fresh(std::size_t size) {
    return static_cast<std::byte*>(::operator new(size, alignment, std::nothrow));
  }

  void drop_largest() {
    const auto largest = std::prev(kept_.end());
    ::operator delete(largest->second, alignment);
    kept_bytes_ -= largest->first;
    kept_.erase(largest);
  }

  std::mutex mutex_;
  std::multimap<std::size_t, std::byte*> kept_;  // by size
  std::size_t kept_bytes_ = 0, used_bytes_ = 0, peak_bytes_ = 0;
};

// Lives until the process ends, since tensors may be static.
Memory& memory_in_use() {
  static Memory& memory = *new Memory;
  return memory;
}

std::shared_ptr<std::byte[]> allocate(std::size_t bytes) {
  std::byte* const memory = memory_in_use().take(bytes);
  check(memory != nullptr, "out of memory: ", bytes >> 20, " MB asked for one tensor; lower --batch-size or --crop");
  return {memory, [bytes](std::byte* pointer) { memory_in_use().give_back(pointer, bytes); }};
}

template <class T>
Tensor copied(const Shape& shape, const std::vector<T>& values) {
  check(shape.count() == static_cast<std::int64_t>(values.size()), "tensor: shape ", shape.str(), " wants ",
        shape.count(), " values, got ", values.size());
  Tensor tensor = Tensor::empty(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), tensor.data<T>());
  return tensor;
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype) {
  Tensor tensor;
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  tensor.storage_ = allocate(static_cast<std::size_t>(shape.count()) * size_of(dtype));
  return tensor;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype) {
  Tensor tensor = empty(shape, dtype);
  std::memset(tensor.storage_.get(), 0, tensor.bytes());
  return tensor;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
  Tensor tensor = empty(shape, dtype);
  tensor.fill(value);
  return tensor;
}

Tensor Tensor::from(const Shape& shape, const std::vector<float>& values) { return copied(shape, values); }
Tensor Tensor::from(const Shape& shape, const std::vector<double>& values) { return copied(shape, values); }

double Tensor::at(std::int64_t index) const {
  return with_scalar(dtype_, [&]<class T>() { return static_cast<double>(data<T>()[index]); });
}

void Tensor::set(std::int64_t index, double value) {
  with_scalar(dtype_, [&]<class T>() { data<T>()[index] = static_cast<T>(value); });
}

Tensor Tensor::clone() const {
  if (!defined()) return {};
  Tensor copy = empty(shape_, dtype_);
  std::memcpy(copy.storage_.get(), storage_.get(), bytes());
  return copy;
}

Tensor Tensor::to(DType dtype) const {
  Tensor result = empty(shape_, dtype);
  with_scalar(dtype_, [&]<class From>() {
    with_scalar(dtype, [&]<class To>() {
      std::transform(data<From>(), data<From>() + count(), result.data<To>(),
                     [](From x) { return static_cast<To>(x); });
    });
  });
  return result;
}

Tensor Tensor::reshaped(const Shape& shape) const {
  check(shape.count() == count(), "tensor: cannot see ", shape_.str(), " as ", shape.str());
  Tensor view = *this;
  view.shape_ = shape;
  return view;
}

void Tensor::fill(double value) {
  with_scalar(dtype_, [&]<class T>() { std::fill_n(data<T>(), count(), static_cast<T>(value)); });
}

void Tensor::copy_from(const Tensor& other) {
  check(shape_ == other.shape_ && dtype_ == other.dtype_, "tensor: cannot copy ", other.shape_.str(), " into ",
        shape_.str());
  std::memcpy(storage_.get(), other.storage_.get(), bytes());
}

std::vector<float> Tensor::to_vector() const {
  std::vector<float> values(static_cast<std::size_t>(count()));
  for (std::int64_t i = 0; i < count(); ++i) values[static_cast<std::size_t>(i)] = static_cast<float>(at(i));
  return values;
}

}  // namespace acol
