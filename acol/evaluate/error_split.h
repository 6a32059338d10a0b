// Why a localization counts as wrong. The idea and the cuts are those of SPA (Pan et al., "Unveiling the potential of
// structure preserving for weakly supervised object localization", CVPR 2021) as its published evaluation computes
// them.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "acol/data/box.h"
#include "acol/evaluate/rates.h"

namespace acol {

// The first that applies to a picture whose best guess (class and box) is not right. So the kinds exclude each other,
// and their shares add up to the top-1 localization error. IoG: share of a true box that lies in the guessed box. IoB:
// share of the guessed box that lies in a true box. "The" true box is the one with the largest IoU, the first of equal
// ones.
enum class LocalizationFault {
  wrong_class,        // the class is not the true one, wherever the box is
  several_instances,  // the box has more than .3 of each of at least two true boxes: it runs over several objects
  part_only,          // IoB > .5 with the true box: it lies mostly on the object, and holds too little of it
  too_large,          // IoG >= .7 with the true box: it holds the object, and too much beside it
  elsewhere,          // all else: beside the object, or across its edge
};
constexpr int localization_faults = 5;
// "wrong_class", ... as in JSON; and for people.
const char* name_of(LocalizationFault fault);
const char* text_of(LocalizationFault fault);

inline Rate rate_of(LocalizationFault fault) {
  return static_cast<Rate>(static_cast<int>(Rate::wrong_class) + static_cast<int>(fault));
}

// Nothing where the guess is right: the true class, and an IoU of at least .5 with some true box. (SPA asks for more
// than .5; we count as the development kit does, so that the shares add up.)
// Error: no true box.
std::optional<LocalizationFault> localization_fault(bool class_is_right, const Box& box, const std::vector<Box>& truth);

}  // namespace acol
