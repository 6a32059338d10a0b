#include "acol/evaluate/contours.h"

#include <algorithm>
#include <cstdlib>

#include "acol/evaluate/border_walk.h"
#include "tensor/check.h"

namespace acol {

namespace {

// The picture with a border of background, as the labels of the paper: 0 background, 1 foreground not on a border seen
// so far, +-(2 + k) on border k. Minus says that the pixel to the right is background that border k has seen: no other
// border can start there. Row y of the picture is row y + 1 here, column x is column x + 1.
class Labels {
 public:
  Labels(std::span<const std::uint8_t> values, int width, int height, int cut)
      : stride_(width + 2), cells_(static_cast<std::size_t>(stride_) * static_cast<std::size_t>(height + 2)) {
    for (int y = 0; y < height; ++y) {
      const std::uint8_t* from = values.data() + static_cast<std::ptrdiff_t>(y) * width;
      std::int32_t* to = row(y) + 1;
      for (int x = 0; x < width; ++x) to[x] = from[x] > cut;
    }
  }

  std::int32_t* row(int y) { return cells_.data() + static_cast<std::ptrdiff_t>(y + 1) * stride_; }

  // Follows border number `index` from (x, y), whose left (outer) or right (hole) neighbour is background.
  Contour follow(int x, int y, bool hole, int index);

 private:
  std::ptrdiff_t stride_;
  std::vector<std::int32_t> cells_;
};

Contour Labels::follow(int x, int y, bool hole, int index) {
  const std::int32_t label = index + 2;
  std::int32_t* const start = row(y) + x + 1;
  Contour contour{Box{x, y, x, y}, 0, hole, -1};
  Box& box = contour.rect;
  const bool more_than_one = walk_border(
      stride_, hole, [&](std::ptrdiff_t cell) { return start[cell] != 0; },
      [&](std::ptrdiff_t cell, int next, bool right_is_background) {
        if (right_is_background)
          start[cell] = -label;
        else if (start[cell] == 1)
          start[cell] = label;
        box = Box{std::min(box.x0, x), std::min(box.y0, y), std::max(box.x1, x), std::max(box.y1, y)};
        const int next_x = x + walk_x[static_cast<std::size_t>(next)],
                  next_y = y + walk_y[static_cast<std::size_t>(next)];
        contour.twice_area += std::int64_t{x} * next_y - std::int64_t{next_x} * y;  // shoelace formula
        x = next_x;
        y = next_y;
      });
  if (!more_than_one) *start = -label;
  contour.twice_area = std::abs(contour.twice_area);
  return contour;
}

// From the order of finding to a border before those inside it, later found siblings first.
std::vector<Contour> in_tree_order(const std::vector<Contour>& found) {
  const std::size_t count = found.size();
  std::vector<std::vector<std::size_t>> children(count);
  std::vector<std::size_t> waiting;  // a stack: the last one put on is taken first
  for (std::size_t i = 0; i < count; ++i)
    (found[i].parent < 0 ? waiting : children[static_cast<std::size_t>(found[i].parent)]).push_back(i);
  std::vector<Contour> ordered;
  std::vector<int> position(count);
  ordered.reserve(count);
  while (!waiting.empty()) {
    const std::size_t i = waiting.back();
    waiting.pop_back();
    position[i] = static_cast<int>(ordered.size());
    ordered.push_back(found[i]);
    if (found[i].parent >= 0) ordered.back().parent = position[static_cast<std::size_t>(found[i].parent)];
    waiting.insert(waiting.end(), children[i].begin(), children[i].end());
  }
  return ordered;
}

}  // namespace

std::vector<Contour> find_contours(std::span<const std::uint8_t> values, int width, int height, int cut,
                                   ContourOrder order) {
  check(width >= 1 && height >= 1, "find_contours: extents must be at least 1, got ", width, " x ", height);
  check(values.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height), "find_contours: a ", width,
        " x ", height, " picture needs as many values, got ", values.size());
  Labels labels(values, width, height, cut);
  std::vector<Contour> found;
  for (int y = 0; y < height; ++y) {
    const std::int32_t* cells = labels.row(y) + 1;
    int nearest = -1;  // the border met last on this row; -1: the frame around the picture
    for (int x = 0; x < width; ++x) {
      if (cells[x] == 0) continue;
      const bool outer = cells[x] == 1 && cells[x - 1] == 0;
      const bool hole = !outer && cells[x] >= 1 && cells[x + 1] == 0;
      if (hole && cells[x] > 1) nearest = cells[x] - 2;
      if (outer || hole) {
        const int index = static_cast<int>(found.size());
        Contour contour = labels.follow(x, y, hole, index);
        // Between two borders of one kind lies the region (or hole) in which both are; else the one is in the other.
        if (nearest >= 0) {
          const Contour& neighbour = found[static_cast<std::size_t>(nearest)];
          contour.parent = neighbour.hole == hole ? neighbour.parent : nearest;
        }
        found.push_back(contour);
      }
      if (cells[x] != 1) nearest = std::abs(cells[x]) - 2;
    }
  }
  if (order == ContourOrder::two_level)
    for (Contour& contour : found)
      if (!contour.hole) contour.parent = -1;
  return in_tree_order(found);
}

int largest_contour(const std::vector<Contour>& contours) {
  int best = -1;
  for (std::size_t i = 0; i < contours.size(); ++i)
    if (best < 0 || contours[i].twice_area > contours[static_cast<std::size_t>(best)].twice_area)
      best = static_cast<int>(i);
  return best;
}

}  // namespace acol
