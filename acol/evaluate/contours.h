// Border following (Suzuki and Abe, 1985): the outlines of all regions and of all holes in a binary picture.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "acol/data/box.h"

namespace acol {

// One closed walk along foreground pixels. An outer border runs around an 8-connected region; a hole border runs on the
// pixels around a 4-connected hole, so that its rectangle is one pixel larger than the hole on every side.
struct Contour {
  Box rect;                     // bounding rectangle of the walk, inclusive
  std::int64_t twice_area = 0;  // of the polygon through the pixel centres: a single pixel or a thin line has 0
  bool hole = false;
  int parent = -1;  // index in the returned list of the border directly around this one; -1 for none
  double area() const { return static_cast<double>(twice_area) / 2; }
  friend bool operator==(const Contour&, const Contour&) = default;
};

// OpenCV's retrieval modes, of which the order of the list and the parents are left here.
enum class ContourOrder {
  tree,       // RETR_TREE: a border before those inside it
  two_level,  // RETR_CCOMP: an outer border, then its holes; what lies in a hole has no parent
};

// Contours of the pixels with value > cut, in the order of OpenCV's findContours: siblings from the last found to the
// first, found in raster order of their first pixel. The order decides which of several equally large contours counts as
// "the largest". Outside the picture is background.
// values: width * height, row major. Error: an extent below 1 or another number of values.
std::vector<Contour> find_contours(std::span<const std::uint8_t> values, int width, int height, int cut = 0,
                                   ContourOrder order = ContourOrder::tree);

// Index of the contour with the largest area, the first of equal ones; -1 for an empty list.
int largest_contour(const std::vector<Contour>& contours);

}  // namespace acol
