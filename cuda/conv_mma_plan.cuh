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

// What becomes of a number on its way to shared memory: nothing, or it is a bf16 in device memory already.
struct Bf16 {
  std::uint16_t bits;
};
template <Precision precision>
using ElementOf = std::conditional_t<precision == Precision::bf16, Bf16, float>;

// Numbers in a pack of 16 bytes, which is what one copy moves; and terms in a step.
template <class Element>
constexpr int pack_size = 16 / static_cast<int>(sizeof(Element));
template <class Element>
constexpr int depth = 4 * pack_size<Element>;

// 128x128; 128 of the pixels (of the filters' numbers, in backward weights) by 64 channels; 64x64.
enum class TileSize { wide, narrow, small };

inline int parts(int whole, int part) { return (whole + part - 1) / part; }

// Packs must lie inside a pixel and be aligned, and indices of pixels and terms fit an int with room to spare.
template <class... Pointers>
bool suits(const Conv2dGeometry& g, const Pointers*... arrays) {
  if (!mma_available()) return false;
  constexpr std::int64_t most = std::int64_t{1} << 30;
  const std::int64_t in_pixels = std::int64_t{g.batch} * g.in_h * g.in_w;
  const std::int64_t out_pixels = std::int64_t{g.batch} * g.out_h() * g.out_w();
  return g.in_c % 4 == 0 && g.out_c % 4 == 0 && aligned(4, arrays...) && in_pixels < most && out_pixels < most &&
         std::int64_t{g.taps()} * std::max(g.in_c, g.out_c) < most;
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

// Channels in packs of bf16, else their products are TF32's.
inline Precision precision_for(Precision wish, const Conv2dGeometry& g) {
  const bool packs = g.in_c % pack_size<Bf16> == 0 && g.out_c % pack_size<Bf16> == 0;
  return wish == Precision::bf16 && !packs ? Precision::tf32 : wish;
}

// An array as a product reads it: of floats itself, of Bf16 a rounded copy. With `relu_y` a copy in any case, 0 where
// relu_y is not above 0. A copy is a pass of its own over the memory, because a product reads each number once for
// every tap and every tile of channels: rounded it reads half as much, and it would read relu_y as often.
template <class Element>
class Factor {
 public:
  // count: a multiple of a pack; numbers, relu_y: 16-byte aligned.
  Factor(std::int64_t count, const float* numbers, const float* relu_y = nullptr);

  const Element* data() const { return data_; }

 private:
  std::optional<Scratch> copy_;
  const Element* data_;
};

}  // namespace acol::cuda::mma
