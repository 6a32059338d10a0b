// The protocols of evaluate() beside the default one, each against a plain computation of one picture at a time that
// makes all guesses, with a pass of branch B for every one of them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "acol/evaluate/class_maps.h"
#include "acol/evaluate/clsloc.h"
#include "acol/evaluate/error_split.h"
#include "acol/evaluate/evaluate.h"
#include "acol/evaluate/picture_scores.h"
#include "acol/evaluate/pxap.h"
#include "tests/small_network.h"
#include "tests/tiny_set.h"

using namespace acol;
using namespace acol::testing;
using Json = nlohmann::json;

namespace {

constexpr int classes = 7;

const TinySet& set() {
  static const TinySet one({.classes = classes, .train = 1, .val = 6, .size = 48, .seed = 9});
  return one;
}

// Boxes twice as wide as high, several in some pictures, some blacklisted, unequally many pictures of the classes.
Dataset varied() {
  Dataset data = set().val;
  data.samples.resize(data.samples.size() - 3);
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    Sample& sample = data.samples[i];
    if (i % 3 == 0) sample.boxes.push_back({2, 3, 30, 40});
    if (i % 5 == 0) sample.boxes.push_back({20, 0, 47, 44});
    sample.blacklisted = i % 4 == 0;
    if (i % 7 == 6) sample.boxes.clear();
  }
  return data;
}

Preprocessing preprocessing() {
  Preprocessing how;
  how.resize = 40;
  how.crop = 32;
  return how;
}

Network& network(Method method = Method::acol) {
  const auto made = [](Method which) {
    NetworkConfig config = small_config("vgg11_bn", which);
    config.width = 0.05;
    config.classes = classes;
    auto one = std::make_shared<Network>(config);
    randomise(*one, 41);
    one->set_training(false);
    return one;
  };
  static const std::shared_ptr<Network> acol = made(Method::acol), cam = made(Method::cam);
  return method == Method::acol ? *acol : *cam;
}

EvaluateOptions quick() {
  EvaluateOptions options;
  options.batch_size = 8;
  options.workers = 1;
  options.max_box_acc = false;
  return options;
}

Evaluation run(const EvaluateOptions& options, const Dataset& data, Method method = Method::acol) {
  return evaluate(network(method), preprocessing(), data, options);
}

// One picture on its way through the network, as test_input cuts it.
struct Passed {
  Image image;
  PassA a;
  std::vector<int> ranking;
};
Passed passed(const Dataset& data, const Sample& sample, TestInput input = TestInput::warp) {
  Passed one;
  one.image = read_image(data.path(sample));
  Tensor tensor = Tensor::empty({1, 32, 32, 3});
  test_input(one.image, preprocessing(), tensor.f32(), input);
  one.a = forward_a(network(), tensor);
  one.ranking = top_classes(one.a.probabilities, 0, classes);
  return one;
}

// All boxes of a class's map, with the hole cut by `hole`.
std::vector<Box> boxes_of(const Passed& picture, int label, int hole, const BoxRule& rule) {
  const ScoreMap map = class_maps(network(), picture.a, {label}, {hole})[0].fused;
  std::vector<Box> boxes =
      boxes_by_rule(resized(map, picture.image.width, picture.image.height, rule.interpolation()), rule);
  if (boxes.empty()) boxes.push_back(box_without_answer(rule, picture.image.width, picture.image.height));
  return boxes;
}

struct Lists {
  ClsLoc plain, star;
};
// guesses(i): the classes of sample i. A pass for every class of the list.
template <class Guesses>
Lists lists_by_hand(const Dataset& data, const BoxRule& rule, const Guesses& guesses) {
  Lists lists;
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    const Sample& sample = data.samples[i];
    if (sample.boxes.empty()) continue;
    const Passed picture = passed(data, sample);
    const std::vector<int> ranked = guesses(i, picture);
    std::vector<std::vector<Box>> boxes;
    for (const int label : ranked) boxes.push_back(boxes_of(picture, label, label, rule));
    lists.plain.add(guess_ranks(plain_list(ranked, boxes), sample.label, sample.boxes), sample.blacklisted);
    lists.star.add(guess_ranks(star_list(ranked, boxes), sample.label, sample.boxes), sample.blacklisted);
  }
  return lists;
}
std::vector<int> own(std::size_t, const Passed& picture) {
  return {picture.ranking.begin(), picture.ranking.begin() + 5};
}

