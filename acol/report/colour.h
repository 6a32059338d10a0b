// Scores as colours.
#pragma once

#include <array>
#include <cstdint>

namespace acol {

using Rgb = std::array<std::uint8_t, 3>;

// The colour of a score in [0, 1] (clamped; NaN as 0): dark blue, violet, red, orange, light yellow. A straight path in
// the polar form of Oklab (Ottosson, 2020), a space in which equal distances look equal: lightness rises evenly from
// .22 to .96, so that order can be read without knowing the colours, in a grey print and by colour-blind readers; hue
// turns evenly from 265 to 465 = 105 degrees; chroma is the largest up to .19 that a screen can show.
Rgb heat_colour(double score);

}  // namespace acol
