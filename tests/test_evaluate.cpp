// Maps of classes and the figures made of them, each against a plain computation that takes one picture at a time and
// really runs one pass for every predicted class.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "acol/evaluate/max_box_acc.h"
#include "acol/localizer.h"
#include "acol/report/npy.h"
#include "autograd/ops.h"
#include "tests/evaluated.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

const TinySet& set() {
  static const TinySet one({.classes = classes, .train = 1, .val = 5, .size = 48, .seed = 9});
  return one;
}

Tensor input_of(const Image& image) {
  Tensor input = Tensor::empty({1, 32, 32, 3});
  test_input(image, preprocessing(), input.f32());
  return input;
}

// Channel `label` of (1, P, Q, K), min-max normalised, by hand.
ScoreMap channel(const Tensor& maps, int label) {
  const Shape& shape = maps.shape();
  ScoreMap map{shape[2], shape[1], {}};
  for (int i = 0; i < shape[1] * shape[2]; ++i) map.values.push_back(maps.at(std::int64_t{i} * shape[3] + label));
  const auto [low, high] = std::minmax_element(map.values.begin(), map.values.end());
  const double least = *low, most = *high;
  for (double& value : map.values) value = (value - least) / (most - least);
  return map;
}

// The three maps of one class on one picture through the two branches, with that class's own hole.
ClassMaps maps_by_hand(Network& network, const Tensor& input, int label) {
  const NoGrad no_grad;
  const Variable features = network.features(Variable(input));
  const Tensor maps_a = network.branch_a(features).maps.value();
  ClassMaps maps;
  maps.a = maps.fused = channel(maps_a, label);
  if (!network.has_branch_b()) return maps;
  maps.b = channel(network.branch_b(features, normalized_map(maps_a, {label})).maps.value(), label);
  for (std::size_t i = 0; i < maps.fused.values.size(); ++i)
    maps.fused.values[i] = std::max(maps.a.values[i], maps.b.values[i]);
  return maps;
}

std::vector<int> ranking(Network& network, const Tensor& input) {
  const NoGrad no_grad;
  const Tensor logits = network.branch_a(network.features(Variable(input))).logits.value();
  std::vector<std::pair<double, int>> scores;
  for (int k = 0; k < static_cast<int>(logits.count()); ++k) scores.emplace_back(-logits.at(k), k);
  std::sort(scores.begin(), scores.end());
  std::vector<int> order;
  for (const auto& score : scores) order.push_back(score.second);
  return order;
}

// One guess: a class and a box. It is right if both are.
struct Guess {
  int label;
  Box box;
};
bool right(const Guess& guess, const Sample& sample) {
  return guess.label == sample.label && std::any_of(sample.boxes.begin(), sample.boxes.end(), [&](const Box& box) {
           return intersection_over_union(guess.box, box) >= 0.5;
         });
}

// Counts of a naive evaluation. The guesses are made from the picture alone; the sample is only asked whether they are
// right.
struct Naive {
  int images = 0, with_box = 0, top1 = 0, top5 = 0, top1_found = 0, top5_found = 0, known_found = 0;
};
Naive naive_evaluation(Network& network, const Dataset& data, double threshold = 0.2) {
  Naive count;
  for (const Sample& sample : data.samples) {
    const Image image = read_image(data.path(sample));
    const Tensor input = input_of(image);
    const auto guess = [&](int label) {
      return Guess{label, box_of_map(maps_by_hand(network, input, label).fused, image.width, image.height, threshold)};
    };
    std::vector<Guess> guesses;
    for (const int label : ranking(network, input))
      if (guesses.size() < 5) guesses.push_back(guess(label));

    ++count.images;
    count.top1 += guesses[0].label == sample.label;
    count.top5 += std::any_of(guesses.begin(), guesses.end(), [&](auto& g) { return g.label == sample.label; });
    if (sample.boxes.empty()) continue;
    ++count.with_box;
    count.top1_found += right(guesses[0], sample);
    count.top5_found += std::any_of(guesses.begin(), guesses.end(), [&](auto& g) { return right(g, sample); });
    count.known_found += right(guess(sample.label), sample);
  }
  return count;
}

double percent(int part, int whole) { return 100.0 * part / whole; }

void check_figures(const Evaluation& got, const Naive& want) {
  CHECK(got.images == want.images);
  CHECK(got.images_with_box == want.with_box);
  CHECK(got.top1_cls_err == 100 - percent(want.top1, want.images));
  CHECK(got.top5_cls_err == 100 - percent(want.top5, want.images));
  CHECK(got.top1_loc_err.value() == 100 - percent(want.top1_found, want.with_box));
  CHECK(got.top5_loc_err.value() == 100 - percent(want.top5_found, want.with_box));
  CHECK(got.gt_known_loc.value() == percent(want.known_found, want.with_box));
}

}  // namespace

