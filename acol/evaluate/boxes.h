// From a map to one box: the rule of the CAM paper, which ACoL takes over.
#pragma once

#include <optional>

#include "acol/data/box.h"
#include "acol/evaluate/score_map.h"

namespace acol {

// The inclusive bounding box of the largest connected component of the pixels that have at least `fraction` of the
// map's maximum (Zhou et al., CVPR 2016, section 3.2: "above 20 % of the max"; 8-connected; size in pixels; of equal
// ones the first in raster order). We take >= and not >, so that every fraction up to 1 keeps at least the maximum
// itself; on real maps the two differ only where a value meets the threshold to the last bit. Nothing if no value is
// positive, or if one is NaN or infinite: such a map points nowhere. The caller then reports whole_box(): the best
// guess without knowledge, and a prediction that the metrics can count. The box is in pixels of the map: resize the map
// to the picture first. Error: fraction outside [0, 1].
std::optional<Box> largest_component_box(const ScoreMap& map, double fraction);

// All of a width x height picture.
inline Box whole_box(int width, int height) { return Box{0, 0, width - 1, height - 1}; }

}  // namespace acol
