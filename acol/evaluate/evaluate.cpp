#include "acol/evaluate/evaluate.h"

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "acol/data/image.h"
#include "acol/data/loader.h"
#include "acol/evaluate/boxes.h"
#include "acol/evaluate/class_maps.h"
#include "acol/evaluate/max_box_acc.h"
#include "acol/report/npy.h"
#include "tensor/check.h"
#include "tensor/cpu/parallel.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

// How well a map shows the object: see Evaluation.
struct Shown {
  double coverage = 0, precision = 0;
};

// What one picture contributes to the localization figures.
struct PictureScores {
  bool found = false;  // the true class's box hits
  Shown a, b, fused;
  std::vector<Box> truth;  // the true boxes on the evaluation grid
  BoxScores boxes;
};

// The object's pixels on a width x height picture: 1 in the mask or, without one, in some true box.
std::vector<std::uint8_t> object_pixels(const Dataset& data, const Sample& sample, const Size& size) {
  const auto width = static_cast<std::size_t>(size.width), height = static_cast<std::size_t>(size.height);
  std::vector<std::uint8_t> object(width * height, 0);
  for (const std::string& name : sample.masks) {
    const fs::path path = data.mask_path(name);
    const Image mask = read_image(path);
    check(mask.width == size.width && mask.height == size.height, path.string(), ": the mask is ", mask.width, "x",
          mask.height, ", its picture ", size.width, "x", size.height);
    for (std::size_t i = 0; i < object.size(); ++i) object[i] |= mask.rgb[3 * i] > 127;
  }
  if (!sample.masks.empty()) return object;
  for (const Box& box : sample.boxes)
    for (int y = std::max(0, box.y0); y <= std::min(size.height - 1, box.y1); ++y)
      for (int x = std::max(0, box.x0); x <= std::min(size.width - 1, box.x1); ++x)
        object[static_cast<std::size_t>(y) * width + static_cast<std::size_t>(x)] = 1;
  return object;
}

// `full`: a map at the picture's size.
Shown shown(const ScoreMap& full, const std::vector<std::uint8_t>& object, double threshold) {
  const double cut = threshold * *std::max_element(full.values.begin(), full.values.end());
  std::int64_t both = 0, marked = 0, on_object = 0;
  for (std::size_t i = 0; i < object.size(); ++i) {
    const bool mark = cut > 0 && full.values[i] >= cut;
    marked += mark;
    on_object += object[i];
    both += mark && object[i] != 0;
  }
  const auto share = [](std::int64_t part, std::int64_t whole) {
    return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
  };
  return {share(both, on_object), share(both, marked)};
}

// The fused map on the evaluation grid: bicubic, then min-max (section 3.3 of the evaluator's conventions).
ScoreMap on_grid(const ScoreMap& map, int side) {
  ScoreMap grid = resized(map, side, side, Interpolation::bicubic);
  min_max_normalise(grid);
  return grid;
}

fs::path map_path(const fs::path& folder, const Sample& sample) {
  return (folder / sample.id).replace_extension(".npy");
}

// Two pictures x.jpg and x.png of one folder would share the file x.npy.
void check_map_paths_differ(const fs::path& folder, const Dataset& data) {
  std::map<fs::path, const Sample*> seen;
  for (const Sample& sample : data.samples) {
    const auto [entry, is_new] = seen.emplace(map_path(folder, sample), &sample);
    check(is_new, "evaluate: the maps of ", entry->second->id, " and ", sample.id, " would both be ",
          entry->first.string(), "; rename one picture");
  }
}

