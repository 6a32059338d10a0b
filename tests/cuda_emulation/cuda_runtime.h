// Takes the place of CUDA's header of this name when kernels are compiled for the CPU: the words of the language, the
// functions a kernel may call, and the runtime library (runtime_api.h). See README.md.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "execution.h"
#include "runtime_api.h"
#include "vector_types.h"

namespace emulation = acol::cuda::emulation;

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(bytes) alignas(bytes)
#define __grid_constant__

// ---------------------------------------------------------------------------------------------------------------------
// All threads of a block together.

inline void __syncthreads(emulation::Where where = emulation::Where::current()) {
  emulation::wait_for_block("__syncthreads", false, where);
}
inline int __syncthreads_count(int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::wait_for_block("__syncthreads_count", vote != 0, where);
}
inline int __syncthreads_or(int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::wait_for_block("__syncthreads_or", vote != 0, where) > 0;
}
inline int __syncthreads_and(int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::wait_for_block("__syncthreads_and", vote == 0, where) == 0;
}

// Order in memory is order in time here.
inline void __threadfence() {}
inline void __threadfence_block() {}

// ---------------------------------------------------------------------------------------------------------------------
// All lanes of a warp together.

namespace acol::cuda::emulation {

template <class T>
T shuffle(const char* name, unsigned mask, T value, int from, const Where& where) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles take 32 or 64 bits");
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = shuffle(name, mask, bits, from, where);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

}  // namespace acol::cuda::emulation

inline void __syncwarp(unsigned mask = 0xffffffffU, emulation::Where where = emulation::Where::current()) {
  emulation::ballot("__syncwarp", mask, false, where);
}
inline unsigned __ballot_sync(unsigned mask, int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::ballot("__ballot_sync", mask, vote != 0, where);
}
inline int __any_sync(unsigned mask, int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::ballot("__any_sync", mask, vote != 0, where) != 0;
}
inline int __all_sync(unsigned mask, int vote, emulation::Where where = emulation::Where::current()) {
  return emulation::ballot("__all_sync", mask, vote == 0, where) == 0;
}

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, emulation::Where where = emulation::Where::current()) {
  const int self = emulation::lane_index();
  return emulation::shuffle("__shfl_sync", mask, value, self / width * width + (lane & (width - 1)), where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32,
                  emulation::Where where = emulation::Where::current()) {
  const int self = emulation::lane_index(), from = self ^ bits;
  return emulation::shuffle("__shfl_xor_sync", mask, value, from < (self / width + 1) * width ? from : self, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   emulation::Where where = emulation::Where::current()) {
  const int self = emulation::lane_index(), from = self + static_cast<int>(delta);
  return emulation::shuffle("__shfl_down_sync", mask, value, from < (self / width + 1) * width ? from : self, where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 emulation::Where where = emulation::Where::current()) {
  const int self = emulation::lane_index(), from = self - static_cast<int>(delta);
  return emulation::shuffle("__shfl_up_sync", mask, value, from >= self / width * width ? from : self, where);
}

// ---------------------------------------------------------------------------------------------------------------------
// One thread by itself.

template <class T>
T __ldg(const T* address) {
  return *address;
}
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline long long __double_as_longlong(double x) { return std::bit_cast<long long>(x); }
inline double __longlong_as_double(long long x) { return std::bit_cast<double>(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(std::uint64_t{a} * b >> 32); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline float rsqrtf(float x) { return static_cast<float>(1 / std::sqrt(static_cast<double>(x))); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }

// CUDA has them without std::. A NaN beside a number loses, as on a card.
inline int min(int a, int b) { return std::min(a, b); }
inline int max(int a, int b) { return std::max(a, b); }
inline unsigned min(unsigned a, unsigned b) { return std::min(a, b); }
inline unsigned max(unsigned a, unsigned b) { return std::max(a, b); }
inline long min(long a, long b) { return std::min(a, b); }
inline long max(long a, long b) { return std::max(a, b); }
inline long long min(long long a, long long b) { return std::min(a, b); }
inline long long max(long long a, long long b) { return std::max(a, b); }
inline unsigned long min(unsigned long a, unsigned long b) { return std::min(a, b); }
inline unsigned long max(unsigned long a, unsigned long b) { return std::max(a, b); }
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }
