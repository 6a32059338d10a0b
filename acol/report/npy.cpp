#include "acol/report/npy.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
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

// What 'descr' says: '<f4' is little-endian float32.
struct ValueType {
  std::size_t bytes = 0;  // of one value
  bool swapped = false;   // big-endian
};

ValueType value_type(std::string_view text, const std::string& name) {
  const char quote = text.empty() ? ' ' : text.front();
  const bool quoted = text.size() == 5 && (quote == '\'' || quote == '"') && text.back() == quote;
  const char order = quoted ? text[1] : ' ', size = quoted ? text[3] : ' ';
  check(quoted && (order == '<' || order == '>') && text[2] == 'f' && (size == '2' || size == '4' || size == '8'), name,
        ": values of type ", text, "; float16, float32 and float64 are read, convert with astype");
  return {static_cast<std::size_t>(size - '0'), order == '>'};
}

// IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. Every value is one of double.
double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double value = 0;
  if (exponent == 31)
    value = fraction == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  else if (exponent == 0)
    value = std::ldexp(fraction, -24);  // zero and denormals
  else
    value = std::ldexp(1024 + fraction, exponent - 25);
  return (bits >> 15) != 0 ? -value : value;
}

template <class T>
std::vector<T> stored_values(std::string_view data, std::size_t count, bool swapped) {
  std::vector<T> stored(count);
  std::memcpy(stored.data(), data.data(), count * sizeof(T));
  if (swapped)
    for (T& value : stored) {
      auto* bytes = reinterpret_cast<unsigned char*>(&value);
      std::reverse(bytes, bytes + sizeof(T));
    }
  return stored;
}

std::vector<double> values_of(std::string_view data, std::size_t count, const ValueType& type) {
  if (type.bytes == 8) return stored_values<double>(data, count, type.swapped);
  std::vector<double> values(count);
  if (type.bytes == 4) {
    const std::vector<float> stored = stored_values<float>(data, count, type.swapped);
    std::copy(stored.begin(), stored.end(), values.begin());
  } else {
    const std::vector<std::uint16_t> stored = stored_values<std::uint16_t>(data, count, type.swapped);
    std::transform(stored.begin(), stored.end(), values.begin(), half_value);
  }
  return values;
}

// From columns one after the other to rows.
std::vector<double> transposed(const std::vector<double>& columns, std::size_t width, std::size_t height) {
  std::vector<double> rows(columns.size());
  for (std::size_t x = 0; x < width; ++x)
    for (std::size_t y = 0; y < height; ++y) rows[y * width + x] = columns[x * height + y];
  return rows;
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

  const ValueType type = value_type(entry(header, "descr", name), name);
  const std::string_view order = entry(header, "fortran_order", name);
  const bool by_columns = order.starts_with("True");
  check(by_columns || order.starts_with("False"), name, ": 'fortran_order' is ", order, ", not True or False");
  const auto [height, width] = two_extents(entry(header, "shape", name), name);
  const std::size_t rows = static_cast<std::size_t>(height), columns = static_cast<std::size_t>(width);
  const std::size_t expected = rows * columns * type.bytes;
  check(data.size() == expected, name, ": ", height, " x ", width, " values need ", expected, " bytes, the file has ",
        data.size());
  ScoreMap map{width, height, values_of(data, rows * columns, type)};
  if (by_columns) map.values = transposed(map.values, columns, rows);
  return map;
}

ScoreMap read_npy(const std::filesystem::path& path) {
  const InputFile file(path);
  constexpr std::uint64_t largest = 8 * static_cast<std::uint64_t>(max_pixels) + (1 << 20);  // with its header
  check(file.size() <= largest, path.string(), ": ", file.size(), " bytes are more than a score map of ", max_pixels,
        " values has");
  std::string bytes(file.size(), '\0');
  check(file.read(0, bytes.data(), bytes.size()), "cannot read ", path.string(), ": it ended while it was read");
  return decode_npy(bytes, path.string());
}

}  // namespace acol
