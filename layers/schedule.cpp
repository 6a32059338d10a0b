#include "layers/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/check.h"

namespace acol {

namespace {

constexpr std::string_view names[] = {"constant", "step", "poly", "cosine"};  // in the order of ScheduleKind

}  // namespace

ScheduleKind parse_schedule_kind(std::string_view text) {
  const auto* const found = std::find(std::begin(names), std::end(names), text);
  check(found != std::end(names), "schedule: \"", text, "\" is none of constant, step, poly, cosine");
  return static_cast<ScheduleKind>(found - names);
}

std::string_view schedule_kind_name(ScheduleKind kind) { return names[static_cast<std::size_t>(kind)]; }

void validate(const Schedule& s) {
  check(std::isfinite(s.base_rate) && s.base_rate >= 0, "schedule: the rate must be finite and at least 0, got ",
        s.base_rate);
  check(s.total_steps >= 1, "schedule: wants at least 1 step in all, got ", s.total_steps);
  check(s.warmup_steps >= 0 && s.warmup_steps <= s.total_steps, "schedule: the warm-up must have between 0 and ",
        s.total_steps, " steps (all of them), got ", s.warmup_steps);
  check(s.warmup_start_factor >= 0 && s.warmup_start_factor <= 1,
        "schedule: the start of the warm-up must be in [0, 1] of the rate, got ", s.warmup_start_factor);
  check(std::isfinite(s.factor) && s.factor > 0, "schedule: the factor must be finite and above 0, got ", s.factor);
  check(std::isfinite(s.power) && s.power > 0, "schedule: the power must be finite and above 0, got ", s.power);
  std::int64_t before = 0;
  for (const std::int64_t milestone : s.milestones) {
    check(milestone > before, "schedule: milestones must be above 0 and ascend, got ", milestone, " after ", before);
    check(milestone >= s.warmup_steps, "schedule: milestone ", milestone, " lies inside the warm-up of ",
          s.warmup_steps, " steps; shorten the warm-up or move the milestone");
    before = milestone;
  }
}

double Schedule::rate_at(std::int64_t at) const {
  validate(*this);
  check(at >= 0, "schedule: steps count from 0, got ", at);
  if (at < warmup_steps) {
    const double progress = static_cast<double>(at) / static_cast<double>(warmup_steps);
    return base_rate * (warmup_start_factor + (1 - warmup_start_factor) * progress);
  }
  const std::int64_t t = at - warmup_steps, T = total_steps - warmup_steps;
  const double progress = t < T ? static_cast<double>(t) / static_cast<double>(T) : 1.0;  // T may be 0
  switch (kind) {
    case ScheduleKind::constant:
      break;
    case ScheduleKind::step: {
      const auto passed = std::upper_bound(milestones.begin(), milestones.end(), at) - milestones.begin();
      return base_rate * std::pow(factor, static_cast<double>(passed));
    }
    case ScheduleKind::poly:
      return base_rate * std::pow(1 - progress, power);
    case ScheduleKind::cosine:
      return base_rate * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  }
  return base_rate;
}

}  // namespace acol
