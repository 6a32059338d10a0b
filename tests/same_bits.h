// Tensors whose numbers must be equal to the last bit, wherever they lie.
#pragma once

#include <cstring>

#include "tensor/tensor.h"

namespace acol::testing {

inline bool same_bits(const Tensor& left, const Tensor& right) {
  if (!left.defined() || !right.defined() || left.shape() != right.shape() || left.dtype() != right.dtype())
    return false;
  const Tensor a = left.to_host(), b = right.to_host();
  return with_activation(a.dtype(), [&]<class T>() { return std::memcmp(a.data<T>(), b.data<T>(), a.bytes()) == 0; });
}

}  // namespace acol::testing
