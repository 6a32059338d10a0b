#include "acol/evaluate/distance_transform.h"

#include <algorithm>

#include "tensor/check.h"

namespace acol {

namespace {

// Integer division rounded down; the divisor is positive.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }

// out[x] = min over i of (x - i)^2 + heights[i]^2, the lower envelope of parabolas (Meijster, Roerdink and Hesselink,
// 2000). `owner` and `first` are room for one row: owner[k] is the k-th parabola of the envelope from the left, which
// is the lowest from x = first[k] on.
void lower_envelope(const std::vector<std::int64_t>& heights, std::vector<std::int64_t>& owner,
                    std::vector<std::int64_t>& first, std::int64_t* out) {
  const std::int64_t width = static_cast<std::int64_t>(heights.size());
  const auto square = [&](std::int64_t i) {
    const std::int64_t height = heights[static_cast<std::size_t>(i)];
    return height * height;
  };
  const auto value = [&](std::int64_t x, std::int64_t i) { return (x - i) * (x - i) + square(i); };
  owner.clear();
  first.clear();
  for (std::int64_t u = 0; u < width; ++u) {
    while (!owner.empty() && value(first.back(), owner.back()) > value(first.back(), u)) {
      owner.pop_back();
      first.pop_back();
    }
    if (owner.empty()) {
      owner.push_back(u);
      first.push_back(0);
      continue;
    }
    const std::int64_t i = owner.back();  // the last x where i is not higher than u, and from the next one u is lower
    const std::int64_t last = floor_divide(u * u - i * i + square(u) - square(i), 2 * (u - i));
    if (last + 1 < width) {
      owner.push_back(u);
      first.push_back(last + 1);
    }
  }
  std::size_t k = 0;
  for (std::int64_t x = 0; x < width; ++x) {
    while (k + 1 < owner.size() && first[k + 1] <= x) ++k;
    out[x] = value(x, owner[k]);
  }
}

}  // namespace

std::vector<std::int64_t> squared_distances(std::span<const std::uint8_t> mask, int width, int height) {
  check(width >= 1 && height >= 1 && width <= 20000 && height <= 20000,
        "squared_distances: extents must be in 1..20000, got ", width, " x ", height);
  const std::size_t across = static_cast<std::size_t>(width), down = static_cast<std::size_t>(height);
  check(mask.size() == across * down, "squared_distances: a ", width, " x ", height, " mask needs as many values, got ",
        mask.size());
  std::vector<std::int64_t> distances(mask.size(), -1);
  if (std::find(mask.begin(), mask.end(), 0) == mask.end()) return distances;

  // Down and up each column: the distance to the nearest background in it. A column without any gets one that is
  // farther than any in the picture can be, so that it never wins in the second pass.
  const std::int64_t far = std::int64_t{width} + height;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    const std::int64_t above = i < across ? far : distances[i - across];
    distances[i] = mask[i] == 0 ? 0 : std::min(above + 1, far);
  }
  for (std::size_t i = mask.size() - across; i-- > 0;) distances[i] = std::min(distances[i], distances[i + across] + 1);
  std::vector<std::int64_t> heights(across), owner, first;
  for (std::size_t y = 0; y < down; ++y) {
    std::int64_t* row = distances.data() + y * across;
    std::copy(row, row + across, heights.begin());
    lower_envelope(heights, owner, first, row);
  }
  return distances;
}

}  // namespace acol
