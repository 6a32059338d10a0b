#include "acol/data/transform.h"

#include <cmath>

#include "acol/data/resize.h"
#include "tensor/check.h"
#include "tensor/random.h"

namespace acol {

void validate(const Preprocessing& how) {
  check(how.crop >= 1, "preprocessing: crop must be at least 1 pixel, got ", how.crop);
  check(how.resize >= how.crop, "preprocessing: resize (", how.resize, ") must not be smaller than crop (", how.crop,
        ")");
  check(std::int64_t{how.resize} * how.resize <= max_pixels, "preprocessing: resize ", how.resize, " is too large");
  for (const float value : how.std)
    check(value > 0 && std::isfinite(value), "preprocessing: std must be positive, got ", value);
  for (const float value : how.mean) check(std::isfinite(value), "preprocessing: mean must be finite, got ", value);
}

Image resize_for(const Image& image, const Preprocessing& how) {
  return how.resize_mode == ResizeMode::warp ? resize_bilinear(image, how.resize, how.resize)
                                             : resize_shorter_side(image, how.resize);
}

void normalise(const Image& image, const Preprocessing& how, int x, int y, bool mirror, float* out) {
  check(x >= 0 && y >= 0 && x <= image.width - how.crop && y <= image.height - how.crop, "preprocessing: a crop of ",
        how.crop, " at (", x, ", ", y, ") does not lie inside ", image.width, "x", image.height);
  for (int row = 0; row < how.crop; ++row) {
    for (int column = 0; column < how.crop; ++column) {
      const int from_x = x + (mirror ? how.crop - 1 - column : column);
      const std::uint8_t* pixel =
          &image.rgb[(static_cast<std::size_t>(y + row) * static_cast<std::size_t>(image.width) +
                      static_cast<std::size_t>(from_x)) *
                     3];
      for (std::size_t c = 0; c < 3; ++c) *out++ = (static_cast<float>(pixel[c]) / 255.0f - how.mean[c]) / how.std[c];
    }
  }
}

void train_crop(const Image& resized, const Preprocessing& how, std::uint64_t seed, int epoch, int sample, float* out) {
  check(resized.width >= how.crop && resized.height >= how.crop, "preprocessing: a picture of ", resized.width, "x",
        resized.height, " holds no crop of ", how.crop, "; resize it first");
  RandomStream random(seed, Purpose::augment, static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(sample));
  const int x = random.below(resized.width - how.crop + 1);
  const int y = random.below(resized.height - how.crop + 1);
  const bool mirror = random.below(2) == 1;  // drawn even when not used, so that --no-flip keeps the crops
  normalise(resized, how, x, y, mirror && how.flip, out);
}

void train_input(const Image& image, const Preprocessing& how, std::uint64_t seed, int epoch, int sample, float* out) {
  validate(how);
  train_crop(resize_for(image, how), how, seed, epoch, sample, out);
}

void test_input(const Image& image, const Preprocessing& how, float* out) {
  validate(how);
  normalise(resize_bilinear(image, how.crop, how.crop), how, 0, 0, false, out);
}

}  // namespace acol
