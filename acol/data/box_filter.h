// What is done about boxes that make no sense as people wrote them: the same for every data set that has such.
#pragma once

#include <cstddef>

#include "acol/data/dataset.h"

namespace acol {

// Coordinates beyond this many pixels are taken for damage, and keep widths and areas far from overflow.
inline constexpr int largest_coordinate = 1'000'000;

struct BoxFilter {
  std::size_t degenerate = 0;  // dropped: x1 <= x0 or y1 <= y0, as written or after the cut
  std::size_t outside = 0;     // cut: a corner outside the picture
  std::size_t foreign = 0;     // dropped by the reader: of another class than the picture

  // Appends `box` (origin 0, inclusive) to the sample, cut to width x height, or to x, y >= 0 where these are 0.
  void add(Sample& sample, Box box, int width = 0, int height = 0);

  // A note for each count above 0.
  void report(Dataset& dataset) const;
};

}  // namespace acol
