// Indexing for the plain loops.
#pragma once

#include <cstdint>

namespace acol::reference {

// A dense row-major array of shape (any, H, W, C), so that X(n, h, w, c) reads as in a formula.
template <class T>
struct Array4 {
  T* data;
  int H, W, C;

  T& operator()(int n, int h, int w, int c) const { return data[((std::int64_t{n} * H + h) * W + w) * C + c]; }
};
template <class T>
Array4(T*, int, int, int) -> Array4<T>;

// The same with fewer axes: (any, W, C).
template <class T>
struct Array3 {
  T* data;
  int W, C;

  T& operator()(int n, int w, int c) const { return data[(std::int64_t{n} * W + w) * C + c]; }
};
template <class T>
Array3(T*, int, int) -> Array3<T>;

// (rows, C).
template <class T>
struct Array2 {
  T* data;
  int C;

  T& operator()(std::int64_t row, int c) const { return data[row * C + c]; }
};
template <class T>
Array2(T*, int) -> Array2<T>;

}  // namespace acol::reference
