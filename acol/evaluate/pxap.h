// PxAP (Choe et al., "Evaluating weakly supervised object localization methods right", CVPR 2020): pixels of maps
// against masks of the object, as one average precision over a whole data set.
#pragma once

#include <cstdint>
#include <vector>

#include "acol/data/dataset.h"
#include "acol/evaluate/score_map.h"

namespace acol {

// What a pixel counts as.
enum class PixelTruth : std::uint8_t { background, object, ignored };

// The masks of one picture on a side x side grid: the object is where any of them is, and ignored is where the ignore
// mask is and no object. A mask is read as grey (.299 R + .587 G + .114 B, as OpenCV), brought to the grid by OpenCV's
// INTER_NEAREST, and is where that is > .5: at any grey above black. All this is wsolevaluation's. Masks may have any
// size. Error naming the file: one that cannot be read. Error: a sample without masks.
std::vector<PixelTruth> mask_truth(const Dataset& data, const Sample& sample, int side);

// For each of `size` pixels of a grid the one of `source` pixels that OpenCV's INTER_NEAREST takes:
// floor(i / (size / source)) in double, which now and then is one less than the exact quotient.
std::vector<int> nearest_pixels(int source, int size);

// The metric over a data set, like MaxBoxAcc:
//   PxAP metric;
//   for (each picture) metric.add(metric.counts(map, truth));   // counts: several threads may call it at once
//   metric.percent();
class PxAP {
 public:
  // Bins of scores [tau, next tau), then [1, 2) and [2, 3]: a score of exactly 1 has a bin of its own.
  explicit PxAP(double step = 0.001);

  struct Counts {
    std::vector<std::int64_t> object, background;  // pixels of each bin
  };
  // map: scores in [0, 1]; truth: as many pixels. Error: other extents, a score outside [0, 1] or NaN.
  Counts counts(const ScoreMap& map, const std::vector<PixelTruth>& truth) const;
  void add(const Counts& counts);

  std::int64_t pictures() const { return pictures_; }

  // Over all pixels of the data set with a score of at least each threshold, highest threshold first: above 1, 1, and
  // the taus from the last to 0. precision is NaN where there is no such pixel.
  struct Curve {
    std::vector<double> thresholds, precision, recall;
  };
  // Error: no pixel of an object was added.
  Curve curve() const;

  // 100 x the sum of precision x growth of recall along the curve. A perfect map has 100, a constant one the object's
  // share of the pixels that count. Error: as curve().
  double percent() const;

 private:
  std::size_t bin_of(double score) const;

  double step_;
  std::vector<double> edges_;  // of the bins, one more than there are bins
  Counts sums_;
  std::int64_t pictures_ = 0;
};

}  // namespace acol
