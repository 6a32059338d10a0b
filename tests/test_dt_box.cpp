// CAM's box generator and what it stands on: the distance transform and two-level contours.
#include <doctest/doctest.h>

#include <limits>

#include "acol/evaluate/contours.h"
#include "acol/evaluate/distance_transform.h"
#include "acol/evaluate/dt_box.h"
#include "golden_box_rules.h"
#include "tensor/check.h"

using namespace acol;

namespace {

using Boxes = std::vector<Box>;
using Bytes = std::vector<std::uint8_t>;

std::vector<std::int64_t> plain_distances(const Bytes& mask, int width, int height) {
  std::vector<std::int64_t> squares;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      std::int64_t best = -1;
      for (int v = 0; v < height; ++v)
        for (int u = 0; u < width; ++u) {
          const std::int64_t square = (x - u) * (x - u) + (y - v) * (y - v);
          if (mask[static_cast<std::size_t>(v * width + u)] == 0 && (best < 0 || square < best)) best = square;
        }
      squares.push_back(best);
    }
  return squares;
}

struct Picture {
  int width, height;
  Bytes values;
  Picture(int w, int h) : width(w), height(h), values(static_cast<std::size_t>(w * h)) {}
  Picture& fill(const Box& box, std::uint8_t value) {
    for (int y = box.y0; y <= box.y1; ++y)
      for (int x = box.x0; x <= box.x1; ++x) values[static_cast<std::size_t>(y * width + x)] = value;
    return *this;
  }
  Boxes boxes(const DtBoxOptions& options = {}) const { return dt_boxes(values, width, height, options); }
};

}  // namespace

TEST_CASE("distances are those to the nearest background pixel, exactly") {
  golden::Generator generator(5);
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 12}, {12, 1}, {2, 2}, {7, 5}, {16, 23}, {31, 9}})
    for (const int permille : {30, 300, 700, 950, 995}) {
      Bytes mask;
      for (int i = 0; i < width * height; ++i) mask.push_back(generator.below(1000) < permille ? 255 : 0);
      const std::string size = message(width, " x ", height);
      CAPTURE(size);
      CAPTURE(permille);
      CHECK(squared_distances(mask, width, height) == plain_distances(mask, width, height));
    }
  // One background pixel in the corner of a large picture: every distance is known.
  Bytes corner(1500 * 40, 1);
  corner[0] = 0;
  const std::vector<std::int64_t> far = squared_distances(corner, 1500, 40);
  for (int y = 0; y < 40; ++y)
    for (int x = 0; x < 1500; ++x) REQUIRE(far[static_cast<std::size_t>(y * 1500 + x)] == std::int64_t{x} * x + y * y);
  CHECK(squared_distances(Bytes(6, 1), 2, 3) == std::vector<std::int64_t>(6, -1));
  CHECK_THROWS_WITH_AS(squared_distances(Bytes(6, 1), 2, 4), doctest::Contains("2 x 4 mask"), Error);
}

TEST_CASE("two-level contours are those of OpenCV, in its order") {
  for (const golden::BoxRuleGolden::Map& entry : golden::box_rule_golden().maps) {
    const ScoreMap map = entry.whole.scores();
    Bytes mask;
    for (const double v : map.values) mask.push_back(v > 0.5);
    std::string text;
    for (const Contour& c : find_contours(mask, map.width, map.height, 0, ContourOrder::two_level))
      text += message(c.rect.x0, " ", c.rect.y0, " ", c.rect.x1 - c.rect.x0 + 1, " ", c.rect.y1 - c.rect.y0 + 1, " ",
                      c.parent, "\n");
    CAPTURE(entry.whole.kind);
    CAPTURE(entry.whole.width);
    CHECK(golden::fnv1a(text).substr(0, 8) == entry.two_level);
  }
}

TEST_CASE("a square loses its rim where that is thin against its middle") {
  // Distances in a square of 81 are 1 to 41: the outermost is at 255 / 41 = 6 and goes, the next at 12 stays. From
  // (11, 21) on the 79 x 79 pixels stay, so that x + w is 90. All three levels give this box. Of the two behind the
  // first one escapes: see below.
  const Picture large = Picture(200, 150).fill({10, 20, 90, 100}, 200);
  CHECK(large.boxes() == Boxes(2, Box{11, 21, 90, 100}));
  // In one of 9 the outermost is at 255 / 5.
  const Picture small = Picture(200, 150).fill({10, 20, 18, 28}, 200);
  CHECK(small.boxes() == Boxes(2, Box{10, 20, 19, 29}));
}