TEST_CASE("class maps of a batch are those of each picture alone, made by hand") {
  for (const Method method : {Method::acol, Method::cam}) {
    CAPTURE(name_of(method));
    const auto network = untrained(method);
    const Tensor images = random_tensor({5, 32, 32, 3}, 3, DType::float32);
    const std::vector<int> shown{6, 0, 3, 3, 1};
    const PassA a = forward_a(*network, images);
    const std::vector<ClassMaps> batch = class_maps(*network, a, shown);
    REQUIRE(batch.size() == 5);
    for (int n = 0; n < 5; ++n) {
      CAPTURE(n);
      const auto i = static_cast<std::size_t>(n);
      Tensor one = Tensor::empty({1, 32, 32, 3});
      std::copy_n(images.f32() + std::ptrdiff_t{n} * 32 * 32 * 3, 32 * 32 * 3, one.f32());
      const ClassMaps want = maps_by_hand(*network, one, shown[i]);
      CHECK(batch[i].a == want.a);
      CHECK(batch[i].b == want.b);
      CHECK(batch[i].fused == want.fused);
      CHECK(want.a.width == 4);
      CHECK(batch[i].b.width == (method == Method::acol ? 4 : 0));
      if (method == Method::acol) CHECK_FALSE(batch[i].fused == batch[i].a);

      const PassA alone = forward_a(*network, one);
      double sum = 0;
      for (int k = 0; k < 7; ++k) {
        CHECK(alone.probabilities.at(k) == a.probabilities.at(std::int64_t{n} * 7 + k));
        sum += alone.probabilities.at(k);
      }
      CHECK(sum == doctest::Approx(1).epsilon(1e-6));
      CHECK(top_classes(a.probabilities, n, 7) == ranking(*network, one));
      CHECK(answers(a.probabilities)[i] == ranking(*network, one)[0]);
    }
    CHECK_THROWS_WITH_AS(class_maps(*network, a, {0, 1}), doctest::Contains("labels"), Error);
    CHECK_THROWS_WITH_AS(class_maps(*network, a, {0, 1, 2, 3, 7}), doctest::Contains("no class 7"), Error);
    CHECK_THROWS_WITH_AS(class_maps(*network, a, {0, 1, 2, 3, -1}), doctest::Contains("no class -1"), Error);
  }
}

TEST_CASE("best classes: the lower number first among equal scores, at most all") {
  const Tensor scores = Tensor::from({2, 4}, std::vector<float>{0.1f, 0.4f, 0.1f, 0.4f, 1, 0, 0, 2});
  CHECK(top_classes(scores, 0, 4) == std::vector<int>{1, 3, 0, 2});
  CHECK(top_classes(scores, 0, 1) == std::vector<int>{1});
  CHECK(top_classes(scores, 1, 9) == std::vector<int>{3, 0, 1, 2});
  CHECK(answers(scores) == std::vector<int>{1, 3});
}

TEST_CASE("top-1, top-5 and GT-known are those of one pass for every predicted class") {
  for (const Method method : {Method::acol, Method::cam})
    for (const double threshold : {0.2, 0.45}) {
      CAPTURE(name_of(method));
      CAPTURE(threshold);
      const auto network = untrained(method);
      const Naive want = naive_evaluation(*network, set().val, threshold);
      // Or equality would say little.
      CHECK(want.top1 > 0);
      CHECK(want.top5 < want.images);
      CHECK(want.known_found > want.top5_found);
      CHECK(want.top5_found > 0);
      for (const int batch_size : {6, 35}) {
        EvaluateOptions options = quick(batch_size);
        options.box_threshold = threshold;
        const Evaluation got = evaluate(*network, preprocessing(), set().val, options);
        check_figures(got, want);
        CHECK(got.skipped == 0);
        CHECK_FALSE(got.max_box_acc.has_value());
        CHECK(got.coverage_b.has_value() == (method == Method::acol));
        if (method == Method::cam) CHECK(got.coverage_fused == got.coverage_a);
      }
    }
}

TEST_CASE("with fewer than five classes every class is among the guesses") {
  const auto network = untrained(Method::acol, 3);
  const Dataset data = subset(set().val, 0, 3);
  const Evaluation got = evaluate(*network, preprocessing(), data, quick());
  check_figures(got, naive_evaluation(*network, data));
  CHECK(got.images == 15);
  CHECK(got.top5_cls_err == 0);
  CHECK(got.top5_loc_err.value() == 100 - got.gt_known_loc.value());
}

