#include "acol/data/picture_header.h"

#include <stb/stb_image.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <system_error>

#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

using namespace std::string_view_literals;

constexpr std::size_t header_bytes = 64 * 1024;

bool is_png(std::string_view bytes) { return bytes.starts_with("\x89PNG\r\n\x1A\n"sv); }

// `count` bytes at `at`, either order; 0 past the end.
std::uint32_t number_at(std::string_view bytes, std::size_t at, std::size_t count, bool little) {
  if (at > bytes.size() || count > bytes.size() - at) return 0;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + (little ? count - 1 - i : i)]);
  return value;
}

// `tiff`: EXIF data as TIFF has them: byte order, 42, offset of the first directory; entries of 12 bytes.
int orientation_of(std::string_view tiff) {
  const bool little = tiff.starts_with("II");
  if ((!little && !tiff.starts_with("MM")) || number_at(tiff, 2, 2, little) != 42) return 1;
  const std::size_t directory = number_at(tiff, 4, 4, little);
  const std::size_t entries = number_at(tiff, directory, 2, little);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;
    if (number_at(tiff, entry, 2, little) != 0x0112) continue;
    const bool is_short = number_at(tiff, entry + 2, 2, little) == 3 && number_at(tiff, entry + 4, 4, little) == 1;
    const std::uint32_t value = number_at(tiff, entry + 8, 2, little);
    return is_short && value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

std::string_view png_chunk(std::string_view bytes, std::string_view type) {
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const std::size_t length = number_at(bytes, at, 4, false);
    if (length > bytes.size() - at - 12) break;
    if (bytes.substr(at + 4, 4) == type) return bytes.substr(at + 8, length);
    at += 12 + length;
  }
  return {};
}

const char* format_of(std::string_view bytes) {
  if (is_jpeg(bytes)) return "JPEG";
  if (is_png(bytes)) return "PNG";
  return bytes.starts_with("BM") ? "BMP" : "PNM";
}

}  // namespace

bool is_jpeg(std::string_view bytes) { return bytes.starts_with("\xFF\xD8"sv); }

std::string_view jpeg_segment(std::string_view bytes, unsigned marker, std::string_view start) {
  for (std::size_t at = 2; at + 4 <= bytes.size();) {
    const std::uint32_t mark = number_at(bytes, at, 2, false);
    if (mark == 0xFFFF) {
      ++at;  // fill byte
      continue;
    }
    if (mark < 0xFFC0 || mark == 0xFFD9 || mark == 0xFFDA) return {};  // damage, the end, or the pixels
    const std::size_t length = number_at(bytes, at + 2, 2, false);
    if (length < 2 || length > bytes.size() - at - 2) return {};
    const std::string_view payload = bytes.substr(at + 4, length - 2);
    if (mark == 0xFF00 + marker && payload.starts_with(start)) return payload;
    at += 2 + length;
  }
  return {};
}

int exif_orientation(std::string_view bytes) {
  if (is_jpeg(bytes)) {
    const std::string_view exif = jpeg_segment(bytes, 0xE1, "Exif\0\0"sv);
    return exif.empty() ? 1 : orientation_of(exif.substr(6));
  }
  return is_png(bytes) ? orientation_of(png_chunk(bytes, "eXIf")) : 1;
}

namespace {

// A frame's payload: precision, height, width, count of colours. 0 if no frame is found.
int jpeg_colours(std::string_view jpeg) {
  for (const unsigned frame : {0xC0u, 0xC1u, 0xC2u})  // those that can be decoded
    if (const std::string_view payload = jpeg_segment(jpeg, frame, ""); payload.size() >= 6)
      return static_cast<unsigned char>(payload[5]);
  return 0;
}

}  // namespace

std::string with_adobe_segment(std::string_view jpeg) {
  if (jpeg_colours(jpeg) != 4 || !jpeg_segment(jpeg, 0xEE, "Adobe").empty()) return {};
  // Version 100, two words of flags, 0: the inks themselves, not YCCK.
  constexpr std::string_view segment =
      "\xFF\xEE\x00\x0E"
      "Adobe\x00\x64\x00\x00\x00\x00\x00"sv;
  return std::string(jpeg.substr(0, 2)).append(segment).append(jpeg.substr(2));
}

PictureInfo picture_info(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  check(fs::exists(status), "cannot read image ", path.string(), ": no such file");
  check(fs::is_regular_file(status), "cannot read image ", path.string(), ": not a regular file");
  const InputFile file(path);
  check(file.size() > 0, "cannot read image ", path.string(), ": the file is empty");
  check(file.size() <= std::numeric_limits<int>::max(), "cannot read image ", path.string(), ": more than 2 GiB");

  std::string bytes;
  PictureInfo info;
  for (const std::uint64_t wanted : {std::min<std::uint64_t>(header_bytes, file.size()), file.size()}) {
    bytes.resize(static_cast<std::size_t>(wanted));
    check(file.read(0, bytes.data(), bytes.size()), "cannot read image ", path.string(), ": it ends while it is read");
    const int found = stbi_info_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()),
                                            static_cast<int>(bytes.size()), &info.width, &info.height, &info.channels);
    if (found != 0) {
      info.format = format_of(bytes);
      info.orientation = exif_orientation(bytes);
      // stb_image says 3 for CMYK, which it will have turned into RGB.
      if (const int colours = info.format == "JPEG" ? jpeg_colours(bytes) : 0; colours > 0) info.channels = colours;
      return info;
    }
  }
  fail("cannot read image ", path.string(), ": not a JPEG, PNG, BMP or binary PNM file, or its header is damaged");
}

}  // namespace acol
