// Classification and localization error of a model on a data set.
//
// By default every picture is warped to crop x crop as a whole, so that maps cover all of it (wsolevaluation's test
// input), branch A classifies, and a box comes from the fused map of one class, resized bilinearly to the picture's own
// size, by the rule of the CAM paper (acol/evaluate/boxes.h). Everything of that can be chosen: see EvaluateOptions.
//
// No true label ever chooses a hole for the top-1 and top-5 figures: a box of rank k comes from the pass whose hole was
// cut by the k-th predicted class. GT-known, MaxBoxAcc and MaxBoxAccV2 use the true class by definition, its hole
// included. The published codes cut one hole a picture with the true label and read the maps of all classes behind it
// (the official code, ACoL_pytorch, wsolevaluation). That is a leak in principle, but not in these figures: a guess can
// only be right where its class is the true one, and there both cut the same hole. So there is no option for it.
//
// Memory does not grow with the pictures but for some bytes of each: its true boxes, and what `bootstrap` keeps.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "acol/data/dataset.h"
#include "acol/data/transform.h"
#include "acol/evaluate/bootstrap.h"
#include "acol/evaluate/box_rules.h"
#include "acol/evaluate/normalise.h"
#include "acol/evaluate/rates.h"
#include "acol/evaluate/ten_crop.h"
#include "acol/evaluate/threshold_curve.h"
#include "acol/network/network.h"

namespace acol {

// The class that cuts the hole before branch B's map of another class is read.
enum class EraseTestLabel {
  truth,      // the class whose map is read; see above for why this is exact for predicted classes, too
  predicted,  // A's best class on this input: one hole for all maps of a picture, and no label known. Top-1 is as
              // above; GT-known, MaxBoxAcc and top-5 differ
};

struct EvaluateOptions {
  int batch_size = 32;
  int workers = 2;
  double box_threshold = 0.2;      // of the map's maximum; (0, 1]
  bool max_box_acc = true;         // the sweep over thresholds costs most of the time
  bool pxap = false;               // PxAP against masks, whether the sweep is wanted or the data have boxes or not
  std::filesystem::path maps_dir;  // if not empty: one .npy an image, the true class's fused map, map_side x map_side
  int map_side = 224;              // the grid of MaxBoxAcc (wsolevaluation's) and of the written maps
  std::function<void(std::int64_t done, std::int64_t total)> progress;
  std::function<bool()> stop_requested;  // then evaluate() throws an Error "stopped"

  // From a map to a box.
  std::optional<BoxRule> box_rule;             // nothing: cam-paper at box_threshold
  std::optional<Normalisation> normalisation;  // nothing: see ScoringRules (picture_scores.h)
  EraseTestLabel erase_test_label = EraseTestLabel::truth;

  // What the network sees. With a centre crop a map covers its part of the picture (SeenPart); it is brought to that
  // part's pixels, and around it, where the network saw nothing, the map is 0. Boxes are then boxes of the picture.
  // With ten crops they only classify; maps come from `input`.
  TestInput input = TestInput::warp;
  TenCrop ten_crop = TenCrop::none;
  bool clip_truth = false;  // compare with the seen part of true boxes only, as ACoL_pytorch does after its crop

  // Classes of each sample, best first, from someone else (guess_labels.h); empty: the model's own.
  std::vector<std::vector<int>> guess_labels;

  std::optional<BootstrapOptions> bootstrap;  // nothing: no intervals
  std::vector<double> curve_thresholds;       // of the box rule, ascending; empty: no curves
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

  std::int64_t blacklisted = 0;  // images with a box that are on ILSVRC's blacklist
  // Without these; empty if there is none.
  std::optional<double> top1_loc_err_listed, top5_loc_err_listed, star_loc_err_listed;
  // Of the starred list of boxes (clsloc.h), five guesses. Only for box rules that give several boxes.
  std::optional<double> star_loc_err;
  // The mean over the classes of GT-known localization. CorLoc of a class (Deselaers et al., IJCV 2012): the share of
  // its images in which the one box hits any true box; every image here has one class, so that it is GT-known by class.
  std::optional<double> corloc;
  std::vector<double> max_box_acc_at;  // the three rates of which V2 is the mean: IoU .3, .5, .7
  std::optional<double> best_tau;      // the threshold that gives max_box_acc
  std::optional<double> pxap;          // of data that has masks and no box, by the same sweep; or as asked for

  // GT-known and top-1 localization, in percent of the pictures with a box, at each of curve_thresholds.
  std::optional<ThresholdCurve> gt_known_curve, top1_loc_curve;

  RateTable rates;                     // all rates, also by class; the kinds of error (error_split.h) are among them
  std::optional<Intervals> intervals;  // of the rates

  std::vector<std::vector<Box>> truth_on_grid;  // true boxes of the pictures that have some, scaled to map_side
  std::vector<std::string> warnings;            // unreadable pictures
};

// Puts the network into evaluation mode and leaves it there.
Evaluation evaluate(Network& network, const Preprocessing& preprocessing, const Dataset& data,
                    const EvaluateOptions& options);

// {"n", "top1_cls_err", "top5_cls_err", "top1_loc_err", "top5_loc_err", "gt_known_loc", "max_box_acc",
// "max_box_acc_v2", ...}; figures that do not exist are null. "errors": the kinds of top-1 localization error.
// "intervals", if there are some: [low, high] under the keys of the figures.
std::string to_json(const Evaluation& evaluation, int indent = 2);

}  // namespace acol
