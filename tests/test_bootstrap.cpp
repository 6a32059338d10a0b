// Rates, and how far they move when pictures are drawn again.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "acol/evaluate/bootstrap.h"
#include "acol/evaluate/hit_runs.h"
#include "tensor/check.h"
#include "tensor/random.h"
#include "tensor/threads.h"

using namespace acol;

namespace {

RatedPicture rated(int label, std::initializer_list<std::pair<Rate, bool>> rates) {
  RatedPicture picture{{}, label};
  for (const auto& [rate, right] : rates) picture.rates.set(rate, right);
  return picture;
}

std::vector<RatedPicture> drawn(int count, double share) {
  RandomStream random(5, Purpose::test);
  std::vector<RatedPicture> pictures;
  for (int i = 0; i < count; ++i) {
    pictures.push_back(rated(random.below(4), {{Rate::top1_cls, random.uniform() < static_cast<float>(share)}}));
    if (random.below(3) > 0) pictures.back().rates.set(Rate::gt_known, random.below(2) == 0);
  }
  return pictures;
}

bool near(double got, double want, double tolerance) { return std::abs(got - want) <= tolerance; }

}  // namespace

TEST_CASE("rates: counts of all, of a class, and the classes' mean") {
  RateTable table(3);
  for (const auto& [label, right] : std::vector<std::pair<int, bool>>{{0, true}, {0, false}, {0, false}, {2, true}}) {
    PictureRates rates;
    rates.set(Rate::top1_cls, right);
    if (label == 0) rates.set(Rate::elsewhere, !right);
    table.add(label, rates);
  }
  CHECK(table.counted(Rate::top1_cls) == 4);
  CHECK(table.counted(Rate::elsewhere) == 3);
  CHECK(table.percent(Rate::top1_cls).value() == 50);
  CHECK(near(table.percent(Rate::elsewhere).value(), 200.0 / 3, 1e-12));
  CHECK(near(table.percent(Rate::top1_cls, 0).value(), 100.0 / 3, 1e-12));
  CHECK_FALSE(table.percent(Rate::top1_cls, 1).has_value());
  CHECK(table.percent(Rate::top1_cls, 2).value() == 100);
  CHECK_FALSE(table.percent(Rate::elsewhere, 2).has_value());
  CHECK_FALSE(table.percent(Rate::gt_known).has_value());
  CHECK_FALSE(table.class_mean(Rate::gt_known).has_value());
  CHECK(near(table.class_mean(Rate::top1_cls).value(), 200.0 / 3, 1e-12));  // of two classes: the third has none
  CHECK_THROWS_AS(table.add(3, {}), Error);
  CHECK_THROWS_AS(table.percent(Rate::top1_cls, -1), Error);
}

TEST_CASE("a rate set twice is what it was set to last") {
  PictureRates rates;
  rates.set(Rate::elsewhere, true);
  rates.set(Rate::top1_cls, false);
  rates.set(Rate::elsewhere, false);
  CHECK(rates.counts(Rate::elsewhere));
  CHECK_FALSE(rates.is_right(Rate::elsewhere));
  CHECK_FALSE(rates.counts(Rate::top5_cls));
}

TEST_CASE("quantiles between values, as numpy.quantile gives them") {
  std::vector<double> values{4, 1, 3, 2};
  CHECK(quantile(values, 0) == 1);
  CHECK(quantile(values, 1) == 4);
  CHECK(quantile(values, 0.5) == 2.5);
  CHECK(near(quantile(values, 0.025), 1.075, 1e-12));
  std::vector<double> one{7}, none;
  CHECK(quantile(one, 0.3) == 7);
  CHECK_THROWS_AS(quantile(none, 0.5), Error);
  CHECK_THROWS_AS(quantile(one, std::nan("")), Error);
}

