// MaxBoxAcc and MaxBoxAccV2 (Choe et al., "Evaluating weakly supervised object localization methods right", CVPR 2020):
// localization without a box threshold chosen by hand. Every threshold is tried and the best ONE for the whole set
// counts.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "acol/data/box.h"
#include "acol/evaluate/level_sweep.h"
#include "acol/evaluate/score_map.h"

namespace acol {

// `box` of a width x height picture on a grid of another size: each coordinate times new / old, fraction dropped.
// Error: an extent below 1, a negative coordinate, x1 < x0 or y1 < y0.
Box scaled_box(const Box& box, int width, int height, int new_width, int new_height);
inline Box scaled_box(const Box& box, int width, int height, int side) {
  return scaled_box(box, width, height, side, side);
}

// The boxes of one map at every threshold tau. Scores are cut down to bytes, v = int(255 score); foreground is
// v > int(tau max v), and a contour's box is one pixel wider than its rectangle to the right and below unless it meets
// the border there. No contour gives the one box (0, 0, 0, 0). All this is as in the published evaluator, quirks
// included, since numbers are compared with published ones. Since v is a byte, at most 256 different pictures occur;
// thresholds that give the same picture share one level. Levels rise with the threshold.
struct SweptBoxes {
  std::vector<LevelSweep::Run> runs;  // boxes of all contours, holes too: each with the levels at which it occurs
  std::vector<Box> largest;  // per level: of the contour with the largest polygon area, OpenCV's first of equal ones
  std::vector<std::size_t> level_of;  // for each threshold an index in `largest`
};

// Error: a map that is empty or has a score outside [0, 1] or NaN.
SweptBoxes swept_boxes(const ScoreMap& map, const std::vector<double>& taus);

// The thresholds 0, step, 2 step, ... below 1, each computed as i * step. Error: step outside (0, 1].
std::vector<double> thresholds(double step);

// For people and files: 287 * 0.001 is .28700000000000003, and .287 is what it stands for (12 places).
double rounded_threshold(double threshold);

// Where a curve over thresholds is highest; of equal places the first. The curve must not be empty.
std::size_t index_of_best(const std::vector<double>& curve);

// What one picture contributes: at each threshold the best IoU between any of its predicted and any of its true boxes.
struct BoxScores {
  std::vector<double> largest;  // with the box of the largest contour only (V1)
  std::vector<double> any;      // with the boxes of all contours (V2)
};

// Error: no true box, a negative coordinate, x1 < x0 or y1 < y0.
BoxScores box_scores(const SweptBoxes& boxes, const std::vector<Box>& truth);

// The metric over a data set:
//   MaxBoxAcc acc;
//   for (each picture) acc.add(map, truth);   // or: in parallel s = acc.scores(map, truth), then in turn acc.add(s)
//   acc.v1();
// All results are percent of pictures; Error when none was added.
class MaxBoxAcc {
 public:
  static constexpr std::array<double, 3> deltas{0.3, 0.5, 0.7};  // the IoU that counts as found, >=

  // side: of the square grid on which maps and boxes are compared.
  explicit MaxBoxAcc(double step = 0.001, int side = 224);

  // map: side x side, the class that is known to be there, in [0, 1]. truth: its boxes, already scaled to the grid
  // (scaled_box). `scores` reads only what the constructor set: several threads may call it at once.
  BoxScores scores(const ScoreMap& map, const std::vector<Box>& truth) const;
  void add(const BoxScores& scores);
  void add(const ScoreMap& map, const std::vector<Box>& truth) { add(scores(map, truth)); }

  std::int64_t count() const { return count_; }
  int side() const { return side_; }
  const std::vector<double>& taus() const { return taus_; }

  // Percent found at each threshold with the largest contour; its maximum is v1 (delta .5).
  std::vector<double> curve_v1(double delta = 0.5) const;
  // Percent found at each threshold with all contours, for one of the three deltas.
  std::vector<double> curve_v2(double delta) const;

  double v1() const;                           // MaxBoxAcc: delta .5
  std::array<double, 3> v2_at_deltas() const;  // the maximum for each delta; their thresholds may differ
  double v2() const;                           // MaxBoxAccV2: the mean of these
  double best_tau_v1() const;                  // the smallest threshold that reaches v1
  std::array<double, 3> best_taus_v2() const;

 private:
  using Hits = std::array<std::vector<std::int64_t>, 3>;  // pictures found, for each delta and threshold
  std::vector<double> curve(const Hits& hits, double delta) const;

  std::vector<double> taus_;
  int side_;
  std::int64_t count_ = 0;
  Hits largest_hits_, any_hits_;
};

}  // namespace acol
