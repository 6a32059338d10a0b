#include "acol/evaluate/centre_box.h"

#include <algorithm>
#include <cmath>

#include "acol/evaluate/boxes.h"
#include "acol/evaluate/max_box_acc.h"
#include "tensor/check.h"

namespace acol {

ScoreMap centre_map(int side) {
  check(side >= 1, "centre_map: the side must be at least 1, got ", side);
  ScoreMap map{side, side, {}};
  // Twice the distance from the centre, so that it is a whole number: 0 or 1 in the middle, side - 1 at the border. The
  // border's score is above 0, or else the threshold 0 would leave out the outermost ring.
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      const int distance = std::max(std::abs(2 * x - side + 1), std::abs(2 * y - side + 1));
      map.values.push_back(1 - static_cast<double>(distance - (side + 1) % 2) / (side + 1));
    }
  return map;
}

Box centred_box(int size, int side) {
  check(size >= 1 && size <= side, "centred_box: the size must be in 1..", side, ", got ", size);
  const int first = (side - size) / 2;
  return Box{first, first, first + size - 1, first + size - 1};
}

double percent_found(const Box& box, const std::vector<std::vector<Box>>& truth, double iou) {
  check(!truth.empty(), "percent_found: no picture given");
  const auto found = std::count_if(truth.begin(), truth.end(),
                                   [&](const std::vector<Box>& targets) { return best_iou(box, targets) >= iou; });
  return static_cast<double>(found) * 100 / static_cast<double>(truth.size());
}

CentreBaseline centre_baseline(const std::vector<std::vector<Box>>& truth, double step, int side) {
  check(!truth.empty(), "centre_baseline: no picture given");
  MaxBoxAcc metric(step, side);
  const SweptBoxes swept = swept_boxes(centre_map(side), metric.taus());
  for (const std::vector<Box>& targets : truth) metric.add(box_scores(swept, targets));

  CentreBaseline baseline;
  baseline.max_box_acc = metric.v1();
  baseline.max_box_acc_v2 = metric.v2();
  baseline.at_deltas = metric.v2_at_deltas();
  baseline.gt_known_whole = percent_found(whole_box(side, side), truth);
  for (int size = 1; size <= side; ++size) {
    const double found = percent_found(centred_box(size, side), truth);
    if (size > 1 && found <= baseline.gt_known_centred) continue;
    baseline.gt_known_centred = found;
    baseline.best_size = size;
  }
  return baseline;
}

}  // namespace acol
