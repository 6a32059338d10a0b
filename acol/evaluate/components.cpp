#include "acol/evaluate/components.h"

#include <algorithm>
#include <utility>

#include "tensor/check.h"

namespace acol {

namespace {

// Takes the component that holds (x, y) out of `open` and measures it.
Component take_component(std::vector<std::uint8_t>& open, int width, int height, int x, int y, Neighbours neighbours) {
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
      for (int nx = std::max(cx - 1, 0); nx <= std::min(cx + 1, width - 1); ++nx) {
        if (neighbours == Neighbours::four && nx != cx && ny != cy) continue;
        if (std::uint8_t& neighbour = open[index(nx, ny)]) {
          neighbour = 0;
          waiting.emplace_back(nx, ny);
        }
      }
  }
  return component;
}

}  // namespace

std::vector<Component> components(std::span<const std::uint8_t> mask, int width, int height, Neighbours neighbours) {
  check(width >= 1 && height >= 1, "components: extents must be at least 1, got ", width, " x ", height);
  check(mask.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height), "components: a ", width,
        " x ", height, " mask needs as many values, got ", mask.size());
  std::vector<std::uint8_t> open(mask.begin(), mask.end());  // foreground that belongs to no component yet
  std::vector<Component> found;
  for (std::size_t i = 0; i < open.size(); ++i)
    if (open[i] != 0) {
      const int at = static_cast<int>(i);
      found.push_back(take_component(open, width, height, at % width, at / width, neighbours));
    }
  return found;
}

}  // namespace acol