bool same(const std::optional<double>& got, double want) { return got && std::abs(*got - want) <= 1e-9; }

}  // namespace

TEST_CASE("the ILSVRC figures, the star list and the blacklist are those of one pass for every guess") {
  const Dataset data = varied();
  for (const char* text : {"dt-box", "cam-paper:0.3"}) {
    CAPTURE(text);
    EvaluateOptions options = quick();
    options.box_rule = parse_box_rule(text);
    const Evaluation got = run(options, data);
    const Lists want = lists_by_hand(data, *options.box_rule, own);
    CHECK(got.images_with_box == want.plain.pictures());
    CHECK(got.blacklisted == want.plain.blacklisted());
    CHECK(got.blacklisted > 5);
    CHECK(same(got.top1_loc_err, want.plain.localization_error(1)));
    CHECK(same(got.top5_loc_err, want.plain.localization_error(5)));
    CHECK(same(got.top1_loc_err_listed, want.plain.localization_error_without_blacklist(1)));
    CHECK(same(got.top5_loc_err_listed, want.plain.localization_error_without_blacklist(5)));
    CHECK(want.plain.localization_error(5) != want.plain.localization_error_without_blacklist(5));
    CHECK(want.plain.localization_error(5) < 100);
    CHECK(got.star_loc_err.has_value() == (options.box_rule->name == BoxRuleName::dt_box));
    if (!got.star_loc_err) continue;
    CHECK(same(got.star_loc_err, want.star.localization_error(5)));
    CHECK(same(got.star_loc_err_listed, want.star.localization_error_without_blacklist(5)));
    CHECK(want.star.localization_error(5) != want.plain.localization_error(5));
  }
}

TEST_CASE("counting 'box of the true class hits, and that class is among the k' gives the same (ACoL_pytorch)") {
  const Dataset data = varied();
  const Evaluation got = run(quick(), data);
  const BoxRule rule;
  int with_box = 0, top1 = 0, top5 = 0, known = 0;
  for (const Sample& sample : data.samples) {
    if (sample.boxes.empty()) continue;
    const Passed picture = passed(data, sample);
    const bool hit = best_iou(boxes_of(picture, sample.label, sample.label, rule)[0], sample.boxes) >= 0.5;
    const auto rank = std::find(picture.ranking.begin(), picture.ranking.end(), sample.label) - picture.ranking.begin();
    ++with_box;
    known += hit;
    top1 += hit && rank < 1;
    top5 += hit && rank < 5;
  }
  CHECK(same(got.gt_known_loc, 100.0 * known / with_box));
  CHECK(same(got.top1_loc_err, 100 - 100.0 * top1 / with_box));
  CHECK(same(got.top5_loc_err, 100 - 100.0 * top5 / with_box));
  CHECK(known > top5);
  CHECK(top5 > top1);
}

TEST_CASE("holes cut by the predicted class: GT-known differs, top-1 does not") {
  const Dataset data = varied();
  EvaluateOptions options = quick();
  BoxRule rule;
  rule.threshold = options.box_threshold = 0.7;  // so high that branch B moves boxes
  const Evaluation truth = run(options, data);
  options.erase_test_label = EraseTestLabel::predicted;
  const Evaluation got = run(options, data);
  int with_box = 0, known = 0;
  bool other_boxes = false;
  for (const Sample& sample : data.samples) {
    if (sample.boxes.empty()) continue;
    const Passed picture = passed(data, sample);
    const Box box = boxes_of(picture, sample.label, picture.ranking[0], rule)[0];
    other_boxes |= !(box == boxes_of(picture, sample.label, sample.label, rule)[0]);
    ++with_box;
    known += best_iou(box, sample.boxes) >= 0.5;
  }
  CHECK(other_boxes);
  CHECK(same(got.gt_known_loc, 100.0 * known / with_box));
  CHECK(got.top1_loc_err == truth.top1_loc_err);
  CHECK(got.top1_cls_err == truth.top1_cls_err);
  CHECK(got.coverage_b != truth.coverage_b);
  CHECK(got.coverage_a == truth.coverage_a);
}

