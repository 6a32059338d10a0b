// The box rules against the libraries that their programs use: OpenCV, SciPy and matplotlib.
#include <doctest/doctest.h>

#include <limits>

#include "acol/evaluate/box_rules.h"
#include "acol/evaluate/component_sweep.h"
#include "acol/evaluate/components.h"
#include "acol/evaluate/max_box_acc.h"
#include "golden_box_rules.h"
#include "tensor/check.h"
#include "tests/drawn_map.h"

using namespace acol;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
using Boxes = std::vector<Box>;

std::string text_of(const Boxes& boxes) {
  if (boxes.empty()) return "-";
  std::vector<std::string> texts;
  for (const Box& b : boxes) texts.push_back(message(b.x0, ",", b.y0, ",", b.x1, ",", b.y1));
  if (texts.size() == 1) return texts[0];
  std::string two = texts[0] + " " + texts[1], all = texts[0];
  for (std::size_t i = 1; i < texts.size(); ++i) all += " " + texts[i];
  return texts.size() == 2 ? two : message(two, " ", texts.size(), ":", golden::fnv1a(all).substr(0, 8));
}

ScoreMap drawn(const std::string& rows) { return testing::drawn_map(rows, 5); }

Boxes boxes(const std::string& rows, const std::string& rule) {
  return boxes_by_rule(drawn(rows), parse_box_rule(rule));
}

}  // namespace

TEST_CASE("the boxes of every rule are those of its program") {
  const golden::BoxRuleGolden golden = golden::box_rule_golden();
  REQUIRE(golden.maps.size() >= 250);
  for (const std::string& name : box_rule_names())
    CHECK(std::count_if(golden.rules.begin(), golden.rules.end(),
                        [&](const std::string& rule) { return rule.starts_with(name); }) >= 1);
  for (const golden::BoxRuleGolden::Map& entry : golden.maps) {
    const ScoreMap map = entry.whole.scores();
    REQUIRE(entry.boxes.size() == golden.rules.size());
    for (std::size_t r = 0; r < golden.rules.size(); ++r) {
      CAPTURE(entry.whole.kind);
      CAPTURE(entry.whole.width);
      CAPTURE(entry.whole.height);
      CAPTURE(golden.rules[r]);
      CHECK(text_of(boxes_by_rule(map, parse_box_rule(golden.rules[r]))) == entry.boxes[r]);
    }
  }
}

TEST_CASE("how the rules differ on one map") {
  // A thick part of 4 pixels, a long thin one of 5 that is connected only over a corner, and a speck.
  const std::string rows = "5500000002/5500000000/0044444000/0000000000";
  CHECK(boxes(rows, "cam-paper") == Boxes{{0, 0, 6, 2}});  // 8 neighbours
  CHECK(boxes(rows, "cam-paper:0.9") == Boxes{{0, 0, 1, 1}});
  CHECK(boxes(rows, "union") == Boxes{{0, 0, 9, 2}});             // the speck counts
  CHECK(boxes(rows, "largest-box-area") == Boxes{{2, 2, 6, 2}});  // 4 neighbours; area 5 beats 4
  CHECK(boxes(rows, "largest-contour") == Boxes{{0, 0, 7, 3}});   // a pixel wider
  CHECK(boxes(rows, "largest-contour:0.9") == Boxes{{0, 0, 2, 2}});
  CHECK(boxes(rows, "wsol:0.2") == Boxes{{0, 0, 7, 3}, {9, 0, 9, 1}});  // all, cut at the border
}

TEST_CASE("boxes of contours may end one past the border, except wsolevaluation's") {
  CHECK(boxes("555/555", "largest-contour") == Boxes{{0, 0, 3, 2}});
  CHECK(boxes("555/555", "adl") == Boxes{{0, 0, 3, 2}});
  CHECK(boxes("555/555", "pas") == Boxes{{0, 0, 3, 2}});
  CHECK(boxes("555/555", "wsol") == Boxes{{0, 0, 2, 1}});
}

TEST_CASE("at the threshold itself") {
  const ScoreMap map{3, 1, {0.5, 1, 0.25}};
  CHECK(boxes_by_rule(map, parse_box_rule("cam-paper:0.5")) == Boxes{{0, 0, 1, 0}});  // >=
  CHECK(boxes_by_rule(map, parse_box_rule("union:0.25")) == Boxes{{0, 0, 2, 0}});     // >=
  // Bytes 127, 255, 63; int(.5 * 255) = 127, and the test is >.
  CHECK(boxes_by_rule(map, parse_box_rule("largest-contour:0.5")) == Boxes{{1, 0, 2, 1}});
  CHECK(boxes_by_rule(map, parse_box_rule("largest-contour:0.49")) == Boxes{{0, 0, 2, 1}});
  // union's threshold is not relative to the maximum, cam-paper's is.
  const ScoreMap half{3, 1, {0.1, 0.5, 0.1}};
  CHECK(boxes_by_rule(half, parse_box_rule("union:0.2")) == Boxes{{1, 0, 1, 0}});
  CHECK(boxes_by_rule(half, parse_box_rule("cam-paper:0.2")) == Boxes{{0, 0, 2, 0}});
}

