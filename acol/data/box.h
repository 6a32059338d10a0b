// Boxes, as every data set and metric here uses them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace acol {

// Pixel box with inclusive corners: a one-pixel box has x0 == x1 and y0 == y1. Origin top left, x to the right.
struct Box {
  int x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  friend bool operator==(const Box&, const Box&) = default;
};

inline std::int64_t area(const Box& box) {
  return std::int64_t{box.x1 - box.x0 + 1} * std::int64_t{box.y1 - box.y0 + 1};
}

// Intersection over union with inclusive corners (widths x1 - x0 + 1), as the ILSVRC development kit counts. Both
// factors of the intersection are clamped at 0: without that, boxes apart in x and in y get a positive product.
inline double intersection_over_union(const Box& a, const Box& b) {
  const std::int64_t width = std::max(0, std::min(a.x1, b.x1) - std::max(a.x0, b.x0) + 1);
  const std::int64_t height = std::max(0, std::min(a.y1, b.y1) - std::max(a.y0, b.y0) + 1);
  const std::int64_t both = width * height;
  return static_cast<double>(both) / static_cast<double>(area(a) + area(b) - both);
}

// `box` cut to a picture of width x height pixels: a corner beyond the border is moved onto the border's pixel, as
// wsolevaluation does with the boxes of CUB-200-2011. A box wholly outside becomes a sliver on the border.
inline Box clipped_box(const Box& box, int width, int height) {
  return {std::clamp(box.x0, 0, width - 1), std::clamp(box.y0, 0, height - 1), std::clamp(box.x1, 0, width - 1),
          std::clamp(box.y1, 0, height - 1)};
}

// The largest overlap of `box` with any of several; 0 if there are none.
inline double best_iou(const Box& box, const std::vector<Box>& others) {
  double best = 0;
  for (const Box& other : others) best = std::max(best, intersection_over_union(box, other));
  return best;
}

}  // namespace acol