TEST_CASE("classes from elsewhere: their boxes from our maps") {
  const Dataset data = varied();
  EvaluateOptions options = quick();
  const auto guesses = [](std::size_t i) {  // 0 to 3 guesses more than the first
    const int first = static_cast<int>(i * 5 % classes);
    std::vector<int> list;
    for (std::size_t k = 0; k < 1 + i % 4; ++k) list.push_back((first + static_cast<int>(k)) % classes);
    return list;
  };
  for (std::size_t i = 0; i < data.samples.size(); ++i) options.guess_labels.push_back(guesses(i));
  const Evaluation got = run(options, data);
  const Lists want = lists_by_hand(data, BoxRule{}, [&](std::size_t i, const Passed&) { return guesses(i); });
  int top1 = 0, top5 = 0;
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    const std::vector<int> list = guesses(i);
    top1 += list[0] == data.samples[i].label;
    top5 += std::count(list.begin(), list.end(), data.samples[i].label) > 0;
  }
  const double images = static_cast<double>(data.samples.size());
  CHECK(same(got.top1_cls_err, 100 - 100 * top1 / images));
  CHECK(same(got.top5_cls_err, 100 - 100 * top5 / images));
  CHECK(same(got.top1_loc_err, want.plain.localization_error(1)));
  CHECK(same(got.top5_loc_err, want.plain.localization_error(5)));
  CHECK(got.gt_known_loc == run(quick(), data).gt_known_loc);

  // With the true labels the error is what GT-known misses.
  options.guess_labels.clear();
  for (const Sample& sample : data.samples) options.guess_labels.push_back({sample.label});
  const Evaluation known = run(options, data);
  CHECK(known.top1_cls_err == 0);
  CHECK(same(known.top1_loc_err, 100 - known.gt_known_loc.value()));
  options.guess_labels.pop_back();
  CHECK_THROWS_WITH_AS(run(options, data), doctest::Contains("were given from elsewhere"), Error);
}

TEST_CASE("kinds of errors add up, by hand; CorLoc is the mean of the classes") {
  const Dataset data = varied();
  const Evaluation got = run(quick(), data);
  std::array<int, localization_faults> kinds{};
  std::array<int, classes> count{}, found{};
  int with_box = 0;
  for (const Sample& sample : data.samples) {
    if (sample.boxes.empty()) continue;
    ++with_box;
    const Passed picture = passed(data, sample);
    const Box box = boxes_of(picture, sample.label, sample.label, BoxRule{})[0];
    if (const auto fault = localization_fault(picture.ranking[0] == sample.label, box, sample.boxes))
      ++kinds[static_cast<std::size_t>(*fault)];
    const auto label = static_cast<std::size_t>(sample.label);
    ++count[label];
    found[label] += best_iou(box, sample.boxes) >= 0.5;
  }
  double sum = 0, corloc = 0;
  for (std::size_t f = 0; f < kinds.size(); ++f) {
    const auto rate = static_cast<Rate>(static_cast<std::size_t>(Rate::wrong_class) + f);
    CHECK(same(got.rates.percent(rate), 100.0 * kinds[f] / with_box));
    sum += got.rates.percent(rate).value();
  }
  CHECK(same(got.top1_loc_err, sum));
  CHECK(kinds[0] > 0);
  CHECK(kinds[0] < with_box);
  for (std::size_t k = 0; k < classes; ++k) {
    CHECK(same(got.rates.percent(Rate::gt_known, static_cast<int>(k)), 100.0 * found[k] / count[k]));
    corloc += 100.0 * found[k] / count[k] / classes;
  }
  CHECK(same(got.corloc, corloc));
  CHECK(std::abs(*got.corloc - *got.gt_known_loc) > 1e-3);
  const Json errors = Json::parse(to_json(got)).at("errors");
  CHECK(errors.at("wrong_class") == got.rates.percent(Rate::wrong_class).value());
  CHECK(errors.size() == 5);
}

