// The box generator that came with CAM (zhoubolei/CAM, bboxgenerator/dt_box.cpp) and made the boxes of the published
// ILSVRC figures of CAM and, by its author's word, of ACoL.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "acol/data/box.h"
#include "acol/evaluate/score_map.h"

namespace acol {

struct DtBoxOptions {
  // Grey values, 0 < l0 < l1 < l2 < 255. These are the ones of CAM's ILSVRC and demo scripts; {30, 90, 150} are built
  // into its program, which falls back to them without a word when it is given levels that do not rise.
  std::array<int, 3> levels{20, 100, 110};
  // OpenCV before 3.2, that is every version at the time of the publication, blanks the outermost pixels of the picture
  // before it looks for contours. What touches the left or upper border then starts at 1 instead of 0.
  bool clear_border = false;
  friend bool operator==(const DtBoxOptions&, const DtBoxOptions&) = default;
};
// Error: levels that do not rise between 0 and 255.
void validate(const DtBoxOptions& options);

// The map as the grey picture that the generator reads: round(255 v / max), below zero 0 (a JPEG file in between
// changed it a little more; that is not imitated). Empty where the map points nowhere: no positive value, a NaN or an
// infinity.
std::vector<std::uint8_t> dt_box_grey(const ScoreMap& map);

// grey: width * height, row major. For each level:
//   1. foreground is grey > level; for each of its pixels the distance to the nearest background pixel, times 255 /
//      the largest of them, rounded; all foreground and no background is kept as it is;
//   2. what has more than 10 stays: thin parts and the outermost 4 % of the largest distance go;
//   3. the bounding rectangle x, y, w, h of every outer and hole contour, cut to x <= W - 5, y <= H - 5,
//      w <= W - 5 - x, h <= H - 5 - y, the last two with the x and y from before. So no box reaches the last four
//      columns or rows, and a rectangle that starts in them has a negative extent.
// Then all rectangles of the three levels are sorted by w h, the largest first, and from the largest on each one drops
// those after it that share more than half of the larger one's area. Like the original's, the loop does not look at the
// element that takes a dropped one's place, so some overlapping boxes stay. Of equal areas the original leaves the
// order to std::sort; here the first found is first.
// Returned is (x, y, x + w, y + h), corners swapped where an extent is negative; in pictures narrower or lower than 9
// pixels a coordinate may be outside the picture. The first box is the prediction, the second the extra one of the star
// list. Empty if no pixel is above the lowest level.
// Error: an extent below 1, another number of values, bad options.
std::vector<Box> dt_boxes(std::span<const std::uint8_t> grey, int width, int height, const DtBoxOptions& options = {});

}  // namespace acol
