// The ILSVRC metric, with figures counted by hand.
#include <doctest/doctest.h>

#include "acol/evaluate/clsloc.h"
#include "tensor/check.h"

using namespace acol;

namespace {

using Boxes = std::vector<std::vector<Box>>;

// 10 x 10 at the top left corner, and such that the IoU with it is known.
constexpr Box object{0, 0, 9, 9};
constexpr Box half{0, 0, 4, 9};       // IoU .5 exactly
constexpr Box less{0, 0, 3, 9};       // .4
constexpr Box apart{19, 19, 28, 28};  // beside it in both directions

GuessRanks ranks(const std::vector<Guess>& guesses, const std::vector<Box>& truth = {object}) {
  return guess_ranks(guesses, 7, truth);
}

bool same(double got, double want) { return std::abs(got - want) <= 1e-12; }

}  // namespace

TEST_CASE("a guess is right if the class is, and its box has an IoU of at least .5 with some true box") {
  CHECK(ranks({{7, object}}) == GuessRanks{1, 1});
  CHECK(ranks({{7, half}}) == GuessRanks{1, 1});
  CHECK(ranks({{7, less}}) == GuessRanks{1, 0});
  CHECK(ranks({{6, object}}) == GuessRanks{0, 0});
  CHECK(ranks({}) == GuessRanks{0, 0});
  // Boxes apart in x and in y: evaluators that forget to clamp the intersection find an IoU of .68 here.
  CHECK(ranks({{7, apart}}) == GuessRanks{1, 0});
  CHECK(ranks({{7, no_box}}) == GuessRanks{1, 0});
  // Any of the true boxes will do, not only the first.
  CHECK(ranks({{7, apart}}, {object, {50, 50, 60, 60}, {18, 19, 28, 28}}) == GuessRanks{1, 1});
  CHECK(ranks({{7, apart}}, {}) == GuessRanks{1, 0});
}

TEST_CASE("the first right guess among five counts") {
  CHECK(ranks({{1, object}, {7, object}, {2, object}}) == GuessRanks{2, 2});
  CHECK(ranks({{7, apart}, {3, object}, {7, half}, {7, object}}) == GuessRanks{1, 3});
  CHECK(ranks({{1, object}, {2, object}, {3, object}, {4, object}, {7, object}}) == GuessRanks{5, 5});
  CHECK(ranks({{1, object}, {2, object}, {3, object}, {4, object}, {5, object}, {7, object}}) == GuessRanks{0, 0});
}

TEST_CASE("the plain list has a box a class, the star list two of the first, two of the second, one of the third") {
  const std::vector<int> classes{4, 7, 1, 0, 2, 3};
  const Box b[] = {{1, 0, 9, 9}, {2, 0, 9, 9}, {3, 0, 9, 9}, {4, 0, 9, 9}, {5, 0, 9, 9}, {6, 0, 9, 9}, {7, 0, 9, 9}};
  const Boxes boxes{{b[0], b[1], b[2]}, {b[3], b[4]}, {b[5], b[6]}, {}, {b[0]}, {b[1]}};
  const auto check_list = [](const std::vector<Guess>& got, const std::vector<Guess>& want) {
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      CAPTURE(i);
      CHECK(got[i].label == want[i].label);
      CHECK(got[i].box == want[i].box);
    }
  };
  check_list(plain_list(classes, boxes), {{4, b[0]}, {7, b[3]}, {1, b[5]}, {0, no_box}, {2, b[0]}});
  check_list(star_list(classes, boxes), {{4, b[0]}, {4, b[1]}, {7, b[3]}, {7, b[4]}, {1, b[5]}});
  // A rule that gives one box: places stay where they are.
  check_list(star_list({4, 7}, {{b[0]}, {b[3]}}), {{4, b[0]}, {4, no_box}, {7, b[3]}, {7, no_box}});
  CHECK(plain_list({}, {}).empty());
  CHECK_THROWS_AS(plain_list(classes, {}), Error);
  CHECK_THROWS_AS(star_list(classes, {{b[0]}}), Error);
}

TEST_CASE("the star list helps where a second box hits, and costs ranks four and five") {
  const std::vector<int> classes{1, 7, 2, 3, 4};
  const Boxes second_hits{{object}, {apart, object}, {object}, {object}, {object}};
  CHECK(ranks(plain_list(classes, second_hits)) == GuessRanks{2, 0});
  CHECK(ranks(star_list(classes, second_hits)) == GuessRanks{3, 4});
  const std::vector<int> late{1, 2, 3, 7, 4};
  const Boxes one_each(5, std::vector<Box>{object});
  CHECK(ranks(plain_list(late, one_each)) == GuessRanks{4, 4});
  CHECK(ranks(star_list(late, one_each)) == GuessRanks{0, 0});
  // The third class's second box is not on the list.
  CHECK(ranks(star_list({1, 2, 7}, {{object}, {object}, {apart, object}})) == GuessRanks{5, 0});
}

TEST_CASE("errors for k guesses; blacklisted pictures leave the localization error only") {
  ClsLoc metric;
  CHECK_THROWS_AS(metric.localization_error(1), Error);
  metric.add({1, 1});
  metric.add({1, 0});
  metric.add({2, 3});
  metric.add({5, 5});
  metric.add({0, 0});
  metric.add({1, 1}, true);
  metric.add({0, 0}, true);
  metric.add({4, 0}, true);
  CHECK(metric.pictures() == 8);
  CHECK(metric.blacklisted() == 3);
  const double cls[] = {5, 4, 4, 3, 2}, loc[] = {6, 6, 5, 5, 4};  // of 8
  const double listed[] = {4, 4, 3, 3, 2};                        // of 5
  for (int k = 1; k <= 5; ++k) {
    CAPTURE(k);
    CHECK(same(metric.classification_error(k), 100 * cls[k - 1] / 8));
    CHECK(same(metric.localization_error(k), 100 * loc[k - 1] / 8));
    CHECK(same(metric.localization_error_without_blacklist(k), 100 * listed[k - 1] / 5));
  }
  CHECK_THROWS_AS(metric.localization_error(0), Error);
  CHECK_THROWS_AS(metric.localization_error(6), Error);
  CHECK_THROWS_AS(metric.add({6, 0}), Error);
  CHECK_THROWS_AS(metric.add({0, -1}), Error);
  ClsLoc all_listed;
  all_listed.add({1, 1}, true);
  CHECK(same(all_listed.localization_error(1), 0));
  CHECK_THROWS_AS(all_listed.localization_error_without_blacklist(1), Error);
}
