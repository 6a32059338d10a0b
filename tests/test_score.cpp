// What is behind acol score: a small set, and maps with known figures.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "acol/data/image.h"
#include "acol/evaluate/centre_box.h"
#include "acol/evaluate/max_box_acc.h"
#include "scored_set.h"
#include "tensor/threads.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

std::string error_of(const Dataset& data, const ScoreOptions& options) {
  try {
    score_maps(data, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("wsol: maps of any size and type come to the grid and are scored as MaxBoxAcc says") {
  const TemporaryFolder folder;
  const Dataset data = small_set();
  ScoreOptions options = options_for(folder / "maps");
  options.side = 32;
  options.step = 0.01;
  MaxBoxAcc want(0.01, 32);
  std::uint32_t state = 7;
  int number = 0;
  for (const Sample& sample : data.samples) {
    ScoreMap map{9 + number, 7, {}};
    for (int i = 0; i < map.width * map.height; ++i) {
      state = state * 1664525u + 1013904223u;
      map.values.push_back(static_cast<double>(state >> 16) - 1000);
    }
    // One by its id and .npy, the others with .npy for the ending.
    fs::path path = fs::path(folder / "maps") / sample.id;
    path = number == 0 ? fs::path(path.string() + ".npy") : path.replace_extension(".npy");
    save(path, map);
    ScoreMap grid = resized(map, 32, 32, Interpolation::bicubic);
    min_max_normalise(grid);
    std::vector<Box> truth;
    for (const Box& box : sample.boxes) truth.push_back(scaled_box(box, 40, 20, 32));
    want.add(grid, truth);
    ++number;
  }
  const MapScores scores = score_maps(data, options);
  CHECK(scores.images == 3);
  CHECK(scores.with_box == 3);
  CHECK(scores.max_box_acc == want.v1());
  CHECK(scores.max_box_acc_v2 == want.v2());
  CHECK(scores.max_box_acc_at == want.v2_at_deltas());
  CHECK(scores.best_threshold == want.best_tau_v1());
  CHECK(scores.curve_v1 == want.curve_v1());
  CHECK(scores.curves_v2[2] == want.curve_v2(0.7));
  CHECK(scores.thresholds.size() == 100);
  CHECK(!scores.pxap);
  CHECK(!scores.gt_known_loc);
  CHECK(scores.truth_on_grid.size() == 3);
}

TEST_CASE("center and whole are maps like any other") {
  const Dataset data = small_set();
  const MapScores centre = score_maps(data, options_for("center"));
  const CentreBaseline baseline = centre_baseline(centre.truth_on_grid);
  CHECK(centre.max_box_acc == baseline.max_box_acc);
  CHECK(centre.max_box_acc_v2 == baseline.max_box_acc_v2);
  CHECK(centre.max_box_acc_at == baseline.at_deltas);
  CHECK(centre.max_box_acc.value() > 30);  // the third picture has its object in the middle

  const MapScores whole = score_maps(data, options_for("whole"));
  CHECK(whole.max_box_acc == 0);  // shares of the picture: 12 x 8, 20 x 10 and 20 x 10 of 40 x 20
  CHECK(whole.max_box_acc_at.value()[0] == 0);
  Dataset large = data;
  large.samples[0].boxes = {{0, 0, 39, 12}};  // 13 of 20 rows
  const MapScores half = score_maps(large, options_for("whole"));
  CHECK(half.max_box_acc == doctest::Approx(100.0 / 3));
  CHECK(half.max_box_acc_at.value()[2] == 0);
  CHECK(score_maps(large, options_for("whole", ScoreProtocol::cam)).gt_known_loc == doctest::Approx(100.0 / 3));
}

TEST_CASE("center by a box rule: the box of the centre map at each picture's own size") {
  Dataset data;
  data.root = "/nowhere";
  data.class_ids = data.class_names = {"a"};
  const BoxRule rule = parse_box_rule("cam-paper:0.6");
  for (const auto& [width, height] : {std::pair{40, 20}, {40, 80}, {20, 20}, {40, 20}, {20, 80}}) {
    const ScoreMap map = resized(centre_map(224), width, height, rule.interpolation());
    data.samples.push_back(
        boxed(std::to_string(data.samples.size()) + ".jpg", 0, {predicted_box(map, rule)}, width, height));
  }
  ScoreOptions options = options_for("center", ScoreProtocol::cam);
  options.box_rule = rule;
  CHECK(score_maps(data, options).gt_known_loc == 100);
  options.box_rule = parse_box_rule("largest-contour:0.6");  // on its own grid, and the truth too
  CHECK(score_maps(data, options).gt_known_loc == 100);
  options.box_rule = parse_box_rule("cam-paper:0.9");
  CHECK(score_maps(data, options).gt_known_loc == 0);
}

TEST_CASE("true boxes that reach beyond their picture are cut to it, whatever the maps are (CUB-200-2011)") {
  const TemporaryFolder folder;
  Dataset cut = small_set();
  cut.samples[0].boxes = {{0, 0, 39, 19}};
  cut.samples[1].boxes = {{0, 0, 3, 3}, {20, 5, 39, 19}};
  cut.samples[2].boxes = {{2, 2, 39, 19}};
  for (const Sample& sample : cut.samples)
    save(fs::path(folder / "maps") / (sample.id + ".npy"), block(40, 20, sample.boxes.back()));
  Dataset beyond = cut;
  for (Sample& sample : beyond.samples)
    for (Box& box : sample.boxes)
      if (box.x1 == 39) box = {box.x0, box.y0, box.x1 + 25, box.y1 + 12};
  Dataset left = beyond;
  beyond.cut_boxes = true;
  for (const std::string& maps : {folder / "maps", std::string("center"), std::string("whole")})
    for (const ScoreProtocol protocol : {ScoreProtocol::wsol, ScoreProtocol::cam}) {
      CAPTURE(maps);
      CAPTURE(name_of(protocol));
      ScoreOptions options = options_for(maps, protocol);
      options.bootstrap = BootstrapOptions{.resamples = 20};
      const MapScores want = score_maps(cut, options), got = score_maps(beyond, options);
      CHECK(to_json(got) == to_json(want));
      CHECK(got.truth_on_grid == want.truth_on_grid);
      const MapScores uncut = score_maps(left, options);
      CHECK(uncut.max_box_acc.has_value() == (protocol == ScoreProtocol::wsol));
      if (protocol == ScoreProtocol::wsol)
        CHECK(*uncut.max_box_acc < *want.max_box_acc);
      else
        CHECK(*uncut.gt_known_loc < *want.gt_known_loc);
    }
}

TEST_CASE("cam and ilsvrc: the rule's box on the picture, against every true box") {
  const TemporaryFolder folder;
  Dataset data = small_set();
  const fs::path maps = folder / "maps";
  save(maps / "a/1.npy", block(40, 20, {24, 12, 35, 19}));  // apart from the object in x and in y
  save(maps / "a/2.npy", block(40, 20, {21, 10, 39, 19}));  // on the second object
  save(maps / "b/3.npy", block(20, 10, {5, 2, 14, 7}));     // half the size: brought to 40 x 20
  MapScores scores = score_maps(data, options_for(maps, ScoreProtocol::cam));
  CHECK(scores.gt_known_loc == doctest::Approx(200.0 / 3));
  CHECK(scores.corloc == doctest::Approx((50.0 + 100) / 2));
  CHECK(!scores.gt_known_loc_listed);
  CHECK(!scores.max_box_acc);
  CHECK(scores.truth_on_grid.empty());

  data.samples[0].blacklisted = true;
  scores = score_maps(data, options_for(maps, ScoreProtocol::ilsvrc));
  CHECK(scores.gt_known_loc == doctest::Approx(200.0 / 3));
  CHECK(scores.gt_known_loc_listed == 100);
  CHECK(scores.blacklisted == 1);

  ScoreOptions both = options_for(maps);
  both.box_rule = parse_box_rule("largest-contour:0.5");
  scores = score_maps(data, both);
  CHECK(scores.gt_known_loc == doctest::Approx(200.0 / 3));
  CHECK(scores.max_box_acc == doctest::Approx(200.0 / 3));
}

// The evaluation programs of other papers have these faults; see box.h.
TEST_CASE("boxes apart in x and in y do not overlap, and the first true box is not the only one") {
  const TemporaryFolder folder;
  Dataset data = small_set();
  data.samples = {boxed("x.jpg", 0, {{19, 19, 28, 28}}, 30, 30)};
  save(folder / "x.npy", block(30, 30, {0, 0, 9, 9}));  // without clamping the overlap would be .68
  ScoreOptions options = options_for(folder.path());
  options.side = 30;
  options.box_rule = BoxRule{};
  MapScores scores = score_maps(data, options);
  CHECK(scores.max_box_acc == 0);
  CHECK(scores.max_box_acc_v2 == 0);
  CHECK(scores.gt_known_loc == 0);
  data.samples[0].boxes.push_back({0, 0, 10, 10});
  scores = score_maps(data, options);
  CHECK(scores.max_box_acc == 100);
  CHECK(scores.max_box_acc_v2 == 100);
  CHECK(scores.gt_known_loc == 100);
}

TEST_CASE("masks: PxAP over all pictures") {
  const TemporaryFolder folder;
  std::vector<std::uint8_t> left(24, 0), none(24, 0);
  for (std::size_t i = 0; i < 24; ++i) left[i] = i % 6 < 3 ? 255 : 0;
  write(folder / "left.png", encode_png_grey(left, 6, 4));
  write(folder / "none.png", encode_png_grey(none, 6, 4));
  Dataset data = small_set();
  data.mask_root = folder.path();
  data.samples = {Sample{.id = "p.jpg", .masks = {"left.png"}, .ignore_mask = "none.png"},
                  Sample{.id = "q.jpg", .masks = {"left.png"}}, Sample{.id = "r.jpg"}};
  save(folder / "p.npy", block(6, 4, {0, 0, 2, 3}));
  save(folder / "q.npy", block(6, 4, {0, 0, 2, 3}));
  ScoreOptions options = options_for(folder.path());
  options.side = 6;
  options.allow_missing = true;
  MapScores scores = score_maps(data, options);
  CHECK(scores.images == 2);
  CHECK(scores.with_mask == 2);
  CHECK(scores.without_truth == 1);
  CHECK(!scores.max_box_acc);
  CHECK(scores.pxap.value() == doctest::Approx(100).epsilon(1e-3));  // bicubic to 6 x 6 keeps columns
  CHECK(score_maps(data, options_for("whole")).pxap == doctest::Approx(50).epsilon(1e-14));
  CHECK(score_maps(data, options_for("center")).pxap.value() > 0);
  // An inverted map: at 1 the wrong half, then all.
  save(folder / "p.npy", block(6, 4, {3, 0, 5, 3}));
  save(folder / "q.npy", block(6, 4, {3, 0, 5, 3}));
  CHECK(score_maps(data, options).pxap.value() < 51);
  CHECK(contains(error_of(data, options_for(folder.path(), ScoreProtocol::cam)), "has a box"));
}

TEST_CASE("missing and doubtful maps") {
  const TemporaryFolder folder;
  const Dataset data = small_set();
  const std::string maps = folder / "maps";
  CHECK(contains(error_of(data, options_for(maps)), "no such folder"));
  save(maps + "/a/2.npy", block(8, 8, {4, 4, 7, 7}));
  const std::string missing = error_of(data, options_for(maps));
  CHECK(contains(missing, "2 of 3"));
  CHECK(contains(missing, "a/1.jpg, b/3.png"));
  CHECK(contains(missing, "--allow-missing"));
  ScoreOptions options = options_for(maps);
  options.allow_missing = true;
  const MapScores scores = score_maps(data, options);
  CHECK(scores.images == 1);
  CHECK(scores.missing == 2);
  CHECK(scores.missing_ids == std::vector<std::string>{"a/1.jpg", "b/3.png"});
  CHECK(scores.max_box_acc == 100);
  write(maps + "/a/2.npy", "nothing");
  CHECK(contains(error_of(data, options), "a/2.npy"));
  fs::remove(maps + "/a/2.npy");
  CHECK(contains(error_of(data, options), "none of the 3"));

  Dataset twins = data;
  twins.samples[1].id = "a/1.png";
  save(maps + "/a/1.npy", block(8, 8, {4, 4, 7, 7}));
  CHECK(contains(error_of(twins, options), "a/1.jpg and of a/1.png"));
  save(maps + "/a/1.png.npy", block(8, 8, {4, 4, 7, 7}));  // its own name comes first
  CHECK(error_of(twins, options) == "none");
  save(maps + "/a/1.jpg.npy", block(8, 8, {4, 4, 7, 7}));
  CHECK(error_of(twins, options) == "none");
}

TEST_CASE("a map without information counts, as a picture that is not found") {
  const TemporaryFolder folder;
  const Dataset data = small_set();
  for (const Sample& sample : data.samples) {
    ScoreMap map = block(8, 8, {0, 0, 7, 7});
    map.values[3] = sample.label == 1 ? std::numeric_limits<double>::quiet_NaN() : 1;
    save(fs::path(folder / "maps") / (sample.id + ".npy"), map);
  }
  const MapScores scores = score_maps(data, options_for(folder / "maps"));
  CHECK(scores.images == 3);
  CHECK(scores.max_box_acc == 0);
  CHECK(scores.max_box_acc_v2 == 0);
}

TEST_CASE("any number of threads, intervals, stopping") {
  const TemporaryFolder folder;
  Dataset data = small_set();
  std::uint32_t state = 3;
  for (int i = 0; i < 150; ++i) {
    data.samples.push_back(
        boxed("c/" + std::to_string(i) + ".jpg", i % 2, {{i % 20, i % 10, i % 20 + 15, i % 10 + 8}}, 40, 20));
    // Two of three maps show the object, the others anything.
    ScoreMap map = block(40, 20, data.samples.back().boxes[0]);
    for (double& value : map.values) {
      state = state * 1664525u + 1013904223u;
      value = (i % 3 < 2 ? value : 0) + static_cast<double>(state >> 20) / 32768;
    }
    save(fs::path(folder / "maps") / (data.samples.back().id + ".npy"), map);
  }
  data.samples.erase(data.samples.begin(), data.samples.begin() + 3);
  ScoreOptions options = options_for(folder / "maps");
  options.side = 40;
  options.box_rule = BoxRule{};
  options.bootstrap = BootstrapOptions{.resamples = 50};
  std::vector<std::int64_t> done;
  options.progress = [&](std::int64_t now, std::int64_t total) {
    CHECK(total == 150);
    done.push_back(now);
  };
  const int before = threads_in_use();
  std::vector<std::string> texts;
  for (const int threads : {1, 2, 5}) {
    use_threads(threads);
    texts.push_back(to_json(score_maps(data, options)));
  }
  use_threads(before);
  CHECK(texts[0] == texts[1]);
  CHECK(texts[0] == texts[2]);
  CHECK(done.back() == 150);
  const Json json = Json::parse(texts[0]);
  for (const char* key : {"max_box_acc", "max_box_acc_v2", "gt_known_loc", "corloc"}) {
    CAPTURE(std::string(key));
    const auto interval = json.at("intervals").at(key).get<std::vector<double>>();
    CHECK(interval.at(0) <= json.at(key).get<double>());
    CHECK(json.at(key).get<double>() <= interval.at(1));
    CHECK(interval.at(0) < interval.at(1));
  }
  options.stop_requested = [] { return true; };
  CHECK(contains(error_of(data, options), "stopped"));
}