TEST_CASE("intervals are those of a plain bootstrap from the same draws") {
  const std::vector<RatedPicture> pictures = drawn(57, 0.4);
  const BootstrapOptions options{.resamples = 41, .confidence = 0.8, .seed = 9};
  std::vector<double> cls, known, corloc;
  for (std::uint32_t r = 0; r < 41; ++r) {
    RandomStream random(9, Purpose::bootstrap, r);
    RateTable table(4);
    for (int i = 0; i < 57; ++i) {
      const RatedPicture& picture = pictures[static_cast<std::size_t>(random.below(57))];
      table.add(picture.label, picture.rates);
    }
    cls.push_back(table.percent(Rate::top1_cls).value());
    known.push_back(table.percent(Rate::gt_known).value());
    corloc.push_back(table.class_mean(Rate::gt_known).value());
  }
  const auto want = [](std::vector<double>& values) { return Interval{quantile(values, 0.1), quantile(values, 0.9)}; };
  const auto check_equal = [&](const std::optional<Interval>& got, std::vector<double>& values) {
    REQUIRE(got.has_value());
    CHECK(near(got->low, want(values).low, 1e-10));
    CHECK(near(got->high, want(values).high, 1e-10));
    CHECK(got->low < got->high);
  };
  const Intervals got = bootstrap(pictures, options);
  check_equal(got.of(Rate::top1_cls), cls);
  check_equal(got.of(Rate::gt_known), known);
  check_equal(got.corloc, corloc);
  CHECK_FALSE(got.of(Rate::top5_loc).has_value());
  CHECK_FALSE(got.max_box_acc_v2.has_value());

  use_threads(1);
  const Intervals alone = bootstrap(pictures, options);
  use_threads(3);
  const Intervals three = bootstrap(pictures, options);
  CHECK(alone.rates == three.rates);
  CHECK(alone.corloc == three.corloc);
  CHECK(alone.rates == got.rates);
  CHECK_FALSE(bootstrap(pictures, {.resamples = 41, .confidence = 0.8, .seed = 10}).rates == got.rates);
}

TEST_CASE("the interval of a share is as wide as the binomial distribution says") {
  const std::vector<RatedPicture> pictures = drawn(2000, 0.3);
  RateTable table(4);
  for (const RatedPicture& picture : pictures) table.add(picture.label, picture.rates);
  const double share = table.percent(Rate::top1_cls).value() / 100;
  const Interval got = bootstrap(pictures, {.resamples = 4000}).of(Rate::top1_cls).value();
  const double half = 100 * 1.959964 * std::sqrt(share * (1 - share) / 2000);
  CHECK(near(got.low, 100 * share - half, 0.1 * half));
  CHECK(near(got.high, 100 * share + half, 0.1 * half));
}

TEST_CASE("without variation there is none; V2 is resampled as the mean of its three rates") {
  const std::vector<RatedPicture> sure(20, rated(0, {{Rate::top1_cls, true}, {Rate::wrong_class, false}}));
  const Intervals got = bootstrap(sure, {.resamples = 50});
  CHECK(got.of(Rate::top1_cls) == Interval{100, 100});
  CHECK(got.of(Rate::wrong_class) == Interval{0, 0});

  // The three rates move against each other so that their mean is always 100 / 3.
  std::vector<RatedPicture> turns;
  for (int i = 0; i < 60; ++i)
    turns.push_back(rated(
        0,
        {{Rate::max_box_acc_30, i % 3 == 0}, {Rate::max_box_acc_50, i % 3 == 1}, {Rate::max_box_acc_70, i % 3 == 2}}));
  const Intervals moving = bootstrap(turns, {.resamples = 200});
  CHECK(near(moving.max_box_acc_v2->low, 100.0 / 3, 1e-9));
  CHECK(near(moving.max_box_acc_v2->high, 100.0 / 3, 1e-9));
  CHECK(moving.of(Rate::max_box_acc_50)->high - moving.of(Rate::max_box_acc_50)->low > 5);
}

TEST_CASE("settings out of range are errors") {
  const std::vector<RatedPicture> pictures = drawn(5, 0.5);
  CHECK_THROWS_AS(bootstrap({}, {}), Error);
  CHECK_THROWS_AS(bootstrap(pictures, {.resamples = 0}), Error);
  CHECK_THROWS_AS(bootstrap(pictures, {.resamples = 1'000'001}), Error);
  for (const double bad : {0.0, 1.0, -1.0, std::nan("")})
    CHECK_THROWS_AS(bootstrap(pictures, {.resamples = 2, .confidence = bad}), Error);
  CHECK_THROWS_AS(bootstrap({rated(-1, {})}, {}), Error);
}

TEST_CASE("hit runs give back at which thresholds each picture was found") {
  RandomStream random(8, Purpose::test);
  HitRuns runs;
  std::vector<std::vector<double>> all;
  for (int picture = 0; picture < 40; ++picture) {
    std::vector<double> scores;
    for (int t = 0; t < 30; ++t)
      scores.push_back(picture == 3 ? 0 : picture == 4 ? 0.5 : std::round(random.uniform() * 4) / 4);
    runs.add(scores, 0.5);
    all.push_back(scores);
  }
  runs.add({}, 0.5);
  CHECK(runs.pictures() == 41);
  for (std::size_t p = 0; p < 40; ++p)
    for (std::size_t t = 0; t < 30; ++t) {
      CAPTURE(p);
      CAPTURE(t);
      CHECK(runs.found(p, t) == (all[p][t] >= 0.5));
    }
  CHECK_FALSE(runs.found(40, 0));
  CHECK_THROWS_AS(runs.found(41, 0), Error);
  CHECK_THROWS_AS(runs.add(std::vector<double>(70'000), 0.5), Error);
}
