// The walk along one border of a binary picture (Suzuki and Abe, 1985), for contours.cpp and level_sweep.cpp.
#pragma once

#include <array>
#include <cstddef>

namespace acol {

// The eight neighbours, counter-clockwise as seen on a screen, from the right one on.
inline constexpr std::array<int, 8> walk_x{1, 1, 0, -1, -1, -1, 0, 1};
inline constexpr std::array<int, 8> walk_y{0, -1, -1, -1, 0, 1, 1, 1};

// Walks once around the border that begins at offset 0, a foreground cell whose left (outer border) or right (hole)
// neighbour is background. Cells are named by their offset in a picture of `stride` cells a row, which needs a frame of
// background. is_foreground(offset) tells what a cell is; visit(offset, next, right_is_background) is called at every
// cell passed, some twice: `next` is the direction in which the walk goes on, and the flag says that it looked at the
// right neighbour on its way and found background. A cell on its own gets no visit: returns false.
template <class IsForeground, class Visit>
bool walk_border(std::ptrdiff_t stride, bool hole, const IsForeground& is_foreground, const Visit& visit) {
  const std::array<std::ptrdiff_t, 8> steps{1, 1 - stride, -stride, -1 - stride, -1, stride - 1, stride, stride + 1};
  const auto step = [&](int direction) { return steps[static_cast<std::size_t>(direction)]; };

  // Clockwise from the background neighbour to the first foreground: there the walk will end.
  const int background = hole ? 0 : 4;
  int direction = (background + 7) % 8;
  while (direction != background && !is_foreground(step(direction))) direction = (direction + 7) % 8;
  if (direction == background) return false;
  const std::ptrdiff_t last = step(direction);

  for (std::ptrdiff_t here = 0;;) {
    // Counter-clockwise from the cell we came from to the next foreground cell.
    bool right_is_background = false;
    int next = direction;
    for (;;) {
      next = (next + 1) % 8;
      if (is_foreground(here + step(next))) break;
      if (next == 0) right_is_background = true;
    }
    visit(here, next, right_is_background);
    const std::ptrdiff_t there = here + step(next);
    if (there == 0 && here == last) return true;
    here = there;
    direction = (next + 4) % 8;
  }
}

}  // namespace acol
