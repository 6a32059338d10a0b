#include "acol/evaluate/max_box_acc.h"

#include <algorithm>
#include <cmath>

#include "acol/evaluate/contours.h"
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

SweptBoxes::Level level_at(const std::vector<std::uint8_t>& bytes, int width, int height, int cut) {
  const std::vector<Contour> contours = find_contours(bytes, width, height, cut);
  SweptBoxes::Level level;
  for (const Contour& contour : contours) {
    const Box& rect = contour.rect;
    level.boxes.push_back(Box{rect.x0, rect.y0, std::min(rect.x1 + 1, width - 1), std::min(rect.y1 + 1, height - 1)});
  }
  if (contours.empty())
    level.boxes.push_back(Box{});
  else
    level.largest = static_cast<std::size_t>(largest_contour(contours));
  return level;
}

std::size_t index_of(double delta) {
  const auto at = std::find(MaxBoxAcc::deltas.begin(), MaxBoxAcc::deltas.end(), delta);
  check(at != MaxBoxAcc::deltas.end(), "MaxBoxAcc: counted at IoU .3, .5 and .7, not at ", delta);
  return static_cast<std::size_t>(at - MaxBoxAcc::deltas.begin());
}

double maximum(const std::vector<double>& curve) { return *std::max_element(curve.begin(), curve.end()); }

double argmax(const std::vector<double>& curve, const std::vector<double>& taus) {
  return taus[static_cast<std::size_t>(std::max_element(curve.begin(), curve.end()) - curve.begin())];
}

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

SweptBoxes swept_boxes(const ScoreMap& map, const std::vector<double>& taus) {
  const std::vector<std::uint8_t> bytes = to_bytes(map);
  const int highest = *std::max_element(bytes.begin(), bytes.end());
  std::array<std::size_t, 257> above{};  // above[v]: pixels with a value of at least v
  for (const std::uint8_t byte : bytes) ++above[byte];
  for (int v = 255; v >= 0; --v) above[static_cast<std::size_t>(v)] += above[static_cast<std::size_t>(v) + 1];

  // A higher cut gives a subset, so two cuts give the same picture exactly if they leave equally many pixels. Each
  // picture is searched once: in a smooth map many of the 256 cuts differ, in a poor one few.
  SweptBoxes swept;
  std::vector<std::size_t> sizes;  // foreground pixels of each level
  for (const double tau : taus) {
    check(tau >= 0 && tau <= 1, "MaxBoxAcc: a threshold must be in [0, 1], got ", tau);
    const int cut = static_cast<int>(tau * highest);
    const std::size_t size = above[static_cast<std::size_t>(cut) + 1];
    const auto known = std::find(sizes.rbegin(), sizes.rend(), size);
    if (known != sizes.rend()) {
      swept.level_of.push_back(static_cast<std::size_t>(sizes.rend() - known) - 1);
      continue;
    }
    swept.level_of.push_back(sizes.size());
    sizes.push_back(size);
    swept.levels.push_back(level_at(bytes, map.width, map.height, cut));
  }
  return swept;
}

BoxScores box_scores(const SweptBoxes& boxes, const std::vector<Box>& truth) {
  check(!truth.empty(), "MaxBoxAcc: a picture without a true box; leave it out");
  for (const Box& box : truth) check_box(box, "MaxBoxAcc");
  std::vector<double> largest, any;  // of each level
  for (const SweptBoxes::Level& level : boxes.levels) {
    double best = 0;
    for (const Box& box : level.boxes) best = std::max(best, best_iou(box, truth));
    any.push_back(best);
    largest.push_back(best_iou(level.boxes[level.largest], truth));
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
