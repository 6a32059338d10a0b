// Files that are never half written: written beside, synced, then renamed.
#pragma once

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

}  // namespace acol
