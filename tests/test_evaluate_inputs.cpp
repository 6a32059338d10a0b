// What the network sees in evaluate(), and on which pixels maps and boxes are compared: against a plain computation of
// one picture at a time.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "acol/evaluate/picture_scores.h"
#include "acol/evaluate/pxap.h"
#include "tests/evaluated.h"

using namespace acol;
using namespace acol::testing;

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
    const char* const name = name_of(input);
    CAPTURE(name);
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

TEST_CASE("true boxes that reach beyond their picture are cut to it wherever they count (CUB-200-2011)") {
  Dataset cut = varied();
  for (Sample& sample : cut.samples) {
    sample.masks.clear();  // so that coverage is of the boxes
    for (Box& box : sample.boxes) box.x1 = box.y1 = 47;
  }
  Dataset beyond = cut;
  for (Sample& sample : beyond.samples)
    for (Box& box : sample.boxes) box = {box.x0, box.y0, box.x1 + 40, box.y1 + 30};
  Dataset left = beyond;
  beyond.cut_boxes = true;

  EvaluateOptions options = quick();
  options.max_box_acc = true;
  options.map_side = 24;
  options.curve_thresholds = {0.2, 0.5};
  options.bootstrap = BootstrapOptions{.resamples = 20};
  for (const char* rule : {"cam-paper:0.2", "largest-contour:0.2"}) {  // on the picture's pixels; on its own grid
    CAPTURE(rule);
    options.box_rule = parse_box_rule(rule);
    const Evaluation want = run(options, cut), got = run(options, beyond), uncut = run(options, left);
    CHECK(to_json(got) == to_json(want));
    CHECK(got.truth_on_grid == want.truth_on_grid);
    CHECK(got.gt_known_curve == want.gt_known_curve);
    CHECK(got.top1_loc_curve == want.top1_loc_curve);
    CHECK_FALSE(uncut.truth_on_grid == want.truth_on_grid);
    CHECK(uncut.gt_known_loc != want.gt_known_loc);
    CHECK(uncut.top1_loc_err != want.top1_loc_err);
    CHECK(uncut.max_box_acc != want.max_box_acc);
    CHECK_FALSE(uncut.gt_known_curve == want.gt_known_curve);
    CHECK(uncut.coverage_fused == want.coverage_fused);
  }
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
