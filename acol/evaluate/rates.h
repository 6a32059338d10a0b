// What can be right or wrong about a picture, and how often it is: over a data set and for each class.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

namespace acol {

// Each rate is the share of the pictures it counts that are right. "listed": without the pictures of ILSVRC's
// blacklist.
enum class Rate {
  top1_cls,
  top5_cls,
  gt_known,
  top1_loc,
  top5_loc,
  top1_loc_listed,
  top5_loc_listed,
  star_loc,
  star_loc_listed,
  wrong_class,  // the five kinds of error of error_split.h, in its order: "right" means that it is this kind
  several_instances,
  part_only,
  too_large,
  elsewhere,
  max_box_acc,  // at the thresholds that are best for the whole set
  max_box_acc_30,
  max_box_acc_50,
  max_box_acc_70,
};
constexpr std::size_t rate_count = 18;

// One picture: eight bytes, which is all that is kept of it for the confidence intervals.
struct PictureRates {
  std::uint32_t counted = 0, right = 0;  // bit r: of Rate r
  void set(Rate rate, bool is_right) {
    const std::uint32_t bit = std::uint32_t{1} << static_cast<unsigned>(rate);
    counted |= bit;
    right = is_right ? right | bit : right & ~bit;
  }
  bool counts(Rate rate) const { return (counted >> static_cast<unsigned>(rate) & 1) != 0; }
  bool is_right(Rate rate) const { return (right >> static_cast<unsigned>(rate) & 1) != 0; }
  friend bool operator==(const PictureRates&, const PictureRates&) = default;
};

class RateTable {
 public:
  explicit RateTable(int classes = 0);

  // label: the true class. Error: not a class of the table.
  void add(int label, const PictureRates& picture);

  int classes() const { return static_cast<int>(counted_.size()); }
  std::int64_t counted(Rate rate) const;
  std::int64_t counted(Rate rate, int label) const;

  // In percent; nothing if no picture counts.
  std::optional<double> percent(Rate rate) const;
  std::optional<double> percent(Rate rate, int label) const;
  // The mean of the classes' percentages, over the classes that have some picture.
  std::optional<double> class_mean(Rate rate) const;

 private:
  using Counts = std::array<std::int64_t, rate_count>;
  std::vector<Counts> counted_, right_;  // of each class
};

}  // namespace acol
