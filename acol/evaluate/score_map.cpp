#include "acol/evaluate/score_map.h"

#include <algorithm>
#include <cmath>

#include "tensor/check.h"

namespace acol {

void validate(const ScoreMap& map, const char* who) {
  check(map.width >= 1 && map.height >= 1, who, ": a score map needs extents of at least 1, got ", map.width, " x ",
        map.height);
  const std::size_t expected = static_cast<std::size_t>(map.width) * static_cast<std::size_t>(map.height);
  check(map.values.size() == expected, who, ": a ", map.width, " x ", map.height, " score map needs ", expected,
        " values, got ", map.values.size());
}

ScoreMap score_map(const float* values, int width, int height) {
  check(width >= 1 && height >= 1, "score_map: extents must be at least 1, got ", width, " x ", height);
  const std::size_t count = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
  return ScoreMap{width, height, std::vector<double>(values, values + count)};
}

void min_max_normalise(ScoreMap& map) {
  validate(map, "min_max_normalise");
  const auto finite = [](double v) { return std::isfinite(v); };
  const auto [low_at, high_at] = std::minmax_element(map.values.begin(), map.values.end());
  const double low = *low_at, range = *high_at - *low_at;
  if (!std::all_of(map.values.begin(), map.values.end(), finite) || !(range > 0) || !std::isfinite(range)) {
    std::fill(map.values.begin(), map.values.end(), 0.0);
    return;
  }
  for (double& v : map.values) v = (v - low) / range;
}

ScoreMap resized(const ScoreMap& map, int width, int height, Interpolation interpolation) {
  validate(map, "resized");
  check(width >= 1 && height >= 1, "resized: new extents must be at least 1, got ", width, " x ", height);
  if (width == map.width && height == map.height) return map;  // the taps then have weights 1 and 0
  ScoreMap out{width, height, {}};
  out.values.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  if (std::all_of(map.values.begin(), map.values.end(), [&](double v) { return v == map.values[0]; })) {
    std::fill(out.values.begin(), out.values.end(), map.values[0]);
    return out;
  }
  const ResizeGeometry geometry{1, map.height, map.width, 1, height, width, interpolation};
  kernels<double>().resize_forward(geometry, map.values.data(), out.values.data());
  return out;
}

ScoreMap fused(const ScoreMap& a, const ScoreMap& b) {
  validate(a, "fused");
  validate(b, "fused");
  check(a.width == b.width && a.height == b.height, "fused: maps of ", a.width, " x ", a.height, " and ", b.width,
        " x ", b.height, " do not fit; resize one first");
  ScoreMap out = a;
  for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = std::max(a.values[i], b.values[i]);
  return out;
}

}  // namespace acol
