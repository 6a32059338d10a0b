// Files are replaced whole or not at all.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tensor/check.h"
#include "tensor/file.h"
#include "tests/error_of.h"

using namespace acol;
using acol::testing::error_of;
namespace fs = std::filesystem;

namespace {

// A folder of its own, removed at the end.
struct Folder {
  fs::path path = fs::temp_directory_path() / message("acol_test_file_", ::getpid());
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  int files() const {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(path)) ++count;
    return count;
  }
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("write and read: every byte, over an old file, nothing left beside") {
  const Folder folder;
  const fs::path path = folder.path / "a.bin";
  std::string bytes;
  for (int i = 0; i < 100000; ++i) bytes += static_cast<char>(i * 7 % 256);
  write_file_atomically(path, bytes);
  CHECK(read_file(path) == bytes);
  write_file_atomically(path, "short\r\n");
  CHECK(read_file(path) == "short\r\n");
  write_file_atomically(path, "");
  CHECK(read_file(path).empty());
  CHECK(folder.files() == 1);
}

TEST_CASE("a writer that throws leaves the old file and no partial one") {
  const Folder folder;
  const fs::path path = folder.path / "a.txt";
  write_file_atomically(path, "old");
  CHECK_THROWS_WITH_AS(write_file_atomically(path,
                                             [](std::ostream& out) {
                                               out << "half";
                                               throw std::runtime_error("stop");
                                             }),
                       "stop", std::runtime_error);
  CHECK(read_file(path) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("a stream that fails is an Error, and the old file stays") {
  const Folder folder;
  const fs::path path = folder.path / "a.txt";
  write_file_atomically(path, "old");
  const std::string text =
      error_of([&] { write_file_atomically(path, [](std::ostream& out) { out.setstate(std::ios::badbit); }); });
  CHECK(contains(text, path.string()));
  CHECK(read_file(path) == "old");
  CHECK(folder.files() == 1);
}

TEST_CASE("a device without space is an Error") {
  if (!fs::exists("/dev/full")) return;
  const Folder folder;
  // The partial file's name is a link to the full device.
  const fs::path path = folder.path / "a.txt";
  fs::create_symlink("/dev/full", folder.path / "a.txt.partial");
  CHECK(contains(error_of([&] { write_file_atomically(path, std::string(100000, 'x')); }), path.string()));
  CHECK(!fs::exists(path));
  CHECK(folder.files() == 0);
}

TEST_CASE("errors name the path and the reason") {
  const Folder folder;
  const fs::path missing = folder.path / "no" / "a.txt";
  std::string text = error_of([&] { read_file(missing); });
  CHECK(contains(text, missing.string()));
  CHECK(contains(text, "No such file"));
  text = error_of([&] { write_file_atomically(missing, "x"); });
  CHECK(contains(text, missing.string()));
  CHECK(contains(text, "No such file"));
  text = error_of([&] { read_file(folder.path); });
  CHECK(contains(text, folder.path.string()));
  CHECK(contains(text, "folder"));

  // The target is a folder: the rename must fail and the partial file must go.
  fs::create_directories(folder.path / "taken" / "inside");
  text = error_of([&] { write_file_atomically(folder.path / "taken", "x"); });
  CHECK(contains(text, "taken"));
  CHECK(fs::is_directory(folder.path / "taken"));
  CHECK(folder.files() == 1);
}

TEST_CASE("a file to read at any place") {
  const Folder folder;
  const fs::path path = folder.path / "a.bin";
  write_file_atomically(path, "0123456789");
  const InputFile file(path);
  CHECK(file.size() == 10);
  std::string text(4, '-');
  CHECK(file.read(3, text.data(), 4));
  CHECK(text == "3456");
  CHECK(file.read(0, text.data(), 4));
  CHECK(text == "0123");
  CHECK_FALSE(file.read(7, text.data(), 4));
  CHECK_FALSE(file.read(20, text.data(), 1));
  CHECK(file.read(10, text.data(), 0));
  write_file_atomically(path, "another");
  CHECK(file.read(8, text.data(), 2));
  CHECK(text.substr(0, 2) == "89");

  CHECK(contains(error_of([&] { InputFile(folder.path / "missing"); }), "missing"));
  CHECK(contains(error_of([&] { InputFile again(folder.path); }), "it is a folder"));
  const fs::path pipe = folder.path / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(contains(error_of([&] { InputFile again(pipe); }), "no regular file"));  // and does not wait for a writer
}
