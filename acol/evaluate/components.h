// Connected components of a mask.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "acol/data/box.h"

namespace acol {

struct Component {
  Box box;  // inclusive
  std::int64_t pixels = 0;
};

enum class Neighbours {
  four,   // left, right, above, below (scipy.ndimage.label's default)
  eight,  // diagonal ones too
};

// In raster order of their first pixels. mask: width * height, row major, other than 0 is foreground. Error: an extent
// below 1 or another number of values.
std::vector<Component> components(std::span<const std::uint8_t> mask, int width, int height, Neighbours neighbours);

}  // namespace acol
