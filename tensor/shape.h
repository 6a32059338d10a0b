// Extents of a tensor, at most four: (N, H, W, C) for activations, (O, R, S, C) for filters, (N, C) for logits.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "tensor/check.h"

namespace acol {

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int> extents) {
    check(extents.size() <= 4, "shape: at most 4 extents, got ", extents.size());
    for (const int extent : extents) {
      check(extent >= 0, "shape: negative extent ", extent);
      extents_[static_cast<std::size_t>(rank_++)] = extent;
    }
  }

  int rank() const { return rank_; }
  int operator[](int axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  int back() const { return (*this)[rank_ - 1]; }

  std::int64_t count() const {
    std::int64_t product = 1;
    for (int axis = 0; axis < rank_; ++axis) product *= (*this)[axis];
    return product;
  }

  // This, with another extent along one axis.
  Shape with(int axis, int extent) const {
    Shape shape = *this;
    shape.extents_[static_cast<std::size_t>(axis)] = extent;
    return shape;
  }

  // All extents but the last, multiplied: the rows of the matrix whose columns are the channels.
  std::int64_t rows() const { return rank_ == 0 || back() == 0 ? 0 : count() / back(); }

  std::string str() const {
    std::string text = "(";
    for (int axis = 0; axis < rank_; ++axis) text += (axis ? ", " : "") + std::to_string((*this)[axis]);
    return text + ")";
  }

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  int rank_ = 0;
  std::array<int, 4> extents_{};
};

}  // namespace acol
