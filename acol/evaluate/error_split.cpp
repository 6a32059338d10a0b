#include "acol/evaluate/error_split.h"

#include <algorithm>

#include "acol/evaluate/clsloc.h"
#include "tensor/check.h"

namespace acol {

namespace {

std::int64_t intersection(const Box& a, const Box& b) {
  const std::int64_t width = std::max(0, std::min(a.x1, b.x1) - std::max(a.x0, b.x0) + 1);
  const std::int64_t height = std::max(0, std::min(a.y1, b.y1) - std::max(a.y0, b.y0) + 1);
  return width * height;
}

// Share of `whole` that lies in `other`.
double share_in(const Box& whole, const Box& other) {
  return static_cast<double>(intersection(whole, other)) / static_cast<double>(area(whole));
}

}  // namespace

const char* name_of(LocalizationFault fault) {
  constexpr std::array<const char*, localization_faults> names{"wrong_class", "several_instances", "part_only",
                                                               "too_large", "elsewhere"};
  return names[static_cast<std::size_t>(fault)];
}

const char* text_of(LocalizationFault fault) {
  constexpr std::array<const char*, localization_faults> texts{"wrong class", "several instances", "part only",
                                                               "too large", "elsewhere"};
  return texts[static_cast<std::size_t>(fault)];
}

std::optional<LocalizationFault> localization_fault(bool class_is_right, const Box& box,
                                                    const std::vector<Box>& truth) {
  check(!truth.empty(), "error split: a picture without a true box; leave it out");
  if (!class_is_right) return LocalizationFault::wrong_class;
  const Box* best = &truth[0];
  double best_overlap = 0;
  int well_covered = 0;
  for (const Box& one : truth) {
    const double overlap = intersection_over_union(box, one);
    if (overlap > best_overlap) {
      best = &one;
      best_overlap = overlap;
    }
    well_covered += share_in(one, box) > 0.3;
  }
  if (best_overlap >= found_iou) return std::nullopt;
  if (well_covered >= 2) return LocalizationFault::several_instances;
  if (share_in(box, *best) > 0.5) return LocalizationFault::part_only;
  if (share_in(*best, box) >= 0.7) return LocalizationFault::too_large;
  return LocalizationFault::elsewhere;
}

}  // namespace acol
