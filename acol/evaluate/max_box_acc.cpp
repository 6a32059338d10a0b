#include "acol/evaluate/max_box_acc.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "tensor/check.h"

namespace acol {

namespace {

void check_box(const Box& box, const char* who) {
  check(box.x0 >= 0 && box.y0 >= 0 && box.x1 >= box.x0 && box.y1 >= box.y0, who,
        ": a box needs 0 <= x0 <= x1 and 0 <= y0 ", "<= y1, got (", box.x0, ", ", box.y0, ", ", box.x1, ", ", box.y1,
        ")");
}

std::vector<std::uint8_t> to_bytes(const ScoreMap& map) {
  validate(map, "MaxBoxAcc");
  std::vector<std::uint8_t> bytes(map.values.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const double score = map.values[i];
    check(score >= 0 && score <= 1, "MaxBoxAcc: a score must be in [0, 1], got ", score, " at pixel ", i,
          "; min_max_normalise the map first");
    bytes[i] = static_cast<std::uint8_t>(score * 255);
  }
  return bytes;
}

// For each cut a level, from the lowest cut up; -1 for those not asked for. A higher cut gives a subset, so two cuts
// give the same picture exactly if no value lies between them.
struct Levels {
  std::vector<int> cuts;  // the first of each level
  std::array<int, 256> of_cut{};
};

Levels levels_of(const std::vector<std::uint8_t>& bytes, const std::array<bool, 256>& wanted) {
  std::array<bool, 256> occurs{};
  for (const std::uint8_t byte : bytes) occurs[byte] = true;
  Levels levels;
  bool same = false;  // as the level of the last wanted cut
  for (int cut = 0; cut < 256; ++cut) {
    const auto i = static_cast<std::size_t>(cut);
    same = same && !occurs[i];
    levels.of_cut[i] = -1;
    if (!wanted[i]) continue;
    if (!same) levels.cuts.push_back(cut);
    levels.of_cut[i] = static_cast<int>(levels.cuts.size()) - 1;
    same = true;
  }
  return levels;
}

std::size_t index_of(double delta) {
  const auto at = std::find(MaxBoxAcc::deltas.begin(), MaxBoxAcc::deltas.end(), delta);
  check(at != MaxBoxAcc::deltas.end(), "MaxBoxAcc: counted at IoU .3, .5 and .7, not at ", delta);
  return static_cast<std::size_t>(at - MaxBoxAcc::deltas.begin());
}

double maximum(const std::vector<double>& curve) { return curve[index_of_best(curve)]; }

double argmax(const std::vector<double>& curve, const std::vector<double>& taus) { return taus[index_of_best(curve)]; }

}  // namespace

Box scaled_box(const Box& box, int width, int height, int new_width, int new_height) {
  check(width >= 1 && height >= 1 && new_width >= 1 && new_height >= 1, "scaled_box: extents must be at least 1, got ",
        width, " x ", height, " to ", new_width, " x ", new_height);
  check_box(box, "scaled_box");
  const auto scaled = [](int coordinate, int size, int new_size) {
    return static_cast<int>(std::int64_t{coordinate} * new_size / size);
  };
  return Box{scaled(box.x0, width, new_width), scaled(box.y0, height, new_height), scaled(box.x1, width, new_width),
             scaled(box.y1, height, new_height)};
}

std::vector<double> thresholds(double step) {
  check(step > 0 && step <= 1, "thresholds: the step must be in (0, 1], got ", step);
  const double count = std::ceil(1 / step);
  check(count <= 1e6, "thresholds: a step of ", step, " makes more than a million thresholds");
  std::vector<double> taus(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < taus.size(); ++i) taus[i] = static_cast<double>(i) * step;
  return taus;
}

double rounded_threshold(double threshold) { return std::round(threshold * 1e12) / 1e12; }

std::size_t index_of_best(const std::vector<double>& curve) {
  return static_cast<std::size_t>(std::max_element(curve.begin(), curve.end()) - curve.begin());
}

SweptBoxes swept_boxes(const ScoreMap& map, const std::vector<double>& taus) {
  const std::vector<std::uint8_t> bytes = to_bytes(map);
  const int highest = *std::max_element(bytes.begin(), bytes.end());
  std::vector<std::size_t> cut_of;  // for each threshold
  std::array<bool, 256> wanted{};
  for (const double tau : taus) {
    check(tau >= 0 && tau <= 1, "MaxBoxAcc: a threshold must be in [0, 1], got ", tau);
    cut_of.push_back(static_cast<std::size_t>(tau * highest));
    wanted[cut_of.back()] = true;
  }
  const Levels levels = levels_of(bytes, wanted);
  LevelSweep sweep = sweep_levels(bytes, map.width, map.height, levels.cuts);

  SweptBoxes swept;
  for (const std::size_t cut : cut_of) swept.level_of.push_back(static_cast<std::size_t>(levels.of_cut[cut]));
  const auto box_of = [&](const Box& rect) {
    return Box{rect.x0, rect.y0, std::min(rect.x1 + 1, map.width - 1), std::min(rect.y1 + 1, map.height - 1)};
  };
  swept.runs = std::move(sweep.runs);
  for (LevelSweep::Run& run : swept.runs) run.rect = box_of(run.rect);
  for (const std::optional<Box>& rect : sweep.largest) {
    const int level = static_cast<int>(swept.largest.size());
    if (!rect) swept.runs.push_back({Box{}, level, level});
    swept.largest.push_back(rect ? box_of(*rect) : Box{});
  }
  return swept;
}

BoxScores box_scores(const SweptBoxes& boxes, const std::vector<Box>& truth) {
  check(!truth.empty(), "MaxBoxAcc: a picture without a true box; leave it out");
  for (const Box& box : truth) check_box(box, "MaxBoxAcc");
  std::vector<double> largest, any(boxes.largest.size(), 0.0);  // of each level
  for (const Box& box : boxes.largest) largest.push_back(best_iou(box, truth));
  for (const LevelSweep::Run& run : boxes.runs) {
    const double iou = best_iou(run.rect, truth);
    for (int level = run.first; level <= run.last; ++level) {
      double& best = any[static_cast<std::size_t>(level)];
      best = std::max(best, iou);
    }
  }
  BoxScores scores;
  for (const std::size_t level : boxes.level_of) {
    scores.largest.push_back(largest[level]);
    scores.any.push_back(any[level]);
  }
  return scores;
}

MaxBoxAcc::MaxBoxAcc(double step, int side) : taus_(thresholds(step)), side_(side) {
  check(side >= 1, "MaxBoxAcc: the grid's side must be at least 1, got ", side);
  for (Hits* hits : {&largest_hits_, &any_hits_})
    for (std::vector<std::int64_t>& at_tau : *hits) at_tau.assign(taus_.size(), 0);
}

BoxScores MaxBoxAcc::scores(const ScoreMap& map, const std::vector<Box>& truth) const {
  check(map.width == side_ && map.height == side_, "MaxBoxAcc: maps are compared on a grid of ", side_, " x ", side_,
        ", got ", map.width, " x ", map.height, "; resize the map first");
  return box_scores(swept_boxes(map, taus_), truth);
}

void MaxBoxAcc::add(const BoxScores& scores) {
  check(scores.largest.size() == taus_.size() && scores.any.size() == taus_.size(), "MaxBoxAcc: scores at ",
        scores.largest.size(), " thresholds do not fit ", taus_.size());
  for (std::size_t d = 0; d < deltas.size(); ++d)
    for (std::size_t t = 0; t < taus_.size(); ++t) {
      largest_hits_[d][t] += scores.largest[t] >= deltas[d];
      any_hits_[d][t] += scores.any[t] >= deltas[d];
    }
  ++count_;
}

std::vector<double> MaxBoxAcc::curve(const Hits& hits, double delta) const {
  check(count_ > 0, "MaxBoxAcc: no picture was added");
  std::vector<double> percent;
  for (const std::int64_t found : hits[index_of(delta)])
    percent.push_back(static_cast<double>(found) * 100 / static_cast<double>(count_));
  return percent;
}

std::vector<double> MaxBoxAcc::curve_v1(double delta) const { return curve(largest_hits_, delta); }
std::vector<double> MaxBoxAcc::curve_v2(double delta) const { return curve(any_hits_, delta); }

double MaxBoxAcc::v1() const { return maximum(curve_v1()); }
double MaxBoxAcc::best_tau_v1() const { return argmax(curve_v1(), taus_); }

std::array<double, 3> MaxBoxAcc::v2_at_deltas() const {
  return {maximum(curve_v2(deltas[0])), maximum(curve_v2(deltas[1])), maximum(curve_v2(deltas[2]))};
}

std::array<double, 3> MaxBoxAcc::best_taus_v2() const {
  return {argmax(curve_v2(deltas[0]), taus_), argmax(curve_v2(deltas[1]), taus_), argmax(curve_v2(deltas[2]), taus_)};
}

double MaxBoxAcc::v2() const {
  const std::array<double, 3> each = v2_at_deltas();
  return (each[0] + each[1] + each[2]) / 3;
}

}  // namespace acol
