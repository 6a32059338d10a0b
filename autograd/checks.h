// Checks that the operations share; the messages begin with the operation's name.
#pragma once

#include <vector>

#include "autograd/variable.h"

namespace acol {

// `layout` is the expected shape in letters, such as "(N, H, W, C)", and `rank` the number of its letters.
inline void check_layout(const char* operation, const char* name, const Tensor& tensor, int rank, const char* layout) {
  check(tensor.defined(), operation, ": ", name, " is undefined, expected ", layout);
  check(tensor.shape().rank() == rank, operation, ": ", name, " must be ", layout, ", got ", tensor.shape().str());
  check(tensor.count() > 0, operation, ": ", name, " is empty, its shape is ", tensor.shape().str());
}

inline void check_defined(const char* operation, const char* name, const Variable& variable) {
  check(variable.defined(), operation, ": ", name, " is undefined");
}

inline void check_layout(const char* operation, const char* name, const Variable& variable, int rank,
                         const char* layout) {
  check_defined(operation, name, variable);
  check_layout(operation, name, variable.value(), rank, layout);
}

// The parameters of an operation have the element type that goes with x's.
inline void check_dtype(const char* operation, const char* name, const Tensor& tensor, const Tensor& x) {
  check(tensor.dtype() == parameter_type(x.dtype()), operation, ": ", name, " is ", name_of(tensor.dtype()),
        " but x is ", name_of(x.dtype()), x.dtype() == DType::bfloat16 ? ", which goes with float32" : "");
}

// One number per channel: gamma, a bias, ...
inline void check_vector(const char* operation, const char* name, const Tensor& tensor, int size, const Tensor& x) {
  check(tensor.defined(), operation, ": ", name, " is undefined");
  check(tensor.shape() == Shape{size}, operation, ": ", name, " must be ", Shape{size}.str(), ", got ",
        tensor.shape().str());
  check_dtype(operation, name, tensor, x);
}

// One label an image, each in [0, classes).
inline void check_labels(const char* operation, const std::vector<int>& labels, int images, int classes) {
  check(static_cast<int>(labels.size()) == images, operation, ": ", labels.size(), " labels for ", images, " images");
  for (std::size_t i = 0; i < labels.size(); ++i)
    check(labels[i] >= 0 && labels[i] < classes, operation, ": label ", labels[i], " of image ", i, " is outside [0, ",
          classes, ")");
}

}  // namespace acol
