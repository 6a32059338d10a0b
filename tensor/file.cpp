#include "tensor/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <utility>

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
  std::error_code unknown;
  const std::uintmax_t size = fs::file_size(path, unknown);  // of a pipe, none
  std::string text;
  std::size_t got = 0;
  // One byte more than there should be, so that the first piece already meets the end.
  for (std::size_t piece = (unknown ? 0 : static_cast<std::size_t>(size)) + 1; in; piece = 64 << 10) {
    text.resize(got + piece);
    in.read(text.data() + got, static_cast<std::streamsize>(piece));
    got += static_cast<std::size_t>(in.gcount());
  }
  check(!in.bad(), "cannot read ", path.string(), ": reading failed");
  text.resize(got);
  return text;
}

InputFile::InputFile(const fs::path& path) {
  // Without O_NONBLOCK, opening a pipe would wait for its writer.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  check(descriptor_ >= 0, "cannot read ", path.string(), ": ", std::strerror(errno));
  struct stat status = {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    fail("cannot read ", path.string(), ": it is ", known && S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

InputFile::InputFile(InputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), size_(other.size_) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool InputFile::read(std::uint64_t offset, void* to, std::size_t bytes) const noexcept {
  auto* at = static_cast<std::byte*>(to);
  while (bytes > 0) {
    const ssize_t got = ::pread(descriptor_, at, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace acol
