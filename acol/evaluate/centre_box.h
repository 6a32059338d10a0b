// What one gets without looking at the picture: a localizer has to beat this to have learnt anything.
#pragma once

#include <array>
#include <vector>

#include "acol/data/box.h"
#include "acol/evaluate/clsloc.h"
#include "acol/evaluate/score_map.h"

namespace acol {

// The map whose thresholds give every centred square, side x side, in (0, 1]: 1 at the centre, falling linearly with
// the larger of the distances in x and y.
ScoreMap centre_map(int side = 224);

// The centred square of `size` x `size` pixels on a side x side grid (half a pixel up and left where parity differs).
Box centred_box(int size, int side);

// Percent of the pictures in which the box overlaps with some true box by at least `iou`. Error: no picture.
double percent_found(const Box& box, const std::vector<std::vector<Box>>& truth, double iou = found_iou);

// Percent of pictures.
struct CentreBaseline {
  double max_box_acc = 0;  // centre_map scored by MaxBoxAcc like the map of any network
  double max_box_acc_v2 = 0;
  std::array<double, 3> at_deltas{};  // of which V2 is the mean: IoU .3, .5, .7
  double gt_known_whole = 0;          // the whole picture as box: found at IoU >= .5 with some true box
  double gt_known_centred = 0;        // the centred square of the one size that does best on this set
  int best_size = 0;                  // that size in pixels of the grid, the smallest of equally good ones
};

// truth: for each picture its true boxes, scaled to the grid (scaled_box in max_box_acc.h).
// Error: no picture, a picture without a box, a box with x1 < x0, y1 < y0 or a negative coordinate.
CentreBaseline centre_baseline(const std::vector<std::vector<Box>>& truth, double step = 0.001, int side = 224);

}  // namespace acol
