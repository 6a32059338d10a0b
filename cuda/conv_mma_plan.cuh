// What the passes of the convolution on tensor cores decide and prepare on the host: whether a shape suits, the tiles,
// the splits. Rules of the shape and of nothing else, so that results have the same bits on every card.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "cuda/conv_mma.h"
#include "cuda/pack.cuh"
#include "tensor/geometry.h"

namespace acol::cuda::mma {

constexpr int depth = 16;  // terms in a step

// 128x128; 128 of the pixels (of the filters' numbers, in backward weights) by 64 channels; 64x64.
enum class TileSize { wide, narrow, small };

inline int parts(int whole, int part) { return (whole + part - 1) / part; }

// Packs of four floats must lie inside a pixel and be aligned, and indices of pixels and terms fit an int with room to
// spare.
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

// dy where relu_y is above 0, 0 elsewhere; dy itself if relu_y is null. A pass of its own over the memory: a product
// reads each number once for every tap and every tile of channels, and would read relu_y as often.
class MaskedGradient {
 public:
  MaskedGradient(const Conv2dGeometry& g, const float* dy, const float* relu_y);

  const float* data() const { return data_; }

 private:
  std::optional<Scratch> masked_;
  const float* data_;
};

}  // namespace acol::cuda::mma
