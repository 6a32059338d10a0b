#include "acol/evaluate/score_maps.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "acol/data/picture_header.h"
#include "acol/evaluate/boxes.h"
#include "acol/evaluate/centre_box.h"
#include "acol/evaluate/clsloc.h"
#include "acol/evaluate/for_each.h"
#include "acol/evaluate/hit_runs.h"
#include "acol/evaluate/map_files.h"
#include "acol/evaluate/max_box_acc.h"
#include "acol/evaluate/picture_scores.h"
#include "acol/report/npy.h"
#include "tensor/check.h"

namespace acol {

namespace {

constexpr std::int64_t named_missing = 10;

// Where maps come from. Those that do not look at the picture are not normalised: they say what they mean, and the one
// of the whole picture is constant.
class MapSource {
 public:
  MapSource(const Dataset& data, const ScoreOptions& options) : whole_(options.maps == "whole") {
    const int side = options.side;
    if (whole_)
      fixed_ = ScoreMap{side, side,
                        std::vector<double>(static_cast<std::size_t>(side) * static_cast<std::size_t>(side), 1.0)};
    else if (options.maps == "center")
      fixed_ = centre_map(side);
    else
      files_.emplace(options.maps, data);
  }

  bool has(std::size_t sample) const { return !files_ || files_->has(sample); }
  bool whole() const { return whole_; }
  // The same for all pictures, on the grid; nothing where each has its own.
  const std::optional<ScoreMap>& fixed() const { return fixed_; }
  ScoreMap read(std::size_t sample) const { return read_npy(files_->path(sample)); }

 private:
  bool whole_;
  std::optional<ScoreMap> fixed_;
  std::optional<MapFiles> files_;
};

// What one picture contributes.
struct PictureFigures {
  std::vector<Box> grid_truth;  // the true boxes on the grid
  BoxScores swept;
  PxAP::Counts pixels;
  bool found = false;
};

class Scorer {
 public:
  Scorer(const Dataset& data, const ScoreOptions& options)
      : data_(data),
        options_(options),
        source_(data, options),
        max_box_acc_(options.step, options.side),
        pxap_(options.step),
        rates_(data.classes()) {
    rules_.map_side = options.side;
    rules_.normalisation = options.normalisation;
    if (options.box_rule) rules_.box_rule = *options.box_rule;
    if (sweeps_ && source_.fixed()) swept_ = swept_boxes(*source_.fixed(), max_box_acc_.taus());
  }

  MapScores run() {
    std::vector<std::size_t> samples;
    for (std::size_t i = 0; i < data_.samples.size(); ++i)
      if (!has_truth(data_.samples[i]))
        ++scores_.without_truth;
      else if (source_.has(i))
        samples.push_back(i);
      else if (++scores_.missing <= named_missing)
        scores_.missing_ids.push_back(data_.samples[i].id);
    check_inputs(samples.empty());

    // A block of pictures on all threads, then its results in turn: their order does not depend on the threads.
    constexpr std::size_t block = 64;
    const auto total = static_cast<std::int64_t>(samples.size());
    for (std::size_t begin = 0; begin < samples.size(); begin += block) {
      std::vector<PictureFigures> figures(std::min(block, samples.size() - begin));
      for_each_parallel(figures.size(), [&](std::size_t i) { figures[i] = score(samples[begin + i]); });
      for (std::size_t i = 0; i < figures.size(); ++i) add(data_.samples[samples[begin + i]], std::move(figures[i]));
      if (options_.progress) options_.progress(static_cast<std::int64_t>(begin + figures.size()), total);
      if (options_.stop_requested) check(!options_.stop_requested(), "score: stopped");
    }
    finish();
    return std::move(scores_);
  }

 private:
  bool has_truth(const Sample& sample) const { return !sample.boxes.empty() || (sweeps_ && !sample.masks.empty()); }

  void check_inputs(bool nothing_to_score) {
    std::string names;
    for (const std::string& id : scores_.missing_ids) names += (names.empty() ? "" : ", ") + id;
    if (static_cast<std::int64_t>(scores_.missing_ids.size()) < scores_.missing) names += ", ...";
    check(scores_.missing == 0 || options_.allow_missing, options_.maps, ": no map for ", scores_.missing, " of ",
          data_.samples.size(), " pictures (", names, "); each needs <image id>.npy, or say --allow-missing");
    check(scores_.without_truth < static_cast<std::int64_t>(data_.samples.size()), data_.root.string(),
          ": no picture of split '", data_.split, "' has a box", sweeps_ ? " or a mask" : "", " to measure with");
    check(!nothing_to_score, options_.maps, ": a map for none of the ", data_.samples.size(), " pictures");
  }

  Size size_of(const Sample& sample) const {
    if (sample.width > 0 && sample.height > 0) return {sample.width, sample.height};
    const PictureInfo picture = picture_info(data_.path(sample));
    return {picture.width, picture.height};
  }

  PictureFigures score(std::size_t number) const {
    const Sample& sample = data_.samples[number];
    PictureFigures figures;
    const bool has_box = !sample.boxes.empty();
    const Size size = has_box ? size_of(sample) : Size{};
    const std::vector<Box> truth = data_.true_boxes(sample, size.width, size.height);
    std::optional<ScoreMap> own, own_on_grid;
    if (!source_.fixed()) own = source_.read(number);
    if (sweeps_) {
      for (const Box& box : truth)
        figures.grid_truth.push_back(scaled_box(box, size.width, size.height, options_.side));
      if (own) own_on_grid = on_grid(*own, SeenPart{}, rules_);
      const ScoreMap& grid = own ? *own_on_grid : *source_.fixed();
      if (has_box)
        figures.swept =
            swept_ ? box_scores(*swept_, figures.grid_truth) : max_box_acc_.scores(grid, figures.grid_truth);
      if (!sample.masks.empty()) figures.pixels = pxap_.counts(grid, mask_truth(data_, sample, options_.side));
    }
    if (boxes_ && has_box) {
      const PredictedBoxes predicted = own ? predicted_boxes(*own, SeenPart{}, truth, size, rules_)
                                           : PredictedBoxes{{fixed_box(size)}, fixed_truth(truth, size)};
      figures.found = best_iou(predicted.boxes[0], predicted.truth) >= found_iou;
    }
    return figures;
  }

