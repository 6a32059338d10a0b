// .npy files: what NumPy writes is read, and what is written is what NumPy expects.
#include <doctest/doctest.h>

#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "acol/report/npy.h"
#include "tensor/check.h"
#include "tensor/file.h"

using namespace acol;
namespace fs = std::filesystem;

namespace {

// A file with any header and any data, the header padded as NumPy does.
std::string file_of(std::string header, const std::string& data, char version = 1) {
  const std::size_t prefix = version == 1 ? 10 : 12;
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += {version, '\0', static_cast<char>(header.size() % 256), static_cast<char>(header.size() / 256)};
  if (version > 1) bytes += std::string(2, '\0');
  return bytes + header + data;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

const std::string plain = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }";
const std::vector<double> six{0, 0.5, 1, -2.25, 1e300, 1.0 / 3};

std::string error_of(const std::string& bytes) {
  try {
    decode_npy(bytes, "m.npy");
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("the bytes are those of format version 1.0") {
  const std::string bytes = encode_npy(ScoreMap{3, 2, six});
  CHECK(bytes == file_of(plain, bytes_of(six)));
  CHECK((bytes.size() - 48) % 64 == 0);
}

TEST_CASE("what was written is read back to the bit, NaN too") {
  const fs::path folder = fs::temp_directory_path() / ("acol_npy_" + std::to_string(getpid()));
  fs::create_directories(folder);
  ScoreMap map{3, 2, six};
  map.values[2] = std::numeric_limits<double>::quiet_NaN();
  write_npy(folder / "a.npy", map);
  const ScoreMap back = read_npy(folder / "a.npy");
  CHECK(back.width == 3);
  CHECK(back.height == 2);
  CHECK(bytes_of(back.values) == bytes_of(map.values));
  CHECK(std::distance(fs::directory_iterator(folder), fs::directory_iterator()) == 1);  // nothing partial is left
  CHECK_THROWS_WITH_AS(write_npy(folder / "none" / "a.npy", map), doctest::Contains("none"), Error);
  CHECK_THROWS_WITH_AS(read_npy(folder / "b.npy"), doctest::Contains("b.npy"), Error);
  fs::remove_all(folder);
}

TEST_CASE("float32 and later versions are read") {
  const std::vector<float> narrow{0, 0.1f, 1, 2, 3, 4};
  const ScoreMap map =
      decode_npy(file_of("{\"descr\": \"<f4\", \"fortran_order\": False, \"shape\": (2,3)}", bytes_of(narrow), 3), "m");
  CHECK(map.values == std::vector<double>(narrow.begin(), narrow.end()));
  CHECK(map.width == 3);
  CHECK(decode_npy(file_of(plain, bytes_of(six), 2), "m").values == six);
  // Keys in another order, and more room than needed.
  CHECK(decode_npy(
            file_of("{'shape': (2, 3), 'fortran_order': False, 'descr': '<f8'}" + std::string(200, ' '), bytes_of(six)),
            "m")
            .values == six);
}

TEST_CASE("other files are refused with what is wrong") {
  const std::string data = bytes_of(six);
  const auto with = [&](const std::string& type, const std::string& order, const std::string& shape) {
    return error_of(file_of("{'descr': " + type + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }", data));
  };
  CHECK(with("'<f8'", "False", "(2, 3)") == "none");
  CHECK(error_of("") == "m.npy: not a .npy file");
  CHECK(error_of("PK\x03\x04 some archive") == "m.npy: not a .npy file");
  CHECK(with("'>f8'", "False", "(2, 3)").find("'>f8'") != std::string::npos);
  CHECK(with("'<i8'", "False", "(2, 3)").find("float64") != std::string::npos);
  CHECK(with("[('a', '<f8')]", "False", "(2, 3)").find("type") != std::string::npos);
  CHECK(with("'<f8'", "True", "(2, 3)").find("Fortran") != std::string::npos);
  CHECK(with("'<f8'", "False", "(6,)").find("2 axes") != std::string::npos);
  CHECK(with("'<f8'", "False", "(1, 2, 3)").find("2 axes") != std::string::npos);
  CHECK(with("'<f8'", "False", "()").find("2 axes") != std::string::npos);
  CHECK(with("'<f8'", "False", "(0, 3)").find("empty") != std::string::npos);
  CHECK(with("'<f8'", "False", "(2, 4)").find("64 bytes, the file has 48") != std::string::npos);
  CHECK(with("'<f8'", "False", "(99999999999999999999999, 99999999999999)").find("more than") != std::string::npos);
  CHECK(with("'<f8'", "False", "(2, 3").find("ends within 'shape'") != std::string::npos);
  CHECK(error_of(file_of("{'fortran_order': False, 'shape': (2, 3)}", data)).find("'descr'") != std::string::npos);
  CHECK(error_of(file_of(plain, data + "x")).find("has 49") != std::string::npos);
  CHECK(error_of(file_of(plain, data, 9)).find("version 9") != std::string::npos);
  const std::string whole = file_of(plain, data);
  for (std::size_t length = 0; length < whole.size(); ++length) CHECK(error_of(whole.substr(0, length)) != "none");
}