// Runs body(i) for all i on all threads; the first exception comes out here.
template <class Body>
void for_each_parallel(std::size_t count, const Body& body) {
  std::exception_ptr failure;
  std::mutex mutex;
  parallel_chunks(static_cast<std::int64_t>(count), 1, [&](std::int64_t i, std::int64_t) {
    try {
      body(static_cast<std::size_t>(i));
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

class Evaluator {
 public:
  Evaluator(Network& network, const Dataset& data, const EvaluateOptions& options)
      : network_(network), data_(data), options_(options), max_box_acc_(0.001, options.map_side) {}

  void add(const Batch& batch) {
    const PassA a = forward_a(network_, batch.images);
    const std::vector<ClassMaps> maps = class_maps(network_, a, batch.labels);
    std::vector<PictureScores> scores(maps.size());
    for_each_parallel(maps.size(), [&](std::size_t i) { scores[i] = score(batch, i, maps[i]); });

    for (std::size_t i = 0; i < maps.size(); ++i) {
      const int truth = batch.labels[i];
      const std::vector<int> top = top_classes(a.probabilities, static_cast<int>(i), 5);
      const bool top1 = top[0] == truth, top5 = std::find(top.begin(), top.end(), truth) != top.end();
      ++images_;
      top1_right_ += top1;
      top5_right_ += top5;
      const Sample& sample = data_.samples[static_cast<std::size_t>(batch.samples[i])];
      if (sample.boxes.empty()) continue;
      // A guess of rank k scores only if the k-th predicted class is the true one, and then its pass, with the hole cut
      // by that predicted class, is the very pass of the true class. So this one pass serves all three figures.
      ++with_box_;
      found_ += scores[i].found;
      top1_found_ += top1 && scores[i].found;
      top5_found_ += top5 && scores[i].found;
      add_to(shown_a_, scores[i].a);
      add_to(shown_b_, scores[i].b);
      add_to(shown_fused_, scores[i].fused);
      if (options_.max_box_acc) max_box_acc_.add(scores[i].boxes);
      truth_.push_back(std::move(scores[i].truth));
    }
  }

  Evaluation result(const Loader& loader) const {
    check(images_ > 0, "evaluate: none of the ", data_.samples.size(), " pictures could be read");
    Evaluation evaluation;
    evaluation.images = images_;
    evaluation.images_with_box = with_box_;
    evaluation.skipped = loader.skipped();
    evaluation.truth_on_grid = truth_;
    evaluation.top1_cls_err = 100 - share(top1_right_, images_);
    evaluation.top5_cls_err = 100 - share(top5_right_, images_);
    if (with_box_ == 0) return evaluation;
    evaluation.top1_loc_err = 100 - share(top1_found_, with_box_);
    evaluation.top5_loc_err = 100 - share(top5_found_, with_box_);
    evaluation.gt_known_loc = share(found_, with_box_);
    const double scale = 100.0 / static_cast<double>(with_box_);
    evaluation.coverage_a = scale * shown_a_.coverage;
    evaluation.precision_a = scale * shown_a_.precision;
    if (network_.has_branch_b()) {
      evaluation.coverage_b = scale * shown_b_.coverage;
      evaluation.precision_b = scale * shown_b_.precision;
    }
    evaluation.coverage_fused = scale * shown_fused_.coverage;
    evaluation.precision_fused = scale * shown_fused_.precision;
    if (options_.max_box_acc) {
      evaluation.max_box_acc = max_box_acc_.v1();
      evaluation.max_box_acc_v2 = max_box_acc_.v2();
    }
    return evaluation;
  }

 private:
  static double share(std::int64_t part, std::int64_t whole) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  }
  static void add_to(Shown& sum, const Shown& one) {
    sum.coverage += one.coverage;
    sum.precision += one.precision;
  }

  PictureScores score(const Batch& batch, std::size_t i, const ClassMaps& maps) const {
    const Sample& sample = data_.samples[static_cast<std::size_t>(batch.samples[i])];
    const Size size = batch.sizes[i];
    const bool write = !options_.maps_dir.empty();
    ScoreMap grid;
    if (write || (options_.max_box_acc && !sample.boxes.empty())) grid = on_grid(maps.fused, options_.map_side);
    if (write) write_map(sample, grid);
    PictureScores scores;
    if (sample.boxes.empty()) return scores;

    const auto full_size = [&](const ScoreMap& map) {
      return resized(map, size.width, size.height, Interpolation::bilinear);
    };
    const double threshold = options_.box_threshold;
    const ScoreMap full = full_size(maps.fused);
    const Box box = largest_component_box(full, threshold).value_or(whole_box(size.width, size.height));
    scores.found = best_iou(box, sample.boxes) >= 0.5;
    const std::vector<std::uint8_t> object = object_pixels(data_, sample, size);
    scores.fused = shown(full, object, threshold);
    scores.a = scores.fused;
    if (network_.has_branch_b()) {
      scores.a = shown(full_size(maps.a), object, threshold);
      scores.b = shown(full_size(maps.b), object, threshold);
    }
    for (const Box& one : sample.boxes)
      scores.truth.push_back(scaled_box(one, size.width, size.height, options_.map_side));
    if (options_.max_box_acc) scores.boxes = max_box_acc_.scores(grid, scores.truth);
    return scores;
  }

  void write_map(const Sample& sample, const ScoreMap& grid) const {
    const fs::path path = map_path(options_.maps_dir, sample);
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    check(fs::is_directory(path.parent_path()), "cannot make the folder ", path.parent_path().string(), ": ",
          error.message());
    write_npy(path, grid);
  }

  Network& network_;
  const Dataset& data_;
  const EvaluateOptions& options_;
  MaxBoxAcc max_box_acc_;
  std::int64_t images_ = 0, with_box_ = 0, top1_right_ = 0, top5_right_ = 0;
  std::int64_t found_ = 0, top1_found_ = 0, top5_found_ = 0;
  Shown shown_a_, shown_b_, shown_fused_;
  std::vector<std::vector<Box>> truth_;
};

}  // namespace

Evaluation evaluate(Network& network, const Preprocessing& preprocessing, const Dataset& data,
                    const EvaluateOptions& options) {
  check(options.box_threshold > 0 && options.box_threshold <= 1, "evaluate: the box threshold must be in (0, 1], got ",
        options.box_threshold);
  check(options.map_side >= 1, "evaluate: the side of the maps must be at least 1, got ", options.map_side);
  check(data.classes() == network.config().classes, "evaluate: the model has ", network.config().classes, " classes, ",
        data.root.string(), " has ", data.classes());
  if (!options.maps_dir.empty()) check_map_paths_differ(options.maps_dir, data);
  network.set_training(false);
  Loader loader(data,
                {.how = preprocessing, .batch_size = options.batch_size, .workers = options.workers, .cache_bytes = 0});
  loader.start_epoch(0);
  Evaluator evaluator(network, data, options);
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

std::string to_json(const Evaluation& evaluation, int indent) {
  nlohmann::ordered_json json;
  const auto put = [&](const char* name, const std::optional<double>& value) {
    if (value)
      json[name] = *value;
    else
      json[name] = nullptr;
  };
  json["n"] = evaluation.images;
  put("top1_cls_err", evaluation.top1_cls_err);
  put("top5_cls_err", evaluation.top5_cls_err);
  put("top1_loc_err", evaluation.top1_loc_err);
  put("top5_loc_err", evaluation.top5_loc_err);
  put("gt_known_loc", evaluation.gt_known_loc);
  put("max_box_acc", evaluation.max_box_acc);
  put("max_box_acc_v2", evaluation.max_box_acc_v2);
  put("coverage_a", evaluation.coverage_a);
  put("coverage_b", evaluation.coverage_b);
  put("coverage_fused", evaluation.coverage_fused);
  put("precision_a", evaluation.precision_a);
  put("precision_b", evaluation.precision_b);
  put("precision_fused", evaluation.precision_fused);
  json["n_with_box"] = evaluation.images_with_box;
  json["skipped"] = evaluation.skipped;
  return json.dump(indent);
}

}  // namespace acol
