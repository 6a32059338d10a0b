// Localization over the box threshold, and a threshold chosen on one split for another.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "acol/evaluate/threshold_curve.h"
#include "golden_box_rules.h"
#include "tensor/check.h"
#include "tensor/file.h"

using namespace acol;

namespace {

// A bright square of 4 in a dim square of 8: low thresholds find the one, high ones the other.
ScoreMap two_squares() {
  ScoreMap map{20, 20, std::vector<double>(400, 0.0)};
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 20; ++x) {
      double& v = map.values[static_cast<std::size_t>(y * 20 + x)];
      if (x >= 4 && x < 12 && y >= 4 && y < 12) v = 0.5;
      if (x >= 4 && x < 8 && y >= 4 && y < 8) v = 1;
    }
  return map;
}
const Box outer{4, 4, 11, 11}, inner{4, 4, 7, 7}, elsewhere{14, 14, 18, 18};
const std::vector<double> taus{0.1, 0.3, 0.6, 0.9};

std::filesystem::path scratch() {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "acol_threshold_curve";
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace

TEST_CASE("a curve counts the pictures found at each threshold") {
  LocalizationCurve curve(parse_box_rule("cam-paper"), taus);
  CHECK_THROWS_WITH_AS(curve.result(), doctest::Contains("no picture"), Error);
  CHECK(curve.hits(two_squares(), {outer}) == std::vector<bool>{true, true, false, false});
  curve.add(two_squares(), {outer});
  curve.add(two_squares(), {inner});
  curve.add(two_squares(), {elsewhere, outer});  // any of several
  curve.add(two_squares(), {elsewhere});
  CHECK(curve.pictures() == 4);
  const ThresholdCurve result = curve.result();
  CHECK(result == ThresholdCurve{"cam-paper", 0.5, 4, taus, {50, 50, 25, 25}});
  CHECK(result.best() == ThresholdCurve::Point{0.1, 50});  // the smallest of equal ones
  CHECK(result.at(0.6) == 25);
  CHECK_THROWS_WITH_AS(result.at(0.61), doctest::Contains("not counted at 0.61"), Error);
}

TEST_CASE("the overlap that counts is reached, not passed") {
  // The outer square's lower half: 32 of 64 pixels.
  const std::vector<Box> half{{4, 8, 11, 11}};
  CHECK(LocalizationCurve(parse_box_rule("cam-paper"), {0.2}, 0.5).hits(two_squares(), half)[0]);
  CHECK(!LocalizationCurve(parse_box_rule("cam-paper"), {0.2}, 0.51).hits(two_squares(), half)[0]);
}

TEST_CASE("a map that points nowhere counts with its program's answer") {
  const ScoreMap nothing{20, 20, std::vector<double>(400, 0.0)};
  const std::vector<Box> all{{0, 0, 19, 19}};
  CHECK(LocalizationCurve(parse_box_rule("cam-paper"), taus).hits(nothing, all) == std::vector<bool>(4, true));
  CHECK(LocalizationCurve(parse_box_rule("largest-contour"), taus).hits(nothing, all) == std::vector<bool>(4, false));
}

TEST_CASE("a curve is the same as one threshold after the other, for every rule that has one") {
  const golden::BoxRuleGolden golden = golden::box_rule_golden();
  const std::vector<double> range = threshold_range(0, 1, 0.05);
  for (const std::string& name : box_rule_names()) {
    BoxRule rule = parse_box_rule(name);
    if (!rule.has_threshold()) {
      CHECK_THROWS_WITH_AS(LocalizationCurve(rule, taus), doctest::Contains("no threshold"), Error);
      continue;
    }
    LocalizationCurve curve(rule, range);
    std::vector<double> found(range.size(), 0);
    double count = 0;
    for (std::size_t m = 0; m < golden.maps.size(); m += 7) {
      const ScoreMap map = golden.maps[m].whole.scores();
      const std::vector<Box> truth{{map.width / 4, map.height / 4, map.width / 4 * 3, map.height / 4 * 3}};
      curve.add(curve.hits(map, truth));
      ++count;
      for (std::size_t t = 0; t < range.size(); ++t) {
        rule.threshold = range[t];
        found[t] += best_iou(predicted_box(map, rule), truth) >= 0.5;
      }
    }
    for (double& f : found) f = f * 100 / count;
    CAPTURE(name);
    CHECK(curve.result().percent == found);
  }
}

TEST_CASE("a threshold chosen on one split is reported on another") {
  const ThresholdCurve validation{"cam-paper", 0.5, 10, taus, {40, 60, 60, 10}};
  const ThresholdCurve test{"cam-paper", 0.5, 7, taus, {70, 55, 50, 20}};
  CHECK(test.at_choice_of(validation) == ThresholdCurve::Point{0.3, 55});
  CHECK(test.best() == ThresholdCurve::Point{0.1, 70});
  ThresholdCurve other = validation;
  other.rule = "union";
  CHECK_THROWS_WITH_AS(test.at_choice_of(other), doctest::Contains("chosen for union"), Error);
  other = validation;
  other.iou = 0.7;
  CHECK_THROWS_AS(test.at_choice_of(other), Error);
  CHECK_THROWS_AS(ThresholdCurve{}.best(), Error);
  CHECK_THROWS_AS(ThresholdCurve{}.at(0.1), Error);
}

TEST_CASE("files read back to the last bit") {
  ThresholdCurve curve{"pas/90", 0.5, 3, {}, {}};
  for (int i = 0; i < 50; ++i) {
    curve.thresholds.push_back(i * 0.01);
    curve.percent.push_back(100.0 * i / 77);
  }
  const std::filesystem::path path = scratch() / "curve.json";
  write_threshold_curve(path, curve);
  CHECK(read_threshold_curve(path) == curve);
  CHECK(threshold_curve_from_json(to_json(curve, -1), "here") == curve);
  const LocalizationCurve pas(parse_box_rule("pas:0.3/90"), taus);
  CHECK_NOTHROW(pas.hits(two_squares(), {outer}));
}

TEST_CASE("files that are no curves are refused by name") {
  const std::string good = to_json(ThresholdCurve{"union", 0.5, 3, {0.1, 0.2}, {10, 20}}, -1);
  CHECK_NOTHROW(threshold_curve_from_json(good, "x"));
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  for (const std::string& bad :
       {std::string(""), std::string("[]"), std::string("{\"rule\": 1}"), good.substr(0, good.size() / 2),
        changed("[0.1,0.2]", "[0.2,0.1]"), changed("[0.1,0.2]", "[0.1,0.1]"), changed("[0.1,0.2]", "[0.1]"),
        changed("[0.1,0.2]", "[0.1,1.2]"), changed("[0.1,0.2]", "[\"0.1\",0.2]"), changed("[10.0,20.0]", "[10,null]"),
        changed("[10.0,20.0]", "[10,200]"), changed("\"n\":3", "\"n\":0"), changed("\"iou\":0.5", "\"iou\":0")}) {
    CAPTURE(bad);
    CHECK_THROWS_WITH_AS(threshold_curve_from_json(bad, "some.json"), doctest::Contains("some.json: "), Error);
  }
  CHECK_THROWS_AS(read_threshold_curve(scratch() / "missing.json"), Error);
}

TEST_CASE("bad thresholds are refused") {
  const BoxRule rule;
  for (const std::vector<double>& bad :
       std::vector<std::vector<double>>{{}, {0.5, 0.5}, {0.5, 0.4}, {-0.1}, {1.1}, {0.1, std::nan("")}})
    CHECK_THROWS_AS(LocalizationCurve(rule, bad), Error);
  CHECK_THROWS_AS(LocalizationCurve(rule, taus, 0), Error);
  LocalizationCurve curve(rule, taus);
  CHECK_THROWS_WITH_AS(curve.add(std::vector<bool>(3)), doctest::Contains("do not fit"), Error);
  CHECK_THROWS_WITH_AS(curve.hits(two_squares(), {}), doctest::Contains("without a true box"), Error);
}

TEST_CASE("ranges") {
  CHECK(threshold_range(0.1, 0.3, 0.1) == std::vector<double>{0.1, 0.1 + 0.1, 0.1 + 2 * 0.1});
  CHECK(threshold_range(0, 1, 0.05).size() == 21);
  CHECK(threshold_range(0, 1, 0.05).back() == 1);
  CHECK(threshold_range(0.2, 0.2, 0.1) == std::vector<double>{0.2});
  CHECK(threshold_range(0, 0.99, 0.1).size() == 10);
  CHECK_THROWS_AS(threshold_range(0.5, 0.4, 0.1), Error);
  CHECK_THROWS_AS(threshold_range(0, 1, 0), Error);
  CHECK_THROWS_AS(threshold_range(0, 1, 1e-9), Error);
  CHECK_THROWS_AS(threshold_range(0, std::nan(""), 0.1), Error);
}
