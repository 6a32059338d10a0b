// Odd kinds of picture files against what Pillow and OpenCV read from them; headers without decoding; EXIF.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

#include "acol/data/dataset.h"
#include "acol/data/image.h"
#include "acol/data/loader.h"
#include "acol/data/picture_header.h"
#include "program.h"
#include "tensor/check.h"

using namespace acol;
namespace fs = std::filesystem;
using namespace std::string_literals;

namespace {

struct Golden {
  std::string file;
  Image image;
};

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

const std::map<std::string, Golden>& goldens() {
  static const std::map<std::string, Golden> all = [] {
    std::map<std::string, Golden> read;
    std::ifstream in(std::string(ACOL_SOURCE_DIR) + "/tests/golden/pictures.txt");
    std::string name, file, values;
    int width = 0, height = 0;
    while (in >> name >> width >> height >> file >> values) {
      const std::string rgb = bytes_of(values);
      read[name] = {bytes_of(file), {width, height, {rgb.begin(), rgb.end()}}};
    }
    return read;
  }();
  REQUIRE(all.size() == 23);
  return all;
}

// Largest difference of a value; huge if the sizes differ.
int difference(const Image& a, const Image& b) {
  if (a.width != b.width || a.height != b.height || a.rgb.size() != b.rgb.size()) return 1000;
  int largest = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  return largest;
}

// An APP1 segment behind the start marker.
std::string with_exif(const std::string& jpeg, int orientation) {
  const std::string tiff =
      "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"s + static_cast<char>(orientation) + "\0\0\0\0\0\0\0"s;
  const std::string payload = "Exif\0\0"s + tiff;
  return jpeg.substr(0, 2) + "\xFF\xE1\0"s + static_cast<char>(payload.size() + 2) + payload + jpeg.substr(2);
}

}  // namespace

TEST_CASE("CMYK, YCCK, plain JPEGs: as Pillow, but for the decoders' rounding") {
  for (const char* name : {"cmyk", "cmyk_progressive", "ycck", "cmyk_without_adobe", "rgb", "grey"}) {
    const Golden& golden = goldens().at(name);
    const Image image = decode_image(golden.file, name);
    CAPTURE(name);
    CHECK(difference(image, golden.image) <= 3);
    double sum = 0;
    for (std::size_t i = 0; i < image.rgb.size(); ++i) sum += std::abs(image.rgb[i] - golden.image.rgb[i]);
    CHECK(sum / static_cast<double>(image.rgb.size()) < 0.5);
  }
  // The same inks with Adobe's segment and without.
  CHECK(decode_image(goldens().at("cmyk_without_adobe").file, "x") == decode_image(goldens().at("cmyk").file, "x"));
}

TEST_CASE("PNG with alpha, palette, one bit, 16 bits: the same values") {
  for (const char* name :
       {"rgba_png", "grey_alpha_png", "palette_png", "palette_alpha_png", "one_bit_png", "grey16_png", "rgb16_png"}) {
    const Golden& golden = goldens().at(name);
    CAPTURE(name);
    CHECK(difference(decode_image(golden.file, name), golden.image) == 0);
  }
}

TEST_CASE("EXIF orientation: ignored by default, applied on request as Pillow's exif_transpose does") {
  const Image stored = decode_image(goldens().at("exif_1").file, "x");
  for (int orientation = 0; orientation <= 9; ++orientation) {
    const Golden& golden = goldens().at("exif_" + std::to_string(orientation));
    CAPTURE(orientation);
    CHECK(decode_image(golden.file, "x") == stored);
    CHECK(decode_image(golden.file, "x", {.apply_exif = true}) == golden.image);
    CHECK(exif_orientation(golden.file) == (orientation >= 1 && orientation <= 8 ? orientation : 1));

    const Image jpeg = decode_image(goldens().at("rgb").file, "x");
    const std::string marked = with_exif(goldens().at("rgb").file, orientation);
    CHECK(decode_image(marked, "x") == jpeg);
    CHECK(decode_image(marked, "x", {.apply_exif = true}) == turned(jpeg, orientation));
  }
  CHECK(turned(turned(stored, 6), 8) == stored);
  CHECK(turned(stored, 6).width == 3);
}

