// Localization accuracy as a function of the box threshold, and a threshold chosen on one split for another. A
// threshold chosen on the pictures it is reported on flatters: the published ones were.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "acol/evaluate/box_rules.h"

namespace acol {

// What a curve calls its rule: "cam-paper", or "pas/90" where more than the threshold makes the rule.
std::string rule_text(const BoxRule& rule);

// A finished curve, which can be written and read again.
struct ThresholdCurve {
  std::string rule;  // rule_text of the box rule
  double iou = 0.5;  // the overlap that counts as found, >=
  std::int64_t pictures = 0;
  std::vector<double> thresholds;  // ascending
  std::vector<double> percent;     // of the pictures found, for each
  friend bool operator==(const ThresholdCurve&, const ThresholdCurve&) = default;

  struct Point {
    double threshold = 0, percent = 0;
    friend bool operator==(const Point&, const Point&) = default;
  };
  // The highest point; of equal ones the one with the smallest threshold. Error: an empty curve.
  Point best() const;
  // The percentage at a threshold chosen elsewhere, such as `other.best().threshold`. Error, naming both lists' ends,
  // if this curve was not counted at that threshold: nothing is interpolated.
  double at(double threshold) const;
  // at(chosen.best().threshold): what an honest report shows. Error if the rules or the overlaps differ.
  Point at_choice_of(const ThresholdCurve& chosen) const;
};

// {"rule", "iou", "n", "thresholds", "percent", "best_threshold", "best_percent"}. Numbers are written so that they
// read back to the last bit.
std::string to_json(const ThresholdCurve& curve, int indent = 2);
// Error, naming `where`, for anything that to_json does not write. What else the object holds is ignored.
ThresholdCurve threshold_curve_from_json(const std::string& text, const std::string& where);
void write_threshold_curve(const std::filesystem::path& path, const ThresholdCurve& curve);
ThresholdCurve read_threshold_curve(const std::filesystem::path& path);

// Counts a curve picture by picture; memory does not grow with them.
//   LocalizationCurve curve(rule, thresholds);
//   for (each picture) curve.add(map, truth);   // or: in parallel h = curve.hits(map, truth), in turn curve.add(h)
//   curve.result();
class LocalizationCurve {
 public:
  // Error: a rule without a threshold (dt-box), no thresholds, ones that do not ascend or lie outside [0, 1].
  LocalizationCurve(const BoxRule& rule, std::vector<double> thresholds, double iou = 0.5);

  // Whether the rule's prediction at each threshold overlaps enough with any true box. Map and truth are on one grid:
  // both of the picture's size, or both scaled to rule.grid(). Reads only what the constructor set: several threads may
  // call it at once.
  std::vector<bool> hits(const ScoreMap& map, const std::vector<Box>& truth) const;
  void add(const std::vector<bool>& hits);
  void add(const ScoreMap& map, const std::vector<Box>& truth) { add(hits(map, truth)); }

  std::int64_t pictures() const { return pictures_; }
  ThresholdCurve result() const;  // Error when no picture was added

 private:
  BoxRule rule_;
  std::vector<double> thresholds_;
  double iou_;
  std::int64_t pictures_ = 0;
  std::vector<std::int64_t> found_;
};

// low, low + step, ... up to high, each computed as low + i * step; high is included where a step meets it to a
// millionth of a step. Error: low > high, either outside [0, 1], or a step that is not positive or makes more than
// 10,000.
std::vector<double> threshold_range(double low, double high, double step);

}  // namespace acol
