#include "acol/evaluate/hit_runs.h"

#include <algorithm>
#include <limits>

#include "tensor/check.h"

namespace acol {

void HitRuns::add(const std::vector<double>& scores, double delta) {
  check(scores.size() <= std::numeric_limits<std::uint16_t>::max(), "hit runs: too many thresholds: ", scores.size());
  bool found = false;
  for (std::size_t t = 0; t < scores.size(); ++t) {
    if ((scores[t] >= delta) == found) continue;
    found = !found;
    changes_.push_back(static_cast<std::uint16_t>(t));
  }
  ends_.push_back(changes_.size());
}

bool HitRuns::found(std::size_t picture, std::size_t threshold) const {
  check(picture < ends_.size(), "hit runs: no picture ", picture, "; there are ", ends_.size());
  const auto at = [&](std::uint64_t i) { return changes_.begin() + static_cast<std::ptrdiff_t>(i); };
  const auto first = at(picture == 0 ? 0 : ends_[picture - 1]), last = at(ends_[picture]);
  return (std::upper_bound(first, last, threshold) - first) % 2 == 1;
}

}  // namespace acol
