// Files that are never half written: written beside, synced, then renamed. And one to read at any place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

namespace acol {

// Calls `write` with a stream onto `path` + ".partial", then renames onto `path`. On any failure the old file is
// intact, the partial one is removed and an Error names the path and the system's reason.
void write_file_atomically(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

// The whole file; an Error names the path when it cannot be read.
std::string read_file(const std::filesystem::path& path);

// A file open for reading at any place, by several threads at once. What is renamed onto its path later does not
// change it. Not a mapping: where a file is cut off while it is read, a mapping ends the program with SIGBUS, and its
// pages would count as this process's memory beside the numbers that are made of them.
class InputFile {
 public:
  // An Error names the path when it cannot be opened or is no regular file.
  explicit InputFile(const std::filesystem::path& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  std::uint64_t size() const { return size_; }  // bytes, when it was opened
  // Fills `to` with the bytes from `offset` on. False if the file ends before or cannot be read; throws nothing.
  [[nodiscard]] bool read(std::uint64_t offset, void* to, std::size_t bytes) const noexcept;

 private:
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace acol
