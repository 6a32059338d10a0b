#include "acol/evaluate/evaluate.h"

#include <algorithm>
#include <map>

#include "acol/data/loader.h"
#include "acol/evaluate/class_maps.h"
#include "acol/evaluate/clsloc.h"
#include "acol/evaluate/error_split.h"
#include "acol/evaluate/for_each.h"
#include "acol/evaluate/hit_runs.h"
#include "acol/evaluate/map_files.h"
#include "acol/evaluate/picture_scores.h"
#include "acol/evaluate/pxap.h"
#include "acol/report/npy.h"
#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

// What one picture contributes to the localization figures.
struct PictureScores {
  PredictedBoxes predicted;  // by the true class's map
  std::vector<bool> curve_hits;
  Shown a, b, fused;
  std::vector<Box> grid_truth;  // the true boxes on MaxBoxAcc's grid
  BoxScores swept;
  std::optional<PxAP::Counts> pixels;
};

// Two pictures x.jpg and x.png of one folder would share the file x.npy.
void check_map_paths_differ(const fs::path& folder, const Dataset& data) {
  std::map<fs::path, const Sample*> seen;
  for (const Sample& sample : data.samples) {
    const auto [entry, is_new] = seen.emplace(map_path(folder, sample.id), &sample);
    check(is_new, "evaluate: the maps of ", entry->second->id, " and ", sample.id, " would both be ",
          entry->first.string(), "; rename one picture");
  }
}

BoxRule cam_paper_at(double threshold) {
  BoxRule rule;
  rule.threshold = threshold;
  return rule;
}

std::optional<double> rest_of(const std::optional<double>& percent) {
  return percent ? std::optional(100 - *percent) : std::nullopt;
}

class Evaluator {
 public:
  Evaluator(Network& network, const Preprocessing& how, const Dataset& data, const EvaluateOptions& options)
      : network_(network),
        how_(how),
        data_(data),
        options_(options),
        max_box_acc_(0.001, options.map_side),
        rates_(data.classes()),
        count_pixels_(options.pxap || (options.max_box_acc && !data.has_boxes())) {
    rules_.box_rule = options.box_rule.value_or(cam_paper_at(options.box_threshold));
    rules_.normalisation = options.normalisation;
    rules_.shown_threshold = options.box_threshold;
    rules_.map_side = options.map_side;
    rules_.clip_truth = options.clip_truth;
    if (options.curve_thresholds.empty()) return;
    known_curve_.emplace(rules_.box_rule, options.curve_thresholds, found_iou);
    top1_curve_ = known_curve_;
  }

  void add(const Batch& batch) {
    const PassA a = forward_a(network_, batch.images);
    const std::vector<ClassMaps> maps =
        class_maps(network_, a, batch.labels,
                   options_.erase_test_label == EraseTestLabel::truth ? batch.labels : answers(a.probabilities));
    std::vector<PictureScores> scores(maps.size());
    for_each_parallel(maps.size(), [&](std::size_t i) { scores[i] = score(batch, i, maps[i]); });

    const Tensor ranking = options_.ten_crop == TenCrop::none
                               ? a.probabilities
                               : ten_crop_scores(network_, how_, batch.crop_sources, options_.ten_crop);
    for (std::size_t i = 0; i < maps.size(); ++i) {
      const auto sample = static_cast<std::size_t>(batch.samples[i]);
      add_picture(data_.samples[sample],
                  options_.guess_labels.empty() ? top_classes(ranking, static_cast<int>(i), most_guesses)
                                                : options_.guess_labels[sample],
                  std::move(scores[i]));
    }
  }

