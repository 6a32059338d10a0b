// The rules of the house that a program can check: which folder may include which, how long files may be, what the
// SIMD objects export, and that nothing is named twice.
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

const fs::path root = ACOL_SOURCE_DIR;

// Folder -> folders whose headers it may include.
const std::map<std::string, std::set<std::string>> arrows{
    {"tensor", {"tensor"}},
    {"autograd", {"autograd", "tensor"}},
    {"layers", {"layers", "autograd", "tensor"}},
    {"acol", {"acol", "layers", "autograd", "tensor"}},
    {"tools", {"tools", "acol", "layers", "autograd", "tensor"}},
};

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool is_code(const fs::path& path) {
  static const std::set<std::string> endings{".h", ".cpp", ".inl", ".cu", ".cuh", ".py", ".sh"};
  return endings.count(path.extension().string()) > 0;
}

std::vector<fs::path> files_under(const std::string& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(root / folder))
    if (entry.is_regular_file()) files.push_back(entry.path());
  return files;
}

// "tensor" of `#include "tensor/shape.h"`, or nothing.
std::string included_folder(const std::string& line) {
  const std::string start = "#include \"";
  if (line.rfind(start, 0) != 0) return "";
  const std::size_t slash = line.find('/');
  return slash == std::string::npos ? "" : line.substr(start.size(), slash - start.size());
}

}  // namespace

TEST_CASE("includes follow the arrows") {
  int seen = 0;
  for (const auto& [folder, allowed] : arrows) {
    for (const fs::path& file : files_under(folder)) {
      if (!is_code(file)) continue;
      for (const std::string& line : lines_of(file)) {
        const std::string target = included_folder(line);
        if (target.empty()) continue;
        ++seen;
        INFO(file.string(), ": ", line);
        CHECK(allowed.count(target) == 1);
      }
    }
  }
  CHECK(seen > 100);  // or the test looks at nothing
}

TEST_CASE("the evaluation folders of acol do not know training, nor the network the data") {
  for (const fs::path& file : files_under("acol/network"))
    for (const std::string& line : lines_of(file)) {
      INFO(file.string(), ": ", line);
      CHECK(line.rfind("#include \"acol/data/", 0) != 0);
      CHECK(line.rfind("#include \"acol/train/", 0) != 0);
    }
  for (const fs::path& file : files_under("acol/evaluate"))
    for (const std::string& line : lines_of(file)) {
      INFO(file.string(), ": ", line);
      CHECK(line.rfind("#include \"acol/train/", 0) != 0);
    }
}

TEST_CASE("files are short enough to read") {
  for (const char* folder : {"tensor", "autograd", "layers", "acol", "tools", "tests"})
    for (const fs::path& file : files_under(folder)) {
      const std::size_t count = lines_of(file).size();
      INFO(file.string(), " has ", count, " lines");
      if (is_code(file)) CHECK(count <= 600);
      if (file.filename() == "README.md") CHECK(count <= 60);
    }
}

TEST_CASE("every folder of code says what to read first") {
  for (const char* folder : {"tensor", "autograd", "layers", "acol", "tools", "tests"})
    CHECK_MESSAGE(fs::exists(root / folder / "README.md"), folder, " has no README.md");
}

TEST_CASE("every test file is in the build") {
  std::ifstream in(root / "CMakeLists.txt");
  std::stringstream cmake;
  cmake << in.rdbuf();
  for (const fs::path& file : files_under("tests")) {
    if (file.extension() != ".cpp" || file.stem().string().rfind("test_", 0) != 0) continue;
    INFO(file.string());
    CHECK(cmake.str().find(file.stem().string().substr(5)) != std::string::npos);
  }
}

#ifdef ACOL_TENSOR_LIBRARY
// An inline function compiled for AVX-512 and kept by the linker would crash older machines far from here.
TEST_CASE("an object compiled for one SIMD level exports one symbol") {
  const std::string command = std::string("nm -g --defined-only '") + ACOL_TENSOR_LIBRARY + "' 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  REQUIRE(pipe);
  std::map<std::string, std::vector<std::string>> symbols;  // object -> its symbols
  std::string object;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe.get()) != nullptr) {
    std::string line(buffer);
    while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
    if (line.empty()) continue;
    if (line.back() == ':')
      object = line.substr(0, line.size() - 1);
    else
      symbols[object].push_back(line);
  }
  int levels = 0;
  for (const auto& [name, list] : symbols) {
    if (name.rfind("gemm_tile_", 0) != 0) continue;
    ++levels;
    INFO(name, " exports ", list.size(), " symbols, the first is ", list[0]);
    CHECK(list.size() == 1);
  }
  CHECK(levels >= 1);
}
#endif
