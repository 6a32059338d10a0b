// Exact Euclidean distance transform.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace acol {

// For each pixel the square of the distance from its centre to that of the nearest background pixel; 0 on the
// background itself. Squares of distances on a grid are whole numbers, so nothing is rounded. Outside the picture is
// neither background nor foreground. -1 everywhere if there is no background. Time is linear in the number of pixels.
// mask: width * height, row major, 0 is background. Error: an extent below 1 or above 20,000, or another number of
// values.
std::vector<std::int64_t> squared_distances(std::span<const std::uint8_t> mask, int width, int height);

}  // namespace acol
