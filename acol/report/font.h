// A small bitmap font for captions.
#pragma once

#include <string_view>

namespace acol {

inline constexpr int glyph_width = 5, glyph_height = 7;

// glyph_height rows of glyph_width characters, '#' ink and '.' none. Small letters have the shape of capitals; a
// character without a shape (all beyond ASCII) has that of a hollow box.
std::string_view glyph(char character);

}  // namespace acol
