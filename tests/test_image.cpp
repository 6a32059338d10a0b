// Reading pictures: what comes out, and that nothing bad gets in.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "acol/data/image.h"
#include "tensor/check.h"
#include "tensor/file.h"

using namespace acol;
namespace fs = std::filesystem;

namespace {

// 16x12, quarters: red, blue, white, green. Baseline, grey and progressive.
const char* const baseline_jpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17202e293130"
    "2e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffdb0043010e0e0e131113261515264f352d354f4f"
    "4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4fffc0001108000c"
    "001003011100021101031101ffc400160001010100000000000000000000000000070106ffc4001c100002000700000000000000000000"
    "000000020512165154a3d1ffc400160101010100000000000000000000000000060405ffc4001d11000102070000000000000000000000"
    "000001020413155152a1d1ffda000c03010002110311003f00b4d4630f6a748653ac27a84365a5e19c91ac2ca9c2e5a5e022636e33078d"
    "107894c53fffd9";
const char* const grey_jpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17202e293130"
    "2e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffc0000b08000c001001011100ffc4001600010101"
    "00000000000000000000000000070305ffc4001f100001000b000000000000000000000000000102030513165254a1a3d1ffda00080101"
    "00003f008cacfbb2daa74c380d29ca066094ffd9";
const char* const progressive_jpeg =
    "ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17202e293130"
    "2e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffdb0043010e0e0e131113261515264f352d354f4f"
    "4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4fffc2001108000c"
    "001003012200021101031101ffc400160001010100000000000000000000000000060005ffc40014010100000000000000000000000000"
    "000000ffda000c03010002100310000001b3998e3fffc400161000030000000000000000000000000000031420ffda0008010100010502"
    "58d1ffc4001811000203000000000000000000000000000211000304ffda0008010301013f01d3711a73ffc40017110100030000000000"
    "000000000000000003000132ffda0008010201013f0134b2ccffc4001610000300000000000000000000000000002032a1ffda00080101"
    "00063f024a1fffc40018100002030000000000000000000000000000011011f0ffda0008010100013f21c10a73ffda000c030100020003"
    "0000001093ffc40018110002030000000000000000000000000000210111c1ffda0008010301013f104842bc3fffc40018110002030000"
    "00000000000000000000000011315161ffda0008010201013f106f27787fffc400181000020300000000000000000000000000001061d1"
    "f0ffda0008010100013f10d2f227ffd9";

// 2x2, 8 bits, grey with alpha and RGBA; pixels 10/255, 200/0, 30/128, 255/1 and (1,2,3)/255, (250,0,0)/0, ...
const char* const grey_alpha_png =
    "89504e470d0a1a0a0000000d4948445200000002000000020804000000d8bfc5af0000001249444154789c63e0fa7f828141aee13f2300"
    "11cb0370e859b9a50000000049454e44ae426082";
const char* const rgba_png =
    "89504e470d0a1a0a0000000d494844520000000200000002080600000072b60d240000001849444154789c63606462feff8b01047e3334"
    "b073fc610400269e048747529efb0000000049454e44ae426082";
const char* const sixteen_bit_png =
    "89504e470d0a1a0a0000000d494844520000000200000001100000000081d9fc150000000d49444154789c6310faff9f010005480211c3"
    "d3abf70000000049454e44ae426082";

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

std::array<int, 3> pixel(const Image& image, int x, int y) {
  const std::uint8_t* at = &image.rgb[static_cast<std::size_t>((y * image.width + x) * 3)];
  return {at[0], at[1], at[2]};
}

bool near(const Image& image, int x, int y, std::array<int, 3> color, int tolerance) {
  const std::array<int, 3> found = pixel(image, x, y);
  for (std::size_t c = 0; c < 3; ++c)
    if (std::abs(found[c] - color[c]) > tolerance) return false;
  return true;
}

std::string reason(const std::string& bytes) {
  try {
    decode_image(bytes, "picture");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// Any prefix is refused, or reads as a picture of the right size; it never crashes. Returns how many were refused.
std::size_t refused_prefixes(const std::string& bytes, int width, int height) {
  std::size_t refused = 0;
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    try {
      // A copy of exactly this length, so that a memory checker sees a read past the end.
      const Image image =
          decode_image(std::string(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length)), "cut");
      CHECK(image.width == width);
      CHECK(image.height == height);
      CHECK(image.rgb.size() == static_cast<std::size_t>(width * height * 3));
    } catch (const Error&) {
      ++refused;
    }
  }
  return refused;
}

std::string bmp(int width, int height) {  // 24 bits, bottom up, rows padded to four bytes
  const int stride = (width * 3 + 3) / 4 * 4;
  std::string bytes = "BM";
  const auto little = [&](int value, int count) {
    for (int i = 0; i < count; ++i) bytes += static_cast<char>(value >> (8 * i));
  };
  little(54 + stride * height, 4), little(0, 4), little(54, 4);
  little(40, 4), little(width, 4), little(height, 4), little(1, 2), little(24, 2);
  for (int i = 0; i < 6; ++i) little(0, 4);
  for (int y = height - 1; y >= 0; --y)
    for (int i = 0; i < stride; ++i) little(i < width * 3 ? y * 40 + i : 0, 1);
  return bytes;
}

Image gradient(int width, int height) {
  Image image{width, height, {}};
  for (int i = 0; i < width * height * 3; ++i) image.rgb.push_back(static_cast<std::uint8_t>(i * 7 + i / 5));
  return image;
}

struct TempFolder {
  fs::path path = fs::temp_directory_path() / ("acol_test_image_" + std::to_string(::getpid()));
  TempFolder() { fs::create_directories(path); }
  ~TempFolder() { fs::remove_all(path); }
};

}  // namespace

