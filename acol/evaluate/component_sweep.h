// The winning component of a map at many thresholds, from one pass over its pixels in the order of their values.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "acol/data/box.h"
#include "acol/evaluate/components.h"
#include "acol/evaluate/score_map.h"

namespace acol {

// What makes a component win; of equal ones the one with the first pixel in raster order does.
enum class LargestBy { pixels, box_area };

// For each cut the box of the winning component of the pixels with value >= cut; nothing where there is no pixel. The
// same as going through components() at every cut; takes time in proportion to the pixels. cuts: ascending, each once.
// Error: bad extents, other cuts.
std::vector<std::optional<Box>> sweep_components(const ScoreMap& map, std::span<const double> cuts,
                                                 Neighbours neighbours, LargestBy order);

}  // namespace acol
