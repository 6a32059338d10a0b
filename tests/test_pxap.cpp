// PxAP and MaxBoxAcc of a thousand maps against NumPy and OpenCV, to the last digit; PxAP's definition by hand.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "acol/data/image.h"
#include "acol/evaluate/max_box_acc.h"
#include "acol/evaluate/pxap.h"
#include "golden_contours.h"
#include "program.h"
#include "tensor/check.h"

using namespace acol;
using golden::Generator;

namespace {

constexpr PixelTruth object = PixelTruth::object, background = PixelTruth::background, ignored = PixelTruth::ignored;

// raw_map of tools/golden/make_wsol_metrics.py, in the same order of draws.
ScoreMap raw_map(const std::string& kind, int side, Generator& g) {
  struct Blob {
    int x, y, square;
    std::int64_t height;
  };
  std::vector<Blob> blobs;
  const bool hills = kind == "smooth" || kind == "grainy";
  for (int i = 0; i < 3 && hills; ++i) {
    const int x = g.below(side), y = g.below(side);
    const int radius = 1 + side / 16 + g.below(side / 4);
    blobs.push_back({x, y, radius * radius, (200 + g.below(800)) * std::int64_t{1000}});
  }
  const int cell = 2 + g.below(5), centre_x = g.below(side), centre_y = g.below(side), period = 3 + g.below(4);
  std::vector<int> patches;
  for (int i = 0; i < side * side && kind == "steps"; ++i) patches.push_back(g.below(16));
  const int level = g.below(5);
  const auto value = [&](int x, int y) -> std::int64_t {
    if (hills) {
      std::int64_t total = kind == "grainy" ? g.below(60000) : 0;
      for (const Blob& b : blobs)
        total += b.height * b.square / (b.square + (x - b.x) * (x - b.x) + (y - b.y) * (y - b.y));
      return total;
    }
    if (kind == "ties") return g.below(4);
    if (kind == "steps") return patches[static_cast<std::size_t>(y / cell * side + x / cell)];
    if (kind == "rings") return std::max(std::abs(x - centre_x), std::abs(y - centre_y)) % period == 0 ? 3 : g.below(2);
    if (kind == "diagonals") return (x + y) % period == 0 || (x + side - y) % period == 0 ? 5 : g.below(3);
    if (kind == "borders") return side - std::min({x, y, side - 1 - x, side - 1 - y}) + g.below(3);
    if (kind == "pixel") return x == centre_x && y == centre_y;
    if (kind == "constant") return level;
    return g.below(256);
  };
  ScoreMap map{side, side, {}};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x) map.values.push_back(static_cast<double>(value(x, y)));
  double& centre = map.values[static_cast<std::size_t>(centre_y * side + centre_x)];
  if (kind == "nan") centre = std::numeric_limits<double>::quiet_NaN();
  if (kind == "infinite") centre = std::numeric_limits<double>::infinity();
  return map;
}

Box rectangle(int width, int height, Generator& g) {
  const int x0 = g.below(width), y0 = g.below(height);
  const int x1 = x0 + g.below(width - x0), y1 = y0 + g.below(height - y0);
  return {x0, y0, x1, y1};
}

Box box_near(const ScoreMap& map, Generator& g) {
  const int side = map.width, row = g.below(side);
  const double least = map.at(g.below(side), row);
  Box box{side, side, 0, 0};
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      if (map.at(x, y) >= least)
        box = Box{std::min(box.x0, x), std::min(box.y0, y), std::max(box.x1, x), std::max(box.y1, y)};
  const int x0 = std::max(0, box.x0 - g.below(4)), y0 = std::max(0, box.y0 - g.below(4));
  const int x1 = std::max(x0, std::min(side - 1, box.x1 + 2 - g.below(4)));
  const int y1 = std::max(y0, std::min(side - 1, box.y1 + 2 - g.below(4)));
  return {x0, y0, x1, y1};
}

struct Picture {
  ScoreMap map;
  std::vector<Box> boxes;
  std::vector<PixelTruth> truth;
};

Picture picture_of(const std::string& kind, int side, std::uint32_t seed) {
  Generator g(seed);
  Picture picture{raw_map(kind, side, g), {}, std::vector<PixelTruth>(static_cast<std::size_t>(side * side))};
  min_max_normalise(picture.map);
  picture.boxes.push_back(box_near(picture.map, g));
  for (int count = g.below(3); count > 0; --count) picture.boxes.push_back(rectangle(side, side, g));
  const int width = 10 + g.below(90), height = 10 + g.below(90);
  const std::vector<int> columns = nearest_pixels(width, side), rows = nearest_pixels(height, side);
  for (int count = 2 + g.below(2); count > 0; --count) {
    const Box mask = rectangle(width, height, g);
    g.below(4);  // how bright, which does not matter
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x) {
        const int u = columns[static_cast<std::size_t>(x)], v = rows[static_cast<std::size_t>(y)];
        PixelTruth& pixel = picture.truth[static_cast<std::size_t>(y * side + x)];
        const bool inside = u >= mask.x0 && u <= mask.x1 && v >= mask.y0 && v <= mask.y1;
        if (inside && pixel != object) pixel = count > 1 ? object : ignored;
      }
  }
  return picture;
}

