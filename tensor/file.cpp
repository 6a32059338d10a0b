#include "tensor/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "tensor/check.h"

namespace acol {

namespace fs = std::filesystem;

void write_file_atomically(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  const fs::path partial = path.string() + ".partial";
  const auto fail_with_reason = [&](const char* what) {
    const int reason = errno;
    std::error_code ignored;
    fs::remove(partial, ignored);
    fail("cannot write ", path.string(), ": ", what, ": ", std::strerror(reason));
  };
  {
    errno = 0;
    std::ofstream out(partial, std::ios::binary | std::ios::trunc);
    if (!out) fail_with_reason("the folder does not take a file");
    try {
      write(out);
    } catch (...) {
      out.close();
      std::error_code ignored;
      fs::remove(partial, ignored);
      throw;
    }
    out.flush();
    if (!out) fail_with_reason("writing failed");
  }
  // The data must be on the disk before the new name is, or a power cut could leave an empty file under the good name.
  const int fd = ::open(partial.c_str(), O_RDONLY);
  if (fd < 0) fail_with_reason("opening it again failed");
  const int reason = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (reason != 0 && reason != EINVAL) {  // EINVAL: this file system has nothing to flush
    errno = reason;
    fail_with_reason("flushing it to the disk failed");
  }
  if (::rename(partial.c_str(), path.c_str()) != 0) fail_with_reason("renaming failed");
}

void write_file_atomically(const fs::path& path, std::string_view text) {
  write_file_atomically(path,
                        [&](std::ostream& out) { out.write(text.data(), static_cast<std::streamsize>(text.size())); });
}

std::string read_file(const fs::path& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in || fs::is_directory(path))
    fail("cannot read ", path.string(), ": ", fs::is_directory(path) ? "it is a folder" : std::strerror(errno));
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace acol
