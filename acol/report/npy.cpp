#include "acol/report/npy.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <utility>
#include <vector>

#include "acol/data/image.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

static_assert(std::endian::native == std::endian::little, "values are copied as they lie in memory");

namespace {

constexpr std::string_view magic = "\x93NUMPY";

// The value of `key` in the header, a Python dictionary as text: everything up to the comma or brace that ends it.
// NumPy writes keys in single quotes; a writer of our own kind may use double ones.
std::string_view entry(std::string_view header, std::string_view key, const std::string& name) {
  std::size_t at = header.find(message("'", key, "'"));
  if (at == std::string_view::npos) at = header.find(message('"', key, '"'));
  check(at != std::string_view::npos, name, ": the .npy header has no '", key, "'");
  at += key.size() + 2;
  while (at < header.size() && (header[at] == ' ' || header[at] == ':')) ++at;
  const bool tuple = at < header.size() && header[at] == '(';
  const std::size_t end = tuple ? header.find(')', at) : header.find_first_of(",}", at);
  check(end != std::string_view::npos, name, ": the .npy header ends within '", key, "'");
  return header.substr(at, end - at + (tuple ? 1 : 0));
}

// "(3, 4)" -> 3, 4.
std::pair<int, int> two_extents(std::string_view tuple, const std::string& name) {
  std::vector<std::int64_t> extents;
  for (std::size_t at = 0; at < tuple.size(); ++at) {
    if (std::isdigit(static_cast<unsigned char>(tuple[at])) == 0) continue;
    std::int64_t value = 0;
    for (; at < tuple.size() && std::isdigit(static_cast<unsigned char>(tuple[at])) != 0; ++at)
      value = std::min<std::int64_t>(value * 10 + (tuple[at] - '0'), max_pixels + 1);
    extents.push_back(value);
  }
  check(extents.size() == 2, name, ": a score map has 2 axes, this array has shape ", tuple);
  check(extents[0] >= 1 && extents[1] >= 1, name, ": an empty array, shape ", tuple);
  check(extents[0] <= max_pixels / extents[1], name, ": shape ", tuple, " is more than ", max_pixels, " values");
  return {static_cast<int>(extents[0]), static_cast<int>(extents[1])};
}

template <class T>
std::vector<double> values_of(std::string_view data, std::size_t count) {
  std::vector<T> stored(count);
  std::memcpy(stored.data(), data.data(), count * sizeof(T));
  return std::vector<double>(stored.begin(), stored.end());
}

}  // namespace

std::string encode_npy(const ScoreMap& map) {
  validate(map, "npy");
  std::string header =
      message("{'descr': '<f8', 'fortran_order': False, 'shape': (", map.height, ", ", map.width, "), }");
  const std::size_t prefix = magic.size() + 4;  // two bytes of version, two of the header's length
  header.append(63 - (prefix + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes(magic);
  bytes += {'\x01', '\x00', static_cast<char>(header.size() % 256), static_cast<char>(header.size() / 256)};
  bytes += header;
  const std::size_t data = bytes.size();
  bytes.resize(data + map.values.size() * sizeof(double));
  std::memcpy(bytes.data() + data, map.values.data(), map.values.size() * sizeof(double));
  return bytes;
}

void write_npy(const std::filesystem::path& path, const ScoreMap& map) { write_file_atomically(path, encode_npy(map)); }

ScoreMap decode_npy(std::string_view bytes, const std::string& name) {
  check(bytes.substr(0, magic.size()) == magic && bytes.size() >= 10, name, ": not a .npy file");
  const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at])); };
  const std::size_t version = byte(6);
  check(version >= 1 && version <= 3, name, ": .npy version ", version, "; versions 1 to 3 are read");
  const std::size_t start = version == 1 ? 10 : 12;
  check(bytes.size() >= start, name, ": cut short in the header");
  std::size_t length = byte(8) + byte(9) * 256;
  if (version > 1) length += byte(10) * 65536 + byte(11) * 16777216;
  check(bytes.size() - start >= length, name, ": cut short in the header");
  const std::string_view header = bytes.substr(start, length), data = bytes.substr(start + length);

  const std::string_view type = entry(header, "descr", name);
  const bool wide = type.find("<f8") != std::string_view::npos, narrow = type.find("<f4") != std::string_view::npos;
  check(wide || narrow, name, ": values of type ", type,
        "; little-endian float64 '<f8' or float32 '<f4' are read, convert ", "with astype");
  check(entry(header, "fortran_order", name).starts_with("False"), name,
        ": stored column by column (Fortran order); save numpy.ascontiguousarray(map)");
  const auto [height, width] = two_extents(entry(header, "shape", name), name);
  const std::size_t count = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  const std::size_t expected = count * (wide ? 8 : 4);
  check(data.size() == expected, name, ": ", height, " x ", width, " values need ", expected, " bytes, the file has ",
        data.size());
  return ScoreMap{width, height, wide ? values_of<double>(data, count) : values_of<float>(data, count)};
}

ScoreMap read_npy(const std::filesystem::path& path) { return decode_npy(read_file(path), path.string()); }

}  // namespace acol