  Evaluation result(const Loader& loader) {
    check(images_ > 0, "evaluate: none of the ", data_.samples.size(), " pictures could be read");
    Evaluation evaluation;
    evaluation.images = images_;
    evaluation.images_with_box = with_box_;
    evaluation.blacklisted = blacklisted_;
    evaluation.skipped = loader.skipped();
    evaluation.truth_on_grid = std::move(truth_);
    evaluation.top1_cls_err = rest_of(rates_.percent(Rate::top1_cls)).value();
    evaluation.top5_cls_err = rest_of(rates_.percent(Rate::top5_cls)).value();
    if (options_.max_box_acc && with_box_ > 0) {
      evaluation.max_box_acc = max_box_acc_.v1();
      evaluation.max_box_acc_v2 = max_box_acc_.v2();
      const std::array<double, 3> each = max_box_acc_.v2_at_deltas();
      evaluation.max_box_acc_at.assign(each.begin(), each.end());
      evaluation.best_tau = max_box_acc_.best_tau_v1();
    }
    if (pxap_.pictures() > 0) evaluation.pxap = pxap_.percent();
    if (options_.bootstrap) {
      swept_hits_.set_rates(max_box_acc_, rated_);
      evaluation.intervals = bootstrap(rated_, *options_.bootstrap);
    }
    evaluation.rates = rates_;
    if (with_box_ == 0) return evaluation;

    evaluation.top1_loc_err = rest_of(rates_.percent(Rate::top1_loc));
    evaluation.top5_loc_err = rest_of(rates_.percent(Rate::top5_loc));
    evaluation.gt_known_loc = rates_.percent(Rate::gt_known);
    evaluation.corloc = rates_.class_mean(Rate::gt_known);
    evaluation.star_loc_err = rest_of(rates_.percent(Rate::star_loc));
    if (blacklisted_ > 0) {
      evaluation.top1_loc_err_listed = rest_of(rates_.percent(Rate::top1_loc_listed));
      evaluation.top5_loc_err_listed = rest_of(rates_.percent(Rate::top5_loc_listed));
      evaluation.star_loc_err_listed = rest_of(rates_.percent(Rate::star_loc_listed));
    }
    if (known_curve_) {
      evaluation.gt_known_curve = known_curve_->result();
      evaluation.top1_loc_curve = top1_curve_->result();
    }
    const double scale = 100.0 / static_cast<double>(with_box_);
    evaluation.coverage_a = scale * shown_a_.coverage;
    evaluation.precision_a = scale * shown_a_.precision;
    if (network_.has_branch_b()) {
      evaluation.coverage_b = scale * shown_b_.coverage;
      evaluation.precision_b = scale * shown_b_.precision;
    }
    evaluation.coverage_fused = scale * shown_fused_.coverage;
    evaluation.precision_fused = scale * shown_fused_.precision;
    return evaluation;
  }

 private:
  static void add_to(Shown& sum, const Shown& one) {
    sum.coverage += one.coverage;
    sum.precision += one.precision;
  }

  // classes: the guesses, best first.
  void add_picture(const Sample& sample, const std::vector<int>& classes, PictureScores scores) {
    // A guess of rank k can be right only if the k-th class is the true one, and then its pass, with the hole cut by
    // that class, is the very pass of the true class. (With EraseTestLabel::predicted all classes share one hole.) So
    // the true class's boxes serve every list, and those of other classes need not be known.
    const std::vector<Box>& truth = scores.predicted.truth;
    std::vector<std::vector<Box>> boxes;
    for (const int label : classes)
      boxes.push_back(label == sample.label ? scores.predicted.boxes : std::vector<Box>{});
    const GuessRanks plain = guess_ranks(plain_list(classes, boxes), sample.label, truth);

    PictureRates rates;
    rates.set(Rate::top1_cls, plain.label == 1);
    rates.set(Rate::top5_cls, plain.label > 0);
    ++images_;
    if (!sample.boxes.empty()) {
      ++with_box_;
      blacklisted_ += sample.blacklisted;
      set_localization_rates(rates, sample, plain, scores);
      if (rules_.box_rule.gives_several()) {
        const GuessRanks star = guess_ranks(star_list(classes, boxes), sample.label, truth);
        rates.set(Rate::star_loc, star.box > 0);
        if (!sample.blacklisted) rates.set(Rate::star_loc_listed, star.box > 0);
      }
      if (known_curve_) {
        known_curve_->add(scores.curve_hits);
        top1_curve_->add(plain.label == 1 ? scores.curve_hits : std::vector<bool>(scores.curve_hits.size()));
      }
      add_to(shown_a_, scores.a);
      add_to(shown_b_, scores.b);
      add_to(shown_fused_, scores.fused);
      if (options_.max_box_acc) max_box_acc_.add(scores.swept);
      if (options_.max_box_acc && options_.bootstrap) swept_hits_.add(rated_.size(), scores.swept);
      truth_.push_back(std::move(scores.grid_truth));
    }
    if (scores.pixels) pxap_.add(*scores.pixels);
    rates_.add(sample.label, rates);
    if (options_.bootstrap) rated_.push_back({rates, sample.label});
  }

  static void set_localization_rates(PictureRates& rates, const Sample& sample, const GuessRanks& plain,
                                     const PictureScores& scores) {
    rates.set(Rate::gt_known, best_iou(scores.predicted.boxes[0], scores.predicted.truth) >= found_iou);
    rates.set(Rate::top1_loc, plain.box == 1);
    rates.set(Rate::top5_loc, plain.box > 0);
    if (!sample.blacklisted) {
      rates.set(Rate::top1_loc_listed, plain.box == 1);
      rates.set(Rate::top5_loc_listed, plain.box > 0);
    }
    const auto fault = localization_fault(plain.label == 1, scores.predicted.boxes[0], scores.predicted.truth);
    for (int f = 0; f < localization_faults; ++f) {
      const auto kind = static_cast<LocalizationFault>(f);
      rates.set(rate_of(kind), fault == kind);
    }
  }

