// The rules of the house that a program can check: which folder may include which, how long files may be, that every
// folder has a guide and every test is built, and which code is compiled for more than the baseline.
#include <doctest/doctest.h>

#include <algorithm>
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
    {"cuda", {"cuda", "tensor"}},
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
  for (const char* folder : {"tensor", "cuda", "autograd", "layers", "acol", "tools", "tests"})
    for (const fs::path& file : files_under(folder)) {
      const std::size_t count = lines_of(file).size();
      INFO(file.string(), " has ", count, " lines");
      if (is_code(file)) CHECK(count <= 600);
      if (file.filename() == "README.md") CHECK(count <= 60);
    }
}

TEST_CASE("every folder says what it holds and what to read first") {
  std::set<fs::path> folders;
  for (const char* folder : {"tensor", "cuda", "autograd", "layers", "acol", "tools", "tests", "docs"})
    for (const fs::path& file : files_under(folder)) folders.insert(file.parent_path());
  CHECK(folders.size() > 15);
  for (const fs::path& folder : folders)
    CHECK_MESSAGE(fs::exists(folder / "README.md"), folder.string(), " has no README.md");
}

TEST_CASE("every test file is in the build") {
  // The words between the brackets of each acol_tests(library name...), but for the library.
  std::set<std::string> built;
  bool inside = false;
  for (const std::string& indented : lines_of(root / "CMakeLists.txt")) {
    const std::string line = indented.substr(std::min(indented.find_first_not_of(' '), indented.size()));
    const std::string call = "acol_tests(";
    const bool first = line.rfind(call, 0) == 0;
    if (!first && !inside) continue;
    const std::size_t end = line.find(')');
    std::istringstream words(line.substr(first ? call.size() : 0, end - (first ? call.size() : 0)));
    std::string word;
    if (first) words >> word;
    while (words >> word) CHECK_MESSAGE(built.insert(word).second, word, " is named twice");
    inside = end == std::string::npos;
  }

  std::set<std::string> written;
  for (const fs::path& file : files_under("tests"))
    if (const std::string stem = file.stem().string(); file.extension() == ".cpp" && stem.rfind("test_", 0) == 0)
      written.insert(stem.substr(5));
  CHECK(written.size() > 30);
  for (const std::string& name : written) CHECK_MESSAGE(built.count(name), "CMakeLists.txt does not build ", name);
  for (const std::string& name : built) CHECK_MESSAGE(written.count(name), "there is no tests/test_", name, ".cpp");
}

// So that the thread sanitizer's build can start threads that it understands.
TEST_CASE("only parallel_chunks() starts threads of OpenMP") {
  int starts = 0;
  for (const char* folder : {"tensor", "autograd", "layers", "acol", "tools"})
    for (const fs::path& file : files_under(folder))
      for (const std::string& line : lines_of(file)) {
        if (!is_code(file) || line.find("#pragma omp ") == std::string::npos) continue;
        INFO(file.string(), ": ", line);
        if (line.find("#pragma omp simd") != std::string::npos) continue;
        ++starts;
        CHECK(file == root / "tensor/cpu/parallel.h");
      }
  CHECK(starts == 1);
}

// One binary runs everywhere, and adds in the order that is written.
TEST_CASE("only tensor/simd/ is compiled for more than the baseline") {
  int flags = 0;
  for (const std::string& line : lines_of(root / "CMakeLists.txt")) {
    INFO(line);
    CHECK(line.find("-ffast-math") == std::string::npos);
    CHECK(line.find("-Ofast") == std::string::npos);
    for (std::size_t at = line.find("-m"); at != std::string::npos; at = line.find("-m", at + 1)) {
      // A flag: not the inside of a word, as in "find-me".
      if (at > 0 && std::string(" \";(").find(line[at - 1]) == std::string::npos) continue;
      ++flags;
      CHECK(line.find("tensor/simd/") != std::string::npos);
    }
  }
  CHECK(flags >= 4);
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
    else if (line.find(" DW.ref.") == std::string::npos)  // a pointer that sanitizers bring, no code
      symbols[object].push_back(line);
  }
  int levels = 0;
  for (const auto& [this_name, this_list] : symbols) {
    const auto& name = this_name;  // a message is a lambda, and Clang 14 captures no binding
    const auto& list = this_list;
    const std::string stem = name.substr(0, name.find('.'));
    if (stem != "scalar" && stem != "avx2" && stem != "avx512") continue;
    ++levels;
    INFO(name, " exports ", list.size(), " symbols, the first is ", list[0]);
    CHECK(list.size() == 1);
  }
  CHECK(levels >= 1);
}
#endif
