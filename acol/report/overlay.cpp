#include "acol/report/overlay.h"

#include <algorithm>
#include <cmath>

#include "acol/report/font.h"
#include "tensor/check.h"

namespace acol {

namespace {

Image filled(int width, int height, const Rgb& colour) {
  check(std::int64_t{width} * height <= max_pixels, "picture: ", width, " x ", height, " is more than ", max_pixels,
        " pixels");
  Image image{width, height, {}};
  image.rgb.resize(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = colour[i % 3];
  return image;
}

void set_pixel(Image& image, int x, int y, const Rgb& colour) {
  if (x < 0 || y < 0 || x >= image.width || y >= image.height) return;
  const std::size_t pixel =
      static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width) + static_cast<std::size_t>(x);
  std::copy(colour.begin(), colour.end(), image.rgb.begin() + static_cast<std::ptrdiff_t>(pixel * 3));
}

void fill(Image& image, const Box& box, const Rgb& colour) {
  for (int y = std::max(box.y0, 0); y <= std::min(box.y1, image.height - 1); ++y)
    for (int x = std::max(box.x0, 0); x <= std::min(box.x1, image.width - 1); ++x) set_pixel(image, x, y, colour);
}

// Copies `from` so that its top left pixel comes to (x, y); it has to fit.
void paste(const Image& from, int x, int y, Image& onto) {
  const std::ptrdiff_t row_bytes = std::ptrdiff_t{3} * from.width;
  for (int row = 0; row < from.height; ++row) {
    const auto begin = from.rgb.begin() + row * row_bytes;
    std::copy(begin, begin + row_bytes, onto.rgb.begin() + (std::ptrdiff_t{y + row} * onto.width + x) * 3);
  }
}

Image arranged(const std::vector<Image>& panels, int gap, bool in_a_row) {
  check(!panels.empty(), "side_by_side, stacked: no panel given");
  check(gap >= 0, "side_by_side, stacked: the gap must be at least 0 pixels, got ", gap);
  int along = -gap, across = 0;
  for (const Image& panel : panels) {
    along += gap + (in_a_row ? panel.width : panel.height);
    across = std::max(across, in_a_row ? panel.height : panel.width);
  }
  Image out = filled(in_a_row ? along : across, in_a_row ? across : along, palette::white);
  int at = 0;
  for (const Image& panel : panels) {
    paste(panel, in_a_row ? at : 0, in_a_row ? 0 : at, out);
    at += gap + (in_a_row ? panel.width : panel.height);
  }
  return out;
}

}  // namespace

Image overlay(const Image& picture, const ScoreMap& map, double alpha) {
  validate(map, "overlay");
  check(picture.width >= 1 && picture.height >= 1, "overlay: an empty picture");
  check(alpha >= 0 && alpha <= 1, "overlay: alpha must be in [0, 1], got ", alpha);
  const ScoreMap fitting = resized(map, picture.width, picture.height, Interpolation::bilinear);
  Image out = picture;
  for (std::size_t i = 0; i < fitting.values.size(); ++i) {
    const Rgb colour = heat_colour(fitting.values[i]);
    for (std::size_t c = 0; c < 3; ++c) {
      const double mixed = (1 - alpha) * picture.rgb[i * 3 + c] + alpha * colour[c];
      out.rgb[i * 3 + c] = static_cast<std::uint8_t>(std::lround(mixed));
    }
  }
  return out;
}

Image heat_picture(const ScoreMap& map) {
  validate(map, "heat_picture");
  return overlay(filled(map.width, map.height, palette::black), map, 1);
}

void draw_box(Image& image, const Box& box, const Rgb& colour, int thickness) {
  const int t = thickness - 1;
  if (t < 0) return;
  fill(image, Box{box.x0, box.y0, box.x1, std::min(box.y0 + t, box.y1)}, colour);
  fill(image, Box{box.x0, std::max(box.y1 - t, box.y0), box.x1, box.y1}, colour);
  fill(image, Box{box.x0, box.y0, std::min(box.x0 + t, box.x1), box.y1}, colour);
  fill(image, Box{std::max(box.x1 - t, box.x0), box.y0, box.x1, box.y1}, colour);
}

void draw_text(Image& image, int x, int y, std::string_view text, const Rgb& colour, int scale) {
  check(scale >= 1, "draw_text: the scale must be at least 1, got ", scale);
  for (const char character : text) {
    const std::string_view shape = glyph(character);
    for (int row = 0; row < glyph_height; ++row)
      for (int column = 0; column < glyph_width; ++column) {
        if (shape[static_cast<std::size_t>(row * glyph_width + column)] != '#') continue;
        const int left = x + column * scale, top = y + row * scale;
        fill(image, Box{left, top, left + scale - 1, top + scale - 1}, colour);
      }
    x += (glyph_width + 1) * scale;
  }
}

int text_width(std::string_view text, int scale) {
  return text.empty() ? 0 : (static_cast<int>(text.size()) * (glyph_width + 1) - 1) * scale;
}

Image captioned(const Image& image, std::string_view text, int scale) {
  const int margin = 3 * scale;
  Image strip = filled(image.width, text_height(scale) + 2 * margin, Rgb{40, 40, 48});
  draw_text(strip, margin, margin, text, palette::white, scale);
  return stacked({image, strip}, 0);
}

Image side_by_side(const std::vector<Image>& panels, int gap) { return arranged(panels, gap, true); }
Image stacked(const std::vector<Image>& panels, int gap) { return arranged(panels, gap, false); }

}  // namespace acol
