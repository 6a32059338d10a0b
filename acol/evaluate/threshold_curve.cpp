#include "acol/evaluate/threshold_curve.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "acol/evaluate/max_box_acc.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace {

using Json = nlohmann::ordered_json;

void check_thresholds(const std::vector<double>& thresholds, const std::string& who) {
  check(!thresholds.empty(), who, ": no threshold given");
  double before = -1;
  for (const double threshold : thresholds) {
    check(threshold >= 0 && threshold <= 1 && threshold > before, who,
          ": thresholds must ascend and lie in [0, 1], got ", threshold, before < 0 ? "" : message(" after ", before));
    before = threshold;
  }
}

void check_iou(double iou, const std::string& who) {
  check(iou > 0 && iou <= 1, who, ": the overlap that counts must be in (0, 1], got ", iou);
}

}  // namespace

std::string rule_text(const BoxRule& rule) {
  const std::string name = name_of(rule);
  const std::size_t colon = name.find(':'), slash = name.find('/');
  return name.substr(0, colon) + (slash == std::string::npos ? "" : name.substr(slash));
}

ThresholdCurve::Point ThresholdCurve::best() const {
  check(!percent.empty() && percent.size() == thresholds.size(), "threshold curve: it is empty");
  const std::size_t highest = index_of_best(percent);
  return {thresholds[highest], percent[highest]};
}

double ThresholdCurve::at(double threshold) const {
  const auto found = std::find(thresholds.begin(), thresholds.end(), threshold);
  check(found != thresholds.end() && percent.size() == thresholds.size(), "threshold curve: not counted at ", threshold,
        thresholds.empty() ? std::string()
                           : message(", only at ", thresholds.size(), " thresholds from ", thresholds.front(), " to ",
                                     thresholds.back()),
        "; use the same list of thresholds on both splits");
  return percent[static_cast<std::size_t>(found - thresholds.begin())];
}

ThresholdCurve::Point ThresholdCurve::at_choice_of(const ThresholdCurve& chosen) const {
  check(rule == chosen.rule && iou == chosen.iou, "threshold curve: the threshold was chosen for ", chosen.rule,
        " at an overlap of ", chosen.iou, ", this curve is of ", rule, " at ", iou);
  const double threshold = chosen.best().threshold;
  return {threshold, at(threshold)};
}

std::string to_json(const ThresholdCurve& curve, int indent) {
  const ThresholdCurve::Point best = curve.best();
  const Json json{{"rule", curve.rule},          {"iou", curve.iou},
                  {"n", curve.pictures},         {"thresholds", curve.thresholds},
                  {"percent", curve.percent},    {"best_threshold", best.threshold},
                  {"best_percent", best.percent}};
  return json.dump(indent);
}

ThresholdCurve threshold_curve_from_json(const std::string& text, const std::string& where) {
  ThresholdCurve curve;
  try {
    const Json json = Json::parse(text);
    json.at("rule").get_to(curve.rule);
    json.at("iou").get_to(curve.iou);
    json.at("n").get_to(curve.pictures);
    json.at("thresholds").get_to(curve.thresholds);
    json.at("percent").get_to(curve.percent);
  } catch (const Json::exception&) {
    fail(where, ": not a threshold curve; expected a JSON object with rule, iou, n, thresholds and percent");
  }
  check_thresholds(curve.thresholds, where);
  check_iou(curve.iou, where);
  check(curve.pictures > 0, where, ": a threshold curve needs a picture, got n = ", curve.pictures);
  check(curve.percent.size() == curve.thresholds.size(), where, ": ", curve.thresholds.size(), " thresholds but ",
        curve.percent.size(), " percentages");
  for (const double value : curve.percent)
    check(value >= 0 && value <= 100, where, ": a percentage must be in [0, 100], got ", value);
  return curve;
}

void write_threshold_curve(const std::filesystem::path& path, const ThresholdCurve& curve) {
  write_file_atomically(path, to_json(curve) + "\n");
}

ThresholdCurve read_threshold_curve(const std::filesystem::path& path) {
  return threshold_curve_from_json(read_file(path), path.string());
}

LocalizationCurve::LocalizationCurve(const BoxRule& rule, std::vector<double> thresholds, double iou)
    : rule_(rule), thresholds_(std::move(thresholds)), iou_(iou), found_(thresholds_.size(), 0) {
  check(rule.has_threshold(), "localization curve: ", name_of(rule), " has no threshold to vary");
  check_thresholds(thresholds_, "localization curve");
  check_iou(iou, "localization curve");
}

std::vector<bool> LocalizationCurve::hits(const ScoreMap& map, const std::vector<Box>& truth) const {
  check(!truth.empty(), "localization curve: a picture without a true box; leave it out");
  std::vector<bool> hits;
  for (const Box& box : predicted_boxes(map, rule_, thresholds_)) hits.push_back(best_iou(box, truth) >= iou_);
  return hits;
}

void LocalizationCurve::add(const std::vector<bool>& hits) {
  check(hits.size() == found_.size(), "localization curve: hits at ", hits.size(), " thresholds do not fit ",
        found_.size());
  for (std::size_t i = 0; i < hits.size(); ++i) found_[i] += hits[i];
  ++pictures_;
}

ThresholdCurve LocalizationCurve::result() const {
  check(pictures_ > 0, "localization curve: no picture was added");
  ThresholdCurve curve{rule_text(rule_), iou_, pictures_, thresholds_, {}};
  for (const std::int64_t found : found_)
    curve.percent.push_back(static_cast<double>(found) * 100 / static_cast<double>(pictures_));
  return curve;
}

std::vector<double> threshold_range(double low, double high, double step) {
  check(low >= 0 && low <= high && high <= 1, "threshold range: expected 0 <= low <= high <= 1, got ", low, " to ",
        high);
  check(step > 0 && (high - low) / step < 10000, "threshold range: a step of ", step, " from ", low, " to ", high,
        " does not make 1 to 10,000 thresholds");
  std::vector<double> thresholds;
  const auto last = static_cast<std::int64_t>(std::floor((high - low) / step + 1e-6));
  for (std::int64_t i = 0; i <= last; ++i) thresholds.push_back(std::min(low + static_cast<double>(i) * step, 1.0));
  return thresholds;
}

}  // namespace acol
