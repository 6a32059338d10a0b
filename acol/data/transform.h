// From a picture to the numbers that a network eats.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "acol/data/box.h"
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

// What the network sees of a picture at test.
enum class TestInput {
  warp,         // all of it, warped to crop x crop (wsolevaluation)
  centre,       // the shorter side to `resize`, aspect kept, then the crop in the middle (the official ACoL code)
  centre_warp,  // warped to resize x resize, then the crop in the middle (ACoL_pytorch with VAL-CROP)
};
const char* name_of(TestInput input);                 // "warp", "centre", "centre-warp"
TestInput parse_test_input(const std::string& name);  // Error for anything else

// All below fill `out`, crop x crop x 3 floats, HWC: (value / 255 - mean) / std.

// Training: resize, random crop, random mirror. The draws are a function of (seed, epoch, sample) alone.
void train_input(const Image& image, const Preprocessing& how, std::uint64_t seed, int epoch, int sample, float* out);

// Test. By default the whole picture warped to crop x crop, so that a map covers the whole picture.
void test_input(const Image& image, const Preprocessing& how, float* out, TestInput input = TestInput::warp);

// The steps of which the above are made. The resize draws nothing, so its result can be kept between epochs:
// train_input(i, ...) == train_crop(resize_for(i, how), ...).
Image resize_for(const Image& image, const Preprocessing& how);
void train_crop(const Image& resized, const Preprocessing& how, std::uint64_t seed, int epoch, int sample, float* out);

// test_input(i, how, out, input) is the crop at centre_crop() of resize_for_test(i, how, input).
Image resize_for_test(const Image& image, const Preprocessing& how, TestInput input);

// The top left corner of a crop, and whether the crop is then mirrored.
struct CropPlace {
  int x = 0, y = 0;
  bool mirror = false;
  friend bool operator==(const CropPlace&, const CropPlace&) = default;
};
// That of train_crop().
CropPlace train_crop_place(const Image& resized, const Preprocessing& how, std::uint64_t seed, int epoch, int sample);
// In the middle of width x height; half a pixel goes to the even side (torchvision's CenterCrop).
CropPlace centre_crop(int width, int height, int crop);
// torchvision's TenCrop, in its order: upper left, upper right, lower left, lower right, middle; then the same of the
// mirrored picture.
std::array<CropPlace, 10> ten_crops(int width, int height, int crop);

// The part of a picture that the network sees, as shares of its width and height: a map of the network covers this
// part.
struct SeenPart {
  double x0 = 0, y0 = 0, x1 = 1, y1 = 1;  // edges, not pixels
  bool whole() const { return x0 <= 0 && y0 <= 0 && x1 >= 1 && y1 >= 1; }
  // In pixels of a width x height picture or grid, each edge moved to the nearest one between pixels; at least a pixel.
  Box pixels(int width, int height) const;
};
SeenPart seen_part(int width, int height, const Preprocessing& how, TestInput input);

// One channel order and one formula for all: the part at (x, y) of `image`, mirrored or not, as floats.
void normalise(const Image& image, const Preprocessing& how, int x, int y, bool mirror, float* out);
// The same part as bytes, crop x crop x 3, for whoever makes floats of them.
void cut(const Image& image, int crop, const CropPlace& place, std::uint8_t* out);

}  // namespace acol
