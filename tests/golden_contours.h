// What tests/golden/contours.txt needs to be read: the maker's random numbers and its hash
// (tools/golden/make_contours.py).
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace acol::golden {

class Generator {
 public:
  explicit Generator(std::uint32_t seed) : state_(seed) {}
  int below(int n) {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<int>((state_ >> 8) % static_cast<std::uint32_t>(n));
  }

 private:
  std::uint32_t state_;
};

inline std::string fnv1a(const std::string& text) {
  std::uint64_t hashed = 0xCBF29CE484222325u;
  for (const char byte : text) hashed = (hashed ^ static_cast<unsigned char>(byte)) * 0x100000001B3u;
  std::ostringstream out;
  out << std::hex;
  out.width(16);
  out.fill('0');
  out << hashed;
  return out.str();
}

inline std::vector<std::string> contour_lines() {
  std::ifstream file(ACOL_SOURCE_DIR "/tests/golden/contours.txt");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.starts_with('#')) lines.push_back(line);
  return lines;
}

}  // namespace acol::golden
