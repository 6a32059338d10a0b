// The classification and localization metric of the ILSVRC challenge ("CLS-LOC"): up to five pairs of a class and a box
// for a picture, best first (development kit of ILSVRC 2012 to 2015, and evaluation/eval_clsloc.m of the CAM code).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "acol/data/box.h"

namespace acol {

constexpr double found_iou = 0.5;  // >=, as the development kit counts; papers write "> 0.5"
constexpr int most_guesses = 5;

struct Guess {
  int label = 0;
  Box box;
};

// A box that overlaps with nothing: of a class whose map nobody asked for.
constexpr Box no_box{0, 0, -1, -1};

// Which guess is the first to be right; 1 is the best guess, 0: none is. The error for k guesses is 0 exactly if the
// rank is in 1..k.
struct GuessRanks {
  int label = 0;  // the first guess of the true class
  int box = 0;    // the first of the true class whose box has an IoU of at least .5 with some true box
  friend bool operator==(const GuessRanks&, const GuessRanks&) = default;
};
GuessRanks guess_ranks(std::span<const Guess> guesses, int label, const std::vector<Box>& truth);

// Lists of guesses. classes: best first. boxes[r]: of class classes[r], best first; where it is empty, the guess gets
// no_box. Error: unequally many of both.
//
// The plain list: one box for each of the five best classes.
std::vector<Guess> plain_list(const std::vector<int>& classes, const std::vector<std::vector<Box>>& boxes);
// The list behind the starred rows of the CAM and ACoL tables ("Combine" in ILSVRC_evaluate_bbox.m of the CAM code):
// boxes 1 and 2 of the best class, boxes 1 and 2 of the second, box 1 of the third. A second box that a rule does not
// give is no_box. Its error for one guess is the plain list's.
std::vector<Guess> star_list(const std::vector<int>& classes, const std::vector<std::vector<Box>>& boxes);

// The error over a data set, in percent.
//   ClsLoc metric;
//   for (each picture) metric.add(guess_ranks(guesses, label, truth), blacklisted);
class ClsLoc {
 public:
  // blacklisted: one of the 1,762 pictures of ILSVRC's validation set that the official evaluation leaves out of the
  // localization error (not of the classification error). Papers' own evaluations count all 50,000.
  void add(const GuessRanks& ranks, bool blacklisted = false);

  std::int64_t pictures() const { return pictures_; }
  std::int64_t blacklisted() const { return blacklisted_; }

  // For k guesses, k in 1..5. Error: another k, or no picture that counts.
  double classification_error(int k) const;
  double localization_error(int k) const;                    // over all pictures
  double localization_error_without_blacklist(int k) const;  // the official figure

 private:
  using Counts = std::array<std::int64_t, most_guesses + 1>;  // of pictures, by rank
  static double error(const Counts& counts, std::int64_t pictures, int k);

  std::int64_t pictures_ = 0, blacklisted_ = 0;
  Counts label_{}, box_{}, box_listed_{};
};

}  // namespace acol