// Both overlaps at each threshold, in millionths.
std::string overlaps_text(const BoxScores& scores) {
  std::string text;
  for (std::size_t t = 0; t < scores.any.size(); ++t)
    text += std::to_string(static_cast<int>(scores.largest[t] * 1e6)) + " " +
            std::to_string(static_cast<int>(scores.any[t] * 1e6)) + "\n";
  return text;
}

std::vector<std::string> golden_lines() {
  std::ifstream file(ACOL_SOURCE_DIR "/tests/golden/wsol_metrics.txt");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.starts_with('#')) lines.push_back(line);
  return lines;
}

double pxap(double step, const std::vector<double>& scores, const std::vector<PixelTruth>& truth) {
  PxAP metric(step);
  metric.add(metric.counts(ScoreMap{static_cast<int>(scores.size()), 1, scores}, truth));
  return metric.percent();
}

}  // namespace

TEST_CASE("a thousand maps: MaxBoxAcc, V2 and PxAP as NumPy and OpenCV give them") {
  const std::vector<std::string> lines = golden_lines();
  int maps = 0, sets = 0;
  for (std::size_t at = 0; at < lines.size();) {
    std::istringstream set(lines[at++]);
    std::string word, name;
    int side = 0;
    double step = 0;
    set >> word >> name >> side >> step;
    if (word != "set") continue;
    CAPTURE(name);
    MaxBoxAcc boxes(step, side);
    PxAP pixels(step);
    for (; lines.at(at).starts_with("map "); ++at, ++maps) {
      std::istringstream entry(lines[at]);
      std::string kind, hash;
      std::uint32_t seed = 0;
      entry >> word >> kind >> seed >> hash;
      const Picture picture = picture_of(kind, side, seed);
      const BoxScores scores = boxes.scores(picture.map, picture.boxes);
      CHECK_MESSAGE(golden::fnv1a(overlaps_text(scores)) == hash, kind, " ", seed);
      boxes.add(scores);
      pixels.add(pixels.counts(picture.map, picture.truth));
    }
    std::istringstream result(lines.at(at++));
    result >> word;
    REQUIRE(word == "result");
    std::vector<double> want;
    for (double number = 0; result >> number;) want.push_back(number);
    const std::array<double, 3> each = boxes.v2_at_deltas(), taus = boxes.best_taus_v2();
    CHECK(want == std::vector<double>{boxes.v1(), boxes.v2(), each[0], each[1], each[2], boxes.best_tau_v1(), taus[0],
                                      taus[1], taus[2], pixels.percent()});
    ++sets;
  }
  CHECK(sets == 4);
  CHECK(maps == 1068);
}

TEST_CASE("nearest pixels are OpenCV's, rounding errors included") {
  int sizes = 0;
  for (const std::string& line : golden_lines()) {
    std::istringstream entry(line);
    std::string word;
    int source = 0;
    std::int64_t want = 0, sum = 0;
    entry >> word >> source >> want;
    if (word != "nearest") continue;
    const std::vector<int> taken = nearest_pixels(source, 224);
    for (std::size_t i = 0; i < taken.size(); ++i) sum += static_cast<std::int64_t>(i + 1) * taken[i];
    CHECK_MESSAGE(sum == want, source);
    ++sizes;
  }
  CHECK(sizes == 233);
  CHECK(nearest_pixels(4, 2) == std::vector<int>{0, 2});
  CHECK(nearest_pixels(2, 5) == std::vector<int>{0, 0, 0, 1, 1});
  CHECK_THROWS_AS(nearest_pixels(0, 2), Error);
}

TEST_CASE("perfect, constant, opposite") {
  const std::vector<PixelTruth> truth{object, object, background, background, background, ignored, ignored, background};
  CHECK(pxap(0.001, {1, 1, 0, 0, 0, 0, 1, 0}, truth) == 100);
  CHECK(pxap(0.1, {1, 1, 0, 0, 0, 0.5, 0.2, 0}, truth) == 100);  // whatever the ignored pixels hold
  for (const double score : {0.0, 0.4, 1.0})
    CHECK(pxap(0.001, std::vector<double>(8, score), truth) == doctest::Approx(100.0 * 2 / 6).epsilon(1e-14));
  CHECK(pxap(0.001, {0, 0, 1, 1, 1, 0, 0, 1}, truth) == doctest::Approx(100.0 * 2 / 6).epsilon(1e-14));
}

