// MaxBoxAcc against an evaluator of NumPy and OpenCV, and the vectors that the metric's authors test theirs with.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "acol/evaluate/centre_box.h"
#include "acol/evaluate/max_box_acc.h"
#include "golden_contours.h"
#include "plain_sweep.h"
#include "tensor/check.h"

using namespace acol;

namespace {

ScoreMap make_map(int width, int height, std::vector<double> values) {
  return ScoreMap{width, height, std::move(values)};
}

std::vector<Box> largest_at(const ScoreMap& map, const std::vector<double>& taus) {
  const SweptBoxes swept = swept_boxes(map, taus);
  std::vector<Box> boxes;
  for (const std::size_t level : swept.level_of) boxes.push_back(swept.largest[level]);
  return boxes;
}

// The maker's random_map, in the same whole numbers.
ScoreMap random_map(int side, int blobs, int noise, std::uint32_t seed) {
  golden::Generator generator(seed);
  struct Blob {
    int x, y, square;
    std::int64_t height;
  };
  std::vector<Blob> shapes;
  for (int i = 0; i < blobs; ++i) {
    const int x = generator.below(side), y = generator.below(side);
    const int radius = 1 + side / 16 + generator.below(side / 4);
    shapes.push_back({x, y, radius * radius, (200 + generator.below(800)) * std::int64_t{1000}});
  }
  ScoreMap map{side, side, {}};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) {
      std::int64_t total = noise > 0 ? generator.below(noise) : 0;
      for (const Blob& b : shapes)
        total += b.height * b.square / (b.square + (x - b.x) * (x - b.x) + (y - b.y) * (y - b.y));
      map.values.push_back(static_cast<double>(total));
    }
  min_max_normalise(map);
  return map;
}

std::vector<Box> parse_boxes(std::string text) {
  for (char& c : text)
    if (c == ',' || c == ';') c = ' ';
  std::istringstream in(text);
  std::vector<Box> boxes;
  for (Box b; in >> b.x0 >> b.y0 >> b.x1 >> b.y1;) boxes.push_back(b);
  return boxes;
}

std::string text_of(const testing::PlainLevel& level) {
  const auto box_text = [](const Box& b) { return message(b.x0, ",", b.y0, ",", b.x1, ",", b.y1); };
  std::string text = box_text(level.boxes[level.largest]) + " |";
  for (const Box& box : level.boxes) text.append(" ").append(box_text(box));
  return text + "\n";
}

}  // namespace

TEST_CASE("boxes at thresholds, the vectors of the published evaluator") {
  const std::vector<double> taus{0, 0.2, 0.4, 0.6000000000000001, 0.8};  // as numpy.arange(0, 1, .2) gives them
  CHECK(largest_at(make_map(3, 3, std::vector<double>(9, 0.0)), taus) == std::vector<Box>(5, Box{}));
  const ScoreMap blob = make_map(5, 4, {0, 0, 0, 0, 0, 0, .4, .4, .4, .6, 0, .4, 1, .8, .6, 0, .4, .4, .4, .6});
  CHECK(largest_at(blob, taus) ==
        std::vector<Box>{{1, 1, 4, 3}, {1, 1, 4, 3}, {2, 1, 4, 3}, {2, 2, 4, 3}, {2, 2, 3, 3}});
  const ScoreMap pieces = make_map(5, 4, {.4, 0, .2, .2, .2, .4, .4, 0, .4, 0, 0, 0, 0, .4, 0, 1, .6, .8, .2, .2});
  CHECK(largest_at(pieces, taus) ==
        std::vector<Box>{{0, 0, 4, 3}, {0, 0, 2, 2}, {0, 3, 3, 3}, {2, 3, 3, 3}, {0, 3, 1, 3}});
}

TEST_CASE("thresholds as numpy.arange makes them") {
  CHECK(thresholds(0.001).size() == 1000);
  CHECK(thresholds(0.3).size() == 4);
  CHECK(thresholds(0.2)[3] == 0.6000000000000001);
  CHECK(thresholds(1) == std::vector<double>{0});
  CHECK_THROWS_AS(thresholds(0), Error);
  CHECK_THROWS_AS(thresholds(std::nan("")), Error);
  CHECK_THROWS_AS(thresholds(1e-9), Error);
}

TEST_CASE("thresholds for people have no tails, and the best one is the first of equal ones") {
  for (const double step : {0.001, 0.00002}) {
    const std::vector<double> taus = thresholds(step);
    int changed = 0;
    for (std::size_t i = 0; i < taus.size(); ++i) {
      const double want = static_cast<double>(i) / std::round(1 / step);
      CHECK(rounded_threshold(taus[i]) == want);
      changed += taus[i] != want;
    }
    CHECK(changed > 0);
  }
  CHECK(rounded_threshold(0.28700000000000003) == 0.287);
  CHECK(index_of_best({1, 3, 2, 3}) == 1);
}

