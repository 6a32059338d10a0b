// What the header of a picture file tells, and the two things in it that change how the pixels are meant: the EXIF
// orientation, and how the inks of a four-colour JPEG are written.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace acol {

struct PictureInfo {
  int width = 0, height = 0;  // as stored
  std::string format;         // "JPEG", "PNG", "BMP" or "PNM"
  int channels = 0;           // 1 grey, 2 grey with alpha, 3 RGB, 4 RGB with alpha; in a JPEG 4 is CMYK
  int orientation = 1;        // EXIF, 1..8: see turned() in image.h; 1 if there is none, or no valid one
  // Turned as the EXIF data say, width is height.
  bool sideways() const { return orientation >= 5; }
};

// Reads the first 64 KiB, the rest only where the header is longer; decodes nothing, so a file that is damaged or cut
// further on is not noticed. Error, naming the path: as read_image() for a file that is missing, empty, not regular or
// no picture.
PictureInfo picture_info(const std::filesystem::path& path);

bool is_jpeg(std::string_view bytes);

// The tag 0x0112 of the EXIF data in a JPEG's APP1 segment or a PNG's eXIf chunk; 1 if there is none, or no valid one.
int exif_orientation(std::string_view bytes);

// The payload of the first JPEG segment with this marker (0xE1) that begins with `start`, found before the pixels
// begin; nullptr data if there is none.
std::string_view jpeg_segment(std::string_view bytes, unsigned marker, std::string_view start);

// stb_image takes a JPEG of four colours without Adobe's segment for YCbCr with alpha. Such files are CMYK, and Pillow,
// like every other reader, takes the inks as Adobe writes them (255: no ink). Returns the file with a segment that says
// so; empty if nothing has to be said.
std::string with_adobe_segment(std::string_view jpeg);

}  // namespace acol
