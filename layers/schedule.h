// Learning rate as a function of the step, and of nothing else, so that a resumed run goes on as if never stopped.
//
// During warm-up (step < warmup_steps), for every kind:
//   rate = base_rate (start + (1 - start) step / warmup_steps),  start = warmup_start_factor
// and then, with t = step - warmup_steps and T = total_steps - warmup_steps:
//   constant  rate = base_rate
//   step      rate = base_rate factor^(number of milestones <= step)
//   poly      rate = base_rate (1 - t / T)^power       (L.-C. Chen et al., "DeepLab", TPAMI 2018)
//   cosine    rate = base_rate (1 + cos(pi t / T)) / 2 (I. Loshchilov, F. Hutter, "SGDR", ICLR 2017, eq. 5, one cycle)
// Steps count from 0, so the last is total_steps - 1, whose rate is not yet 0; poly and cosine stay at 0 from
// total_steps on.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace acol {

enum class ScheduleKind { constant, step, poly, cosine };

// "constant", "step", "poly", "cosine"; any other text is an Error that lists them.
ScheduleKind parse_schedule_kind(std::string_view text);
std::string_view schedule_kind_name(ScheduleKind kind);

struct Schedule {
  ScheduleKind kind = ScheduleKind::constant;
  double base_rate = 0.01;            // finite, >= 0
  std::int64_t total_steps = 1;       // >= 1
  std::int64_t warmup_steps = 0;      // in [0, total_steps]
  double warmup_start_factor = 0.01;  // in [0, 1]
  double factor = 0.1;                // of `step`: finite, > 0
  double power = 0.9;                 // of `poly`: finite, > 0
  // Of `step`: ascending, all >= 1 and none inside the warm-up (>= warmup_steps).
  std::vector<std::int64_t> milestones;

  // Error: a setting out of the range above, or step < 0.
  double rate_at(std::int64_t step) const;
};

// Error: a setting out of range, named with its value. rate_at() calls it; call it first to fail before training
// starts.
void validate(const Schedule& schedule);

}  // namespace acol
