// Kinds of localization errors, by hand and over random boxes.
#include <doctest/doctest.h>

#include <array>
#include <string>

#include "acol/evaluate/clsloc.h"
#include "acol/evaluate/error_split.h"
#include "tensor/check.h"
#include "tensor/random.h"

using namespace acol;
using Fault = LocalizationFault;

namespace {

constexpr Box object{10, 10, 19, 19};  // 100 pixels

std::optional<Fault> fault(const Box& box, const std::vector<Box>& truth = {object}) {
  return localization_fault(true, box, truth);
}

Box random_box(RandomStream& random) {
  const int x = random.below(30), y = random.below(30);
  return {x, y, x + random.below(25), y + random.below(25)};
}

}  // namespace

TEST_CASE("each kind by hand") {
  CHECK(fault(object) == std::nullopt);
  CHECK(fault({10, 10, 14, 19}) == std::nullopt);  // IoU .5 exactly is right
  CHECK(fault({10, 10, 13, 19}) == Fault::part_only);
  CHECK(localization_fault(false, object, {object}) == Fault::wrong_class);
  CHECK(localization_fault(false, {0, 0, 1, 1}, {object}) == Fault::wrong_class);

  CHECK(fault({0, 0, 29, 29}) == Fault::too_large);    // 100 of 900
  CHECK(fault({10, 13, 29, 22}) == Fault::too_large);  // .7 of it exactly
  CHECK(fault({10, 14, 29, 23}) == Fault::elsewhere);  // .6
  CHECK(fault({0, 0, 5, 5}) == Fault::elsewhere);
  CHECK(fault({30, 30, 39, 39}) == Fault::elsewhere);  // apart in both directions

  // Over two objects side by side, of which it holds .4 and more each; one alone would make it "elsewhere".
  const Box left{0, 0, 9, 9}, right{20, 0, 29, 9};
  CHECK(fault({6, 0, 23, 9}, {left, right}) == Fault::several_instances);
  CHECK(fault({6, 0, 23, 9}, {left}) == Fault::elsewhere);
  CHECK(fault({7, 0, 22, 9}, {left, right}) == Fault::elsewhere);  // .3 of each is not more than .3
  CHECK(fault({0, 0, 29, 9}, {left, right}) == Fault::several_instances);
  CHECK(fault({0, 0, 29, 9}, {left}) == Fault::too_large);
  // Right for one of them is right, however many it covers.
  CHECK(fault({0, 0, 14, 9}, {left, {8, 0, 17, 9}}) == std::nullopt);
  CHECK_THROWS_AS(fault(object, {}), Error);
}

TEST_CASE("the cuts: > .5 of the box for a part, >= .7 of the object for too large") {
  const Box tall{0, 0, 9, 99};                               // 1000 pixels
  CHECK(fault({0, 0, 19, 19}, {tall}) == Fault::elsewhere);  // 200 of 400 lie on it
  CHECK(fault({0, 0, 18, 19}, {tall}) == Fault::part_only);  // 200 of 380
  CHECK(fault({0, 0, 19, 69}, {tall}) == Fault::too_large);  // .7 of it, and half of the box
  CHECK(fault({0, 0, 19, 68}, {tall}) == Fault::elsewhere);
}

TEST_CASE("kinds are exclusive and exhaustive: nothing exactly where the guess is right") {
  RandomStream random(3, Purpose::test);
  std::array<int, localization_faults> seen{};
  int right = 0;
  for (int i = 0; i < 12000; ++i) {
    std::vector<Box> truth(static_cast<std::size_t>(1 + random.below(3)));
    for (Box& box : truth) box = random_box(random);
    const Box box = random_box(random);
    const bool class_is_right = random.below(4) > 0;
    const auto got = localization_fault(class_is_right, box, truth);
    const Guess guess{class_is_right ? 1 : 0, box};
    CHECK(got.has_value() == (guess_ranks(std::vector<Guess>{guess}, 1, truth).box == 0));
    if (got)
      ++seen[static_cast<std::size_t>(*got)];
    else
      ++right;
  }
  CHECK(right > 50);
  for (const int count : seen) CHECK(count > 50);
}

TEST_CASE("names") {
  CHECK(name_of(Fault::wrong_class) == std::string("wrong_class"));
  CHECK(name_of(Fault::elsewhere) == std::string("elsewhere"));
  CHECK(text_of(Fault::several_instances) == std::string("several instances"));
  CHECK(text_of(Fault::too_large) == std::string("too large"));
}