TEST_CASE("intervals hold the figures, MaxBoxAcc's too, and change nothing else") {
  const Dataset data = varied();
  EvaluateOptions options = quick();
  options.max_box_acc = true;
  options.map_side = 24;
  const Evaluation plain = run(options, data);
  options.bootstrap = BootstrapOptions{.resamples = 300};
  options.box_rule = BoxRule{};
  const Evaluation got = run(options, data);
  REQUIRE(got.intervals.has_value());
  Json json = Json::parse(to_json(got));
  const Json intervals = json.at("intervals");
  json.erase("intervals");
  CHECK(json == Json::parse(to_json(plain)));
  for (const char* key : {"top1_cls_err", "top5_cls_err", "top1_loc_err", "top5_loc_err", "gt_known_loc", "corloc",
                          "max_box_acc", "max_box_acc_v2", "top1_loc_err_without_blacklist"}) {
    CAPTURE(key);
    const double low = intervals.at(key).at(0), high = intervals.at(key).at(1);
    CHECK(low <= json.at(key).get<double>());
    CHECK(high >= json.at(key).get<double>());
    CHECK(high > low);
  }
  // As many pictures are found at the best threshold as MaxBoxAcc says: the mean of the resamples is near it.
  BootstrapOptions narrow{.resamples = 2000, .confidence = 0.02};
  options.bootstrap = narrow;
  const Evaluation middle = run(options, data);
  const auto near = [](const std::optional<Interval>& interval, const std::optional<double>& figure) {
    return interval && figure && std::abs((interval->low + interval->high) / 2 - *figure) <= 2;
  };
  CHECK(near(middle.intervals->of(Rate::max_box_acc), middle.max_box_acc));
  CHECK(near(middle.intervals->of(Rate::max_box_acc_30), middle.max_box_acc_at[0]));
  CHECK(near(middle.intervals->of(Rate::max_box_acc_50), middle.max_box_acc_at[1]));
  CHECK(near(middle.intervals->of(Rate::max_box_acc_70), middle.max_box_acc_at[2]));
  CHECK(near(middle.intervals->max_box_acc_v2, middle.max_box_acc_v2));
  CHECK(plain.max_box_acc_at[0] > plain.max_box_acc_at[2]);
}

TEST_CASE("centre crops: boxes are of the picture, and outside the crop there is nothing") {
  // Pictures wider than high, so that the two centre inputs differ.
  Dataset data = varied();
  const TemporaryFolder folder;
  for (Sample& sample : data.samples) {
    Image wide = resize_bilinear(read_image(data.path(sample)), 96, 48);
    std::filesystem::create_directories((std::filesystem::path(folder / "wide") / sample.id).parent_path());
    write_png(std::filesystem::path(folder / "wide") / sample.id, wide);
    for (Box& box : sample.boxes) box = {box.x0 * 2, box.y0, box.x1 * 2 + 1, box.y1};
    sample.masks.clear();
  }
  data.root = folder / "wide";

  // 96 x 48 -> 80 x 40, the middle 32 x 32 begins at (24, 4): x from 28.8 to 67.2 and y from 4.8 to 43.2.
  // 96 x 48 -> 40 x 40, it begins at (4, 4): x from 9.6 to 86.4.
  const std::pair<TestInput, Box> seen[] = {{TestInput::centre, {29, 5, 66, 42}},
                                            {TestInput::centre_warp, {10, 5, 85, 42}}};
  for (const auto& [input, part] : seen) {
    CAPTURE(name_of(input));
    CHECK(seen_part(96, 48, preprocessing(), input).pixels(96, 48) == part);
    for (const bool clip : {false, true}) {
      CAPTURE(clip);
      EvaluateOptions options = quick();
      options.input = input;
      BoxRule rule;
      rule.threshold = options.box_threshold = 0.6;
      options.clip_truth = clip;
      const Evaluation got = run(options, data);
      int with_box = 0, known = 0, right = 0;
      bool bounded = true;
      for (const Sample& sample : data.samples) {
        const Passed picture = passed(data, sample, input);
        right += picture.ranking[0] == sample.label;
        if (sample.boxes.empty()) continue;
        const ScoreMap map = class_maps(network(), picture.a, {sample.label})[0].fused;
        const ScoreMap inside = resized(map, part.x1 - part.x0 + 1, part.y1 - part.y0 + 1, Interpolation::bilinear);
        const Box within = predicted_box(inside, rule);
        const Box box{within.x0 + part.x0, within.y0 + part.y0, within.x1 + part.x0, within.y1 + part.y0};
        bounded = bounded && box.x1 <= part.x1 && box.y1 <= part.y1;
        double best = 0;
        for (const Box& one : sample.boxes) {
          const Box cut{std::max(one.x0, part.x0), std::max(one.y0, part.y0), std::min(one.x1, part.x1),
                        std::min(one.y1, part.y1)};
          if (!clip)
            best = std::max(best, intersection_over_union(box, one));
          else if (cut.x0 <= cut.x1 && cut.y0 <= cut.y1)
            best = std::max(best, intersection_over_union(box, cut));
        }
        ++with_box;
        known += best >= 0.5;
      }
      CHECK(bounded);
      CHECK(known > 0);
      CHECK(known < with_box);
      CHECK(same(got.gt_known_loc, 100.0 * known / with_box));
      CHECK(same(got.top1_cls_err, 100 - 100.0 * right / static_cast<double>(data.samples.size())));
    }
  }
}

