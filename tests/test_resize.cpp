// Resizing against Pillow's own results (tests/golden/pil_resize.txt, made by tools/golden/make_pil_resize.py).
#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "acol/data/resize.h"
#include "tensor/check.h"

#ifndef ACOL_SOURCE_DIR
#define ACOL_SOURCE_DIR "."
#endif

using namespace acol;

namespace {

// The generator of the maker script.
Image picture(int width, int height, std::uint32_t seed) {
  Image image{width, height, {}};
  std::uint32_t state = seed;
  for (int i = 0; i < width * height * 3; ++i) {
    state = state * 1664525u + 1013904223u;
    const std::uint32_t kind = (state >> 24) & 7;
    image.rgb.push_back(kind == 0 ? 0 : kind == 1 ? 255 : static_cast<std::uint8_t>(state >> 16));
  }
  return image;
}

std::uint64_t fnv1a(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001B3u;
  return hash;
}

std::string hex(const std::vector<std::uint8_t>& bytes) {
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += "0123456789abcdef"[byte / 16];
    text += "0123456789abcdef"[byte % 16];
  }
  return text;
}

}  // namespace

TEST_CASE("resize_bilinear equals Pillow to the bit") {
  std::ifstream file(std::string(ACOL_SOURCE_DIR) + "/tests/golden/pil_resize.txt");
  REQUIRE(file);
  std::string line;
  std::getline(file, line);  // which Pillow
  std::uint32_t cases = 0;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    int in_width = 0, in_height = 0, width = 0, height = 0;
    std::uint64_t hash = 0;
    std::string bytes;
    fields >> in_width >> in_height >> width >> height >> std::hex >> hash;
    REQUIRE(fields);
    fields >> bytes;
    CAPTURE(line);
    const Image out = resize_bilinear(picture(in_width, in_height, ++cases), width, height);
    CHECK(out.width == width);
    CHECK(out.height == height);
    if (!bytes.empty()) CHECK(hex(out.rgb) == bytes);
    CHECK(fnv1a(out.rgb) == hash);
  }
  CHECK(cases >= 30);
}

TEST_CASE("columns go first where the height loses more than twice what the width loses") {
  const auto rows_first = [](const Image& image, int width, int height) {
    return resize_bilinear(resize_bilinear(image, width, image.height), width, height);
  };
  const auto columns_first = [](const Image& image, int width, int height) {
    return resize_bilinear(resize_bilinear(image, image.width, height), width, height);
  };
  const Image at = picture(40, 60, 1), beyond = picture(40, 61, 1), taller = picture(40, 20, 1);  // 2 * 20 = 60 - 20
  REQUIRE_FALSE(rows_first(at, 20, 20) == columns_first(at, 20, 20));
  REQUIRE_FALSE(rows_first(beyond, 20, 20) == columns_first(beyond, 20, 20));
  CHECK(resize_bilinear(at, 20, 20) == rows_first(at, 20, 20));
  CHECK(resize_bilinear(beyond, 20, 20) == columns_first(beyond, 20, 20));
  REQUIRE_FALSE(rows_first(taller, 80, 30) == columns_first(taller, 80, 30));
  CHECK(resize_bilinear(taller, 80, 30) == rows_first(taller, 80, 30));  // growing: rows first
}

TEST_CASE("the shorter side decides, the other is rounded down") {
  CHECK(shorter_side_size(500, 375, 256) == Size{341, 256});
  CHECK(shorter_side_size(375, 500, 256) == Size{256, 341});
  CHECK(shorter_side_size(64, 64, 72) == Size{72, 72});
  CHECK(shorter_side_size(1, 3, 1) == Size{1, 3});
  const Image image = picture(30, 20, 5);
  CHECK(resize_shorter_side(image, 20) == image);
  CHECK(resize_shorter_side(image, 33) == resize_bilinear(image, 49, 33));
}

TEST_CASE("crop takes what it says") {
  const Image image = picture(7, 5, 3);
  const Image part = crop(image, 2, 1, 4, 3);
  REQUIRE(part.rgb.size() == 4 * 3 * 3);
  for (std::size_t y = 0; y < 3; ++y)
    for (std::size_t i = 0; i < 12; ++i) CHECK(part.rgb[y * 12 + i] == image.rgb[(y + 1) * 21 + 6 + i]);
  CHECK(crop(image, 0, 0, 7, 5) == image);
}

TEST_CASE("resize and crop refuse what cannot be") {
  const Image image = picture(7, 5, 3);
  CHECK_THROWS_AS(resize_bilinear(image, 0, 3), Error);
  CHECK_THROWS_AS(resize_bilinear(image, 3, -1), Error);
  CHECK_THROWS_AS(resize_bilinear(Image{}, 3, 3), Error);
  CHECK_THROWS_AS(resize_bilinear(Image{2, 2, {1, 2, 3}}, 3, 3), Error);
  CHECK_THROWS_AS(resize_bilinear(image, 1 << 20, 1 << 20), Error);
  CHECK_THROWS_AS(shorter_side_size(1, 1 << 24, 256), Error);
  CHECK_THROWS_AS(crop(image, 4, 0, 4, 5), Error);
  CHECK_THROWS_AS(crop(image, -1, 0, 4, 5), Error);
  CHECK_THROWS_AS(crop(image, 0, 0, 0, 5), Error);
}
