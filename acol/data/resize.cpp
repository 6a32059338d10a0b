#include "acol/data/resize.h"

#include <algorithm>
#include <cmath>

#include "tensor/check.h"

namespace acol {

namespace {

constexpr int fraction_bits = 32 - 8 - 2;  // a byte, a sign and one bit of headroom are left of 32

// For each output position the first input position that counts, and the weights from there on.
struct Filter {
  int taps = 0;                      // weights stored for each output; unused ones are 0
  std::vector<int> first, count;     // per output
  std::vector<std::int32_t> weight;  // [output][taps], fixed point
};

Filter triangle_filter(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const double support = std::max(scale, 1.0);  // half width of the triangle, in input pixels
  Filter filter;
  filter.taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  filter.first.resize(static_cast<std::size_t>(out));
  filter.count.resize(static_cast<std::size_t>(out));
  filter.weight.assign(static_cast<std::size_t>(out) * static_cast<std::size_t>(filter.taps), 0);

  // The reciprocal is multiplied, not divided by: the last bit of a weight depends on it.
  const double inverse = 1.0 / support;
  std::vector<double> exact(static_cast<std::size_t>(filter.taps));
  for (int o = 0; o < out; ++o) {
    const double center = (o + 0.5) * scale;
    const int begin = std::max(0, static_cast<int>(center - support + 0.5));
    const int end = std::min(in, static_cast<int>(center + support + 0.5));
    double sum = 0;
    for (int i = begin; i < end; ++i) {
      const double distance = std::abs((i - center + 0.5) * inverse);
      const double weight = distance < 1.0 ? 1.0 - distance : 0.0;
      exact[static_cast<std::size_t>(i - begin)] = weight;
      sum += weight;
    }
    std::int32_t* to = &filter.weight[static_cast<std::size_t>(o) * static_cast<std::size_t>(filter.taps)];
    for (int t = 0; t < end - begin; ++t) {
      const double share = sum != 0.0 ? exact[static_cast<std::size_t>(t)] / sum : exact[static_cast<std::size_t>(t)];
      to[t] = static_cast<std::int32_t>(0.5 + share * (1 << fraction_bits));
    }
    filter.first[static_cast<std::size_t>(o)] = begin;
    filter.count[static_cast<std::size_t>(o)] = end - begin;
  }
  return filter;
}

std::uint8_t to_byte(std::int32_t sum) { return static_cast<std::uint8_t>(std::clamp(sum >> fraction_bits, 0, 255)); }

constexpr std::int32_t half = 1 << (fraction_bits - 1);

Image resize_rows(const Image& image, int width) {
  const Filter filter = triangle_filter(image.width, width);
  Image out{width, image.height, {}};
  out.rgb.resize(std::size_t{3} * static_cast<std::size_t>(width) * static_cast<std::size_t>(image.height));
  std::uint8_t* to = out.rgb.data();
  for (int y = 0; y < image.height; ++y) {
    const std::uint8_t* row =
        image.rgb.data() + std::size_t{3} * static_cast<std::size_t>(y) * static_cast<std::size_t>(image.width);
    const std::int32_t* weight = filter.weight.data();
    for (std::size_t x = 0; x < static_cast<std::size_t>(width); ++x, weight += filter.taps, to += 3) {
      const std::uint8_t* from = row + 3 * filter.first[x];
      std::int32_t r = half, g = half, b = half;
      for (int t = 0; t < filter.count[x]; ++t, from += 3) {
        r += weight[t] * from[0];
        g += weight[t] * from[1];
        b += weight[t] * from[2];
      }
      to[0] = to_byte(r);
      to[1] = to_byte(g);
      to[2] = to_byte(b);
    }
  }
  return out;
}

Image resize_columns(const Image& image, int height) {
  const Filter filter = triangle_filter(image.height, height);
  const std::size_t row = std::size_t{3} * static_cast<std::size_t>(image.width);
  Image out{image.width, height, {}};
  out.rgb.resize(row * static_cast<std::size_t>(height));
  std::vector<std::int32_t> sum(row);
  for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) {
    std::fill(sum.begin(), sum.end(), half);
    for (int t = 0; t < filter.count[y]; ++t) {
      const std::int32_t weight =
          filter.weight[y * static_cast<std::size_t>(filter.taps) + static_cast<std::size_t>(t)];
      const std::uint8_t* from = image.rgb.data() + row * static_cast<std::size_t>(filter.first[y] + t);
      for (std::size_t x = 0; x < row; ++x) sum[x] += weight * from[x];
    }
    std::transform(sum.begin(), sum.end(), out.rgb.begin() + static_cast<std::ptrdiff_t>(row * y), to_byte);
  }
  return out;
}

// Which of the two directions goes first moves last bits, since bytes lie between them. Pillow 13 begins with the
// columns where the height loses more than twice as many pixels as the width; found by trying 5,880 pairs of random
// sizes.
bool columns_first(const Image& image, int width, int height) {
  return height < image.height && std::int64_t{image.height} - height > 2 * (std::int64_t{image.width} - width);
}

void check_image(const char* what, const Image& image) {
  check(image.width > 0 && image.height > 0 &&
            image.rgb.size() ==
                std::size_t{3} * static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height),
        what, ": expected an image with 3 bytes a pixel, got ", image.width, "x", image.height, " with ",
        image.rgb.size(), " bytes");
}

}  // namespace