TEST_CASE("foreground is strictly above a level") {
  const Picture picture = Picture(60, 50).fill({10, 10, 29, 29}, 20).fill({12, 12, 16, 16}, 21);
  CHECK(picture.boxes() == Boxes{{12, 12, 17, 17}});
  CHECK(picture.boxes({.levels = {19, 100, 110}}) == Boxes{{10, 10, 30, 30}});
  CHECK(Picture(60, 50).fill({10, 10, 29, 29}, 20).boxes().empty());
}

TEST_CASE("all foreground is kept; boxes end before the last four columns and rows") {
  const Picture full = Picture(30, 20).fill({0, 0, 29, 19}, 255);
  CHECK(full.boxes() == Boxes(2, Box{0, 0, 25, 15}));
  CHECK(full.boxes({.clear_border = true}) == Boxes(2, Box{1, 1, 25, 15}));
  // A rectangle that begins within them: moved to W - 5, and of negative width there.
  const Picture corner = Picture(30, 20).fill({28, 8, 29, 9}, 255);
  CHECK(corner.boxes() == Boxes(2, Box{22, 8, 25, 10}));
}

TEST_CASE("boxes that share more than half of the larger one go, and the loop skips the next one") {
  // Nested squares: level 20 sees the outer one, levels 100 and 110 the inner ones. Sides 20, 16 and 14: of the outer
  // 400 the second covers 256, more than half, and is dropped. The third takes its place and is not looked at.
  const Picture nested =
      Picture(60, 50).fill({10, 10, 29, 29}, 50).fill({12, 12, 27, 27}, 105).fill({13, 13, 26, 26}, 200);
  CHECK(nested.boxes() == Boxes{{10, 10, 30, 30}, {13, 13, 27, 27}});
  // Half is not more than half: 200 of 400.
  const Picture half = Picture(60, 50).fill({10, 10, 29, 29}, 50).fill({10, 10, 29, 19}, 105);
  CHECK(half.boxes() == Boxes{{10, 10, 30, 30}, {10, 10, 30, 20}});
  const Picture more = Picture(60, 50).fill({10, 10, 29, 29}, 50).fill({10, 10, 29, 20}, 105);
  CHECK(more.boxes() == Boxes{{10, 10, 30, 30}});
}

TEST_CASE("a second object is the second box") {
  const Picture two = Picture(80, 60).fill({5, 5, 24, 24}, 200).fill({40, 30, 54, 44}, 220);
  const Boxes boxes = two.boxes();
  REQUIRE(boxes.size() >= 2);
  CHECK(boxes[0] == Box{5, 5, 25, 25});
}

TEST_CASE("grey values of a map") {
  CHECK(dt_box_grey(ScoreMap{4, 1, {0, 1, 2, 4}}) == Bytes{0, 64, 128, 255});  // 63.75 and 127.5 are rounded
  CHECK(dt_box_grey(ScoreMap{2, 1, {-3, 0.5}}) == Bytes{0, 255});
  CHECK(dt_box_grey(ScoreMap{2, 1, {0, -1}}).empty());
  CHECK(dt_box_grey(ScoreMap{2, 1, {1, std::numeric_limits<double>::quiet_NaN()}}).empty());
  CHECK(dt_box_grey(ScoreMap{2, 1, {1, std::numeric_limits<double>::infinity()}}).empty());
}

TEST_CASE("levels that do not rise are refused, where the original takes others without a word") {
  const Picture picture(10, 10);
  for (const std::array<int, 3>& levels : {std::array{0, 1, 2}, {20, 20, 30}, {30, 20, 40}, {20, 100, 255}})
    CHECK_THROWS_WITH_AS(picture.boxes({.levels = levels}), doctest::Contains("levels must rise"), Error);
  CHECK_THROWS_AS(dt_boxes(Bytes(5), 2, 3), Error);
  CHECK_THROWS_AS(dt_boxes(Bytes(0), 0, 3), Error);
}
