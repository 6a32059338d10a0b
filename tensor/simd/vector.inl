// Vectors of floats in GCC's vector extensions: arithmetic is written with + and *, comparisons give masks.
#pragma once

#define ACOL_INLINE inline __attribute__((always_inline))
#define ACOL_ALWAYS __attribute__((always_inline))  // for lambdas

namespace acol {
namespace {

// `InMemory` may begin at any float.
template <int Lanes>
struct VectorOf {
  typedef float Type __attribute__((vector_size(Lanes * sizeof(float))));
  typedef float InMemory __attribute__((vector_size(Lanes * sizeof(float)), aligned(sizeof(float)), may_alias));
};
template <int Lanes>
using Vector = typename VectorOf<Lanes>::Type;

template <int Lanes>
inline __attribute__((always_inline)) Vector<Lanes> load(const float* from) {
  return *reinterpret_cast<const typename VectorOf<Lanes>::InMemory*>(from);
}

template <int Lanes>
inline __attribute__((always_inline)) void store(float* to, Vector<Lanes> value) {
  *reinterpret_cast<typename VectorOf<Lanes>::InMemory*>(to) = value;
}

// value where sign > 0, else 0; also where sign is NaN.
template <int Lanes>
inline __attribute__((always_inline)) Vector<Lanes> keep_positive(Vector<Lanes> value, Vector<Lanes> sign) {
  return sign > 0.0f ? value : Vector<Lanes>{};
}

}  // namespace
}  // namespace acol
