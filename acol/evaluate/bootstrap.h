// How far a figure would move with other pictures of the same kind: percentile bootstrap (Efron and Tibshirani, "An
// introduction to the bootstrap", 1993, chapter 13).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "acol/evaluate/rates.h"

namespace acol {

// What is kept of a picture.
struct RatedPicture {
  PictureRates rates;
  int label = 0;  // the true class
};

struct BootstrapOptions {
  int resamples = 1000;
  double confidence = 0.95;  // share of the resamples inside the interval, in (0, 1)
  std::uint64_t seed = 1;    // resample number i draws from stream i of this seed
};

// In percent: of the resampled figures, the ones that leave (1 - confidence) / 2 below and above; between two of them
// linear.
struct Interval {
  double low = 0, high = 0;
  friend bool operator==(const Interval&, const Interval&) = default;
};

// An error's interval, from that of what is right.
inline Interval error_interval(const Interval& right) { return {100 - right.high, 100 - right.low}; }

struct Intervals {
  std::array<std::optional<Interval>, rate_count> rates;  // nothing where no picture counts
  std::optional<Interval> corloc;                         // of the classes' mean of Rate::gt_known
  std::optional<Interval> max_box_acc_v2;                 // of the mean of the three rates that make it
  const std::optional<Interval>& of(Rate rate) const { return rates[static_cast<std::size_t>(rate)]; }
};

// A resample is as many pictures as there are, drawn with replacement; all figures are taken from the same resamples.
// The thresholds of the MaxBoxAcc rates are those of the whole set in every resample: the interval does not hold what
// choosing them costs. The same seed gives the same bits on any number of threads.
// Error: no picture, resamples below 1 or above a million, a confidence outside (0, 1), a negative label.
Intervals bootstrap(const std::vector<RatedPicture>& pictures, const BootstrapOptions& options);

// The value below which `share` of `values` lie, linear between neighbours (NumPy's default). Sorts `values`, of which
// there must be one at least.
double quantile(std::vector<double>& values, double share);

}  // namespace acol