TEST_CASE("PNG: what is written is read") {
  const Image image = gradient(13, 7);
  CHECK(decode_image(encode_png(image), "x") == image);

  const std::vector<std::uint8_t> grey{0, 10, 200, 255, 3, 128};
  const Image read = decode_image(encode_png_grey(grey, 3, 2), "x");
  REQUIRE(read.rgb.size() == 18);
  CHECK(read.width == 3);
  for (int i = 0; i < 6; ++i) {
    const int value = grey[static_cast<std::size_t>(i)];
    CHECK(pixel(read, i % 3, i / 3) == std::array{value, value, value});
  }
  CHECK_THROWS_AS(encode_png(Image{2, 2, {1, 2, 3}}), Error);
  CHECK_THROWS_AS(encode_png(Image{}), Error);
  CHECK_THROWS_AS(encode_png_grey(grey, 3, 3), Error);
}

TEST_CASE("alpha is dropped, not blended; 16 bits become 8") {
  const Image grey = decode_image(bytes_of(grey_alpha_png), "x");
  CHECK(grey == Image{2, 2, {10, 10, 10, 200, 200, 200, 30, 30, 30, 255, 255, 255}});
  const Image color = decode_image(bytes_of(rgba_png), "x");
  CHECK(color == Image{2, 2, {1, 2, 3, 250, 0, 0, 0, 251, 0, 7, 8, 252}});
  const Image deep = decode_image(bytes_of(sixteen_bit_png), "x");
  CHECK(deep == Image{2, 1, {18, 18, 18, 255, 255, 255}});
}

TEST_CASE("JPEG: baseline, grey, progressive") {
  for (const char* hex : {baseline_jpeg, progressive_jpeg}) {
    const Image image = decode_image(bytes_of(hex), "x");
    CHECK(image.width == 16);
    REQUIRE(image.height == 12);
    CHECK(near(image, 2, 2, {220, 40, 40}, 30));
    CHECK(near(image, 13, 2, {40, 60, 210}, 30));
    CHECK(near(image, 2, 10, {240, 240, 230}, 30));
    CHECK(near(image, 13, 10, {20, 120, 40}, 30));
  }
  const Image grey = decode_image(bytes_of(grey_jpeg), "x");
  CHECK(grey.width == 16);
  for (std::size_t i = 0; i < grey.rgb.size(); i += 3)
    CHECK((grey.rgb[i] == grey.rgb[i + 1] && grey.rgb[i] == grey.rgb[i + 2]));
}

TEST_CASE("EXIF orientation is ignored") {
  const std::string plain = bytes_of(baseline_jpeg);
  // An APP1 segment that says "turn by 90 degrees" (orientation 6), right after the start marker.
  std::string exif =
      bytes_of("ffe10022457869660000") + bytes_of("49492a0008000000010012010300010000000600000000000000");
  REQUIRE(exif.size() == 0x22 + 2);
  const std::string turned = plain.substr(0, 2) + exif + plain.substr(2);
  CHECK(decode_image(turned, "x") == decode_image(plain, "x"));
}

TEST_CASE("a cut JPEG is refused wherever the cut is") {
  for (const char* hex : {baseline_jpeg, grey_jpeg, progressive_jpeg}) {
    const std::string whole = bytes_of(hex);
    CHECK(refused_prefixes(whole, 16, 12) == whole.size());
    CHECK(contains(reason(whole.substr(0, whole.size() / 2)), "truncated JPEG"));
    CHECK(reason(whole + "and a tail that some cameras write").empty());
  }
}

TEST_CASE("cut PNG, BMP and PNM files are refused") {
  const Image image = gradient(13, 7);
  const std::string png = encode_png(image);
  // The pixels end before the checksum and the end chunk (16 bytes); without those the picture is whole.
  CHECK(refused_prefixes(png, 13, 7) >= png.size() - 16);

  const std::string map = bmp(5, 4);
  const Image read = decode_image(map, "x");
  CHECK(read.width == 5);
  REQUIRE(read.height == 4);
  CHECK(pixel(read, 0, 0) == std::array{2, 1, 0});  // blue first in the file
  CHECK(pixel(read, 4, 3) == std::array{134, 133, 132});
  CHECK(refused_prefixes(map, 5, 4) >= map.size() - 1);  // the last byte is padding
  CHECK(contains(reason(map.substr(0, map.size() - 6)), "truncated BMP"));

  const std::string color = "P6\n# two by one\n2 1\n255\nabcdef", grey = "P5 3 1 255 xyz",
                    deep = std::string("P5 1 1 65535 ") + "\x12\x34";
  CHECK(decode_image(color, "x") == Image{2, 1, {'a', 'b', 'c', 'd', 'e', 'f'}});
  CHECK(decode_image(grey, "x") == Image{3, 1, {'x', 'x', 'x', 'y', 'y', 'y', 'z', 'z', 'z'}});
  CHECK(refused_prefixes(color, 2, 1) == color.size());
  CHECK(refused_prefixes(grey, 3, 1) == grey.size());
  CHECK(refused_prefixes(deep, 1, 1) == deep.size());
}

