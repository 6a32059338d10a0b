// Score maps as text.
#pragma once

#include <string>

#include "acol/evaluate/score_map.h"

namespace acol::testing {

// A digit is that many parts of `parts`: with 10, "059" -> 0, .5, .9. Rows are separated by '/'.
inline ScoreMap drawn_map(const std::string& rows, int parts) {
  ScoreMap map{0, 1, {}};
  for (const char c : rows) {
    if (c == '/')
      ++map.height;
    else
      map.values.push_back((c - '0') / static_cast<double>(parts));
  }
  map.width = static_cast<int>(map.values.size()) / map.height;
  return map;
}

}  // namespace acol::testing
