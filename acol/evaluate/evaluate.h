// Classification and localization error of a model on a data set.
//
// Every picture is warped to crop x crop as a whole, so that maps cover all of it (wsolevaluation's test input). Branch
// A classifies. A box comes from the fused map of one class, resized bilinearly to the picture's own size, by the rule
// of the CAM paper (acol/evaluate/boxes.h).
//
// No true label ever chooses a hole for the top-1 and top-5 figures: a box of rank k comes from the pass whose hole was
// cut by the k-th predicted class. GT-known, MaxBoxAcc and MaxBoxAccV2 use the true class by definition, its hole
// included.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "acol/data/dataset.h"
#include "acol/data/transform.h"
#include "acol/network/network.h"

namespace acol {

struct EvaluateOptions {
  int batch_size = 32;
  int workers = 2;
  double box_threshold = 0.2;      // of the map's maximum; (0, 1]
  bool max_box_acc = true;         // the sweep over thresholds costs most of the time
  std::filesystem::path maps_dir;  // if not empty: one .npy an image, the true class's fused map, map_side x map_side
  int map_side = 224;              // the grid of MaxBoxAcc (wsolevaluation's) and of the written maps
  std::function<void(std::int64_t done, std::int64_t total)> progress;
  std::function<bool()> stop_requested;  // then evaluate() throws an Error "stopped"
};

// All in percent. Localization figures are over the images that have a box; empty if there is none.
struct Evaluation {
  std::int64_t images = 0, images_with_box = 0, skipped = 0;
  double top1_cls_err = 0, top5_cls_err = 0;
  std::optional<double> top1_loc_err, top5_loc_err, gt_known_loc, max_box_acc, max_box_acc_v2;
  // Means over those images, of the true class's maps resized to the picture: a map "shows" a pixel where it is
  // >= box_threshold of its maximum; the object is the data's mask where there is one, else the true boxes.
  // coverage: share of the object that is shown. precision: share of what is shown that lies on the object.
  std::optional<double> coverage_a, coverage_b, coverage_fused, precision_a, precision_b, precision_fused;
  std::vector<std::vector<Box>> truth_on_grid;  // true boxes of the pictures that have some, scaled to map_side
  std::vector<std::string> warnings;            // unreadable pictures
};

// Puts the network into evaluation mode and leaves it there.
Evaluation evaluate(Network& network, const Preprocessing& preprocessing, const Dataset& data,
                    const EvaluateOptions& options);

// {"n", "top1_cls_err", "top5_cls_err", "top1_loc_err", "top5_loc_err", "gt_known_loc", "max_box_acc",
// "max_box_acc_v2", ...}; figures that do not exist are null.
std::string to_json(const Evaluation& evaluation, int indent = 2);

}  // namespace acol
