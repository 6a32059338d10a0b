// The four normalisations of maps, to the last bit of NumPy's.
#include <doctest/doctest.h>

#include <cstdio>
#include <limits>

#include "acol/evaluate/normalise.h"
#include "golden_box_rules.h"
#include "tensor/check.h"

using namespace acol;

namespace {

constexpr double nan_value = std::numeric_limits<double>::quiet_NaN();
constexpr double infinite = std::numeric_limits<double>::infinity();
using Values = std::vector<double>;

Values normalised(Values values, const std::string& how) {
  ScoreMap map{static_cast<int>(values.size()), 1, std::move(values)};
  normalise(map, parse_normalisation(how));
  return map.values;
}

}  // namespace

TEST_CASE("normalised maps are those of NumPy, bit for bit") {
  const golden::BoxRuleGolden golden = golden::box_rule_golden();
  REQUIRE(golden.maps.size() >= 250);
  REQUIRE(golden.normalisations.size() == 11);
  for (const golden::BoxRuleGolden::Map& entry : golden.maps) {
    REQUIRE(entry.normalisations.size() == golden.normalisations.size());
    for (std::size_t n = 0; n < golden.normalisations.size(); ++n) {
      ScoreMap map = entry.whole.raw();
      normalise(map, parse_normalisation(golden.normalisations[n]));
      std::string text;
      for (const double v : map.values) {
        char number[40];
        std::snprintf(number, sizeof number, "%.17g\n", v);
        text += number;
      }
      CAPTURE(entry.whole.kind);
      CAPTURE(entry.whole.width);
      CAPTURE(entry.whole.height);
      CAPTURE(golden.normalisations[n]);
      CHECK(golden::fnv1a(text).substr(0, 8) == entry.normalisations[n]);
    }
  }
}

TEST_CASE("what each one does") {
  CHECK(normalised({-2, 0, 6}, "min-max") == Values{0, 0.25, 1});
  CHECK(normalised({-2, 3, 6}, "max") == Values{0, 0.5, 1});
  CHECK(normalised({1, 2, 3, 4, 9}, "pas:75") == Values{0, 1.0 / 3, 2.0 / 3, 1, 1});  // 4 - 1 becomes 1
  CHECK(normalised({1, 2, 3, 4, 9}, "ivr:50") == Values{0, 0, 0, 1.0 / 6, 1});
  CHECK(normalised({-2, 0, 6}, "ivr:0") == normalised({-2, 0, 6}, "min-max"));
}

TEST_CASE("percentiles") {
  CHECK(percentile({3, 1, 2}, 50) == 2);
  CHECK(percentile({3, 1, 2, 4}, 50) == 2.5);
  CHECK(percentile({3, 1, 2, 4}, 0) == 1);
  CHECK(percentile({3, 1, 2, 4}, 100) == 4);
  CHECK(percentile({3, 1, 2, 4}, 50, Percentile::rank) == 3);   // number int(.5 * 4)
  CHECK(percentile({3, 1, 2, 4}, 100, Percentile::rank) == 4);  // there is no number 4
  CHECK(percentile({7}, 33) == 7);
  CHECK_THROWS_WITH_AS(percentile({}, 50), doctest::Contains("no number"), Error);
  CHECK_THROWS_AS(percentile({1, nan_value}, 50), Error);
  CHECK_THROWS_AS(percentile({1}, 100.5), Error);
  CHECK_THROWS_AS(percentile({1}, nan_value), Error);
}

TEST_CASE("never NaN: what has nothing to show becomes zeros, and what divides by zero takes its limit") {
  for (const char* how : {"min-max", "max", "pas", "ivr", "pas:0", "ivr:100/rank"})
    for (const Values& useless :
         {Values{3, 3, 3}, Values{0, nan_value, 1}, Values{0, 1, infinite}, Values{-infinite, 0, 1},
          Values{-1e308, 0, 1.7e308}, Values{0, 0, 0}, Values{-1, -1, -1}}) {
      CAPTURE(how);
      CHECK(normalised(useless, how) == Values{0, 0, 0});
    }
  CHECK(normalised({-3, -2, -1}, "max") == Values{0, 0, 0});   // nothing positive
  CHECK(normalised({1, 2, 2}, "ivr:100") == Values{0, 0, 0});  // nothing above the percentile
  CHECK(normalised({1, 1, 4}, "pas:50") == Values{0, 0, 1});   // the percentile is the minimum
  CHECK(normalised({-2, 0, 6}, "max") == Values{0, 0, 1});
}

TEST_CASE("names") {
  CHECK(normalisation_names() == std::vector<std::string>{"min-max", "max", "pas", "ivr"});
  for (const char* text : {"min-max", "max", "pas:90", "ivr:45", "ivr:45/rank", "pas:37.5"})
    CHECK(name_of(parse_normalisation(text)) == text);
  CHECK(parse_normalisation("pas") == Normalisation{MapNormalisation::pas, 90, Percentile::linear});
  CHECK(parse_normalisation("ivr") == Normalisation{MapNormalisation::ivr, 45, Percentile::linear});
  CHECK(parse_normalisation("ivr:60/rank") == Normalisation{MapNormalisation::ivr, 60, Percentile::rank});
  CHECK_THROWS_WITH_AS(parse_normalisation("minmax"), doctest::Contains("min-max, max, pas or ivr, got minmax"), Error);
  CHECK_THROWS_WITH_AS(parse_normalisation("max:3"), doctest::Contains("no percentile"), Error);
  for (const char* bad : {"", "pas:", "pas:101", "pas:-1", "pas:nan", "ivr:45/", "ivr:45/ranks", "ivr:4 5"})
    CHECK_THROWS_AS(parse_normalisation(bad), Error);
  ScoreMap map{2, 1, {0, 1}};
  CHECK_THROWS_AS(normalise(map, Normalisation{MapNormalisation::pas, 101, Percentile::linear}), Error);
}
