#include "acol/data/image.h"

#include <stb/stb_image.h>
#include <stb/stb_image_write.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <memory>
#include <system_error>

#include "acol/data/picture_header.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

// The decoder counts bytes in an int.
constexpr std::uintmax_t max_bytes = std::numeric_limits<int>::max();
constexpr const char* too_large = "more than 2 GiB";

unsigned byte_at(std::string_view bytes, std::size_t i) { return static_cast<unsigned char>(bytes[i]); }

// A table segment holds tables of a head byte, 16 counts of codes and the codes. The decoder writes as many codes as
// the counts say into room for 256, so larger sums must not reach it.
bool huffman_tables_fit(std::string_view tables) {
  while (tables.size() >= 17) {
    std::size_t codes = 0;
    for (std::size_t i = 1; i <= 16; ++i) codes += byte_at(tables, i);
    if (codes > 256 || tables.size() < 17 + codes) return false;
    tables.remove_prefix(17 + codes);
  }
  return tables.empty();
}

// What is wrong with a JPEG, or nullptr. Walks the segments up to the end-of-image marker. Segments are jumped over by
// their length, so that the marker of a thumbnail inside an EXIF segment does not count, and whatever follows the
// marker is of no concern.
const char* jpeg_fault(std::string_view bytes) {
  constexpr const char* truncated = "truncated JPEG (no end-of-image marker)";
  std::size_t at = 2;
  while (at + 1 < bytes.size()) {
    if (byte_at(bytes, at) != 0xFF) {
      ++at;  // entropy-coded data, or junk between segments
      continue;
    }
    const unsigned marker = byte_at(bytes, at + 1);
    if (marker == 0xD9) return nullptr;
    if (marker == 0xFF) {
      ++at;  // fill byte
    } else if (marker == 0x00 || marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) {
      at += 2;  // stuffed zero, or a marker without a segment
    } else {
      if (at + 3 >= bytes.size()) return truncated;
      const std::size_t length = std::max(2u, byte_at(bytes, at + 2) * 256 + byte_at(bytes, at + 3));
      if (at + 2 + length > bytes.size()) return truncated;
      if (marker == 0xC4 && !huffman_tables_fit(bytes.substr(at + 4, length - 2)))
        return "damaged JPEG (impossible Huffman table)";
      at += 2 + length;
    }
  }
  return truncated;
}

std::uint64_t little_endian(std::string_view bytes, std::size_t at, int count) {
  std::uint64_t value = 0;
  for (int i = 0; i < count; ++i) value |= std::uint64_t{byte_at(bytes, at + static_cast<std::size_t>(i))} << (8 * i);
  return value;
}

// The decoder reads zeros past the end of a BMP, so its size is checked here.
bool bmp_is_whole(std::string_view bytes, int width, int height) {
  if (bytes.size() < 30) return false;
  const std::uint64_t offset = little_endian(bytes, 10, 4);
  const bool old_header = little_endian(bytes, 14, 4) == 12;
  const std::uint64_t bits = static_cast<std::uint64_t>(width) * little_endian(bytes, old_header ? 24 : 28, 2);
  const std::uint64_t stride = (bits + 31) / 32 * 4;
  return bytes.size() >= offset + stride * static_cast<std::uint64_t>(height - 1) + (bits + 7) / 8;
}

// Nor does the decoder check that a PNM has all its pixels.
bool pnm_is_whole(std::string_view bytes, int width, int height, int channels) {
  std::size_t at = 2;
  std::uint64_t number = 0;
  for (int token = 0; token < 3; ++token) {  // width, height, largest value
    const auto is_space = [&] { return std::isspace(static_cast<unsigned char>(bytes[at])) != 0; };
    while (at < bytes.size() && (is_space() || bytes[at] == '#')) {
      if (bytes[at] == '#')
        while (at < bytes.size() && bytes[at] != '\n') ++at;
      else
        ++at;
    }
    number = 0;
    while (at < bytes.size() && !is_space()) {
      number = std::min<std::uint64_t>(number * 10 + (byte_at(bytes, at) - '0'), 1u << 20);
      ++at;
    }
  }
  const auto values = static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height) *
                      static_cast<std::uint64_t>(channels) * (number > 255 ? 2 : 1);
  return bytes.size() >= at + 1 + values;
}

