// A heat map as numbers, and what is done to it before boxes are read off.
#pragma once

#include <vector>

#include "tensor/kernels.h"

namespace acol {

// Score of pixel (x, y) is values[y * width + x]. Evaluation is done in double, so that a threshold means the same
// pixels whatever the network computed in.
struct ScoreMap {
  int width = 0, height = 0;
  std::vector<double> values;
  double at(int x, int y) const {
    return values[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)];
  }
  friend bool operator==(const ScoreMap&, const ScoreMap&) = default;
};

// Error: an extent below 1, or not width * height values. `who` opens the message.
void validate(const ScoreMap& map, const char* who);

// Widening copy of width * height floats, row major.
ScoreMap score_map(const float* values, int width, int height);

// (v - min) / (max - min), in place: the range becomes exactly [0, 1]. All zeros if the map is constant or holds a NaN
// or an infinity, so that a map without information gives no box instead of NaN.
void min_max_normalise(ScoreMap& map);

// Half-pixel centres, border taps clamped (OpenCV's INTER_LINEAR and INTER_CUBIC; ResizeGeometry says more). Bicubic
// overshoots: normalise afterwards. A constant map stays constant to the bit: rounding of the weights would otherwise
// make a pattern of it, which normalising blows up to [0, 1]. Error: an extent below 1.
ScoreMap resized(const ScoreMap& map, int width, int height, Interpolation interpolation);

// The larger of the two at each pixel: ACoL's fusion of the branches (paper, section 3.2). Both are to be normalised
// before. Error: different extents.
ScoreMap fused(const ScoreMap& a, const ScoreMap& b);

}  // namespace acol
