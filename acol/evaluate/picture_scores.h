// What the maps of one picture give: boxes, and how well they fit.
#pragma once

#include <optional>
#include <vector>

#include "acol/data/dataset.h"
#include "acol/data/resize.h"
#include "acol/data/transform.h"
#include "acol/evaluate/box_rules.h"
#include "acol/evaluate/class_maps.h"
#include "acol/evaluate/max_box_acc.h"
#include "acol/evaluate/normalise.h"

namespace acol {

struct ScoringRules {
  BoxRule box_rule;
  // What is done to a map after it was resized. Nothing: min-max on the grid of MaxBoxAcc, and what the box rule's
  // program does (BoxRule::normalised_after_resize) before boxes. Given: this one, for both.
  std::optional<Normalisation> normalisation;
  double shown_threshold = 0.2;  // a map "shows" a pixel where it has this share of its maximum
  int map_side = 224;            // of MaxBoxAcc's grid
  bool clip_truth = false;       // cut true boxes to the part that the network sees, as ACoL_pytorch does
};

// The map of the seen part of a picture on all of width x height: resized to the part's pixels, normalised there if
// asked for, and 0 around it, where the network saw nothing.
ScoreMap placed(const ScoreMap& map, const SeenPart& part, int width, int height, Interpolation interpolation,
                const std::optional<Normalisation>& normalisation = std::nullopt);

// The map on MaxBoxAcc's grid: bicubic, normalised (acol/evaluate/max_box_acc.h; wsolevaluation's way).
ScoreMap on_grid(const ScoreMap& map, const SeenPart& part, const ScoringRules& rules);

// What a box rule reads, and what its boxes are compared with, on one grid: the picture's own or that of the rule's
// program (BoxRule::grid). map: fused, of one class. size: of the picture. rule_truth: the second alone.
struct RuleInput {
  ScoreMap map;
  std::vector<Box> truth;
};
std::vector<Box> rule_truth(std::vector<Box> truth, const SeenPart& part, const Size& size, const ScoringRules& rules);
RuleInput rule_input(const ScoreMap& map, const SeenPart& part, const std::vector<Box>& truth, const Size& size,
                     const ScoringRules& rules);

// The boxes of the rule, best first, at least one: box_without_answer() where the map points nowhere. And with them the
// true boxes, in the same pixels.
struct PredictedBoxes {
  std::vector<Box> boxes;
  std::vector<Box> truth;
};
PredictedBoxes predicted_boxes(RuleInput input, const BoxRule& rule);
inline PredictedBoxes predicted_boxes(const ScoreMap& map, const SeenPart& part, const std::vector<Box>& truth,
                                      const Size& size, const ScoringRules& rules) {
  return predicted_boxes(rule_input(map, part, truth, size, rules), rules.box_rule);
}

// True boxes cut to the pixels of `part`; those wholly outside are left out, but if all are, none is changed: then no
// box within the part meets any.
std::vector<Box> clipped_truth(const std::vector<Box>& truth, const Box& part);

// How well a map shows the object: coverage is the share of the object that is shown, precision the share of what is
// shown that lies on the object.
struct Shown {
  double coverage = 0, precision = 0;
};
// full: a map at the picture's size. object: its pixels, 1 on the object.
Shown shown(const ScoreMap& full, const std::vector<std::uint8_t>& object, double threshold);

// The object's pixels on a picture: 1 in some mask or, without one, in some true box. Error naming the mask's file: it
// cannot be read or has another size than the picture.
std::vector<std::uint8_t> object_pixels(const Dataset& data, const Sample& sample, const Size& size);

}  // namespace acol
