#include "acol/evaluate/boxes.h"

#include <algorithm>
#include <cmath>

#include "tensor/check.h"

namespace acol {

namespace {

struct Component {
  Box box;
  std::int64_t pixels = 0;
};

// Takes the 8-connected component that holds (x, y) out of `open` and measures it.
Component take_component(std::vector<char>& open, int width, int height, int x, int y) {
  const auto index = [width](int px, int py) {
    return static_cast<std::size_t>(py) * static_cast<std::size_t>(width) + static_cast<std::size_t>(px);
  };
  Component component{Box{x, y, x, y}, 0};
  std::vector<std::pair<int, int>> waiting{{x, y}};
  open[index(x, y)] = 0;
  while (!waiting.empty()) {
    const auto [cx, cy] = waiting.back();
    waiting.pop_back();
    ++component.pixels;
    Box& box = component.box;
    box = Box{std::min(box.x0, cx), std::min(box.y0, cy), std::max(box.x1, cx), std::max(box.y1, cy)};
    for (int ny = std::max(cy - 1, 0); ny <= std::min(cy + 1, height - 1); ++ny)
      for (int nx = std::max(cx - 1, 0); nx <= std::min(cx + 1, width - 1); ++nx)
        if (char& neighbour = open[index(nx, ny)]) {
          neighbour = 0;
          waiting.emplace_back(nx, ny);
        }
  }
  return component;
}

}  // namespace

std::optional<Box> largest_component_box(const ScoreMap& map, double fraction) {
  validate(map, "largest_component_box");
  check(fraction >= 0 && fraction <= 1, "largest_component_box: the fraction of the maximum must be in [0, 1], got ",
        fraction);
  if (!std::all_of(map.values.begin(), map.values.end(), [](double v) { return std::isfinite(v); }))
    return std::nullopt;
  const double maximum = *std::max_element(map.values.begin(), map.values.end());
  if (!(maximum > 0)) return std::nullopt;

  std::vector<char> open(map.values.size());  // foreground that belongs to no component yet
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = map.values[i] >= fraction * maximum;
  Component best;
  for (int y = 0; y < map.height; ++y)
    for (int x = 0; x < map.width; ++x) {
      if (!open[static_cast<std::size_t>(y) * static_cast<std::size_t>(map.width) + static_cast<std::size_t>(x)])
        continue;
      const Component component = take_component(open, map.width, map.height, x, y);
      if (component.pixels > best.pixels) best = component;
    }
  return best.box;
}

}  // namespace acol
