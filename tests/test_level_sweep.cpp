// The sweep over levels against the contours searched anew at every cut: all small pictures, thousands of random ones,
// and those made to confuse it.
#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <tuple>

#include "acol/evaluate/contours.h"
#include "acol/evaluate/level_sweep.h"
#include "golden_contours.h"
#include "plain_sweep.h"
#include "tensor/check.h"

using namespace acol;
using Bytes = std::vector<std::uint8_t>;

namespace {

std::vector<int> all_cuts() {
  std::vector<int> cuts(256);
  std::iota(cuts.begin(), cuts.end(), 0);
  return cuts;
}

// "" where the sweep gives at each cut what find_contours gives, else what differs first.
std::string difference(const Bytes& values, int width, int height, const std::vector<int>& cuts) {
  const LevelSweep sweep = sweep_levels(values, width, height, cuts);
  if (sweep.largest.size() != cuts.size()) return "levels";
  std::vector<std::vector<Box>> rects(cuts.size());
  for (const LevelSweep::Run& run : sweep.runs) {
    if (run.first < 0 || run.first > run.last || run.last >= static_cast<int>(cuts.size()))
      return message("run ", run.first, " to ", run.last);
    for (int level = run.first; level <= run.last; ++level) rects[static_cast<std::size_t>(level)].push_back(run.rect);
  }
  for (std::size_t level = 0; level < cuts.size(); ++level) {
    const std::vector<Contour> contours = find_contours(values, width, height, cuts[level]);
    std::vector<Box> expected;
    for (const Contour& contour : contours) expected.push_back(contour.rect);
    if (testing::in_order(rects[level]) != testing::in_order(expected)) return message("rectangles at ", cuts[level]);
    const int largest = largest_contour(contours);
    const std::optional<Box> want =
        largest < 0 ? std::nullopt : std::optional(contours[static_cast<std::size_t>(largest)].rect);
    if (sweep.largest[level] != want) return message("largest at ", cuts[level]);
  }
  return "";
}

Bytes random_bytes(int count, int values, std::uint32_t seed) {
  golden::Generator generator(seed);
  Bytes bytes;
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(generator.below(values)));
  return bytes;
}

// Smooth hills and pits: means over a window of random values, spread over all bytes.
Bytes smooth_bytes(int width, int height, int radius, std::uint32_t seed) {
  const Bytes noise = random_bytes(width * height, 256, seed);
  std::vector<int> sums;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      int sum = 0, count = 0;
      for (int v = std::max(0, y - radius); v <= std::min(height - 1, y + radius); ++v)
        for (int u = std::max(0, x - radius); u <= std::min(width - 1, x + radius); ++u, ++count)
          sum += noise[static_cast<std::size_t>(v * width + u)];
      sums.push_back(sum * 64 / count);
    }
  const auto [low, high] = std::minmax_element(sums.begin(), sums.end());
  Bytes bytes;
  for (const int sum : sums) bytes.push_back(static_cast<std::uint8_t>((sum - *low) * 255 / std::max(1, *high - *low)));
  return bytes;
}

}  // namespace

TEST_CASE("every black and white picture of 4 x 4: the same contours, and the largest is an outermost one") {
  for (int bits = 0; bits < 1 << 16; ++bits) {
    Bytes values;
    for (int i = 0; i < 16; ++i) values.push_back(static_cast<std::uint8_t>(bits >> i & 1));
    const std::string wrong = difference(values, 4, 4, {0});
    REQUIRE_MESSAGE(wrong == "", "picture ", bits, ": ", wrong);
    const std::vector<Contour> contours = find_contours(values, 4, 4);
    const int largest = largest_contour(contours);
    REQUIRE((largest < 0 || contours[static_cast<std::size_t>(largest)].parent < 0));
  }
}

TEST_CASE("random pictures of every shape, few values and many") {
  std::uint32_t seed = 0;
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 9}, {9, 1}, {2, 3}, {5, 5}, {7, 6}, {13, 9}, {24, 31}})
    for (const int values : {1, 2, 3, 5, 16, 256})
      for (int repeat = 0; repeat < 60; ++repeat) {
        const std::string wrong = difference(random_bytes(width * height, values, ++seed), width, height,
                                             values > 16 ? all_cuts() : std::vector{0, 1, 2, 3, 8, 254});
        const std::string size = message(width, " x ", height);
        REQUIRE_MESSAGE(wrong == "", size, " seed ", seed, ": ", wrong);
      }
  CHECK(seed == 8 * 6 * 60);
}

