// Pictures as bytes, and their files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace acol {

// An RGB picture. Pixel (x, y) is rgb[(y * width + x) * 3 + channel], values 0..255, row 0 at the top.
struct Image {
  int width = 0, height = 0;
  std::vector<std::uint8_t> rgb;
  friend bool operator==(const Image&, const Image&) = default;
};

// Larger pictures are refused before any memory is taken for them.
inline constexpr std::int64_t max_pixels = std::int64_t{1} << 28;

struct ReadOptions {
  // The known data sets' boxes refer to the stored pixels, and Pillow, which the code for ACoL reads with, ignores the
  // orientation. OpenCV's imread, viewers and phones apply it.
  bool apply_exif = false;
};

// Reads a JPEG, PNG, BMP or binary PNM file; the content decides, not the name. Grey becomes RGB, alpha is dropped (not
// blended), of 16 bits the upper 8 are kept (as OpenCV; Pillow clips 16-bit grey at 255 instead), colour profiles are
// ignored. CMYK and YCCK JPEGs become RGB as Pillow's convert("RGB") does it: ink * (255 - black) / 255, the inks
// inverted as Adobe writes them.
// Error, naming the path: missing, not a regular file, empty, more than 2 GiB, not a picture, cut short (JPEG decoders
// fill the rest with grey, we refuse), more than max_pixels.
Image read_image(const std::filesystem::path& path, ReadOptions options = {});

// The same for bytes in memory; `name` stands for the path in errors.
Image decode_image(std::string_view bytes, const std::string& name, ReadOptions options = {});

// What the message of an Error about `path` says after the path; all of it if it does not name the path.
std::string reason_of(const std::string& message, const std::filesystem::path& path);

// The picture as its EXIF orientation (1..8) means it: 1 as it is, 2 mirrored, 3 half a turn, 4 upside down, 6 a
// quarter turn clockwise, 8 counterclockwise, 5 and 7 transposed along one and the other diagonal.
Image turned(const Image& image, int orientation);

// The bytes of a PNG file. `grey` has width * height values.
std::string encode_png(const Image& image);
std::string encode_png_grey(const std::vector<std::uint8_t>& grey, int width, int height);

// Written beside and renamed; Error if the path is not writable.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace acol