TEST_CASE("coverage and precision: of the mask, or of the boxes where there is none") {
  const auto network = untrained();
  Dataset data = set().val;
  for (const bool masks : {true, false}) {
    CAPTURE(masks);
    if (!masks)
      for (Sample& sample : data.samples) {
        sample.masks.clear();
        sample.boxes.push_back(Box{40, 2, 60, 9});  // a second one, reaching out of the picture
      }
    double coverage[3] = {}, precision[3] = {};
    for (const Sample& sample : data.samples) {
      const Image image = read_image(data.path(sample));
      const Image mask = masks ? read_image(data.mask_path(sample.masks.at(0))) : Image{};
      const ClassMaps maps = maps_by_hand(*network, input_of(image), sample.label);
      const ScoreMap* each[3] = {&maps.a, &maps.b, &maps.fused};
      for (int m = 0; m < 3; ++m) {
        const ScoreMap map = resized(*each[m], 48, 48, Interpolation::bilinear);
        const double most = *std::max_element(map.values.begin(), map.values.end());
        int object = 0, shown = 0, both = 0;
        for (int y = 0; y < 48; ++y)
          for (int x = 0; x < 48; ++x) {
            const auto in = [&](const Box& b) { return x >= b.x0 && x <= b.x1 && y >= b.y0 && y <= b.y1; };
            const bool on = masks ? mask.rgb[static_cast<std::size_t>(y * 48 + x) * 3] > 127
                                  : std::any_of(sample.boxes.begin(), sample.boxes.end(), in);
            const bool marked = map.at(x, y) >= 0.2 * most;
            object += on;
            shown += marked;
            both += on && marked;
          }
        REQUIRE(object > 0);
        REQUIRE(shown > 0);
        coverage[m] += 100.0 * both / object / 35;
        precision[m] += 100.0 * both / shown / 35;
      }
    }
    const Evaluation got = evaluate(*network, preprocessing(), data, quick());
    const auto same = [](const std::optional<double>& value, double want) {
      REQUIRE(value.has_value());
      CHECK(std::abs(*value - want) <= 1e-10);
    };
    same(got.coverage_a, coverage[0]);
    same(got.coverage_b, coverage[1]);
    same(got.coverage_fused, coverage[2]);
    same(got.precision_a, precision[0]);
    same(got.precision_b, precision[1]);
    same(got.precision_fused, precision[2]);
  }
}

TEST_CASE("pictures without boxes count for the classes only; figures without pictures are null") {
  const auto network = untrained();
  Dataset data = set().val;
  for (std::size_t i = 0; i < data.samples.size(); i += 2) data.samples[i].boxes.clear();
  check_figures(evaluate(*network, preprocessing(), data, quick()), naive_evaluation(*network, data));

  for (Sample& sample : data.samples) sample.boxes.clear();
  EvaluateOptions options = quick();
  options.max_box_acc = true;
  const Evaluation got = evaluate(*network, preprocessing(), data, options);
  const Evaluation with_boxes = evaluate(*network, preprocessing(), set().val, quick());
  CHECK(got.images == 35);
  CHECK(got.top1_cls_err == with_boxes.top1_cls_err);
  CHECK(got.top5_cls_err == with_boxes.top5_cls_err);
  const Json json = Json::parse(to_json(got));
  CHECK(json.at("n_with_box") == 0);
  CHECK(json.at("top1_cls_err") == got.top1_cls_err);
  for (const char* key : {"top1_loc_err", "top5_loc_err", "gt_known_loc", "max_box_acc", "max_box_acc_v2", "coverage_a",
                          "coverage_b", "coverage_fused", "precision_a", "precision_b", "precision_fused"}) {
    CAPTURE(key);
    CHECK(json.at(key).is_null());
  }
  CHECK(Json::parse(to_json(with_boxes)).at("gt_known_loc") == *with_boxes.gt_known_loc);
}

