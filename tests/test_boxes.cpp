// Score maps and the CAM paper's box.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "acol/evaluate/boxes.h"
#include "golden_contours.h"
#include "tensor/check.h"
#include "tests/drawn_map.h"

using namespace acol;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();

ScoreMap drawn(const std::string& rows) { return testing::drawn_map(rows, 10); }

}  // namespace

TEST_CASE("the box of the largest component") {
  CHECK(largest_component_box(drawn("0000/0990/0990/0000"), 0.2) == Box{1, 1, 2, 2});
  CHECK(largest_component_box(drawn("9000000/0000000/0011110/0000000"), 0.2) == Box{0, 0, 0, 0});  // .1 < .2 x .9
  CHECK(largest_component_box(drawn("9000000/0000000/0022220/0000000"), 0.2) == Box{2, 2, 5, 2});
  CHECK(largest_component_box(drawn("900/090/009"), 0.5) == Box{0, 0, 2, 2});  // diagonal neighbours hold
  CHECK(largest_component_box(drawn("99099/99099"), 0.5) == Box{0, 0, 1, 1});  // a tie: the first
  CHECK(largest_component_box(drawn("99999/90009/90909/90009/99999"), 0.5) == Box{0, 0, 4, 4});
  CHECK(largest_component_box(drawn("900009/000000/555500"), 1) == Box{0, 0, 0, 0});
  // Pixels are counted, not the area of the box: a filled square of 9 against a long diagonal of 6.
  CHECK(largest_component_box(drawn("900000000/090000999/009000999/000900999/000090000/000009000"), 0.5) ==
        Box{6, 1, 8, 3});
}

TEST_CASE("a pixel at exactly the fraction belongs to the box; the fraction 0 takes all that is not negative") {
  CHECK(largest_component_box(ScoreMap{3, 1, {0.25, 1, 0.2499}}, 0.25) == Box{0, 0, 1, 0});
  CHECK(largest_component_box(drawn("000/090/000"), 0) == Box{0, 0, 2, 2});
  CHECK(largest_component_box(ScoreMap{3, 1, {-1, 4, 0}}, 0) == Box{1, 0, 2, 0});
  CHECK(largest_component_box(ScoreMap{4, 1, {-9, 400, 100, 79}}, 0.2) == Box{1, 0, 2, 0});  // any scale
}

TEST_CASE("maps that point nowhere give no box") {
  CHECK(!largest_component_box(drawn("000/000"), 0.2));
  CHECK(!largest_component_box(ScoreMap{2, 1, {-1, -2}}, 0.2));
  CHECK(!largest_component_box(ScoreMap{2, 1, {1, nan_value}}, 0.2));
  CHECK(!largest_component_box(ScoreMap{2, 1, {1, infinite}}, 0.2));
  CHECK(whole_box(7, 5) == Box{0, 0, 6, 4});
}

TEST_CASE("bad arguments are refused") {
  CHECK_THROWS_WITH_AS(largest_component_box(drawn("09"), 1.5), doctest::Contains("1.5"), Error);
  CHECK_THROWS_AS(largest_component_box(drawn("09"), nan_value), Error);
  CHECK_THROWS_AS(largest_component_box(ScoreMap{2, 2, {0, 1}}, 0.2), Error);
  CHECK_THROWS_AS(largest_component_box(ScoreMap{}, 0.2), Error);
}

TEST_CASE("min-max normalisation never makes NaN") {
  ScoreMap map{3, 1, {-2, 0, 6}};
  min_max_normalise(map);
  CHECK(map.values == std::vector<double>{0, 0.25, 1});
  for (const std::vector<double>& useless : std::vector<std::vector<double>>{{3, 3, 3},
                                                                             {0, nan_value, 1},
                                                                             {nan_value, 0, 1},
                                                                             {0, 1, infinite},
                                                                             {-infinite, 0, 1},
                                                                             {-1e308, 0, 1.7e308}}) {
    ScoreMap bad{3, 1, useless};
    min_max_normalise(bad);
    CHECK(bad.values == std::vector<double>{0, 0, 0});
  }
}

TEST_CASE("fusion is the larger of the two") {
  CHECK(fused(ScoreMap{2, 1, {0.1, 0.9}}, ScoreMap{2, 1, {0.5, 0.2}}).values == std::vector<double>{0.5, 0.9});
  CHECK_THROWS_WITH_AS(fused(ScoreMap{2, 1, {0, 0}}, ScoreMap{1, 2, {0, 0}}), doctest::Contains("2 x 1 and 1 x 2"),
                       Error);
}

TEST_CASE("resizing is that of OpenCV") {
  const std::vector<std::string> lines = golden::contour_lines();
  golden::Generator generator(77);
  ScoreMap map;
  int cases = 0;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    std::istringstream line(lines[at]);
    std::string kind, name;
    int in_width = 0, in_height = 0, width = 0, height = 0;
    std::size_t stride = 0;
    line >> kind;
    if (kind != "resize") continue;
    line >> in_width >> in_height >> width >> height >> name >> stride;
    if (name == "bilinear") {  // each picture is drawn once, and resized in both ways
      map = ScoreMap{in_width, in_height, {}};
      for (int i = 0; i < in_width * in_height; ++i) map.values.push_back(generator.below(1 << 20) / double(1 << 20));
    }
    const ScoreMap out =
        resized(map, width, height, name == "bilinear" ? Interpolation::bilinear : Interpolation::bicubic);
    REQUIRE(out.values.size() == static_cast<std::size_t>(width * height));
    std::istringstream expected(lines.at(++at));
    double worst = 0;
    for (std::size_t i = 0; i < out.values.size(); i += stride) {
      double value = nan_value;
      expected >> value;
      const double error = std::abs(out.values[i] - value);
      if (!(error <= worst)) worst = error;
    }
    CAPTURE(lines[at - 1]);
    CHECK(worst <= 1e-6);
    ++cases;
  }
  CHECK(cases == 10);
  CHECK_THROWS_AS(resized(map, 0, 3, Interpolation::bilinear), Error);
}