TEST_CASE("boxes at every threshold and the metric over whole sets, against NumPy and OpenCV") {
  const std::vector<std::string> lines = golden::contour_lines();
  int sets = 0, maps = 0;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    std::istringstream line(lines[at]);
    std::string kind, name;
    int side = 0, count = 0, blobs = 0, noise = 0;
    double step = 0;
    line >> kind >> name >> side >> count >> blobs >> noise >> step;
    if (kind != "set") continue;
    CAPTURE(name);
    MaxBoxAcc metric(step, side);
    for (int i = 0; i < count; ++i) {
      std::istringstream entry(lines.at(++at));
      std::uint32_t seed = 0;
      std::string boxes, hash;
      std::size_t few = 0;
      entry >> kind >> seed >> boxes >> hash >> few;
      REQUIRE(kind == "map");
      const ScoreMap map = random_map(side, blobs, noise, seed);
      const SweptBoxes swept = swept_boxes(map, metric.taus());
      // OpenCV's boxes in its order are those of our contours at each threshold, and the sweep has them without order.
      const std::vector<std::uint8_t> bytes = testing::bytes_of(map);
      std::string all;
      std::vector<std::string> texts;
      std::size_t different = 0, last = metric.taus().size();
      for (std::size_t t = 0; t < metric.taus().size(); ++t) {
        if (last < t && swept.level_of[t] == swept.level_of[last]) {
          texts.push_back(texts.back());
        } else {
          const testing::PlainLevel level = testing::plain_level(bytes, side, side, metric.taus()[t]);
          texts.push_back(text_of(level));
          different += testing::boxes_at(swept, swept.level_of[t]) != testing::in_order(level.boxes);
          different += swept.largest[swept.level_of[t]] != level.boxes[level.largest];
          last = t;
        }
        all += texts.back();
      }
      CHECK(different == 0);
      const std::size_t stride = std::max<std::size_t>(1, texts.size() / 8);
      for (std::size_t k = 0; k < few; ++k) CHECK(texts[k * stride] == lines.at(++at) + "\n");
      CHECK(golden::fnv1a(all) == hash);
      metric.add(map, parse_boxes(boxes));
      ++maps;
    }
    std::istringstream result(lines.at(++at));
    double v1 = NAN, v2 = NAN;
    std::array<double, 3> each{};
    result >> kind >> v1 >> v2 >> each[0] >> each[1] >> each[2];
    REQUIRE(kind == "result");
    CHECK(metric.count() == count);
    CHECK(metric.v1() == v1);
    CHECK(metric.v2_at_deltas() == each);
    CHECK(metric.v2() == v2);
    ++sets;
  }
  CHECK(sets == 6);
  CHECK(maps == 134);
}

TEST_CASE("one threshold for the whole set, not the best for each picture") {
  // A 6 x 6 core of 1 in a 12 x 12 plateau of .5: a low threshold gives the plateau, a high one the core.
  ScoreMap map{20, 20, std::vector<double>(400, 0.0)};
  for (int y = 2; y < 14; ++y)
    for (int x = 2; x < 14; ++x)
      map.values[static_cast<std::size_t>(y * 20 + x)] = x >= 5 && x < 11 && y >= 5 && y < 11 ? 1 : 0.5;
  MaxBoxAcc metric(0.01, 20);
  metric.add(map, {{2, 2, 14, 14}});
  metric.add(map, {{2, 2, 14, 14}});
  metric.add(map, {{5, 5, 11, 11}});
  CHECK(metric.v1() == doctest::Approx(200.0 / 3));
  CHECK(metric.best_tau_v1() == 0);
  CHECK(metric.curve_v1()[99] == doctest::Approx(100.0 / 3));
  metric.add(map, {{5, 5, 11, 11}, {17, 17, 19, 19}});
  metric.add(map, {{5, 5, 11, 11}});
  CHECK(metric.v1() == 60);
  CHECK(metric.best_tau_v1() > 0.4);
  CHECK(metric.best_tau_v1() < 0.6);
}

TEST_CASE("an overlap of exactly the delta counts as found") {
  MaxBoxAcc metric(0.5, 4);
  metric.add(ScoreMap{4, 4, std::vector<double>(16, 1.0)}, {{0, 0, 3, 1}});  // 8 of 16 pixels
  CHECK(metric.v1() == 100);
  CHECK(metric.v2_at_deltas() == std::array<double, 3>{100, 100, 0});
}

TEST_CASE("all contours count for V2, holes too") {
  // A ring around a hole: the hole's contour is smaller than the outer one by a pixel on each side.
  ScoreMap ring{30, 30, std::vector<double>(900, 0.0)};
  for (int y = 1; y < 29; ++y)
    for (int x = 1; x < 29; ++x)
      if (x < 3 || x > 26 || y < 9 || y > 20) ring.values[static_cast<std::size_t>(y * 30 + x)] = 1;
  MaxBoxAcc metric(0.1, 30);
  metric.add(ring,
             {{2, 8, 28, 22}});  // hole (3, 9)..(26, 20), its border (2, 8)..(27, 21), one pixel wider: exactly this
  CHECK(metric.v1() == 0);       // the outer box is (1, 1)..(29, 29): IoU 405 / 841 is below .5
  CHECK(metric.v2() == 100);
}

