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
  std::vector<SafetensorsEntry> entries;  // in the order of their numbers in the file once checked
  std::map<std::string, std::string> metadata;
  std::uint64_t data_start = 0;  // bytes from the start of the file
};

// Error: every way in which the header breaks the format, or its claims do not fit the file's size.
SafetensorsHeader read_safetensors_header(const std::filesystem::path& path, const InputFile& in);

// Whether the numbers are of a type that is read; their extents are at most four then, and each fits an int.
bool is_read(const SafetensorsEntry& entry);

// A text from a file, fit for a one-line message.
std::string shown(const std::string& text);

}  // namespace acol
