// For each picture of a set: at which thresholds it is found. Kept so small that it can be kept for all.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "acol/evaluate/bootstrap.h"
#include "acol/evaluate/max_box_acc.h"

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

// MaxBoxAcc's hits in each picture that it counts. Its rates are those at the thresholds that are best for the whole
// set, and these are known last.
class SweptHits {
 public:
  // picture: its place in the list that set_rates() will get.
  void add(std::size_t picture, const BoxScores& scores);
  // Sets MaxBoxAcc's four rates of the pictures that were added. metric: has counted these pictures, and no other.
  void set_rates(const MaxBoxAcc& metric, std::vector<RatedPicture>& pictures) const;

 private:
  std::vector<std::size_t> pictures_;
  HitRuns v1_;
  std::array<HitRuns, MaxBoxAcc::deltas.size()> v2_;
};

}  // namespace acol