  PictureScores score(const Batch& batch, std::size_t i, const ClassMaps& maps) const {
    const Sample& sample = data_.samples[static_cast<std::size_t>(batch.samples[i])];
    const Size size = batch.sizes[i];
    const SeenPart part = seen_part(size.width, size.height, how_, options_.input);
    const bool write = !options_.maps_dir.empty();
    ScoreMap grid;
    const bool pixels = count_pixels_ && !sample.masks.empty();
    if (write || pixels || (options_.max_box_acc && !sample.boxes.empty())) grid = on_grid(maps.fused, part, rules_);
    if (write) write_map(sample, grid);
    PictureScores scores;
    if (pixels) scores.pixels = pxap_.counts(grid, mask_truth(data_, sample, options_.map_side));
    if (sample.boxes.empty()) return scores;

    const std::vector<Box> truth = data_.true_boxes(sample, size.width, size.height);
    RuleInput input = rule_input(maps.fused, part, truth, size, rules_);
    if (known_curve_) scores.curve_hits = known_curve_->hits(input.map, input.truth);
    scores.predicted = predicted_boxes(std::move(input), rules_.box_rule);
    const std::vector<std::uint8_t> object = object_pixels(data_, sample, size);
    const auto shown_by = [&](const ScoreMap& map) {
      return shown(placed(map, part, size.width, size.height, Interpolation::bilinear), object, rules_.shown_threshold);
    };
    scores.fused = shown_by(maps.fused);
    scores.a = scores.fused;
    if (network_.has_branch_b()) {
      scores.a = shown_by(maps.a);
      scores.b = shown_by(maps.b);
    }
    for (const Box& one : truth)
      scores.grid_truth.push_back(scaled_box(one, size.width, size.height, options_.map_side));
    if (options_.max_box_acc) scores.swept = max_box_acc_.scores(grid, scores.grid_truth);
    return scores;
  }

  void write_map(const Sample& sample, const ScoreMap& grid) const {
    const fs::path path = map_path(options_.maps_dir, sample.id);
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    check(fs::is_directory(path.parent_path()), "cannot make the folder ", path.parent_path().string(), ": ",
          error.message());
    write_npy(path, grid);
  }

  Network& network_;
  const Preprocessing& how_;
  const Dataset& data_;
  const EvaluateOptions& options_;
  ScoringRules rules_;
  MaxBoxAcc max_box_acc_;
  RateTable rates_;
  bool count_pixels_;
  PxAP pxap_;
  std::optional<LocalizationCurve> known_curve_, top1_curve_;
  std::int64_t images_ = 0, with_box_ = 0, blacklisted_ = 0;
  Shown shown_a_, shown_b_, shown_fused_;
  std::vector<std::vector<Box>> truth_;
  std::vector<RatedPicture> rated_;  // with `bootstrap` only
  SweptHits swept_hits_;             // the same
};

void check_options(const Network& network, const Dataset& data, const EvaluateOptions& options) {
  check(options.box_threshold > 0 && options.box_threshold <= 1, "evaluate: the box threshold must be in (0, 1], got ",
        options.box_threshold);
  check(options.map_side >= 1, "evaluate: the side of the maps must be at least 1, got ", options.map_side);
  check(data.classes() == network.config().classes, "evaluate: the model has ", network.config().classes, " classes, ",
        data.root.string(), " has ", data.classes());
  check(options.guess_labels.empty() || options.guess_labels.size() == data.samples.size(), "evaluate: classes of ",
        options.guess_labels.size(), " pictures were given from elsewhere, but there are ", data.samples.size());
  if (!options.maps_dir.empty()) check_map_paths_differ(options.maps_dir, data);
}

}  // namespace

Evaluation evaluate(Network& network, const Preprocessing& preprocessing, const Dataset& data,
                    const EvaluateOptions& options) {
  check_options(network, data, options);
  network.set_training(false);
  Loader loader(data, {.how = preprocessing,
                       .batch_size = options.batch_size,
                       .input = options.input,
                       .crop_source = crop_source(options.ten_crop),
                       .workers = options.workers,
                       .cache_bytes = 0});
  loader.start_epoch(0);
  Evaluator evaluator(network, preprocessing, data, options);
  std::int64_t done = 0;
  for (Batch batch; loader.next(batch);) {
    if (!batch.labels.empty()) evaluator.add(batch);
    done = std::min<std::int64_t>(done + options.batch_size, static_cast<std::int64_t>(data.samples.size()));
    if (options.progress) options.progress(done, static_cast<std::int64_t>(data.samples.size()));
    if (options.stop_requested) check(!options.stop_requested(), "evaluate: stopped");
  }
  Evaluation evaluation = evaluator.result(loader);
  evaluation.warnings = loader.take_warnings();
  return evaluation;
}

}  // namespace acol
