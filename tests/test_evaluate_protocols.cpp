// The protocols of evaluate() beside the default one, each against a plain computation of one picture at a time that
// makes all guesses, with a pass of branch B for every one of them.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "acol/evaluate/clsloc.h"
#include "acol/evaluate/error_split.h"
#include "tests/evaluated.h"

using namespace acol;
using namespace acol::testing;
using Json = nlohmann::json;

namespace {

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
