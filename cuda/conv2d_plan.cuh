// Which tile a product is computed with, and into how many parts its depth is cut. A rule of the product's size and of
// nothing else: so that results repeat bit for bit on any card.
#pragma once

#include <algorithm>
#include <cstdint>

namespace acol::cuda::simt {

struct ProductPlan {
  int tile_m = 64, tile_n = 64;
  // Each part makes sums of its own, which are added up afterwards. part_depth: a multiple of 8.
  std::int64_t parts = 1, part_depth = 8;
};

inline std::int64_t rounded_up(std::int64_t value, std::int64_t step) { return (value + step - 1) / step * step; }

// m x n sums over `depth` products. `may_cut`: whether there may be several parts.
inline ProductPlan product_plan(std::int64_t m, std::int64_t n, std::int64_t depth, bool may_cut) {
  const auto tiles = [](std::int64_t size, int tile) { return (size + tile - 1) / tile; };

  // The largest tile of which little hangs over the edges: a large tile reads each number less often. If the depth is
  // not cut, there must be enough tiles to keep a large card busy.
  constexpr std::int64_t enough_tiles = 384;
  const auto is_wide = [](std::int64_t size) { return 10 * rounded_up(size, 128) <= 11 * rounded_up(size, 64); };
  ProductPlan plan;
  for (const int tile_n : {128, 64}) {
    if (!is_wide(m) || (tile_n == 128 && !is_wide(n))) continue;
    if (!may_cut && tiles(m, 128) * tiles(n, tile_n) < enough_tiles) continue;
    plan.tile_m = 128, plan.tile_n = tile_n;
    break;
  }
  if (!may_cut) {
    plan.part_depth = rounded_up(depth, 8);
    return plan;
  }

  // Parts for several rounds of blocks on a large card, so that its end, where some of it is idle, costs little; but
  // not so many that adding them up costs more.
  constexpr std::int64_t sums_of_parts = std::int64_t{1} << 24, shortest_part = 256, most_parts = 512;
  const std::int64_t sums = tiles(m, plan.tile_m) * tiles(n, plan.tile_n) * plan.tile_m * plan.tile_n;
  const std::int64_t wanted = std::min((sums_of_parts + sums - 1) / sums, most_parts);
  const std::int64_t parts = std::clamp<std::int64_t>(depth / shortest_part, 1, wanted);
  plan.part_depth = rounded_up((depth + parts - 1) / parts, 8);
  plan.parts = (depth + plan.part_depth - 1) / plan.part_depth;
  return plan;
}

}  // namespace acol::cuda::simt
