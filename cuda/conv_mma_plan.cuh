// What the passes of the convolution on tensor cores decide and prepare on the host: whether a shape suits, the tiles,
// the splits. Rules of the shape and of nothing else, so that results have the same bits on every card.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "cuda/conv_mma.h"
#include "cuda/pack.cuh"
#include "tensor/geometry.h"

namespace acol::cuda::mma {

// Numbers in a pack of 16 bytes, which is what one copy moves; and terms in a step.
template <class Element>
constexpr int pack_size = 16 / static_cast<int>(sizeof(Element));
template <class Element>
constexpr int depth = 4 * pack_size<Element>;

// 128x128; 128 of the pixels (of the filters' numbers, in backward weights) by 64 channels; 64x64.
enum class TileSize { wide, narrow, small };

inline int parts(int whole, int part) { return (whole + part - 1) / part; }

// Packs must lie inside a pixel and be aligned, and indices of pixels and terms fit an int with room to spare.
template <class T, class... Pointers>
bool suits(const Conv2dGeometry& g, const Pointers*... arrays) {
  if (!mma_available()) return false;
  constexpr int pack = pack_size<T>;
  constexpr std::int64_t most = std::int64_t{1} << 30;
  const std::int64_t in_pixels = std::int64_t{g.batch} * g.in_h * g.in_w;
  const std::int64_t out_pixels = std::int64_t{g.batch} * g.out_h() * g.out_w();
  return g.in_c % pack == 0 && g.out_c % pack == 0 && ((reinterpret_cast<std::uintptr_t>(arrays) % 16 == 0) && ...) &&
         in_pixels < most && out_pixels < most && std::int64_t{g.taps()} * std::max(g.in_c, g.out_c) < most;
}

// For a C of `length` pixels (or filter numbers) by `channels`. A large tile reads each number less often, a small one
// wastes less at the edges; and without splits a large card wants at least so many.
inline TileSize tile_size(int length, int channels, bool splits) {
  constexpr int enough_tiles = 128;
  const bool narrow = 4 * 128 * parts(channels, 128) > 5 * 64 * parts(channels, 64);
  const std::int64_t tiles = std::int64_t{parts(length, 128)} * parts(channels, narrow ? 64 : 128);
  if (length <= 64 || (!splits && tiles < enough_tiles)) return TileSize::small;
  return narrow ? TileSize::narrow : TileSize::wide;
}

// body(Element{}, precision) with the type of number that is multiplied: T where that is Bf16, else by the wish;
// without packs of bf16 channels it is TF32's.
template <class T, class Body>
void with_element(Precision wish, const Conv2dGeometry& g, const Body& body) {
  const bool packs = g.in_c % pack_size<Bf16> == 0 && g.out_c % pack_size<Bf16> == 0;
  if (std::is_same_v<T, Bf16> || (wish == Precision::bf16 && packs))
    body(Bf16{}, Precision::bf16);
  else if constexpr (!std::is_same_v<T, Bf16>)
    body(float{}, wish == Precision::bf16 ? Precision::tf32 : wish);
}

__device__ inline void keep_positive(Pack<float, 4>& numbers, const Pack<float, 4>& relu_y) {
#pragma unroll
  for (int i = 0; i < 4; ++i) numbers.at[i] = relu_y.at[i] > 0 ? numbers.at[i] : 0;
}

// relu_y may be null.
template <class T, class Element>
__global__ void copy_factor_kernel(std::int64_t packs, const T* numbers, const T* relu_y, Element* copy) {
  for_each_index(packs, [&](std::int64_t pack) {
    Pack<float, 4> kept = load<4>(numbers + 4 * pack, true);
    if (relu_y != nullptr) keep_positive(kept, load<4>(relu_y + 4 * pack, true));
    store<4>(kept, copy + 4 * pack, true);
  });
}

// An array as a product reads it: itself, or if its type is another a copy. With `relu_y` a copy in any case, 0 where
// relu_y is not above 0. A copy is a pass of its own over the memory, because a product reads each number once for
// every tap and every tile of channels: rounded it reads half as much, and it would read relu_y as often.
template <class Element>
class Factor {
 public:
  // count: a multiple of 4; numbers, relu_y: aligned to packs of 4.
  template <class T>
  Factor(std::int64_t count, const T* numbers, const T* relu_y = nullptr) {
    if constexpr (std::is_same_v<T, Element>) data_ = numbers;
    if (data_ != nullptr && relu_y == nullptr) return;
    copy_.emplace(static_cast<std::size_t>(count) * sizeof(Element));
    data_ = copy_->template as<Element>();
    const char* const name = relu_y != nullptr ? "conv2d, masking a gradient" : "conv2d, rounding to bf16";
    launch(name, copy_factor_kernel<T, Element>, grid_for(count / 4), count / 4, numbers, relu_y,
           copy_->template as<Element>());
  }

  const Element* data() const { return data_; }

 private:
  std::optional<Scratch> copy_;
  const Element* data_ = nullptr;
};

}  // namespace acol::cuda::mma
