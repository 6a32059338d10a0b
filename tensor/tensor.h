// Tensor: a dense array with a shape. Copies share the numbers; clone() makes new ones.
//
// Numbers lie in ordinary memory or, float32 and bfloat16 made while a device with memory of its own is in use, in the
// device's (tensor/device.h). Kernels take either by data(), as the device in use wants it; all that reads or writes
// numbers itself goes through to_host(), change_on_host() or the members that say so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tensor/bf16.h"
#include "tensor/check.h"
#include "tensor/device.h"
#include "tensor/shape.h"

namespace acol {

// float64 exists for the reference kernels, which check gradients; bfloat16 for activations on a card; all else that is
// fast is float32.
enum class DType : std::uint8_t { float32, float64, bfloat16 };

template <class T>
constexpr DType dtype_of = sizeof(T) == 8   ? DType::float64
                           : sizeof(T) == 2 ? DType::bfloat16
                                            : DType::float32;

constexpr std::size_t size_of(DType dtype) { return dtype == DType::float64 ? 8 : dtype == DType::bfloat16 ? 2 : 4; }
const char* name_of(DType dtype);

// That of parameters beside activations of type `dtype` (ParameterOf in tensor/bf16.h), and that of a network's
// activations with the device and the precision in use.
constexpr DType parameter_type(DType dtype) { return dtype == DType::bfloat16 ? DType::float32 : dtype; }
DType activation_type();

class Tensor {
 public:
  Tensor() = default;  // no numbers: defined() is false

  // Numbers are undetermined; every kernel that fills an output writes all of it.
  static Tensor empty(const Shape& shape, DType dtype = DType::float32);
  // In ordinary memory, whatever the device.
  static Tensor empty_on_host(const Shape& shape, DType dtype = DType::float32);
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

  bool on_host() const { return device_ == nullptr; }
  const DeviceMemory* device() const { return device_; }  // null: on the host
  Tensor to_host() const;                                 // itself if it is there, else a copy
  Tensor to_device() const;  // itself if it is where float32 of the device in use lies (float64: ordinary memory)

  // Where the numbers are, row major, 64-byte aligned. T must be float, double or Bf16 and match dtype().
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
  // The same for code that uses the numbers itself. Error if they are not on the host.
  float* f32() {
    if (!on_host()) [[unlikely]]
      fail("tensor: the numbers of ", shape_.str(), " lie on a device; ask to_host() first");
    return data<float>();
  }
  const float* f32() const { return const_cast<Tensor*>(this)->f32(); }
  // body(Tensor&) with this tensor if it is on the host, else with one there that is copied here afterwards: a copy of
  // this one to change, or undetermined numbers to write all of.
  template <class Body>
  void change_on_host(const Body& body) {
    through_host(to_host(), body);
  }
  template <class Body>
  void write_on_host(const Body& body) {
    through_host(on_host() ? *this : empty_on_host(shape_, dtype_), body);
  }

  // One number, whatever the type and wherever it is, waiting for a device; for tests and reports.
  double at(std::int64_t index) const;
  void set(std::int64_t index, double value);

  Tensor clone() const;
  Tensor to(DType dtype) const;               // always new numbers, where that type lies with the device in use
  Tensor reshaped(const Shape& shape) const;  // shares the numbers; equal count
  void fill(double value);
  void copy_from(const Tensor& other);  // equal shape and type; from and to anywhere
  // Rows [first, first + count) along the first axis, as new numbers in the same place.
  Tensor rows(int first, int count) const;
  std::vector<float> to_vector() const;

 private:
  static Tensor made(const Shape& shape, DType dtype, const DeviceMemory* device);
  template <class Body>
  void through_host(Tensor host, const Body& body) {  // `host` shares this tensor's numbers if they are there
    body(host);
    if (!on_host()) copy_from(host);
  }

  Shape shape_;
  DType dtype_ = DType::float32;
  const DeviceMemory* device_ = nullptr;  // null: ordinary memory
  std::shared_ptr<std::byte[]> storage_;
};

// Runs `body.template operator()<T>()` with the type of number of `dtype`: the one place where an operation turns a
// run-time type into a compile-time one. with_scalar is for what is never bfloat16.
template <class Body>
decltype(auto) with_activation(DType dtype, Body&& body) {
  if (dtype == DType::float64) return body.template operator()<double>();
  if (dtype == DType::bfloat16) return body.template operator()<Bf16>();
  return body.template operator()<float>();
}
template <class Body>
decltype(auto) with_scalar(DType dtype, Body&& body) {
  if (dtype == DType::float64) return body.template operator()<double>();
  check(dtype == DType::float32, "tensor: float32 or float64 numbers are wanted here, not ", name_of(dtype));
  return body.template operator()<float>();
}

}  // namespace acol
