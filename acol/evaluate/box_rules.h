// The rules in circulation that make boxes of a map, by name. They differ in what "above the threshold" is relative to,
// in > or >=, in 4 or 8 neighbours, in how segments are compared, in how wide the box is, and in the grid on which all
// this happens. Each of these changes published figures, so each rule is kept as its program has it.
//
//   name              foreground                       segments               box                     default
//   cam-paper         v >= t max                       8, most pixels         inclusive               .2
//   gradcam           v >= t max                       8, most pixels         inclusive               .15
//   union             v >= t                           all together           inclusive               .2
//   largest-box-area  v >= t                           4, largest box         inclusive               .2
//   largest-contour   byte > int(t max byte)           8, largest polygon     (x, y, x + w, y + h)    .2
//   adl               grey > int(t max grey)           8, largest polygon     (x, y, x + w, y + h)    .2
//   pas               byte > int(t percentile)         8, largest polygon     (x, y, x + w, y + h)    .35, 90th
//   wsol              byte > int(t max byte)           8, all, holes too      the same, cut at W - 1  .2
//   dt-box            byte > t, then thick parts only  8, all, holes too      see dt_box.h            20/100/110
//
// cam-paper         Zhou et al., CVPR 2016, section 3.2 (text); boxes.h.
// gradcam           Selvaraju et al., ICCV 2017: 15 % of the maximum, single largest segment. Neighbours unstated: 8.
// union             DANet (Xue et al., ICCV 2019), and SPA's (Pan et al., CVPR 2021) mode "union", its default.
// largest-box-area  SPA's mode "max". Of equal boxes the first in raster order.
// largest-contour   ACoL_pytorch (thresholds .15 and .2), EIL, TS-CAM.
// adl               ADL's TensorFlow program: the map is coloured with matplotlib's cubehelix, and then the brightness
//                   of the colours is cut, not the map.
// pas               Bae et al., ECCV 2020: largest-contour relative to a percentile of the bytes, not to their maximum.
// wsol              wsolevaluation (Choe et al., CVPR 2020) at one threshold. MaxBoxAcc (max_box_acc.h) sweeps all.
// dt-box            CAM's bboxgenerator, which made the boxes of the published ILSVRC figures of CAM and ACoL.
//
// `byte` is int(255 v), `w` and `h` count pixels, so that x + w is one past the last column: such a box is a pixel too
// wide on the right and below, and may reach x1 = W or y1 = H, outside the picture. That is how those programs score.
#pragma once

#include <string>
#include <vector>

#include "acol/data/box.h"
#include "acol/evaluate/dt_box.h"
#include "acol/evaluate/score_map.h"

namespace acol {

enum class BoxRuleName {
  cam_paper,
  gradcam,
  union_box,
  largest_box_area,
  largest_contour,
  adl,
  pas,
  wsol,
  dt_box,
};

struct BoxRule {
  BoxRuleName name = BoxRuleName::cam_paper;
  double threshold = 0.2;  // t of the table, in [0, 1]; dt_box does not read it
  double percentile = 90;  // pas only, in [0, 100]
  DtBoxOptions dt_box;     // dt_box only
  friend bool operator==(const BoxRule&, const BoxRule&) = default;

  // One threshold in [0, 1] that a curve can run over: all but dt_box.
  bool has_threshold() const { return name != BoxRuleName::dt_box; }
  // Whether it gives all boxes that it finds, not the best alone.
  bool gives_several() const { return name == BoxRuleName::wsol || name == BoxRuleName::dt_box; }
  // Side of the square grid that the rule's program works on, or 0: it works on the original picture.
  int grid() const;
  // How that program brings a map to this size.
  Interpolation interpolation() const;
  // Whether it min-max normalises the resized map (true), the small one (false), or, where the threshold is relative to
  // the maximum, none (false).
  bool normalised_after_resize() const;
};

// "largest-contour" or "largest-contour:0.15"; "pas:0.35" or "pas:0.35/90"; "dt-box:30/90/150", and with the border
// cleared "dt-box:20/100/110/clear". What is not given has the rule's own default. Error: an unknown name, another
// number of numbers, a threshold outside [0, 1], a percentile outside [0, 100], levels that do not rise between 0 and
// 255.
BoxRule parse_box_rule(const std::string& text);
// A text that parse_box_rule reads back: "cam-paper:0.2".
std::string name_of(const BoxRule& rule);
// "cam-paper", "gradcam", ... in the order of the table.
std::vector<std::string> box_rule_names();

// The boxes, best first: [0] is the rule's prediction. More than one only where the rule gives several: wsol's largest
// polygon first, then the others in OpenCV's order; of dt-box the second is the extra box of the star list. Empty where
// the map points nowhere: nothing above the threshold, a NaN or an infinity, and for cam-paper, gradcam and dt-box no
// positive value. Boxes are in pixels of the map; nothing is resized or normalised here. Error: bad extents, a
// threshold outside its range, and for all but those three, whose thresholds are relative to the maximum, a score
// outside [0, 1].
std::vector<Box> boxes_by_rule(const ScoreMap& map, const BoxRule& rule);

// What the rule's program predicts when it finds no box on a width x height map: (0, 0, 1, 1) for largest-contour and
// adl, (0, 0, 0, 0) for union, largest-box-area and wsol, all of the picture for pas ((0, 0, W, H)) and for the others
// (0, 0, W - 1, H - 1); CAM's programs do not say, or stop.
Box box_without_answer(const BoxRule& rule, int width, int height);

// boxes_by_rule()[0] or box_without_answer().
Box predicted_box(const ScoreMap& map, const BoxRule& rule);
// The same at each of several thresholds in place of the rule's own, from one pass over the map.
// Error: a rule without a threshold.
std::vector<Box> predicted_boxes(const ScoreMap& map, const BoxRule& rule, const std::vector<double>& thresholds);

}  // namespace acol