TEST_CASE("smooth pictures at all cuts, and at a few only") {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    const int width = 20 + static_cast<int>(seed % 31), height = 15 + static_cast<int>(seed % 23);
    const Bytes values = smooth_bytes(width, height, 1 + static_cast<int>(seed % 6), seed);
    for (const std::vector<int>& cuts : {all_cuts(), std::vector{0, 51, 102, 153, 204}, {7}, {255}, {}}) {
      const std::string wrong = difference(values, width, height, cuts);
      REQUIRE_MESSAGE(wrong == "", "seed ", seed, ", ", cuts.size(), " cuts: ", wrong);
    }
  }
  const Bytes large = smooth_bytes(224, 224, 9, 5);
  CHECK(difference(large, 224, 224, all_cuts()) == "");
}

TEST_CASE("ties of area: twins, rings around rings, thin lines, and regions that grow without gaining area") {
  const auto drawn = [](const std::string& rows) {  // digits: values; rows separated by '/'
    Bytes values;
    for (const char c : rows)
      if (c != '/') values.push_back(static_cast<std::uint8_t>(c - '0'));
    return values;
  };
  const std::vector<int> cuts{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK(difference(drawn("9900099/9900099/0000000/9900099/9900099"), 7, 5, cuts) == "");
  // The last twin grows a spur upwards at a lower cut: its first pixel then comes before the other's, at equal area.
  CHECK(difference(drawn("0000050/0000050/9900050/9900099/0000099"), 7, 5, cuts) == "");
  CHECK(difference(drawn("0500000/0500000/0500099/9900099/9900000"), 7, 5, cuts) == "");
  // A thin diamond has the area of its own hole.
  CHECK(difference(drawn("00900/09590/95359/09590/00900"), 5, 5, cuts) == "");
  CHECK(difference(drawn("9999999/9111119/9155519/9158519/9155519/9111119/9999999"), 7, 7, cuts) == "");
  // A large thin ring beside a full square of the same outline, and a smaller one with more pixels.
  CHECK(difference(drawn("99999000000/90009044444/90009044444/90009044444/99999044444/00000044444"), 11, 6, cuts) ==
        "");
  CHECK(difference(drawn("9090909/0000000/9090909/0404040/9090909"), 7, 5, cuts) == "");
  CHECK(difference(Bytes(35, 7), 7, 5, cuts) == "");
}

TEST_CASE("holes end where they reach the frame, and at corners they do not leak") {
  const std::vector<int> cuts{0, 1, 2, 3};
  // The hole of 0 opens through the 2 in its wall from cut 2 on.
  CHECK(difference({3, 3, 3, 3, 3, 0, 0, 3, 3, 2, 3, 3}, 4, 3, cuts) == "");
  const LevelSweep sweep = sweep_levels(Bytes{3, 3, 3, 3, 0, 3, 3, 2, 3}, 3, 3, cuts);
  CHECK(sweep.runs.size() == 2);  // the outer border, of one rectangle at cuts 0 to 2, and the hole's
  for (const LevelSweep::Run& run : sweep.runs) {
    CHECK(run.rect == Box{0, 0, 2, 2});
    CHECK(run.first == 0);
  }
  CHECK(sweep.runs[0].last == 2);
  CHECK(sweep.runs[1].last == 1);
  // Diagonal gaps join no background.
  CHECK(sweep_levels(Bytes{0, 3, 3, 3, 0, 3, 3, 3, 3}, 3, 3, std::vector{0}).runs.size() == 2);
}

TEST_CASE("noise has tens of thousands of contours and still takes one pass") {
  const Bytes noise = random_bytes(224 * 224, 256, 99);
  const LevelSweep sweep = sweep_levels(noise, 224, 224, all_cuts());
  CHECK(sweep.runs.size() > 20'000);
  CHECK(sweep.runs.size() < std::size_t{2 * 224 * 224});
  CHECK(difference(noise, 224, 224, {0, 90, 128, 140, 160, 200, 254}) == "");
}

TEST_CASE("bad calls are refused") {
  const Bytes values(6);
  CHECK_THROWS_WITH_AS(sweep_levels(values, 2, 4, std::vector{0}), doctest::Contains("2 x 4 picture"), Error);
  CHECK_THROWS_AS(sweep_levels(values, 0, 6, std::vector{0}), Error);
  CHECK_THROWS_AS(sweep_levels(values, 1 << 15, 1, std::vector{0}), Error);
  CHECK_THROWS_WITH_AS(sweep_levels(values, 2, 3, std::vector{1, 1}), doctest::Contains("ascend"), Error);
  CHECK_THROWS_AS(sweep_levels(values, 2, 3, std::vector{-1}), Error);
  CHECK_THROWS_AS(sweep_levels(values, 2, 3, std::vector{256}), Error);
}
