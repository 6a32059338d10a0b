// Maps that any program made, measured against a data set's boxes and masks. No network takes part, and no label but
// the true one: a map shows the class that is known to be there.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "acol/data/dataset.h"
#include "acol/evaluate/bootstrap.h"
#include "acol/evaluate/box_rules.h"
#include "acol/evaluate/normalise.h"
#include "acol/evaluate/pxap.h"
#include "acol/evaluate/rates.h"

namespace acol {

enum class ScoreProtocol {
  wsol,    // MaxBoxAcc and V2 where there are boxes, PxAP where there are masks, as wsolevaluation
  cam,     // the one box of a box rule: GT-known localization, IoU >= .5 with any true box
  ilsvrc,  // the same, and once more without the pictures of the official blacklist
};
// Error: another name.
ScoreProtocol parse_score_protocol(const std::string& text);
std::string name_of(ScoreProtocol protocol);

struct ScoreOptions {
  // A folder with a .npy file for each picture, named `<image id>.npy` or the image id with .npy for its ending (of
  // both the first counts); 2-D, of any size. Or "center": a centred square swept over all sizes, which looks at
  // nothing. Or "whole": the box is all of the picture.
  std::string maps;
  ScoreProtocol protocol = ScoreProtocol::wsol;
  int side = 224;       // of the grid of MaxBoxAcc and PxAP, on which maps come bicubic
  double step = 0.001;  // between their thresholds
  // What is done to a map on that grid, and before a box rule; nothing: see ScoringRules (picture_scores.h).
  std::optional<Normalisation> normalisation;
  std::optional<BoxRule> box_rule;  // given with protocol wsol: GT-known, too. Nothing with the others: cam-paper
  bool allow_missing = false;       // pictures without a map are left out instead of an Error
  std::optional<BootstrapOptions> bootstrap;
  std::function<void(std::int64_t done, std::int64_t total)> progress;
  std::function<bool()> stop_requested;  // then score_maps() throws an Error "stopped"
};

// All in percent; empty what the protocol does not ask for or the data cannot tell.
struct MapScores {
  std::int64_t images = 0;                            // scored: with a map and with a box or mask
  std::int64_t with_box = 0, with_mask = 0;           // among them
  std::int64_t without_truth = 0;                     // left out: neither box nor mask
  std::int64_t missing = 0;                           // left out: no map
  std::vector<std::string> missing_ids;               // the first few of these
  std::optional<double> max_box_acc, max_box_acc_v2;  // V1 at IoU .5; V2
  std::optional<std::array<double, 3>> max_box_acc_at,
      best_thresholds_v2;                // at IoU .3, .5, .7, of which V2 is the mean
  std::optional<double> best_threshold;  // the smallest that gives max_box_acc
  std::optional<double> pxap;
  std::optional<double> gt_known_loc, gt_known_loc_listed;  // listed: without the blacklisted pictures
  std::optional<double> corloc;                             // the mean over classes of gt_known_loc
  std::int64_t blacklisted = 0;
  std::vector<double> thresholds, curve_v1;      // percent found at each threshold with the largest contour, IoU .5
  std::array<std::vector<double>, 3> curves_v2;  // with all contours, at IoU .3, .5, .7
  std::optional<PxAP::Curve> pxap_curve;
  std::optional<Intervals> intervals;           // of gt_known_loc, corloc and the MaxBoxAcc figures
  std::vector<std::vector<Box>> truth_on_grid;  // with protocol wsol: for centre_baseline()
};

// Scores all pictures of `data` that have a box or a mask. Maps are read as they are needed, on all threads, and
// forgotten: memory does not grow with their number but for what the truth and `bootstrap` keep, some tens of bytes a
// picture. The same bits on any number of threads. Sizes come from data's lists or, where these have none, from the
// headers of the pictures; no picture is decoded. Error, before the first map is scored: no folder of maps, a map
// missing (names the first ones and counts all), one file that would be the map of two pictures, no picture with a box
// or mask. Error naming the file: a map that cannot be read.
MapScores score_maps(const Dataset& data, const ScoreOptions& options);

// {"n", "max_box_acc", "max_box_acc_v2", "max_box_acc_at": {"0.3", "0.5", "0.7"}, "best_threshold", "pxap", ...,
// "curves"}; figures that do not exist are null.
std::string to_json(const MapScores& scores, int indent = 2);

}  // namespace acol
