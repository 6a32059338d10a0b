// The header of a safetensors file (safetensors.h says how the format goes): read, and every claim of it checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tensor/file.h"

namespace acol {

constexpr std::uint64_t safetensors_header_limit = 100'000'000;  // bytes, as in the reference implementation

// One tensor as the header claims it.
struct SafetensorsEntry {
  std::string name, dtype;
  std::vector<std::uint64_t> shape, offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

struct SafetensorsHeader {
  // In the order of their numbers. Those of a type that is read (stored_numbers.h) have a Shape.
  std::vector<SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
  std::uint64_t data_start = 0;  // bytes from the start of the file
};

// Error: every way in which the header breaks the format, or its claims do not fit the file's size.
SafetensorsHeader read_safetensors_header(const std::filesystem::path& path, const InputFile& in);

// A text from a file without what would break the line or steer a terminal: '?' for each control character.
std::string printable(std::string text);
// The same, in quotes and cut, fit for a message.
std::string shown(const std::string& text);

}  // namespace acol
