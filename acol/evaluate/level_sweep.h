// The contours of a picture of bytes at many cuts, from one pass over its pixels in the order of their values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "acol/data/box.h"

namespace acol {

// What find_contours (contours.h) gives at each of several cuts, less what MaxBoxAcc does not ask for: the order and
// the areas. Levels are the cuts' positions in the list.
struct LevelSweep {
  // A rectangle that a contour has at every level from `first` to `last`. Two contours of one level may have the same.
  struct Run {
    Box rect;
    int first = 0, last = 0;
    friend bool operator==(const Run&, const Run&) = default;
  };
  std::vector<Run> runs;
  std::vector<std::optional<Box>> largest;  // per level: the rectangle of largest_contour(); none: no foreground
};

// Foreground of a level is value > cut. Takes time in proportion to the pixels, plus the walks around regions whose
// areas are too close to tell apart otherwise; there are at most twice as many runs as pixels.
// values: width * height, row major. cuts: ascending, each once, from [0, 255]. Error: an extent outside [1, 32767],
// another number of values, other cuts.
LevelSweep sweep_levels(std::span<const std::uint8_t> values, int width, int height, std::span<const int> cuts);

}  // namespace acol