  // The rule's box of the map that all pictures share, in one of this size. Many have the same size, and resizing the
  // map is most of the work.
  Box fixed_box(const Size& size) const {
    if (source_.whole()) return whole_box(size.width, size.height);
    const std::pair<int, int> key(size.width, size.height);
    {
      const std::lock_guard lock(fixed_boxes_mutex_);
      if (const auto known = fixed_boxes_.find(key); known != fixed_boxes_.end()) return known->second;
    }
    const Box box = predicted_boxes(*source_.fixed(), SeenPart{}, {}, size, rules_).boxes[0];
    const std::lock_guard lock(fixed_boxes_mutex_);
    return fixed_boxes_.emplace(key, box).first->second;
  }

  // The true boxes in the pixels of that box.
  std::vector<Box> fixed_truth(const std::vector<Box>& truth, const Size& size) const {
    return source_.whole() ? truth : rule_truth(truth, SeenPart{}, size, rules_);
  }

  void add(const Sample& sample, PictureFigures figures) {
    ++scores_.images;
    if (sweeps_ && !sample.masks.empty()) {
      ++scores_.with_mask;
      pxap_.add(figures.pixels);
    }
    if (sample.boxes.empty()) return;
    ++scores_.with_box;
    scores_.blacklisted += sample.blacklisted;
    PictureRates rates;
    if (boxes_) {
      rates.set(Rate::gt_known, figures.found);
      rates_.add(sample.label, rates);
      if (!sample.blacklisted) {
        ++listed_;
        listed_found_ += figures.found;
      }
    }
    if (sweeps_) {
      max_box_acc_.add(figures.swept);
      if (options_.bootstrap) swept_hits_.add(rated_.size(), figures.swept);
      scores_.truth_on_grid.push_back(std::move(figures.grid_truth));
    }
    if (options_.bootstrap) rated_.push_back({rates, sample.label});
  }

  void finish() {
    if (sweeps_ && scores_.with_box > 0) {
      scores_.max_box_acc = max_box_acc_.v1();
      scores_.max_box_acc_v2 = max_box_acc_.v2();
      scores_.max_box_acc_at = max_box_acc_.v2_at_deltas();
      scores_.best_threshold = max_box_acc_.best_tau_v1();
      scores_.best_thresholds_v2 = max_box_acc_.best_taus_v2();
      scores_.thresholds = max_box_acc_.taus();
      scores_.curve_v1 = max_box_acc_.curve_v1();
      for (std::size_t d = 0; d < scores_.curves_v2.size(); ++d)
        scores_.curves_v2[d] = max_box_acc_.curve_v2(MaxBoxAcc::deltas[d]);
    }
    if (scores_.with_mask > 0) {
      scores_.pxap_curve = pxap_.curve();
      scores_.pxap = pxap_.percent();
    }
    scores_.gt_known_loc = rates_.percent(Rate::gt_known);
    scores_.corloc = rates_.class_mean(Rate::gt_known);
    if (options_.protocol == ScoreProtocol::ilsvrc && listed_ > 0)
      scores_.gt_known_loc_listed = static_cast<double>(listed_found_) * 100 / static_cast<double>(listed_);
    if (options_.bootstrap && scores_.with_box > 0) {
      swept_hits_.set_rates(max_box_acc_, rated_);
      scores_.intervals = bootstrap(rated_, *options_.bootstrap);
    }
  }

  const Dataset& data_;
  const ScoreOptions& options_;
  const bool sweeps_ = options_.protocol == ScoreProtocol::wsol;
  const bool boxes_ = !sweeps_ || options_.box_rule.has_value();
  MapSource source_;
  ScoringRules rules_;
  MaxBoxAcc max_box_acc_;
  PxAP pxap_;
  RateTable rates_;
  std::optional<SweptBoxes> swept_;  // where all pictures have the same map
  MapScores scores_;
  std::int64_t listed_ = 0, listed_found_ = 0;  // without the blacklist
  std::vector<RatedPicture> rated_;             // those with a box; with `bootstrap` only
  SweptHits swept_hits_;                        // the same
  mutable std::mutex fixed_boxes_mutex_;
  mutable std::map<std::pair<int, int>, Box> fixed_boxes_;  // by width and height
};

}  // namespace

ScoreProtocol parse_score_protocol(const std::string& text) {
  for (const ScoreProtocol protocol : {ScoreProtocol::wsol, ScoreProtocol::cam, ScoreProtocol::ilsvrc})
    if (text == name_of(protocol)) return protocol;
  fail("protocol '", text, "'; known are wsol, cam and ilsvrc");
}

std::string name_of(ScoreProtocol protocol) {
  switch (protocol) {
    case ScoreProtocol::wsol:
      return "wsol";
    case ScoreProtocol::cam:
      return "cam";
    case ScoreProtocol::ilsvrc:
      return "ilsvrc";
  }
  fail("no such protocol");
}

MapScores score_maps(const Dataset& data, const ScoreOptions& options) {
  check(options.side >= 1 && options.side <= 4096, "score: the grid's side must be in 1..4096, got ", options.side);
  return Scorer(data, options).run();
}

}  // namespace acol
