// Safetensors files made byte by byte, for the tests that read them.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/error_of.h"

namespace acol::testing {

// A folder that goes away with the test.
struct Folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("acol_test_safetensors_" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path file(const std::string& name = "x.safetensors") const { return path / name; }
};

inline std::string length_prefix(std::uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i));
  return bytes;
}

inline void write_raw(const std::filesystem::path& path, const std::string& bytes) {
  std::filesystem::remove(path);  // some file systems wait for the disk when a file is overwritten
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A file with this header and `data` zero bytes after it.
inline void write_raw(const std::filesystem::path& path, const std::string& header, std::size_t data) {
  write_raw(path, length_prefix(header.size()) + header + std::string(data, '\0'));
}

}  // namespace acol::testing
