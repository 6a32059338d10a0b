// For each picture of a set: at which thresholds it is found. Kept so small that it can be kept for all.
#pragma once

#include <cstdint>
#include <vector>

namespace acol {

// A picture is found on a few stretches of the thresholds, mostly one: their borders are all that is stored.
class HitRuns {
 public:
  // The next picture, found at threshold t where scores[t] >= delta. Error: more than 65,535 thresholds.
  void add(const std::vector<double>& scores, double delta);

  std::size_t pictures() const { return ends_.size(); }
  // Error: no such picture.
  bool found(std::size_t picture, std::size_t threshold) const;

 private:
  std::vector<std::uint16_t> changes_;  // thresholds at which "found" turns, starting from "not found"
  std::vector<std::uint64_t> ends_;     // of each picture's changes in changes_
};

}  // namespace acol