TEST_CASE("maps on disk are what MaxBoxAcc is computed from") {
  const auto network = untrained();
  const Dataset data = subset(set().val, 1);
  const TemporaryFolder folder;
  EvaluateOptions options = quick(4);
  options.max_box_acc = true;
  options.maps_dir = folder / "deep/maps";
  const Evaluation got = evaluate(*network, preprocessing(), data, options);

  MaxBoxAcc metric(0.001, 224);
  std::set<fs::path> expected;
  for (const Sample& sample : data.samples) {
    CAPTURE(sample.id);
    const fs::path path = (options.maps_dir / sample.id).replace_extension(".npy");
    REQUIRE(fs::exists(path));
    expected.insert(path);
    const ScoreMap map = read_npy(path);
    CHECK(map.width == 224);
    CHECK(map.height == 224);
    CHECK(*std::min_element(map.values.begin(), map.values.end()) == 0);
    CHECK(*std::max_element(map.values.begin(), map.values.end()) == 1);
    const Image image = read_image(data.path(sample));
    ScoreMap want =
        resized(maps_by_hand(*network, input_of(image), sample.label).fused, 224, 224, Interpolation::bicubic);
    min_max_normalise(want);
    CHECK(map == want);
    std::vector<Box> truth;
    for (const Box& box : sample.boxes) truth.push_back(scaled_box(box, image.width, image.height, 224));
    metric.add(map, truth);
  }
  CHECK(got.max_box_acc.value() == metric.v1());
  CHECK(got.max_box_acc_v2.value() == metric.v2());
  std::set<fs::path> written;
  for (const auto& entry : fs::recursive_directory_iterator(options.maps_dir))
    if (entry.is_regular_file()) written.insert(entry.path());
  CHECK(written == expected);
  CHECK(fs::exists(folder / "deep/maps/val/bullseye/00000.npy"));

  // Pictures without boxes have maps too.
  Dataset bare = data;
  bare.samples.resize(1);
  bare.samples[0].boxes.clear();
  options.maps_dir = folder / "bare";
  options.map_side = 20;
  evaluate(*network, preprocessing(), bare, options);
  CHECK(read_npy((options.maps_dir / bare.samples[0].id).replace_extension(".npy")).width == 20);
}

TEST_CASE("maps of two pictures that differ only in their ending are refused before any work") {
  const auto network = untrained();
  Dataset data = subset(set().val, 1);
  data.samples.push_back(data.samples.front());
  data.samples.back().id = fs::path(data.samples.front().id).replace_extension(".jpg").generic_string();
  const TemporaryFolder folder;
  EvaluateOptions options = quick(4);
  options.maps_dir = folder / "maps";
  CHECK_THROWS_WITH_AS(evaluate(*network, preprocessing(), data, options), doctest::Contains("would both be"), Error);
  CHECK_FALSE(fs::exists(options.maps_dir));
}

TEST_CASE("unreadable pictures are left out and told; settings out of range are errors") {
  const auto network = untrained();
  const TemporaryFolder folder;
  fs::copy(set().root(), folder / "data", fs::copy_options::recursive);
  const Dataset data = open_dataset(folder / "data", "val");
  const auto spoil = [&](const Sample& sample) { std::ofstream(data.path(sample), std::ios::trunc) << "no picture\n"; };
  spoil(data.samples[2]);
  Dataset readable = data;
  readable.samples.erase(readable.samples.begin() + 2);

  EvaluateOptions options = quick(1);  // so that a batch is empty
  std::vector<std::int64_t> done;
  options.progress = [&](std::int64_t now, std::int64_t total) {
    CHECK(total == 35);
    done.push_back(now);
  };
  network->set_training(true);
  const Evaluation got = evaluate(*network, preprocessing(), data, options);
  CHECK_FALSE(network->training());
  check_figures(got, naive_evaluation(*network, readable));
  CHECK(got.skipped == 1);
  REQUIRE(got.warnings.size() == 1);
  CHECK(got.warnings[0].find(data.samples[2].id) != std::string::npos);
  CHECK(done.size() == 35);
  CHECK(done.back() == 35);

  options.stop_requested = [] { return true; };
  CHECK_THROWS_WITH_AS(evaluate(*network, preprocessing(), data, options), doctest::Contains("stopped"), Error);
  for (const double bad : {0.0, 1.01, -1.0, std::nan("")}) {
    options = quick();
    options.box_threshold = bad;
    CHECK_THROWS_WITH_AS(evaluate(*network, preprocessing(), data, options), doctest::Contains("threshold"), Error);
  }
  options = quick();
  options.map_side = 0;
  CHECK_THROWS_WITH_AS(evaluate(*network, preprocessing(), data, options), doctest::Contains("side"), Error);
  CHECK_THROWS_WITH_AS(evaluate(*untrained(Method::acol, 6), preprocessing(), data, quick()),
                       doctest::Contains("6 classes"), Error);
  for (const Sample& sample : data.samples) spoil(sample);
  CHECK_THROWS_WITH_AS(evaluate(*network, preprocessing(), data, quick()), doctest::Contains("could be read"), Error);
}
