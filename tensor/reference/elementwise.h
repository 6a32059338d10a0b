// Operations that treat each number alone:
//
//   relu:      y = max(x, 0),   dx += dy where y > 0
//   add:       y = a + b,       da += dy,                 db += dy      (by accumulate, factor 1)
//   multiply:  y = a b,         da += dy b,               db += dy a
//   maximum:   y = max(a, b),   da += dy where a wins,    db += dy where b wins; a wins a tie, a NaN wins over a number
#pragma once

#include <cmath>
#include <cstdint>

namespace acol::reference {

template <class T>
void relu_forward(std::int64_t count, const T* x, T* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] < 0 ? T{0} : x[i];  // a NaN is not below 0 and stays
}

template <class T>
void relu_backward(std::int64_t count, const T* y, const T* dy, T* dx) {
  for (std::int64_t i = 0; i < count; ++i)
    if (y[i] > 0) dx[i] += dy[i];
}

template <class T>
void add_forward(std::int64_t count, const T* a, const T* b, T* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = a[i] + b[i];
}

template <class T>
void multiply_forward(std::int64_t count, const T* a, const T* b, T* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = a[i] * b[i];
}

template <class T>
void multiply_backward(std::int64_t count, const T* a, const T* b, const T* dy, T* da, T* db) {
  for (std::int64_t i = 0; i < count; ++i) {
    if (da != nullptr) da[i] += dy[i] * b[i];
    if (db != nullptr) db[i] += dy[i] * a[i];
  }
}

template <class T>
bool first_wins(T a, T b) {
  return a >= b || std::isnan(a);
}

template <class T>
void maximum_forward(std::int64_t count, const T* a, const T* b, T* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = first_wins(a[i], b[i]) ? a[i] : b[i];
}

template <class T>
void maximum_backward(std::int64_t count, const T* a, const T* b, const T* dy, T* da, T* db) {
  for (std::int64_t i = 0; i < count; ++i) {
    T* const winner = first_wins(a[i], b[i]) ? da : db;
    if (winner != nullptr) winner[i] += dy[i];
  }
}

// Here both types are one.
template <class T>
void to_parameters(std::int64_t count, const T* x, T* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i];
}
template <class T>
void add_parameters(std::int64_t count, const T* x, T* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] += x[i];
}

template <class T>
void accumulate(std::int64_t count, T factor, const T* x, T* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] += factor * x[i];
}

}  // namespace acol::reference
