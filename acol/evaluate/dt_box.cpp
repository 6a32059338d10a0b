#include "acol/evaluate/dt_box.h"

#include <algorithm>
#include <cmath>

#include "acol/evaluate/contours.h"
#include "acol/evaluate/distance_transform.h"
#include "tensor/check.h"

namespace acol {

namespace {

struct Rect {
  int x, y, width, height;
  int area() const { return width * height; }  // positive also when both extents are negative
};

// Foreground that is far enough from the background.
std::vector<std::uint8_t> thick_parts(std::span<const std::uint8_t> grey, int width, int height, int level) {
  std::vector<std::uint8_t> mask(grey.size());
  std::transform(grey.begin(), grey.end(), mask.begin(), [level](std::uint8_t v) { return v > level ? 255 : 0; });
  const std::vector<std::int64_t> squares = squared_distances(mask, width, height);
  const std::int64_t largest = *std::max_element(squares.begin(), squares.end());
  if (largest <= 0) return mask;  // all foreground, or nothing
  const double scale = 255.0 / std::sqrt(static_cast<double>(largest));
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const int scaled = static_cast<int>(std::sqrt(static_cast<double>(squares[i])) * scale + 0.5);
    mask[i] = scaled > 10 ? 255 : 0;
  }
  return mask;
}

void clear_outermost(std::vector<std::uint8_t>& mask, int width, int height) {
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      if (x == 0 || y == 0 || x == width - 1 || y == height - 1)
        mask[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)] = 0;
}

// Not std::clamp: here the upper bound may be below the lower one, and wins where the value is above it.
int limit(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

bool overlap_much(const Rect& a, const Rect& b) {
  const int half = static_cast<int>(std::max(a.area(), b.area()) * 0.5);
  const int across = std::max(0, std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x));
  const int down = std::max(0, std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y));
  return across * down > half;
}

void drop_overlapping(std::vector<Rect>& rects) {
  for (std::size_t i = 0; i < rects.size(); ++i)
    for (std::size_t j = i + 1; j < rects.size(); ++j)  // after an erase this skips one, as the original does
      if (overlap_much(rects[i], rects[j])) rects.erase(rects.begin() + static_cast<std::ptrdiff_t>(j));
}

}  // namespace

void validate(const DtBoxOptions& options) {
  const auto [low, middle, high] = options.levels;
  check(0 < low && low < middle && middle < high && high < 255, "dt-box: the levels must rise between 0 and 255, got ",
        low, ", ", middle, ", ", high);
}

std::vector<std::uint8_t> dt_box_grey(const ScoreMap& map) {
  validate(map, "dt_box_grey");
  double maximum = 0;
  for (const double v : map.values) {
    if (!std::isfinite(v)) return {};
    maximum = std::max(maximum, v);
  }
  if (!(maximum > 0)) return {};
  std::vector<std::uint8_t> grey;
  for (const double v : map.values)
    grey.push_back(static_cast<std::uint8_t>(std::floor(255 * (std::max(v, 0.0) / maximum) + 0.5)));
  return grey;
}

std::vector<Box> dt_boxes(std::span<const std::uint8_t> grey, int width, int height, const DtBoxOptions& options) {
  check(width >= 1 && height >= 1, "dt_boxes: extents must be at least 1, got ", width, " x ", height);
  check(grey.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height), "dt_boxes: a ", width, " x ",
        height, " picture needs as many values, got ", grey.size());
  validate(options);

  std::vector<Rect> rects;
  for (const int level : options.levels) {
    std::vector<std::uint8_t> mask = thick_parts(grey, width, height, level);
    if (options.clear_border) clear_outermost(mask, width, height);
    for (const Contour& contour : find_contours(mask, width, height, 0, ContourOrder::two_level)) {
      const Box& box = contour.rect;
      rects.push_back(Rect{limit(box.x0, 0, width - 5), limit(box.y0, 0, height - 5),
                           limit(box.x1 - box.x0 + 1, 0, width - 5 - box.x0),
                           limit(box.y1 - box.y0 + 1, 0, height - 5 - box.y0)});
    }
  }
  std::stable_sort(rects.begin(), rects.end(), [](const Rect& a, const Rect& b) { return a.area() > b.area(); });
  drop_overlapping(rects);

  std::vector<Box> boxes;
  for (const Rect& r : rects) {
    const auto [x0, x1] = std::minmax({r.x, r.x + r.width});
    const auto [y0, y1] = std::minmax({r.y, r.y + r.height});
    boxes.push_back(Box{x0, y0, x1, y1});
  }
  return boxes;
}

}  // namespace acol