TEST_CASE("scaled boxes lose the fraction") {
  CHECK(scaled_box({1, 2, 4, 3}, 10, 20, 35, 10) == Box{3, 1, 14, 1});
  CHECK(scaled_box({0, 0, 499, 374}, 500, 375, 224) == Box{0, 0, 223, 223});
  CHECK(scaled_box({7, 9, 7, 9}, 64, 64, 224) == Box{24, 31, 24, 31});
  CHECK_THROWS_AS(scaled_box({3, 0, 2, 0}, 10, 10, 5), Error);
  CHECK_THROWS_AS(scaled_box({-1, 0, 2, 0}, 10, 10, 5), Error);
  CHECK_THROWS_AS(scaled_box({0, 0, 2, 0}, 0, 10, 5), Error);
}

TEST_CASE("intersection over union") {
  CHECK(intersection_over_union({1, 2, 5, 6}, {3, 1, 4, 5}) == 8.0 / 27);
  CHECK(intersection_over_union({0, 0, 0, 0}, {0, 0, 0, 0}) == 1);
  CHECK(intersection_over_union({0, 0, 9, 9}, {19, 19, 28, 28}) == 0);
}

TEST_CASE("bad maps and boxes are refused") {
  MaxBoxAcc metric(0.1, 2);
  const std::vector<Box> truth{{0, 0, 1, 1}};
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_WITH_AS(metric.add(make_map(2, 2, {0, nan, 0, 1}), truth), doctest::Contains("[0, 1]"), Error);
  CHECK_THROWS_AS(metric.add(make_map(2, 2, {0, 1.0000001, 0, 1}), truth), Error);
  CHECK_THROWS_AS(metric.add(make_map(2, 2, {0, -0.1, 0, 1}), truth), Error);
  CHECK_THROWS_AS(metric.add(make_map(2, 2, {0, 0, 1}), truth), Error);
  CHECK_THROWS_WITH_AS(metric.add(make_map(3, 1, {0, 0, 1}), truth), doctest::Contains("2 x 2"), Error);
  const ScoreMap good = make_map(2, 2, {0, 0, 0, 1});
  CHECK_THROWS_AS(metric.add(good, {}), Error);
  CHECK_THROWS_AS(metric.add(good, {{1, 0, 0, 1}}), Error);
  CHECK_THROWS_AS(metric.add(good, {{0, -1, 0, 1}}), Error);
  CHECK_THROWS_AS(metric.v1(), Error);  // none of them was counted
  metric.add(good, truth);
  CHECK(metric.count() == 1);
  CHECK_THROWS_AS(metric.curve_v2(0.4), Error);
}

TEST_CASE("the centre map gives every centred square") {
  for (const int side : {7, 8, 224}) {
    const ScoreMap map = centre_map(side);
    CHECK(*std::max_element(map.values.begin(), map.values.end()) == 1);
    CHECK(map.at(0, side - 1) > 0);
    CHECK(map.at(side - 1, 0) == map.at(0, side / 2));
    const SweptBoxes swept = swept_boxes(map, thresholds(0.001));
    CHECK(swept.largest.size() == static_cast<std::size_t>((side + 1) / 2));
    for (std::size_t i = 0; i < swept.largest.size(); ++i) {
      const int first = static_cast<int>(i), last = side - 1 - first;
      const int wider = std::min(last + 1, side - 1);
      CHECK(testing::boxes_at(swept, i) == std::vector<Box>{{first, first, wider, wider}});
      CHECK(swept.largest[i] == Box{first, first, wider, wider});
    }
  }
  CHECK(centred_box(4, 10) == Box{3, 3, 6, 6});
  CHECK(centred_box(10, 10) == Box{0, 0, 9, 9});
  CHECK_THROWS_AS(centred_box(11, 10), Error);
}

TEST_CASE("the baseline of the centre box") {
  const std::vector<std::vector<Box>> truth{
      {{60, 60, 163, 163}}, {{0, 0, 223, 223}}, {{0, 0, 10, 10}, {70, 70, 150, 150}}, {{0, 0, 20, 20}}};
  const CentreBaseline baseline = centre_baseline(truth);
  CHECK(baseline.gt_known_whole == 25);
  CHECK(baseline.gt_known_centred == 50);
  CHECK(baseline.best_size == 74);  // 74^2 / 104^2 is the first above a half
  CHECK(baseline.max_box_acc == 50);
  CHECK(baseline.at_deltas[0] == 75);
  CHECK(baseline.max_box_acc_v2 == doctest::Approx((75 + 50 + baseline.at_deltas[2]) / 3));
  CHECK_THROWS_AS(centre_baseline({}), Error);
}