TEST_CASE("maps that point nowhere give no box, and then each program has its own answer") {
  for (const std::string& name : box_rule_names()) {
    CAPTURE(name);
    const BoxRule rule = parse_box_rule(name);
    CHECK(boxes_by_rule(drawn("0000/0000/0000"), rule).empty());
    CHECK(boxes_by_rule(ScoreMap{2, 1, {0, nan_value}}, rule).empty());
    CHECK(boxes_by_rule(ScoreMap{2, 1, {0, std::numeric_limits<double>::infinity()}}, rule).empty());
    CHECK(predicted_box(drawn("0000/0000/0000"), rule) == box_without_answer(rule, 4, 3));
  }
  CHECK(box_without_answer(parse_box_rule("cam-paper"), 4, 3) == Box{0, 0, 3, 2});
  CHECK(box_without_answer(parse_box_rule("dt-box"), 4, 3) == Box{0, 0, 3, 2});
  CHECK(box_without_answer(parse_box_rule("largest-contour"), 4, 3) == Box{0, 0, 1, 1});
  CHECK(box_without_answer(parse_box_rule("union"), 4, 3) == Box{0, 0, 0, 0});
  CHECK(box_without_answer(parse_box_rule("pas"), 4, 3) == Box{0, 0, 4, 3});
}

TEST_CASE("scores outside [0, 1] are refused where the threshold means a score") {
  const ScoreMap large{3, 1, {-1, 4, 2}};
  for (const char* name : {"cam-paper", "gradcam", "dt-box"}) CHECK_NOTHROW(boxes_by_rule(large, parse_box_rule(name)));
  for (const char* name : {"union", "largest-box-area", "largest-contour", "adl", "pas", "wsol"})
    CHECK_THROWS_WITH_AS(boxes_by_rule(large, parse_box_rule(name)), doctest::Contains("normalise the map first"),
                         Error);
  CHECK(boxes_by_rule(large, parse_box_rule("cam-paper")) == Boxes{{1, 0, 2, 0}});
  for (const std::string& name : box_rule_names())
    CHECK_THROWS_AS(boxes_by_rule(ScoreMap{2, 2, {0, 1}}, parse_box_rule(name)), Error);
}

TEST_CASE("many thresholds at once give what each gives alone") {
  const std::vector<double> thresholds{0.45, 0, 0.1, 0.15, 0.2, 0.45, 0.8, 0.99, 1};  // in any order
  const golden::BoxRuleGolden golden = golden::box_rule_golden();
  for (const std::string& name : box_rule_names()) {
    BoxRule rule = parse_box_rule(name);
    if (!rule.has_threshold()) {
      CHECK_THROWS_WITH_AS(predicted_boxes(drawn("05"), rule, thresholds), doctest::Contains("no threshold"), Error);
      continue;
    }
    CAPTURE(name);
    for (std::size_t m = 0; m < golden.maps.size(); m += 3) {
      const ScoreMap map = golden.maps[m].whole.scores();
      const Boxes all = predicted_boxes(map, rule, thresholds);
      REQUIRE(all.size() == thresholds.size());
      for (std::size_t t = 0; t < thresholds.size(); ++t) {
        rule.threshold = thresholds[t];
        CHECK(all[t] == predicted_box(map, rule));
      }
    }
    CHECK_THROWS_AS(predicted_boxes(drawn("05"), rule, {0.5, 1.5}), Error);
  }
}