TEST_CASE("true boxes cut to a part: those outside are left out unless all are") {
  const Box part{10, 10, 19, 19};
  CHECK(clipped_truth({{0, 0, 14, 30}, {0, 0, 5, 5}, {12, 12, 13, 13}}, part) ==
        std::vector<Box>{{10, 10, 14, 19}, {12, 12, 13, 13}});
  CHECK(clipped_truth({{0, 0, 9, 9}}, part) == std::vector<Box>{{0, 0, 9, 9}});
  CHECK(clipped_truth({{0, 0, 10, 10}}, part) == std::vector<Box>{{10, 10, 10, 10}});
}

TEST_CASE("a map is placed where the network looked, normalised before it gets its border") {
  const ScoreMap map{2, 1, {0.25, 0.75}};
  const SeenPart part{0.25, 0.5, 0.75, 1};
  const ScoreMap got = placed(map, part, 4, 2, Interpolation::bilinear, Normalisation{});
  CHECK(got.values == std::vector<double>{0, 0, 0, 0, 0, 0, 1, 0});
  CHECK(placed(map, SeenPart{}, 2, 1, Interpolation::bicubic) == map);
}

TEST_CASE("ten crops classify: mean logits as the official code, mean probabilities as CAM; boxes stay") {
  const Dataset data = varied();
  const Evaluation one = run(quick(), data);
  std::vector<double> errors;
  for (const TenCrop ten_crop : {TenCrop::official, TenCrop::cam}) {
    EvaluateOptions options = quick();
    options.ten_crop = ten_crop;
    const Evaluation got = run(options, data);
    int right = 0;
    const Preprocessing how = preprocessing();
    for (const Sample& sample : data.samples) {
      const Image image = read_image(data.path(sample));
      const Image large =
          ten_crop == TenCrop::official ? resize_shorter_side(image, 40) : resize_bilinear(image, 40, 40);
      std::array<double, classes> sum{};
      for (const bool mirror : {true, false})
        for (const auto& [x, y] : {std::pair{0, 0}, {8, 0}, {0, 8}, {8, 8}, {4, 4}}) {
          Tensor crop = Tensor::empty({1, 32, 32, 3});
          normalise(large, how, x, y, mirror, crop.f32());
          const AnswerA answer = answer_a(network(), crop);
          for (std::size_t k = 0; k < classes; ++k)
            sum[k] += (ten_crop == TenCrop::official ? answer.logits : answer.probabilities).at(static_cast<int>(k));
        }
      right += std::max_element(sum.begin(), sum.end()) - sum.begin() == sample.label;
    }
    CHECK(same(got.top1_cls_err, 100 - 100.0 * right / static_cast<double>(data.samples.size())));
    CHECK(got.gt_known_loc == one.gt_known_loc);
    CHECK(got.coverage_fused == one.coverage_fused);
    errors.push_back(got.top5_cls_err);
  }
  // The scores themselves, which figures of so few pictures hardly tell apart.
  std::vector<Image> sources{read_image(data.path(data.samples[0])), read_image(data.path(data.samples[9]))};
  for (Image& image : sources) image = resize_bilinear(image, 40, 40);
  const Tensor logits = ten_crop_scores(network(), preprocessing(), sources, TenCrop::official);
  const Tensor shares = ten_crop_scores(network(), preprocessing(), sources, TenCrop::cam);
  double total = 0;
  for (int k = 0; k < classes; ++k) total += shares.at(k);
  CHECK(total == doctest::Approx(1).epsilon(1e-6));
  double mean = 0;
  for (const CropPlace& place : ten_crops(40, 40, 32)) {
    Tensor crop = Tensor::empty({1, 32, 32, 3});
    normalise(sources[1], preprocessing(), place.x, place.y, place.mirror, crop.f32());
    mean += answer_a(network(), crop).logits.at(3) / 10;
  }
  CHECK(logits.at(classes + 3) == doctest::Approx(mean).epsilon(1e-5));
  CHECK_THROWS_AS(ten_crop_scores(network(), preprocessing(), sources, TenCrop::none), Error);
  CHECK_THROWS_AS(ten_crop_scores(network(), preprocessing(), {}, TenCrop::cam), Error);
}

