// MaxBoxAcc's boxes as its definition says: the contours searched anew at every threshold.
#pragma once

#include <algorithm>
#include <tuple>
#include <vector>

#include "acol/evaluate/contours.h"
#include "acol/evaluate/max_box_acc.h"

namespace acol::testing {

struct PlainLevel {
  std::vector<Box> boxes;   // of every contour, holes too, in OpenCV's order
  std::size_t largest = 0;  // index of the contour with the largest polygon area, the first of equal ones
};

inline std::vector<std::uint8_t> bytes_of(const ScoreMap& map) {
  std::vector<std::uint8_t> bytes;
  for (const double score : map.values) bytes.push_back(static_cast<std::uint8_t>(score * 255));
  return bytes;
}

inline PlainLevel plain_level(const std::vector<std::uint8_t>& bytes, int width, int height, double tau) {
  const int cut = static_cast<int>(tau * *std::max_element(bytes.begin(), bytes.end()));
  const std::vector<Contour> contours = find_contours(bytes, width, height, cut);
  if (contours.empty()) return {{Box{}}, 0};
  PlainLevel level{{}, static_cast<std::size_t>(largest_contour(contours))};
  for (const Contour& contour : contours) {
    const Box& r = contour.rect;
    level.boxes.push_back({r.x0, r.y0, std::min(r.x1 + 1, width - 1), std::min(r.y1 + 1, height - 1)});
  }
  return level;
}

inline bool box_before(const Box& a, const Box& b) {
  return std::tie(a.y0, a.x0, a.y1, a.x1) < std::tie(b.y0, b.x0, b.y1, b.x1);
}

// Boxes without their order, which a sweep does not tell.
inline std::vector<Box> in_order(std::vector<Box> boxes) {
  std::sort(boxes.begin(), boxes.end(), box_before);
  return boxes;
}

inline std::vector<Box> boxes_at(const SweptBoxes& swept, std::size_t level) {
  std::vector<Box> boxes;
  for (const LevelSweep::Run& run : swept.runs)
    if (run.first <= static_cast<int>(level) && static_cast<int>(level) <= run.last) boxes.push_back(run.rect);
  return in_order(boxes);
}

}  // namespace acol::testing
