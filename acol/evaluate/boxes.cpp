#include "acol/evaluate/boxes.h"

#include <algorithm>
#include <cmath>

#include "acol/evaluate/components.h"
#include "tensor/check.h"

namespace acol {

std::optional<Box> largest_component_box(const ScoreMap& map, double fraction) {
  validate(map, "largest_component_box");
  check(fraction >= 0 && fraction <= 1, "largest_component_box: the fraction of the maximum must be in [0, 1], got ",
        fraction);
  if (!std::all_of(map.values.begin(), map.values.end(), [](double v) { return std::isfinite(v); }))
    return std::nullopt;
  const double maximum = *std::max_element(map.values.begin(), map.values.end());
  if (!(maximum > 0)) return std::nullopt;

  std::vector<std::uint8_t> mask(map.values.size());
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = map.values[i] >= fraction * maximum;
  Component best;
  for (const Component& component : components(mask, map.width, map.height, Neighbours::eight))
    if (component.pixels > best.pixels) best = component;
  return best.box;
}

}  // namespace acol
