// Resizing and cutting pictures, to the bit as Pillow does it: the models' training data went through Pillow, and a
// resize without antialiasing costs accuracy silently.
#pragma once

#include "acol/data/image.h"

namespace acol {

// Bit-identical to Image.resize((width, height), Image.BILINEAR) of Pillow 13: a triangle filter whose support grows
// with the factor when shrinking, coefficients in fixed point with 22 fraction bits, rounded to bytes between the two
// directions: rows first, but columns first where the height loses more than twice as many pixels as the width. (Pillow
// up to 12 always takes rows first, which moves some values of such pictures by 1.) Error: a size below 1, an empty
// image, or a result above max_pixels.
Image resize_bilinear(const Image& image, int width, int height);

// The size that resize_shorter_side gives: {width, height}.
struct Size {
  int width = 0, height = 0;
  friend bool operator==(const Size&, const Size&) = default;
};
Size shorter_side_size(int width, int height, int side);

// torchvision's Resize(side): the shorter side becomes `side`, the other floor(side * longer / shorter).
Image resize_shorter_side(const Image& image, int side);

// The part with top left corner (x, y). Error if it reaches outside.
Image crop(const Image& image, int x, int y, int width, int height);

}  // namespace acol
