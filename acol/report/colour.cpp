#include "acol/report/colour.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace acol {

namespace {

// Linear red, green, blue in 0..1 (outside: the screen can not show it) of a colour in the polar form of Oklab.
// The two matrices are those of the definition: Lab to cone responses, and their cubes to linear sRGB.
std::array<double, 3> linear_rgb(double lightness, double chroma, double hue_degrees) {
  const double hue = hue_degrees * std::numbers::pi / 180;
  const double a = chroma * std::cos(hue), b = chroma * std::sin(hue);
  const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
  return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
          -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
          -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

bool shown(const std::array<double, 3>& linear) {
  return std::all_of(linear.begin(), linear.end(), [](double v) { return v >= 0 && v <= 1; });
}

std::uint8_t to_byte(double linear) {
  const double v = std::clamp(linear, 0.0, 1.0);
  const double encoded = v <= 0.0031308 ? 12.92 * v : 1.055 * std::pow(v, 1 / 2.4) - 0.055;  // the curve of sRGB
  return static_cast<std::uint8_t>(std::lround(encoded * 255));
}

Rgb path(double score) {
  const double lightness = 0.22 + 0.74 * score, hue = 265 + 200 * score;
  double low = 0, high = 0.19;  // grey can always be shown
  if (shown(linear_rgb(lightness, high, hue))) low = high;
  for (int i = 0; i < 30 && low < high; ++i) {
    const double middle = (low + high) / 2;
    (shown(linear_rgb(lightness, middle, hue)) ? low : high) = middle;
  }
  const std::array<double, 3> linear = linear_rgb(lightness, low, hue);
  return {to_byte(linear[0]), to_byte(linear[1]), to_byte(linear[2])};
}

}  // namespace

Rgb heat_colour(double score) {
  static const std::array<Rgb, 256> table = [] {
    std::array<Rgb, 256> made{};
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = path(static_cast<double>(i) / 255);
    return made;
  }();
  if (!(score > 0)) return table[0];
  return table[static_cast<std::size_t>(std::lround(std::min(score, 1.0) * 255))];
}

}  // namespace acol