Image resize_bilinear(const Image& image, int width, int height) {
  check_image("resize", image);
  check(width > 0 && height > 0 && std::int64_t{width} * height <= max_pixels &&
            std::int64_t{width} * image.height <= max_pixels,
        "resize: cannot make ", width, "x", height, " of ", image.width, "x", image.height,
        "; sizes start at 1 and end at ", max_pixels, " pixels");
  if (width == image.width) return height == image.height ? image : resize_columns(image, height);
  if (height == image.height) return resize_rows(image, width);
  return columns_first(image, width, height) ? resize_rows(resize_columns(image, height), width)
                                             : resize_columns(resize_rows(image, width), height);
}

Size shorter_side_size(int width, int height, int side) {
  check(width > 0 && height > 0 && side > 0, "resize: expected sizes of at least 1, got ", width, "x", height,
        " and shorter side ", side);
  const std::int64_t longer = std::int64_t{side} * std::max(width, height) / std::min(width, height);
  check(longer * side <= max_pixels, "resize: shorter side ", side, " of a picture of ", width, "x", height,
        " makes more than ", max_pixels, " pixels");
  return width <= height ? Size{side, static_cast<int>(longer)} : Size{static_cast<int>(longer), side};
}

Image resize_shorter_side(const Image& image, int side) {
  check_image("resize", image);
  const Size size = shorter_side_size(image.width, image.height, side);
  return resize_bilinear(image, size.width, size.height);
}

Image crop(const Image& image, int x, int y, int width, int height) {
  check_image("crop", image);
  check(x >= 0 && y >= 0 && width > 0 && height > 0 && x <= image.width - width && y <= image.height - height,
        "crop: ", width, "x", height, " at (", x, ", ", y, ") does not lie inside ", image.width, "x", image.height);
  Image out{width, height, {}};
  const std::size_t row = std::size_t{3} * static_cast<std::size_t>(width);
  out.rgb.resize(row * static_cast<std::size_t>(height));
  for (int i = 0; i < height; ++i) {
    const auto from =
        (static_cast<std::size_t>(y + i) * static_cast<std::size_t>(image.width) + static_cast<std::size_t>(x)) * 3;
    std::copy_n(image.rgb.begin() + static_cast<std::ptrdiff_t>(from), row,
                out.rgb.begin() + static_cast<std::ptrdiff_t>(row * static_cast<std::size_t>(i)));
  }
  return out;
}

}  // namespace acol
