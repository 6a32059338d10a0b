// Tensor: a dense array with a shape. Copies share the numbers; clone() makes new ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tensor/check.h"
#include "tensor/shape.h"

namespace acol {

// float64 exists for the reference kernels, which check gradients; everything that is fast is float32.
enum class DType : std::uint8_t { float32, float64 };

template <class T>
constexpr DType dtype_of = sizeof(T) == 8 ? DType::float64 : DType::float32;

constexpr std::size_t size_of(DType dtype) { return dtype == DType::float64 ? 8 : 4; }

class Tensor {
 public:
  Tensor() = default;  // no numbers: defined() is false

  // Numbers are undetermined; every kernel that fills an output writes all of it.
  static Tensor empty(const Shape& shape, DType dtype = DType::float32);
  static Tensor zeros(const Shape& shape, DType dtype = DType::float32);
  static Tensor full(const Shape& shape, double value, DType dtype = DType::float32);
  // values.size() must be shape.count().
  static Tensor from(const Shape& shape, const std::vector<float>& values);
  static Tensor from(const Shape& shape, const std::vector<double>& values);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  std::int64_t count() const { return defined() ? shape_.count() : 0; }
  std::size_t bytes() const { return static_cast<std::size_t>(count()) * size_of(dtype_); }

  // The numbers, row major, 64-byte aligned. T must be float or double and match dtype().
  template <class T>
  T* data() {
    if (!defined() || dtype_ != dtype_of<T>) [[unlikely]]  // no check(): its message would be made on every call
      fail("tensor: wrong element type asked of ", shape_.str());
    return reinterpret_cast<T*>(storage_.get());
  }
  template <class T>
  const T* data() const {
    return const_cast<Tensor*>(this)->data<T>();
  }
  float* f32() { return data<float>(); }
  const float* f32() const { return data<float>(); }

  // One number, whatever the type; for tests and reports.
  double at(std::int64_t index) const;
  void set(std::int64_t index, double value);

  Tensor clone() const;
  Tensor to(DType dtype) const;               // always new numbers
  Tensor reshaped(const Shape& shape) const;  // shares the numbers; equal count
  void fill(double value);
  void copy_from(const Tensor& other);  // equal shape and type
  std::vector<float> to_vector() const;

 private:
  Shape shape_;
  DType dtype_ = DType::float32;
  std::shared_ptr<std::byte[]> storage_;
};

// Runs `body.template operator()<T>()` with the scalar type of `dtype`: the one place where an operation turns a
// run-time type into a compile-time one.
template <class Body>
decltype(auto) with_scalar(DType dtype, Body&& body) {
  if (dtype == DType::float64) return body.template operator()<double>();
  return body.template operator()<float>();
}

}  // namespace acol
