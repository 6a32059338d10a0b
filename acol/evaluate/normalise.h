// The four ways in use of bringing a map to [0, 1] before a box is read off. Which one is taken moves published figures
// by several points (Kim et al., "Normalization matters in weakly supervised object localization", ICCV 2021).
#pragma once

#include <string>
#include <vector>

#include "acol/evaluate/score_map.h"

namespace acol {

enum class MapNormalisation {
  min_max,  // (v - min) / (max - min)
  max,      // max(v, 0) / max: zero stays zero (the original CAM)
  pas,      // min((v - min) / q, 1), q the percentile of v - min: one hot peak no longer hides the rest
            // (Bae et al., "Rethinking class activation mapping", ECCV 2020)
  ivr,      // max(v - q, 0) / (max - q), q the percentile of v: what is usual everywhere counts as nothing (Kim et al.)
};

// How a percentile between two of the n sorted values is read.
enum class Percentile {
  linear,  // numpy.percentile: interpolated at p / 100 (n - 1)
  rank,    // the sorted value number int(p / 100 n), counted from 0: what the ICCV 2021 paper's program takes
};

struct Normalisation {
  MapNormalisation kind = MapNormalisation::min_max;
  double percentile = 0;  // in [0, 100]; read by pas (usually 90) and ivr (45 in its program)
  Percentile reading = Percentile::linear;
  friend bool operator==(const Normalisation&, const Normalisation&) = default;
};

// "min-max", "max", "pas", "ivr", with a percentile "pas:90", and with its reading "ivr:45/rank". Without a percentile:
// 90 for pas, 45 for ivr. Error: an unknown name, a percentile outside [0, 100] or one where none is used.
Normalisation parse_normalisation(const std::string& text);
// A text that parse_normalisation reads back, "ivr:45" for example.
std::string name_of(const Normalisation& normalisation);
std::vector<std::string> normalisation_names();

// The percentile (0 to 100) of some numbers. Error: no number, one that is not finite, or `percent` outside [0, 100].
double percentile(std::vector<double> values, double percent, Percentile reading = Percentile::linear);

// In place; what comes out is in [0, 1]. All zeros for a map that is constant, or holds a NaN or an infinity, or spans
// more than a double can hold, or has nothing above what is taken for zero (max: no positive value; ivr: the percentile
// is the maximum). Where pas would divide by zero, since most of the map is at its minimum, everything above the
// minimum becomes 1, which is the limit of its formula. Error: bad extents, a percentile outside [0, 100].
void normalise(ScoreMap& map, const Normalisation& normalisation);

}  // namespace acol
