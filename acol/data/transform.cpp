#include "acol/data/transform.h"

#include <algorithm>
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

namespace {

// body(pixel) for the pixels of a part, row by row.
template <class Body>
void for_each_pixel(const Image& image, int crop, const CropPlace& place, const Body& body) {
  check(place.x >= 0 && place.y >= 0 && place.x <= image.width - crop && place.y <= image.height - crop,
        "preprocessing: a crop of ", crop, " at (", place.x, ", ", place.y, ") does not lie inside ", image.width, "x",
        image.height);
  for (int row = 0; row < crop; ++row)
    for (int column = 0; column < crop; ++column) {
      const int from_x = place.x + (place.mirror ? crop - 1 - column : column);
      body(&image.rgb[(static_cast<std::size_t>(place.y + row) * static_cast<std::size_t>(image.width) +
                       static_cast<std::size_t>(from_x)) *
                      3]);
    }
}

}  // namespace

void normalise(const Image& image, const Preprocessing& how, int x, int y, bool mirror, float* out) {
  for_each_pixel(image, how.crop, {x, y, mirror}, [&](const std::uint8_t* pixel) {
    for (std::size_t c = 0; c < 3; ++c) *out++ = (static_cast<float>(pixel[c]) / 255.0f - how.mean[c]) / how.std[c];
  });
}

void cut(const Image& image, int crop, const CropPlace& place, std::uint8_t* out) {
  for_each_pixel(image, crop, place, [&](const std::uint8_t* pixel) { out = std::copy_n(pixel, 3, out); });
}

CropPlace train_crop_place(const Image& resized, const Preprocessing& how, std::uint64_t seed, int epoch, int sample) {
  check(resized.width >= how.crop && resized.height >= how.crop, "preprocessing: a picture of ", resized.width, "x",
        resized.height, " holds no crop of ", how.crop, "; resize it first");
  RandomStream random(seed, Purpose::augment, static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(sample));
  const int x = random.below(resized.width - how.crop + 1);
  const int y = random.below(resized.height - how.crop + 1);
  const bool mirror = random.below(2) == 1;  // drawn even when not used, so that --no-flip keeps the crops
  return {x, y, mirror && how.flip};
}

void train_crop(const Image& resized, const Preprocessing& how, std::uint64_t seed, int epoch, int sample, float* out) {
  const CropPlace place = train_crop_place(resized, how, seed, epoch, sample);
  normalise(resized, how, place.x, place.y, place.mirror, out);
}

void train_input(const Image& image, const Preprocessing& how, std::uint64_t seed, int epoch, int sample, float* out) {
  validate(how);
  train_crop(resize_for(image, how), how, seed, epoch, sample, out);
}

const char* name_of(TestInput input) {
  switch (input) {
    case TestInput::warp:
      return "warp";
    case TestInput::centre:
      return "centre";
    case TestInput::centre_warp:
      return "centre-warp";
  }
  fail("test input: no such value");
}

TestInput parse_test_input(const std::string& name) {
  for (const TestInput input : {TestInput::warp, TestInput::centre, TestInput::centre_warp})
    if (name == name_of(input)) return input;
  fail("test input '", name, "' is not known: use warp, centre or centre-warp");
}

Image resize_for_test(const Image& image, const Preprocessing& how, TestInput input) {
  switch (input) {
    case TestInput::warp:
      return resize_bilinear(image, how.crop, how.crop);
    case TestInput::centre:
      return resize_shorter_side(image, how.resize);
    case TestInput::centre_warp:
      return resize_bilinear(image, how.resize, how.resize);
  }
  fail("test input: no such value");
}

CropPlace centre_crop(int width, int height, int crop) {
  check(crop >= 1 && width >= crop && height >= crop, "preprocessing: ", width, "x", height, " holds no crop of ",
        crop);
  const auto half = [](int rest) { return rest / 2 + (rest % 4 == 3 ? 1 : 0); };  // of equally near ones the even one
  return {half(width - crop), half(height - crop), false};
}

std::array<CropPlace, 10> ten_crops(int width, int height, int crop) {
  const CropPlace middle = centre_crop(width, height, crop);
  const int right = width - crop, below = height - crop;
  std::array<CropPlace, 10> places{{{0, 0}, {right, 0}, {0, below}, {right, below}, middle}};
  for (std::size_t i = 0; i < 5; ++i) places[i + 5] = {right - places[i].x, places[i].y, true};
  return places;
}

Box SeenPart::pixels(int width, int height) const {
  const auto first = [](double edge, int size) {
    return std::clamp(static_cast<int>(std::lround(edge * size)), 0, size - 1);
  };
  const auto last = [](double edge, int size, int from) {
    return std::clamp(static_cast<int>(std::lround(edge * size)) - 1, from, size - 1);
  };
  const int left = first(x0, width), top = first(y0, height);
  return {left, top, last(x1, width, left), last(y1, height, top)};
}

SeenPart seen_part(int width, int height, const Preprocessing& how, TestInput input) {
  if (input == TestInput::warp) return {};
  const Size size =
      input == TestInput::centre ? shorter_side_size(width, height, how.resize) : Size{how.resize, how.resize};
  const CropPlace place = centre_crop(size.width, size.height, how.crop);
  const auto share = [](int at, int whole) { return static_cast<double>(at) / whole; };
  return {share(place.x, size.width), share(place.y, size.height), share(place.x + how.crop, size.width),
          share(place.y + how.crop, size.height)};
}

void test_input(const Image& image, const Preprocessing& how, float* out, TestInput input) {
  validate(how);
  const Image resized = resize_for_test(image, how, input);
  const CropPlace place = centre_crop(resized.width, resized.height, how.crop);
  normalise(resized, how, place.x, place.y, false, out);
}

}  // namespace acol
