// How long a recipe would take on this machine, from a few steps of its network.
#pragma once

#include <map>
#include <string>

#include "acol/train/recipe.h"

namespace acol {

// Seconds a picture.
struct PictureTimes {
  double train = 0;   // a training step's share
  double pass_a = 0;  // trunk and branch A at test
  double maps = 0;    // the maps of one class, with branch B's pass if there is one
};

struct RecipeTime {
  double train = 0;        // seconds
  double test = 0;         // of all protocols; reading pictures and the sweep over box thresholds are not in it
  bool test_known = true;  // false: the recipe does not say how many pictures there are
  double total() const { return train + test; }
};

class RecipeTimer {
 public:
  // From the published numbers of pictures. Networks that differ in nothing but the number of classes are measured
  // once: it changes the work by a few percent at most.
  RecipeTime time(const Recipe& recipe);

 private:
  const PictureTimes& measured(const Recipe& recipe);
  std::map<std::string, PictureTimes> known_;
};

// "40 min", "5 h 20 min", "3.4 days", "2.1 years"
std::string long_duration_text(double seconds);

}  // namespace acol