TEST_CASE("thresholds from above, by hand") {
  // Bins at step .5: [0, .5), [.5, 1), and 1 alone.
  const std::vector<PixelTruth> truth{object, background, object, background, object, background};
  // At 1: 1 of 1; at .5: 2 of 4; at 0: 3 of 6. Each adds a third of the recall.
  CHECK(pxap(0.5, {1, 0.5, 0.99, 0.75, 0.1, 0.49}, truth) ==
        doctest::Approx(100.0 / 3 * (1 + 2.0 / 4 + 3.0 / 6)).epsilon(1e-14));
  PxAP metric(0.5);
  metric.add(metric.counts(ScoreMap{3, 1, {1, 0.5, 0.99}}, {object, background, object}));
  metric.add(metric.counts(ScoreMap{1, 3, {0.75, 0.1, 0.49}}, {background, object, background}));
  const PxAP::Curve curve = metric.curve();
  CHECK(metric.pictures() == 2);
  CHECK(curve.thresholds == std::vector<double>{2, 1, 0.5, 0});
  CHECK(std::isnan(curve.precision[0]));
  CHECK(curve.precision[1] == 1);
  CHECK(curve.precision[2] == 0.5);
  CHECK(curve.recall == std::vector<double>{0, 1.0 / 3, 2.0 / 3, 1});
  // One histogram for the set: the mean over the pictures would be another number.
  CHECK(metric.percent() == doctest::Approx(100.0 / 3 * (1 + 2.0 / 4 + 3.0 / 6)).epsilon(1e-14));
}

TEST_CASE("scores on a bin's edge belong to the bin above") {
  PxAP metric(0.1);
  const std::vector<double> taus = thresholds(0.1);
  for (std::size_t i = 0; i < taus.size(); ++i) {
    const double below = std::nextafter(taus[i], 0.0);
    const PxAP::Counts counts = metric.counts(ScoreMap{2, 1, {taus[i], below}}, {object, background});
    CHECK(counts.object[i] == 1);
    CHECK(counts.background[i == 0 ? 0 : i - 1] == 1);
  }
}

TEST_CASE("masks: read as grey, brought to the grid, joined; ignored only off the object") {
  const TemporaryFolder folder;
  const auto save = [&](const std::string& name, const std::vector<std::uint8_t>& grey, int width, int height) {
    write(folder / name, encode_png_grey(grey, width, height));
  };
  save("a.png", {255, 0, 0, 0}, 2, 2);
  save("b.png", {0, 0, 0, 1}, 2, 2);
  save("ignore.png", {0, 9, 0, 0, 9, 0, 0, 9, 9}, 3, 3);
  Dataset data;
  data.root = "/nowhere";
  data.mask_root = folder.path();
  Sample sample{.id = "x.jpg", .masks = {"a.png", "b.png"}, .ignore_mask = "ignore.png"};
  const std::vector<PixelTruth> truth = mask_truth(data, sample, 4);
  const std::string text = [&] {
    std::string all;
    for (const PixelTruth pixel : truth) all += pixel == object ? 'o' : pixel == ignored ? 'i' : '.';
    return all;
  }();
  // ignore.png's columns and rows 0 0 1 2 on the grid
  CHECK(text ==
        "ooi."
        "ooi."
        "..oo"
        "..oo");
  sample.masks = {"b.png"};
  const std::vector<PixelTruth> fewer = mask_truth(data, sample, 4);
  CHECK(fewer[2] == ignored);  // row 0: grid column 2 takes column 1
  CHECK(fewer[8] == background);
  CHECK(fewer[10] == object);
  sample.masks = {"none.png"};
  CHECK_THROWS_WITH_AS(mask_truth(data, sample, 4), doctest::Contains("none.png"), Error);
  sample.masks = {};
  CHECK_THROWS_WITH_AS(mask_truth(data, sample, 4), doctest::Contains("x.jpg"), Error);
}

TEST_CASE("what cannot be measured is refused") {
  PxAP metric;
  CHECK_THROWS_WITH_AS(metric.percent(), doctest::Contains("no pixel of an object"), Error);
  metric.add(metric.counts(ScoreMap{1, 1, {1}}, {background}));
  CHECK_THROWS_AS(metric.percent(), Error);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double bad : {nan, -0.001, 1.001}) CHECK_THROWS_AS(metric.counts(ScoreMap{1, 1, {bad}}, {object}), Error);
  CHECK_THROWS_AS(metric.counts(ScoreMap{1, 1, {1}}, {object, object}), Error);
  CHECK_THROWS_AS(metric.add(PxAP(0.5).counts(ScoreMap{1, 1, {1}}, {object})), Error);
}
