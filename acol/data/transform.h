// From a picture to the numbers that a network eats.
#pragma once

#include <array>
#include <cstdint>

#include "acol/data/image.h"

namespace acol {

enum class ResizeMode {
  shorter_side,  // the shorter side becomes `resize`, aspect kept (the official ACoL code)
  warp,          // resize x resize, aspect not kept (wsolevaluation)
};

// Defaults: ImageNet's. A model file carries these, so that a picture is treated the same ever after.
struct Preprocessing {
  int resize = 256;  // pixels
  int crop = 224;    // pixels, the side of the network's input
  ResizeMode resize_mode = ResizeMode::shorter_side;
  bool flip = true;                                   // in training: mirror every other picture
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};  // RGB, of values in 0..1
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};
  friend bool operator==(const Preprocessing&, const Preprocessing&) = default;
};

// Error: a size below 1, resize < crop, a std that is not positive and finite, a mean that is not finite.
void validate(const Preprocessing& how);

// All below fill `out`, crop x crop x 3 floats, HWC: (value / 255 - mean) / std.

// Training: resize, random crop, random mirror. The draws are a function of (seed, epoch, sample) alone.
void train_input(const Image& image, const Preprocessing& how, std::uint64_t seed, int epoch, int sample, float* out);

// Test: the whole picture warped to crop x crop, so that a map covers the whole picture.
void test_input(const Image& image, const Preprocessing& how, float* out);

// The steps of which the above are made. The resize draws nothing, so its result can be kept between epochs:
// train_input(i, ...) == train_crop(resize_for(i, how), ...).
Image resize_for(const Image& image, const Preprocessing& how);
void train_crop(const Image& resized, const Preprocessing& how, std::uint64_t seed, int epoch, int sample, float* out);

// One channel order and one formula for all: the part at (x, y) of `image`, mirrored or not, as floats.
void normalise(const Image& image, const Preprocessing& how, int x, int y, bool mirror, float* out);

}  // namespace acol
