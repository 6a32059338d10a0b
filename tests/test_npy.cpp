// .npy files: what NumPy writes is read, and what is written is what NumPy expects.
#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
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

TEST_CASE("float16, big-endian and Fortran order are read") {
  const auto header = [](const std::string& type, const std::string& order) {
    return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': (2, 3), }";
  };
  // 1, -2, 65504 (the largest), 2^-24 (the smallest), 2^-14, 1/3 as near as it gets
  const std::vector<std::uint16_t> halves{0x3C00, 0xC000, 0x7BFF, 0x0001, 0x0400, 0x3555};
  const std::vector<double> expected{1, -2, 65504, std::ldexp(1, -24), std::ldexp(1, -14), 0.333251953125};
  CHECK(decode_npy(file_of(header("<f2", "False"), bytes_of(halves)), "m").values == expected);
  const auto value_of = [&](std::uint16_t bits) {
    return decode_npy(file_of(header("<f2", "False"), bytes_of(std::vector<std::uint16_t>(6, bits))), "m").values[5];
  };
  CHECK(std::isnan(value_of(0x7E01)));
  CHECK(value_of(0xFC00) == -std::numeric_limits<double>::infinity());
  CHECK(std::signbit(value_of(0x8000)));

  const auto swapped = [](std::string bytes, std::size_t size) {
    for (std::size_t at = 0; at < bytes.size(); at += size)
      std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                   bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
    return bytes;
  };
  const std::vector<float> narrow{0, 0.1f, 1, 2, 3, 4};
  CHECK(decode_npy(file_of(header(">f2", "False"), swapped(bytes_of(halves), 2)), "m").values == expected);
  CHECK(decode_npy(file_of(header(">f4", "False"), swapped(bytes_of(narrow), 4)), "m").values ==
        std::vector<double>(narrow.begin(), narrow.end()));
  CHECK(decode_npy(file_of(header(">f8", "False"), swapped(bytes_of(six), 8)), "m").values == six);

  const ScoreMap by_columns = decode_npy(file_of(header("<f8", "True"), bytes_of(six)), "m");
  CHECK(by_columns.width == 3);
  CHECK(by_columns.height == 2);
  CHECK(by_columns.values == std::vector<double>{six[0], six[2], six[4], six[1], six[3], six[5]});
}

TEST_CASE("other files are refused with what is wrong") {
  const std::string data = bytes_of(six);
  const auto with = [&](const std::string& type, const std::string& order, const std::string& shape) {
    return error_of(file_of("{'descr': " + type + ", 'fortran_order': " + order + ", 'shape': " + shape + ", }", data));
  };
  CHECK(with("'<f8'", "False", "(2, 3)") == "none");
  CHECK(error_of("") == "m.npy: not a .npy file");
  CHECK(error_of("PK\x03\x04 some archive") == "m.npy: not a .npy file");
  CHECK(with("'<f16'", "False", "(2, 3)").find("'<f16'") != std::string::npos);
  CHECK(with("'|f8'", "False", "(2, 3)").find("'|f8'") != std::string::npos);
  CHECK(with("'<f3'", "False", "(2, 3)").find("'<f3'") != std::string::npos);
  CHECK(with("<f8", "False", "(2, 3)").find("type") != std::string::npos);
  CHECK(with("'<i8'", "False", "(2, 3)").find("float64") != std::string::npos);
  CHECK(with("[('a', '<f8')]", "False", "(2, 3)").find("type") != std::string::npos);
  CHECK(with("'<f8'", "Maybe", "(2, 3)").find("fortran_order") != std::string::npos);
  CHECK(with("'<f4'", "False", "(2, 3)").find("need 24 bytes, the file has 48") != std::string::npos);
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
