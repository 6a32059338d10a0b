// Learning rate schedules against values worked out by hand.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "layers/schedule.h"
#include "tensor/check.h"

using namespace acol;

namespace {

// Equal up to a few roundings.
bool near(double got, double expected) { return std::abs(got - expected) <= 1e-15; }

Schedule make(ScheduleKind kind, std::int64_t total = 10) {
  Schedule s;
  s.kind = kind;
  s.base_rate = 0.5;
  s.total_steps = total;
  return s;
}

}  // namespace

TEST_CASE("schedule: names") {
  for (const auto kind : {ScheduleKind::constant, ScheduleKind::step, ScheduleKind::poly, ScheduleKind::cosine})
    CHECK(parse_schedule_kind(schedule_kind_name(kind)) == kind);
  CHECK(parse_schedule_kind("poly") == ScheduleKind::poly);
  CHECK(schedule_kind_name(ScheduleKind::cosine) == "cosine");
  for (const char* text : {"", "Poly", "linear", "step "}) CHECK_THROWS_AS(parse_schedule_kind(text), Error);
  try {
    parse_schedule_kind("linear");
  } catch (const Error& error) {
    CHECK(std::string(error.what()) == "schedule: \"linear\" is none of constant, step, poly, cosine");
  }
}

TEST_CASE("schedule: constant") {
  const Schedule s = make(ScheduleKind::constant);
  for (const std::int64_t step : {0, 1, 9, 10, 1000}) CHECK(s.rate_at(step) == 0.5);
}

TEST_CASE("schedule: step") {
  Schedule s = make(ScheduleKind::step);
  s.milestones = {3, 4, 8};
  const double expected[] = {.5, .5, .5, .05, .005, .005, .005, .005, .0005, .0005, .0005};
  for (int step = 0; step <= 10; ++step) CHECK(near(s.rate_at(step), expected[step]));
  s.milestones.clear();
  CHECK(s.rate_at(9) == 0.5);
}

TEST_CASE("schedule: poly") {
  Schedule s = make(ScheduleKind::poly);
  s.power = 2;
  for (int step = 0; step <= 10; ++step) CHECK(near(s.rate_at(step), 0.5 * (10 - step) * (10 - step) / 100.0));
  CHECK(s.rate_at(50) == 0);
  s.power = 0.9;
  CHECK(near(s.rate_at(5), 0.26794336563407328));  // 0.5 * 2^-0.9
}

TEST_CASE("schedule: cosine") {
  const Schedule s = make(ScheduleKind::cosine, 12);
  CHECK(s.rate_at(0) == 0.5);
  CHECK(near(s.rate_at(2), 0.25 * (1 + std::sqrt(3.0) / 2)));
  CHECK(near(s.rate_at(4), 0.375));
  CHECK(near(s.rate_at(6), 0.25));
  CHECK(near(s.rate_at(8), 0.125));
  CHECK(near(s.rate_at(12), 0));
  CHECK(near(s.rate_at(100), 0));
}

TEST_CASE("schedule: warm-up, then the schedule over what is left") {
  Schedule s = make(ScheduleKind::poly, 14);
  s.warmup_steps = 4;
  s.warmup_start_factor = 0.2;
  s.power = 1;
  const double warm[] = {.1, .2, .3, .4};
  for (int step = 0; step < 4; ++step) CHECK(near(s.rate_at(step), warm[step]));
  CHECK(s.rate_at(4) == 0.5);  // the full rate, once
  for (int step = 4; step <= 14; ++step) CHECK(near(s.rate_at(step), 0.05 * (14 - step)));

  s.kind = ScheduleKind::step;
  s.milestones = {4, 6};  // steps of the whole run, not of what is left
  CHECK(near(s.rate_at(3), .4));
  CHECK(near(s.rate_at(4), .05));
  CHECK(near(s.rate_at(6), .005));

  s = make(ScheduleKind::cosine, 4);
  s.warmup_steps = 4;  // nothing but warm-up
  s.warmup_start_factor = 0;
  CHECK(s.rate_at(0) == 0);
  CHECK(near(s.rate_at(3), 0.375));
  CHECK(near(s.rate_at(4), 0));
}

TEST_CASE("schedule: settings out of range") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Schedule good = make(ScheduleKind::constant);
  CHECK_NOTHROW(validate(good));
  CHECK_THROWS_AS(good.rate_at(-1), Error);
  const auto bad = [&](const auto& change) {
    Schedule s = good;
    change(s);
    CHECK_THROWS_AS(validate(s), Error);
    CHECK_THROWS_AS(s.rate_at(0), Error);
  };
  bad([&](Schedule& s) { s.base_rate = nan; });
  bad([&](Schedule& s) { s.base_rate = -0.1; });
  bad([&](Schedule& s) { s.base_rate = INFINITY; });
  bad([&](Schedule& s) { s.total_steps = 0; });
  bad([&](Schedule& s) { s.warmup_steps = -1; });
  bad([&](Schedule& s) { s.warmup_steps = 11; });
  bad([&](Schedule& s) { s.warmup_start_factor = -0.1; });
  bad([&](Schedule& s) { s.warmup_start_factor = 1.1; });
  bad([&](Schedule& s) { s.warmup_start_factor = nan; });
  bad([&](Schedule& s) { s.factor = 0; });
  bad([&](Schedule& s) { s.factor = nan; });
  bad([&](Schedule& s) { s.power = 0; });
  bad([&](Schedule& s) { s.power = INFINITY; });
  bad([&](Schedule& s) { s.milestones = {0}; });
  bad([&](Schedule& s) { s.milestones = {3, 3}; });
  bad([&](Schedule& s) { s.milestones = {5, 4}; });
  bad([&](Schedule& s) {
    s.warmup_steps = 3;
    s.milestones = {2};
  });
}