TEST_CASE("box rules on their own grids, and a normalisation for all maps") {
  const Dataset data = varied();
  for (const char* normalisation : {"", "max", "ivr:30"}) {
    CAPTURE(normalisation);
    EvaluateOptions options = quick();
    options.box_rule = parse_box_rule("largest-contour:0.3");
    if (*normalisation) options.normalisation = parse_normalisation(normalisation);
    const Evaluation got = run(options, data);
    int with_box = 0, known = 0;
    for (const Sample& sample : data.samples) {
      if (sample.boxes.empty()) continue;
      const Passed picture = passed(data, sample);
      ScoreMap map =
          resized(class_maps(network(), picture.a, {sample.label})[0].fused, 224, 224, Interpolation::bicubic);
      normalise(map, options.normalisation.value_or(Normalisation{}));
      std::vector<Box> truth;
      for (const Box& box : sample.boxes) truth.push_back(scaled_box(box, 48, 48, 224));
      ++with_box;
      known += best_iou(predicted_box(map, *options.box_rule), truth) >= 0.5;
    }
    CHECK(same(got.gt_known_loc, 100.0 * known / with_box));
    CHECK(known > 0);
    CHECK(known < with_box);
  }
}

TEST_CASE("curves: each point is what an evaluation at that threshold gives") {
  const Dataset data = varied();
  EvaluateOptions options = quick();
  options.curve_thresholds = {0.1, 0.4, 0.7};
  const Evaluation got = run(options, data);
  REQUIRE(got.gt_known_curve.has_value());
  CHECK(got.gt_known_curve->rule == "cam-paper");
  CHECK(got.gt_known_curve->pictures == got.images_with_box);
  for (std::size_t i = 0; i < 3; ++i) {
    EvaluateOptions one = quick();
    one.box_threshold = options.curve_thresholds[i];
    const Evaluation at = run(one, data);
    CHECK(same(at.gt_known_loc, got.gt_known_curve->percent[i]));
    CHECK(same(at.top1_loc_err, 100 - got.top1_loc_curve->percent[i]));
  }
  CHECK(got.gt_known_curve->percent[0] != got.gt_known_curve->percent[2]);
  CHECK_FALSE(run(quick(), data).gt_known_curve.has_value());
  options.box_rule = parse_box_rule("dt-box");
  CHECK_THROWS_WITH_AS(run(options, data), doctest::Contains("no threshold"), Error);
}

TEST_CASE("PxAP where there are masks and no boxes") {
  Dataset data = varied();
  EvaluateOptions options = quick();
  options.max_box_acc = true;
  options.map_side = 24;
  CHECK_FALSE(run(options, data).pxap.has_value());
  for (Sample& sample : data.samples) sample.boxes.clear();
  CHECK_FALSE(run(quick(), data).pxap.has_value());  // without the sweep
  data.samples.front().masks.clear();
  PxAP metric;
  for (std::size_t i = 1; i < data.samples.size(); ++i) {
    const Sample& sample = data.samples[i];
    ScoreMap map =
        resized(class_maps(network(), passed(data, sample).a, {sample.label})[0].fused, 24, 24, Interpolation::bicubic);
    min_max_normalise(map);
    metric.add(metric.counts(map, mask_truth(data, sample, 24)));
  }
  const Evaluation got = run(options, data);
  CHECK(same(got.pxap, metric.percent()));
  CHECK(*got.pxap > 1);
  CHECK(*got.pxap < 99);
  CHECK_FALSE(got.max_box_acc.has_value());
}