TEST_CASE("damaged EXIF data are no orientation, and nothing is read past their end") {
  const std::string marked = with_exif(goldens().at("rgb").file, 6), png = goldens().at("exif_6").file;
  REQUIRE(exif_orientation(marked) == 6);
  for (const std::string& whole : {marked, png}) {
    for (std::size_t length = 0; length < std::min<std::size_t>(whole.size(), 200); ++length)
      CHECK((exif_orientation(std::string(whole.data(), length)) == 1 || length > 30));
    std::uint32_t state = 3;
    for (int round = 0; round < 3000; ++round) {
      std::string damaged = whole.substr(0, 150);
      for (int hit = 0; hit < 3; ++hit) {
        state = state * 1664525u + 1013904223u;
        damaged[(state >> 8) % damaged.size()] = static_cast<char>(state);
      }
      const int found = exif_orientation(damaged);
      CHECK((found >= 1 && found <= 8));
    }
  }
}

TEST_CASE("what a header tells, without decoding") {
  const TemporaryFolder folder;
  const auto info = [&](const std::string& bytes) {
    write(folder / "named.JPEG", bytes);
    return picture_info(folder / "named.JPEG");
  };
  const auto is = [](const PictureInfo& found, const std::string& format, int width, int height, int channels) {
    return found.format == format && found.width == width && found.height == height && found.channels == channels;
  };
  CHECK(is(info(goldens().at("cmyk").file), "JPEG", 24, 16, 4));
  CHECK(is(info(goldens().at("grey").file), "JPEG", 24, 16, 1));
  CHECK(is(info(goldens().at("rgba_png").file), "PNG", 7, 5, 4));  // as n02105855_2933.JPEG of ILSVRC
  CHECK(is(info("P5 3 1 255 xyz"), "PNM", 3, 1, 1));
  // The stored size, whatever the orientation.
  const PictureInfo sideways = info(with_exif(goldens().at("rgb").file, 6));
  CHECK(is(sideways, "JPEG", 24, 16, 3));
  CHECK(sideways.orientation == 6);

  // A long header in front: thumbnails and colour profiles. Then only the header, without the pixels.
  std::string jpeg = goldens().at("rgb").file;
  const std::string profile = "\xFF\xE2\xFF\xFF"s + std::string(65533, 'p');
  CHECK(is(info(jpeg.substr(0, 2) + profile + profile + jpeg.substr(2)), "JPEG", 24, 16, 3));
  CHECK(is(info(jpeg.substr(0, jpeg.find("\xFF\xDA"))), "JPEG", 24, 16, 3));

  const auto why = [&](const std::string& name) -> std::string {
    try {
      picture_info(folder / name);
    } catch (const Error& error) {
      CHECK(contains(error.what(), folder / name));
      return error.what();
    }
    return "";
  };
  write(folder / "text.jpg", "no picture");
  write(folder / "empty.jpg", "");
  CHECK(contains(why("text.jpg"), "not a JPEG, PNG, BMP or binary PNM"));
  CHECK(contains(why("empty.jpg"), "empty"));
  CHECK(contains(why("missing.jpg"), "no such file"));
  CHECK(contains(why(""), "not a regular file"));
}

TEST_CASE("a data set asks for it, and the loader turns") {
  const TemporaryFolder folder;
  fs::create_directories(folder / "a");
  write(folder / "a/1.png", goldens().at("exif_6").file);
  Dataset data;
  data.root = folder.path();
  data.class_ids = data.class_names = {"a"};
  data.samples.push_back({.id = "a/1.png"});
  for (const bool apply : {false, true}) {
    data.apply_exif = apply;
    LoaderOptions options;
    options.how.resize = options.how.crop = 4;
    options.workers = 0;
    Loader loader(data, options);
    loader.start_epoch(0);
    Batch batch;
    REQUIRE(loader.next(batch));
    REQUIRE(batch.sizes.size() == 1);
    CHECK(batch.sizes[0].width == (apply ? 3 : 5));
  }
}
