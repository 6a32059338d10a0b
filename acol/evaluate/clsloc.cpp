#include "acol/evaluate/clsloc.h"

#include <algorithm>

#include "tensor/check.h"

namespace acol {

namespace {

void check_lists(const std::vector<int>& classes, const std::vector<std::vector<Box>>& boxes, const char* who) {
  check(classes.size() == boxes.size(), who, ": ", classes.size(), " classes, but boxes of ", boxes.size());
}

}  // namespace

GuessRanks guess_ranks(std::span<const Guess> guesses, int label, const std::vector<Box>& truth) {
  GuessRanks ranks;
  for (std::size_t i = 0; i < std::min<std::size_t>(guesses.size(), most_guesses); ++i) {
    if (guesses[i].label != label) continue;
    const int rank = static_cast<int>(i) + 1;
    if (ranks.label == 0) ranks.label = rank;
    if (ranks.box == 0 && best_iou(guesses[i].box, truth) >= found_iou) ranks.box = rank;
  }
  return ranks;
}

std::vector<Guess> plain_list(const std::vector<int>& classes, const std::vector<std::vector<Box>>& boxes) {
  check_lists(classes, boxes, "plain_list");
  std::vector<Guess> list;
  for (std::size_t r = 0; r < std::min<std::size_t>(classes.size(), most_guesses); ++r)
    list.push_back({classes[r], boxes[r].empty() ? no_box : boxes[r][0]});
  return list;
}

std::vector<Guess> star_list(const std::vector<int>& classes, const std::vector<std::vector<Box>>& boxes) {
  check_lists(classes, boxes, "star_list");
  constexpr std::array<std::size_t, 3> taken{2, 2, 1};  // boxes of each class
  std::vector<Guess> list;
  for (std::size_t r = 0; r < std::min(classes.size(), taken.size()); ++r)
    for (std::size_t i = 0; i < taken[r]; ++i) list.push_back({classes[r], i < boxes[r].size() ? boxes[r][i] : no_box});
  return list;
}

void ClsLoc::add(const GuessRanks& ranks, bool blacklisted) {
  const auto index = [](int rank) {
    check(rank >= 0 && rank <= most_guesses, "CLS-LOC: a rank must be in 0..", most_guesses, ", got ", rank);
    return static_cast<std::size_t>(rank);
  };
  const std::size_t label = index(ranks.label), box = index(ranks.box);
  ++pictures_;
  ++label_[label];
  ++box_[box];
  if (blacklisted)
    ++blacklisted_;
  else
    ++box_listed_[box];
}

double ClsLoc::error(const Counts& counts, std::int64_t pictures, int k) {
  check(k >= 1 && k <= most_guesses, "CLS-LOC: between 1 and ", most_guesses, " guesses count, not ", k);
  check(pictures > 0, "CLS-LOC: no picture that counts was added");
  std::int64_t right = 0;
  for (int rank = 1; rank <= k; ++rank) right += counts[static_cast<std::size_t>(rank)];
  return 100 - 100.0 * static_cast<double>(right) / static_cast<double>(pictures);
}

double ClsLoc::classification_error(int k) const { return error(label_, pictures_, k); }
double ClsLoc::localization_error(int k) const { return error(box_, pictures_, k); }
double ClsLoc::localization_error_without_blacklist(int k) const {
  return error(box_listed_, pictures_ - blacklisted_, k);
}

}  // namespace acol
