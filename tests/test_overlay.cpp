// Colours, overlays, boxes, captions.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>

#include "acol/report/font.h"
#include "acol/report/overlay.h"
#include "tensor/check.h"

using namespace acol;

namespace {

Image plain(int width, int height, std::uint8_t value) {
  return Image{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * 3), value)};
}

Rgb pixel(const Image& image, int x, int y) {
  const std::size_t at = static_cast<std::size_t>((y * image.width + x) * 3);
  return {image.rgb.at(at), image.rgb.at(at + 1), image.rgb.at(at + 2)};
}

// Relative luminance of an sRGB colour.
double luminance(const Rgb& colour) {
  const auto linear = [](double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
  return 0.2126 * linear(colour[0] / 255.0) + 0.7152 * linear(colour[1] / 255.0) + 0.0722 * linear(colour[2] / 255.0);
}

}  // namespace

TEST_CASE("the colour path is monotone in lightness, smooth, and safe") {
  for (int i = 1; i < 256; ++i) {
    const Rgb before = heat_colour((i - 1) / 255.0), here = heat_colour(i / 255.0);
    CHECK(luminance(here) > luminance(before));
    for (std::size_t c = 0; c < 3; ++c) CHECK(std::abs(int{here[c]} - int{before[c]}) <= 8);
  }
  CHECK(luminance(heat_colour(0)) < 0.02);
  CHECK(luminance(heat_colour(1)) > 0.85);
  CHECK(heat_colour(-3) == heat_colour(0));
  CHECK(heat_colour(7) == heat_colour(1));
  CHECK(heat_colour(std::numeric_limits<double>::quiet_NaN()) == heat_colour(0));
}

TEST_CASE("overlay blends") {
  const Image picture = plain(3, 2, 100);
  const ScoreMap map{3, 2, {0, 0.2, 0.4, 0.6, 0.8, 1}};
  CHECK(overlay(picture, map, 0) == picture);
  CHECK(overlay(picture, map, 1) == heat_picture(map));
  const Rgb half = pixel(overlay(picture, map, 0.5), 2, 1), hot = heat_colour(1);
  for (std::size_t c = 0; c < 3; ++c) CHECK(half[c] == std::lround(0.5 * 100 + 0.5 * hot[c]));
  const Image large = overlay(plain(30, 20, 0), ScoreMap{1, 1, {1}}, 1);  // the map is brought to the picture's size
  CHECK(large.width == 30);
  CHECK(pixel(large, 29, 19) == hot);
  CHECK_THROWS_AS(overlay(picture, map, 1.1), Error);
  CHECK_THROWS_AS(overlay(picture, map, std::numeric_limits<double>::quiet_NaN()), Error);
  CHECK_THROWS_AS(overlay(Image{}, map, 0.5), Error);
  CHECK_THROWS_AS(overlay(picture, ScoreMap{}, 0.5), Error);
}

TEST_CASE("boxes are drawn inwards from their inclusive corners") {
  Image image = plain(8, 7, 0);
  draw_box(image, {1, 1, 6, 5}, palette::green, 1);
  int drawn = 0;
  for (int y = 0; y < 7; ++y)
    for (int x = 0; x < 8; ++x) {
      const bool edge = x >= 1 && x <= 6 && y >= 1 && y <= 5 && (x == 1 || x == 6 || y == 1 || y == 5);
      CHECK(pixel(image, x, y) == (edge ? palette::green : Rgb{0, 0, 0}));
      drawn += edge;
    }
  CHECK(drawn == 18);
  Image thick = plain(8, 7, 0);
  draw_box(thick, {1, 1, 6, 5}, palette::red, 2);
  CHECK(pixel(thick, 2, 2) == palette::red);
  CHECK(pixel(thick, 3, 3) == palette::black);
  CHECK(pixel(thick, 0, 0) == palette::black);
  // A thickness beyond the box stays in it; a box outside the picture draws nothing.
  Image small = plain(8, 7, 0);
  draw_box(small, {3, 3, 4, 4}, palette::red, 9);
  CHECK(pixel(small, 2, 3) == palette::black);
  CHECK(pixel(small, 5, 4) == palette::black);
  const Image before = small;
  draw_box(small, {100, -90, 200, -50}, palette::red, 3);
  draw_box(small, {0, 0, 7, 6}, palette::red, 0);
  CHECK(small == before);
  draw_box(small, {-2147483647, -2147483647, 2147483646, 2147483646}, palette::red, 3);
  CHECK(small == before);
}

TEST_CASE("text") {
  Image image = plain(20, 10, 0);
  draw_text(image, 1, 1, "i", palette::white);
  CHECK(pixel(image, 3, 4) == palette::white);
  CHECK(pixel(image, 1, 4) == palette::black);
  Image capital = plain(20, 10, 0);
  draw_text(capital, 1, 1, "I", palette::white);
  CHECK(image == capital);
  CHECK(text_width("", 3) == 0);
  CHECK(text_width("AB", 2) == 22);
  CHECK(text_height(2) == 14);
  draw_text(image, -3, 8, "OUTSIDE AND TOO LONG", palette::red, 3);  // must stay in the picture
  CHECK_THROWS_AS(draw_text(image, 0, 0, "A", palette::red, 0), Error);
  // All letters and digits differ, so that a caption can be read.
  std::set<std::string_view> shapes;
  for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:-+_=%/()")) {
    CHECK(glyph(c).size() == static_cast<std::size_t>(glyph_width * glyph_height));
    CHECK(shapes.insert(glyph(c)).second);
  }
  CHECK(glyph('\xC3') == glyph('\x01'));
  CHECK(shapes.count(glyph('\x01')) == 0);
}

TEST_CASE("panels") {
  const Image row = side_by_side({plain(3, 2, 10), plain(2, 4, 20)}, 1);
  CHECK(row.width == 6);
  CHECK(row.height == 4);
  CHECK(pixel(row, 2, 1) == Rgb{10, 10, 10});
  CHECK(pixel(row, 3, 1) == palette::white);  // gap
  CHECK(pixel(row, 4, 3) == Rgb{20, 20, 20});
  CHECK(pixel(row, 0, 3) == palette::white);  // filled up
  const Image column = stacked({plain(3, 2, 10), plain(2, 4, 20)}, 0);
  CHECK(column.width == 3);
  CHECK(column.height == 6);
  CHECK(pixel(column, 1, 5) == Rgb{20, 20, 20});
  const Image labelled = captioned(plain(40, 5, 7), "A", 1);
  CHECK(labelled.width == 40);
  CHECK(labelled.height == 5 + 13);
  CHECK(pixel(labelled, 39, 4) == Rgb{7, 7, 7});
  CHECK(pixel(labelled, 4, 8) == palette::white);
  CHECK_THROWS_AS(side_by_side({}), Error);
  CHECK_THROWS_AS(side_by_side({plain(1, 1, 0)}, -1), Error);
}