TEST_CASE("a Huffman table with more codes than there is room for does not reach the decoder") {
  const std::string whole = bytes_of(baseline_jpeg);
  const std::size_t table = whole.find("\xFF\xC4");
  REQUIRE(table != std::string::npos);
  std::string hostile = whole;
  for (std::size_t i = 0; i < 16; ++i) hostile[table + 5 + i] = '\xFF';  // marker, length, head byte, counts
  CHECK(contains(reason(hostile), "impossible Huffman table"));
  hostile = whole;
  hostile[table + 5 + 15] = 100;  // room enough, but more than the segment holds
  CHECK(contains(reason(hostile), "impossible Huffman table"));
}

TEST_CASE("a damaged JPEG gives the same picture each time") {
  // The quantization table 1, which colour uses, gets another number: the decoder then reads a table that was never
  // set.
  std::string damaged = bytes_of(baseline_jpeg);
  std::size_t table = damaged.find("\xFF\xDB");
  REQUIRE(table != std::string::npos);
  table = damaged.find("\xFF\xDB", table + 1);
  REQUIRE(table != std::string::npos);
  REQUIRE(damaged[table + 4] == 1);
  damaged[table + 4] = 3;
  Image first;
  for (int round = 0; round < 20; ++round) {
    // Leaves all kinds of bytes where the decoder will get its memory from.
    for (std::size_t size = 16; size <= (1u << 17); size *= 2) std::vector<unsigned char>(size, 17 * round + 1);
    for (std::size_t size = 18000; size < 19200; size += 16) std::vector<unsigned char>(size, 17 * round + 1);
    const Image image = decode_image(damaged, "x");
    if (round == 0) first = image;
    CHECK(image == first);
  }
}

TEST_CASE("damaged bytes end in an error or a picture, never in a crash") {
  std::uint32_t state = 5;
  for (const std::string& whole : {bytes_of(baseline_jpeg), bytes_of(progressive_jpeg), bytes_of(rgba_png),
                                   encode_png(gradient(9, 9)), bmp(5, 4), std::string("P6 2 1 255 abcdef")}) {
    for (int round = 0; round < 400; ++round) {
      std::string damaged = whole;
      for (int hit = 0; hit < 3; ++hit) {
        state = state * 1664525u + 1013904223u;
        damaged[(state >> 8) % damaged.size()] = static_cast<char>(state);
      }
      try {
        const Image image = decode_image(damaged, "x");
        CHECK(image.rgb.size() == static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3);
      } catch (const Error&) {
      }
    }
  }
}

TEST_CASE("more pixels than max_pixels are refused by the header") {
  std::string png = encode_png(gradient(4, 4));
  const std::string size = bytes_of("0000500000004000");  // width and height, after the signature and "IHDR"
  png.replace(16, 8, size);
  CHECK(contains(reason(png), "the limit is"));
}

TEST_CASE("files: text named .jpg, empty, folder, missing, pipe, huge; the message names the path") {
  const TempFolder folder;
  const auto why = [&](const std::string& name) -> std::string {
    try {
      read_image(folder.path / name);
    } catch (const Error& error) {
      CHECK(contains(error.what(), (folder.path / name).string()));
      return error.what();
    }
    return "";
  };
  write_file_atomically(folder.path / "text.jpg", "this is no picture\n");
  write_file_atomically(folder.path / "empty.png", "");
  fs::create_directories(folder.path / "folder.png");
  CHECK(contains(why("text.jpg"), "not a JPEG, PNG, BMP or binary PNM"));
  CHECK(contains(why("empty.png"), "empty"));
  CHECK(contains(why("folder.png"), "folder"));
  CHECK(contains(why("missing.png"), "no such file"));
  REQUIRE(::mkfifo((folder.path / "pipe.png").c_str(), 0600) == 0);  // reading it would wait for a writer
  CHECK(contains(why("pipe.png"), "not a regular file"));
  write_file_atomically(folder.path / "huge.png", "x");
  fs::resize_file(folder.path / "huge.png", std::uintmax_t{1} << 36);  // a hole: it takes no room on the disk
  CHECK(contains(why("huge.png"), "more than 2 GiB"));

  // The content decides, not the name.
  write_png(folder.path / "really_a_png.jpg", gradient(3, 3));
  CHECK(read_image(folder.path / "really_a_png.jpg") == gradient(3, 3));
  CHECK_THROWS_AS(write_png(folder.path / "nowhere" / "a.png", gradient(3, 3)), Error);
}
