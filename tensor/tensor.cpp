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
  Tensor tensor = Tensor::empty(shape, dtype_of<T>);
  std::copy(values.begin(), values.end(), tensor.data<T>());
  return tensor;
}

}  // namespace

Tensor Tensor::empty(const Shape& shape, DType dtype) {
  Tensor tensor;
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  tensor.storage_ = shared_buffer(static_cast<std::size_t>(shape.count()) * size_of(dtype));
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
