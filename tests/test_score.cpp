// acol score and what is behind it: small sets in wsolevaluation's lists and in folders, maps with known figures.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "acol/data/image.h"
#include "acol/evaluate/centre_box.h"
#include "acol/evaluate/max_box_acc.h"
#include "acol/evaluate/score_maps.h"
#include "acol/report/npy.h"
#include "program.h"
#include "tensor/threads.h"

using namespace acol;
namespace fs = std::filesystem;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

namespace {

// Zeros with a rectangle of ones.
ScoreMap block(int width, int height, const Box& box) {
  ScoreMap map{width, height, std::vector<double>(static_cast<std::size_t>(width * height), 0.0)};
  for (int y = box.y0; y <= box.y1; ++y)
    for (int x = box.x0; x <= box.x1; ++x) map.values[static_cast<std::size_t>(y * width + x)] = 1;
  return map;
}

void save(const fs::path& path, const ScoreMap& map) {
  fs::create_directories(path.parent_path());
  write_npy(path, map);
}

Sample boxed(const std::string& id, int label, std::vector<Box> boxes, int width, int height) {
  Sample sample;
  sample.id = id;
  sample.label = label;
  sample.boxes = std::move(boxes);
  sample.width = width;
  sample.height = height;
  return sample;
}

// Three pictures of 40 x 20 that exist in this list only.
Dataset small_set() {
  Dataset data;
  data.root = "/nowhere";
  data.split = "test";
  data.class_ids = data.class_names = {"a", "b"};
  data.samples = {boxed("a/1.jpg", 0, {{4, 2, 15, 9}}, 40, 20),
                  boxed("a/2.jpg", 0, {{0, 0, 3, 3}, {20, 10, 39, 19}}, 40, 20),
                  boxed("b/3.png", 1, {{10, 5, 29, 14}}, 40, 20)};
  return data;
}

ScoreOptions options_for(const std::string& maps, ScoreProtocol protocol = ScoreProtocol::wsol) {
  ScoreOptions options;
  options.maps = maps;
  options.protocol = protocol;
  return options;
}

std::string error_of(const Dataset& data, const ScoreOptions& options) {
  try {
    score_maps(data, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

// The lists of small_set() in wsolevaluation's form. No picture is written.
std::string write_lists(const TemporaryFolder& folder) {
  const std::string root = folder / "metadata";
  fs::create_directories(root + "/test");
  write(root + "/test/image_ids.txt", "a/1.jpg\na/2.jpg\nb/3.png");
  write(root + "/test/class_labels.txt", "a/1.jpg,0\na/2.jpg,0\nb/3.png,1\n");
  write(root + "/test/image_sizes.txt", "a/1.jpg,40,20\na/2.jpg,40,20\nb/3.png,40,20\n");
  write(root + "/test/localization.txt", "a/1.jpg,4,2,15,9\na/2.jpg,0,0,3,3\na/2.jpg,20,10,39,19\nb/3.png,10,5,29,14");
  return root;
}

Output run(const Words& words) { return run_program(joined({"score"}, words), {"OMP_WAIT_POLICY=passive"}); }

void check_error(const Words& words, int status, const std::string& part) {
  const Output output = run(words);
  check_one_line_error(words, output, status);
  CHECK_MESSAGE(contains(output.err, part), output.err);
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

TEST_CASE("acol score on wsolevaluation's lists: no picture is needed") {
  const TemporaryFolder folder;
  const std::string lists = write_lists(folder), out = folder / "new/scores.json";
  const Output output = run({"--maps", "center", "--metadata", lists, "--image-root", "/nowhere", "--out", out});
  REQUIRE_MESSAGE(output.status == 0, output.err);
  CHECK(contains(output.out, "MaxBoxAccV2"));
  CHECK(contains(output.out, "centre box"));
  const Json json = Json::parse(text_of_file(out));
  CHECK(json.at("n") == 3);
  const MapScores want = score_maps(small_set(), options_for("center"));
  CHECK(json.at("max_box_acc").get<double>() == want.max_box_acc.value());
  CHECK(json.at("max_box_acc_v2").get<double>() == want.max_box_acc_v2.value());
  CHECK(json.at("max_box_acc_at").at("0.7").get<double>() == want.max_box_acc_at.value()[2]);
  CHECK(json.at("best_threshold").get<double>() == want.best_threshold.value());
  CHECK(json.at("pxap").is_null());
  CHECK(json.at("curves").at("max_box_acc").size() == 1000);
  CHECK(json.at("centre_box").at("max_box_acc") == json.at("max_box_acc"));
  CHECK(run({"--maps", "whole", "--metadata", lists, "--protocol", "cam"}).status == 0);

  check_error({"--maps", "center"}, 2, "--metadata");
  check_error({"--maps", "center", "--metadata", lists, "--protocol", "voc"}, 2, "wsol, cam and ilsvrc");
  check_error({"--maps", "center", "--metadata", lists, "--box-rule", "best"}, 2, "best");
  check_error({"--maps", "center", "--metadata", lists, "--normalise", "zscore"}, 2, "zscore");
  check_error({"--maps", "center", "--data", lists, "--mask-root", lists}, 2, "belong to --metadata");
  check_error({"--maps", folder / "none", "--metadata", lists}, 1, "no such folder");
}

TEST_CASE("acol score on a folder of pictures, whose sizes it looks up") {
  const TemporaryFolder folder;
  const std::string data = folder / "data", maps = folder / "maps", out = folder / "scores.json";
  REQUIRE(
      run_program({"synth", "--out", data, "--classes", "2", "--train", "1", "--val", "2", "--size", "40"}).status ==
      0);
  const Dataset set = open_dataset(data, "val");
  for (const Sample& sample : set.samples)
    save(fs::path(maps) / (sample.id + ".npy"), block(40, 40, sample.boxes.at(0)));
  const Output output = run({"--maps", maps, "--data", data, "--ci", "20", "--box-rule", "cam-paper", "--out", out});
  REQUIRE_MESSAGE(output.status == 0, output.err);
  const Json json = Json::parse(text_of_file(out));
  CHECK(json.at("n") == 4);
  CHECK(json.at("max_box_acc") == 100);
  CHECK(json.at("gt_known_loc") == 100);
  CHECK(json.at("intervals").at("max_box_acc") == Json{100, 100});
  CHECK(contains(output.out, "resamples"));

  fs::remove(maps + "/" + set.samples[0].id + ".npy");
  check_error({"--maps", maps, "--data", data}, 1, set.samples[0].id);
  const Output fewer = run({"--maps", maps, "--data", data, "--allow-missing"});
  CHECK(fewer.status == 0);
  CHECK(contains(fewer.err, "no map for " + set.samples[0].id));
  CHECK(contains(fewer.out, "1 without a map left out"));
}