TEST_CASE("names and their numbers") {
  CHECK(box_rule_names() == std::vector<std::string>{"cam-paper", "gradcam", "union", "largest-box-area",
                                                     "largest-contour", "adl", "pas", "wsol", "dt-box"});
  for (const char* text : {"cam-paper:0.2", "gradcam:0.15", "union:0.35", "largest-contour:0.15", "adl:1",
                           "pas:0.35/90", "pas:0.4/97.5", "wsol:0", "dt-box:20/100/110", "dt-box:1/2/254/clear"})
    CHECK(name_of(parse_box_rule(text)) == text);
  CHECK(name_of(parse_box_rule("cam-paper")) == "cam-paper:0.2");
  CHECK(name_of(parse_box_rule("gradcam")) == "gradcam:0.15");
  CHECK(name_of(parse_box_rule("pas:0.5")) == "pas:0.5/90");
  CHECK(name_of(parse_box_rule("dt-box")) == "dt-box:20/100/110");
  CHECK(parse_box_rule("cam-paper") == BoxRule{});
  CHECK_THROWS_WITH_AS(parse_box_rule("cam"), doctest::Contains("dt-box, got cam"), Error);
  for (const char* bad : {"",
                          "cam-paper:",
                          "cam-paper:1.1",
                          "cam-paper:-0.1",
                          "cam-paper:nan",
                          "cam-paper:0.2/0.3",
                          "cam-paper:0.2/",
                          "cam-paper: 0.2",
                          "pas:0.3/101",
                          "pas:0.3/90/1",
                          "dt-box:20",
                          "dt-box:20/100",
                          "dt-box:20/100/110/120",
                          "dt-box:20/100.5/110",
                          "dt-box:100/20/110",
                          "dt-box:20/20/110",
                          "dt-box:0/20/110",
                          "dt-box:20/100/255",
                          "dt-box:/clear",
                          "dt-box:20/100/1e300",
                          "dt-box:20/100/nan",
                          "cam-paper:0.2/clear"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(parse_box_rule(bad), Error);
  }
  BoxRule rule;
  rule.threshold = nan_value;
  CHECK_THROWS_AS(boxes_by_rule(drawn("05"), rule), Error);
}

TEST_CASE("where each rule's program works") {
  for (const std::string& name : box_rule_names()) {
    const BoxRule rule = parse_box_rule(name);
    CHECK((rule.grid() == 224) == rule.normalised_after_resize());
    CHECK((rule.grid() == 0 || rule.grid() == 224));
  }
  CHECK(parse_box_rule("largest-contour").interpolation() == Interpolation::bicubic);
  CHECK(parse_box_rule("union").interpolation() == Interpolation::bilinear);
  CHECK(parse_box_rule("dt-box").grid() == 0);
}

TEST_CASE("a sweep over components finds the winner at every cut") {
  golden::Generator generator(11);
  for (int i = 0; i < 60; ++i) {
    ScoreMap map{1 + generator.below(20), 1 + generator.below(20), {}};
    const int levels = 2 + generator.below(9);
    for (int p = 0; p < map.width * map.height; ++p) map.values.push_back(generator.below(levels) - 1);
    const std::vector<double> cuts{-1.5, -1, 0, 0.5, 1, 2, 4, 7, 9};
    for (const Neighbours neighbours : {Neighbours::four, Neighbours::eight})
      for (const LargestBy order : {LargestBy::pixels, LargestBy::box_area}) {
        const std::vector<std::optional<Box>> winners = sweep_components(map, cuts, neighbours, order);
        for (std::size_t c = 0; c < cuts.size(); ++c) {
          std::vector<std::uint8_t> mask;
          for (const double v : map.values) mask.push_back(v >= cuts[c]);
          std::optional<Component> best;
          for (const Component& part : components(mask, map.width, map.height, neighbours))
            if (!best || (order == LargestBy::pixels ? part.pixels > best->pixels : area(part.box) > area(best->box)))
              best = part;
          CHECK(winners[c] == (best ? std::optional(best->box) : std::nullopt));
        }
      }
  }
  const std::vector<double> falling{1, 0.5}, twice{1, 1}, undefined{nan_value};
  for (const std::vector<double>& bad : {falling, twice, undefined})
    CHECK_THROWS_WITH_AS(sweep_components(drawn("05"), bad, Neighbours::four, LargestBy::pixels),
                         doctest::Contains("must ascend"), Error);
}

TEST_CASE("components") {
  const std::vector<std::uint8_t> mask{1, 0, 1, 0, 1, 1, 9, 0, 0};
  const std::vector<Component> eight = components(mask, 3, 3, Neighbours::eight);
  REQUIRE(eight.size() == 1);
  CHECK(eight[0].pixels == 5);
  CHECK(eight[0].box == Box{0, 0, 2, 2});
  const std::vector<Component> four = components(mask, 3, 3, Neighbours::four);
  REQUIRE(four.size() == 3);
  CHECK(four[0].box == Box{0, 0, 0, 0});
  CHECK(four[1].box == Box{1, 0, 2, 1});
  CHECK(four[1].pixels == 3);
  CHECK(four[2].box == Box{0, 2, 0, 2});
  CHECK_THROWS_WITH_AS(components(mask, 2, 3, Neighbours::four), doctest::Contains("2 x 3 mask"), Error);
}
