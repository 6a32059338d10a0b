#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>

#include "tensor/memory.h"

namespace acol {

namespace {

template <class T>
Tensor copied(const Shape& shape, const std::vector<T>& values) {
  check(shape.count() == static_cast<std::int64_t>(values.size()), "tensor: shape ", shape.str(), " wants ",
        shape.count(), " values, got ", values.size());
  Tensor tensor = Tensor::empty_on_host(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), tensor.data<T>());
  return tensor.to_device();
}

// That of numbers of a type made now.
const DeviceMemory* device_for(DType dtype) { return dtype != DType::float64 ? device_memory() : nullptr; }

void copy_bytes(const DeviceMemory* to_device, std::byte* to, const DeviceMemory* from_device, const std::byte* from,
                std::size_t bytes) {
  if (to_device == nullptr && from_device == nullptr)
    std::memcpy(to, from, bytes);
  else if (to_device == nullptr)
    from_device->copy_out(to, from, bytes);
  else if (from_device == nullptr)
    to_device->copy_in(to, from, bytes);
  else
    to_device->copy_within(to, from, bytes);
}

}  // namespace

const char* name_of(DType dtype) {
  return dtype == DType::float64 ? "float64" : dtype == DType::bfloat16 ? "bfloat16" : "float32";
}

DType activation_type() {
  return device_in_use() == Device::cuda && precision_in_use() == Precision::bf16 ? DType::bfloat16 : DType::float32;
}

Tensor Tensor::made(const Shape& shape, DType dtype, const DeviceMemory* device) {
  Tensor tensor;
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  tensor.device_ = device;
  const std::size_t bytes = static_cast<std::size_t>(shape.count()) * size_of(dtype);
  tensor.storage_ = shared_buffer(bytes, device);
  return tensor;
}

Tensor Tensor::empty(const Shape& shape, DType dtype) { return made(shape, dtype, device_for(dtype)); }
Tensor Tensor::empty_on_host(const Shape& shape, DType dtype) { return made(shape, dtype, nullptr); }

Tensor Tensor::zeros(const Shape& shape, DType dtype) {
  Tensor tensor = empty(shape, dtype);
  if (tensor.on_host())
    std::memset(tensor.storage_.get(), 0, tensor.bytes());
  else
    tensor.device_->clear(tensor.storage_.get(), tensor.bytes());
  return tensor;
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
  Tensor tensor = empty(shape, dtype);
  tensor.fill(value);
  return tensor;
}

Tensor Tensor::from(const Shape& shape, const std::vector<float>& values) { return copied(shape, values); }
Tensor Tensor::from(const Shape& shape, const std::vector<double>& values) { return copied(shape, values); }

Tensor Tensor::to_host() const {
  if (!defined() || on_host()) return *this;
  Tensor copy = made(shape_, dtype_, nullptr);
  copy.copy_from(*this);
  return copy;
}

Tensor Tensor::to_device() const {
  if (!defined() || device_ == device_for(dtype_)) return *this;
  Tensor copy = empty(shape_, dtype_);
  copy.copy_from(*this);
  return copy;
}

double Tensor::at(std::int64_t index) const {
  return with_activation(dtype_, [&]<class T>() {
    if (on_host()) return static_cast<double>(data<T>()[index]);
    T value;
    device_->copy_out(&value, data<T>() + index, sizeof(T));
    return static_cast<double>(value);
  });
}

void Tensor::set(std::int64_t index, double value) {
  with_activation(dtype_, [&]<class T>() {
    const T number = static_cast<T>(value);
    if (on_host())
      data<T>()[index] = number;
    else
      device_->copy_in(data<T>() + index, &number, sizeof(T));
  });
}

Tensor Tensor::clone() const {
  if (!defined()) return {};
  Tensor copy = made(shape_, dtype_, device_);
  copy.copy_from(*this);
  return copy;
}

Tensor Tensor::to(DType dtype) const {
  const Tensor from = to_host();
  Tensor result = empty_on_host(shape_, dtype);
  with_activation(dtype_, [&]<class From>() {
    with_activation(dtype, [&]<class To>() {
      std::transform(from.data<From>(), from.data<From>() + count(), result.data<To>(),
                     [](From x) { return static_cast<To>(static_cast<ParameterOf<From>>(x)); });
    });
  });
  return result.to_device();
}

Tensor Tensor::reshaped(const Shape& shape) const {
  check(shape.count() == count(), "tensor: cannot see ", shape_.str(), " as ", shape.str());
  Tensor view = *this;
  view.shape_ = shape;
  return view;
}

void Tensor::fill(double value) {
  write_on_host([value](Tensor& host) {
    with_activation(host.dtype(), [&]<class T>() { std::fill_n(host.data<T>(), host.count(), static_cast<T>(value)); });
  });
}

void Tensor::copy_from(const Tensor& other) {
  check(shape_ == other.shape_ && dtype_ == other.dtype_, "tensor: cannot copy ", other.shape_.str(), " into ",
        shape_.str());
  copy_bytes(device_, storage_.get(), other.device_, other.storage_.get(), bytes());
}

Tensor Tensor::rows(int first, int count) const {
  check(shape_.rank() >= 1 && first >= 0 && count >= 0 && first + count <= shape_[0], "tensor: no rows ", first, " to ",
        first + count, " in ", shape_.str());
  Tensor result = made(shape_.with(0, count), dtype_, device_);
  const std::size_t row = shape_[0] > 0 ? bytes() / static_cast<std::size_t>(shape_[0]) : 0;
  copy_bytes(device_, result.storage_.get(), device_, storage_.get() + static_cast<std::size_t>(first) * row,
             result.bytes());
  return result;
}

std::vector<float> Tensor::to_vector() const {
  const Tensor host = to_host();
  std::vector<float> values(static_cast<std::size_t>(count()));
  for (std::int64_t i = 0; i < count(); ++i) values[static_cast<std::size_t>(i)] = static_cast<float>(host.at(i));
  return values;
}

}  // namespace acol
