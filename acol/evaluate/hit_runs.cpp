#include "acol/evaluate/hit_runs.h"

#include <algorithm>
#include <limits>

#include "acol/evaluate/clsloc.h"
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

void SweptHits::add(std::size_t picture, const BoxScores& scores) {
  pictures_.push_back(picture);
  v1_.add(scores.largest, found_iou);
  for (std::size_t d = 0; d < v2_.size(); ++d) v2_[d].add(scores.any, MaxBoxAcc::deltas[d]);
}

void SweptHits::set_rates(const MaxBoxAcc& metric, std::vector<RatedPicture>& pictures) const {
  const auto set = [&](Rate rate, const HitRuns& runs, const std::vector<double>& curve) {
    const std::size_t best = index_of_best(curve);
    for (std::size_t i = 0; i < pictures_.size(); ++i) pictures.at(pictures_[i]).rates.set(rate, runs.found(i, best));
  };
  if (pictures_.empty()) return;
  set(Rate::max_box_acc, v1_, metric.curve_v1());
  constexpr std::array<Rate, MaxBoxAcc::deltas.size()> rates{Rate::max_box_acc_30, Rate::max_box_acc_50,
                                                             Rate::max_box_acc_70};
  for (std::size_t d = 0; d < v2_.size(); ++d) set(rates[d], v2_[d], metric.curve_v2(MaxBoxAcc::deltas[d]));
}

}  // namespace acol