void append(void* context, void* data, int size) {
  static_cast<std::string*>(context)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::string encode(const std::uint8_t* pixels, std::size_t count, int width, int height, int channels) {
  check(width > 0 && height > 0 &&
            count ==
                static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * static_cast<std::size_t>(channels),
        "png: ", count, " values do not make a picture of ", width, "x", height, "x", channels);
  std::string bytes;
  check(stbi_write_png_to_func(append, &bytes, width, height, channels, pixels, width * channels) != 0,
        "png: cannot encode a picture of ", width, "x", height);
  return bytes;
}

}  // namespace

Image turned(const Image& image, int orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool transposed = orientation >= 5;
  const bool right_to_left = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool bottom_to_top = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const auto width = static_cast<std::size_t>(image.width), height = static_cast<std::size_t>(image.height);
  Image result{transposed ? image.height : image.width, transposed ? image.width : image.height, {}};
  result.rgb.reserve(image.rgb.size());
  for (int y = 0; y < result.height; ++y)
    for (int x = 0; x < result.width; ++x) {
      auto from_x = static_cast<std::size_t>(transposed ? y : x), from_y = static_cast<std::size_t>(transposed ? x : y);
      if (right_to_left) from_x = width - 1 - from_x;
      if (bottom_to_top) from_y = height - 1 - from_y;
      const std::uint8_t* pixel = image.rgb.data() + 3 * (from_y * width + from_x);
      result.rgb.insert(result.rgb.end(), pixel, pixel + 3);
    }
  return result;
}

Image decode_image(std::string_view bytes, const std::string& name, ReadOptions options) {
  check(!bytes.empty(), "cannot read image ", name, ": the file is empty");
  check(bytes.size() <= max_bytes, "cannot read image ", name, ": ", too_large);
  if (options.apply_exif) return turned(decode_image(bytes, name), exif_orientation(bytes));
  const std::string marked = is_jpeg(bytes) ? with_adobe_segment(bytes) : std::string();
  if (!marked.empty()) bytes = marked;
  const auto* data = reinterpret_cast<const stbi_uc*>(bytes.data());
  const int size = static_cast<int>(bytes.size());
  // Before the header is looked at: a JPEG cut inside its header is better called truncated than unknown.
  const char* fault = is_jpeg(bytes) ? jpeg_fault(bytes) : nullptr;
  check(fault == nullptr, "cannot read image ", name, ": ", fault ? fault : "");

  int width = 0, height = 0, channels = 0;
  check(stbi_info_from_memory(data, size, &width, &height, &channels) != 0, "cannot read image ", name,
        ": not a JPEG, PNG, BMP or binary PNM file, or its header is damaged");
  check(width > 0 && height > 0 && std::int64_t{width} * height <= max_pixels, "cannot read image ", name, ": ", width,
        "x", height, " pixels, the limit is ", max_pixels, " in all");
  check(bytes.substr(0, 2) != "BM" || bmp_is_whole(bytes, width, height), "cannot read image ", name,
        ": truncated BMP");
  check((bytes.substr(0, 2) != "P5" && bytes.substr(0, 2) != "P6") || pnm_is_whole(bytes, width, height, channels),
        "cannot read image ", name, ": truncated PNM");

  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(data, size, &width, &height, &channels, 3), stbi_image_free);
  check(pixels != nullptr, "cannot read image ", name, ": truncated or damaged (",
        stbi_failure_reason() ? stbi_failure_reason() : "no reason given", ")");
  Image image{width, height, {}};
  image.rgb.assign(pixels.get(),
                   pixels.get() + std::size_t{3} * static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  return image;
}

Image read_image(const fs::path& path, ReadOptions options) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  check(fs::exists(status), "cannot read image ", path.string(), ": no such file");
  check(!fs::is_directory(status), "cannot read image ", path.string(), ": it is a folder");
  check(fs::is_regular_file(status), "cannot read image ", path.string(), ": not a regular file");
  check(fs::file_size(path, error) <= max_bytes || error, "cannot read image ", path.string(), ": ", too_large);
  return decode_image(read_file(path), path.string(), options);
}

std::string reason_of(const std::string& message, const fs::path& path) {
  const std::size_t at = message.find(path.string() + ": ");
  return at == std::string::npos ? message : message.substr(at + path.string().size() + 2);
}

std::string encode_png(const Image& image) {
  return encode(image.rgb.data(), image.rgb.size(), image.width, image.height, 3);
}

std::string encode_png_grey(const std::vector<std::uint8_t>& grey, int width, int height) {
  return encode(grey.data(), grey.size(), width, height, 1);
}

void write_png(const fs::path& path, const Image& image) { write_file_atomically(path, encode_png(image)); }

}  // namespace acol
