// The tiles that Winograd's method cuts a picture into, and pointers to their pixels.
#pragma once

#include <cstdint>

namespace acol {

// Pictures (batch, height, width, channels).
template <class T>
struct Pictures {
  T* data;
  int height, width, channels;

  // pixels[i * size + j] = where channel `channel` of pixel (y + i, x + j) of picture n is, or `outside`.
  void point_at(std::int64_t n, int y, int x, int size, int channel, T* outside, T** pixels) const {
    for (int i = 0; i < size; ++i) {
      const bool inside = y + i >= 0 && y + i < height;
      T* const row = data + ((n * height + y + i) * width + x) * channels + channel;
      for (int j = 0; j < size; ++j)
        pixels[i * size + j] = inside && x + j >= 0 && x + j < width ? row + std::int64_t{j} * channels : outside;
    }
  }
};

// Squares of `side` outputs, in raster order, picture after picture.
struct TileGrid {
  int down, across, side;

  TileGrid(int out_h, int out_w, int tile_side)
      : down((out_h + tile_side - 1) / tile_side), across((out_w + tile_side - 1) / tile_side), side(tile_side) {}
  std::int64_t count(int batch) const { return std::int64_t{batch} * down * across; }

  // Picture, and first output row and column.
  struct Place {
    std::int64_t n;
    int y, x;
  };
  Place at(std::int64_t tile) const {
    const auto in_picture = static_cast<int>(tile % (std::int64_t{down} * across));
    return {tile / (std::int64_t{down} * across), in_picture / across * side, in_picture % across * side};
  }
};

}  // namespace acol
