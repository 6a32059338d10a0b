// Several neighbouring numbers at a time. A kernel that does little arithmetic is as fast as its memory, and one access
// to four floats, 16 bytes, does it with a quarter of the instructions of four. Tensors need not begin at a multiple of
// a pack's size, so each call finds out, and packs of an array that does not are moved number by number: a thread's
// work, and so the result, is the same either way.
#pragma once

#include <cstdint>
#include <type_traits>

#include "cuda/index.cuh"
#include "tensor/bf16.h"

namespace acol::cuda {

template <class T, int width>
struct alignas(sizeof(T) * width) Pack {
  T at[width];
};

// The numbers of a pack that are Bf16 in memory, as floats. A copy of the pack, so that one access brings it.
template <int width>
__device__ inline Pack<float, width> in_threads(Pack<Bf16, width> pack) {
  Pack<float, width> numbers;
  for (int i = 0; i < width; ++i) numbers.at[i] = pack.at[i];
  return numbers;
}
template <class T, int width>
__device__ inline const Pack<T, width>& in_threads(const Pack<T, width>& pack) {
  return pack;
}

// Whatever T is, threads have floats, or for other types than Bf16 the numbers as they are. `aligned`: `from` is a
// multiple of the pack's size.
template <int width, class T>
__device__ inline auto load(const T* from, bool aligned) {
  if (aligned) return Pack<ParameterOf<T>, width>(in_threads(*reinterpret_cast<const Pack<T, width>*>(from)));
  Pack<ParameterOf<T>, width> pack;
  for (int i = 0; i < width; ++i) pack.at[i] = from[i];
  return pack;
}

template <int width, class T>
__device__ inline void store(const Pack<ParameterOf<T>, width>& pack, T* to, bool aligned) {
  if (aligned) {
    Pack<T, width> stored;
    for (int i = 0; i < width; ++i) stored.at[i] = pack.at[i];
    *reinterpret_cast<Pack<T, width>*>(to) = stored;
    return;
  }
  for (int i = 0; i < width; ++i) to[i] = pack.at[i];
}

// Whether packs of `width` may be moved at once from and to all of these arrays.
template <class... T>
__host__ __device__ bool aligned(int width, const T*... arrays) {
  return ((reinterpret_cast<std::uintptr_t>(arrays) % (sizeof(T) * static_cast<std::size_t>(width)) == 0) && ...);
}

// Calls body(width) with a constant: 4 where that divides the number of channels, so that a pack lies inside a pixel,
// else 1.
template <class Body>
void with_width(int channels, const Body& body) {
  if (channels % 4 == 0)
    body(std::integral_constant<int, 4>{});
  else
    body(std::integral_constant<int, 1>{});
}

// For arrays of (images, rows, length): threads along the length, blocks over rows and images, so that no thread
// divides by an extent to find its place. A row of pixels is such a length, or one pixel's channels.
inline Grid grid_for_rows(int images, int rows, int length) {
  const int threads = std::min(threads_a_block, (length + 31) / 32 * 32);
  constexpr int most = 65535;  // blocks along y or z
  if (length == 0) return {dim3(0), dim3(32)};
  return {dim3(static_cast<unsigned>((length + threads - 1) / threads), static_cast<unsigned>(std::min(rows, most)),
               static_cast<unsigned>(std::min(images, most))),
          dim3(static_cast<unsigned>(threads))};
}

// body(image, row, i) for all places that are this thread's.
template <class Body>
__device__ inline void for_each_in_rows(int images, int rows, int length, const Body& body) {
  const int first = static_cast<int>(first_index());
  if (first >= length) return;
  for (int image = static_cast<int>(blockIdx.z); image < images; image += static_cast<int>(gridDim.z))
    for (int row = static_cast<int>(blockIdx.y); row < rows; row += static_cast<int>(gridDim.y))
      body(image, row, first);
}

}  // namespace acol::cuda
