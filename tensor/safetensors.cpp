#include "tensor/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

static_assert(std::endian::native == std::endian::little, "the numbers in the file are little endian");

constexpr std::uint64_t header_limit = 100'000'000;  // bytes, as in the reference implementation
constexpr std::size_t rank_limit = 64;               // of tensors that are skipped; the others have at most 4 extents

struct Dtype {
  const char* name;
  int bytes;
};
constexpr Dtype dtypes[] = {{"F32", 4}, {"F64", 8}, {"F16", 2},     {"BF16", 2},    {"I64", 8},
                            {"I32", 4}, {"I16", 2}, {"I8", 1},      {"U64", 8},     {"U32", 4},
                            {"U16", 2}, {"U8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"BOOL", 1}};

// One tensor as the header claims it.
struct Entry {
  std::string name, dtype;
  std::vector<std::uint64_t> shape, offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

struct Header {
  std::vector<Entry> entries;  // in the order of their numbers in the file once checked
  std::map<std::string, std::string> metadata;
  std::uint64_t data_start = 0;  // bytes from the start of the file
};

// A text from the file, fit for a one-line message.
std::string shown(const std::string& text) {
  std::string line = "\"";
  for (const char c : text.substr(0, 60)) line += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  return line + (text.size() > 60 ? "...\"" : "\"");
}

// Takes the header event by event. Nothing that the format does not have is ever stored, and JSON nested too deep stops
// at its first brace too many, so that a hostile header costs no more than its own length.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderReader(const std::string& file, Header& header) : file_(file), header_(header) {}

  bool start_object(std::size_t) override {
    if (place_ == Place::start) return enter(Place::top);
    if (place_ == Place::top && key_ == "__metadata__") return enter(Place::metadata);
    if (place_ == Place::top) {
      header_.entries.emplace_back().name = key_;
      return enter(Place::entry);
    }
    return misplaced("an object");
  }

  bool end_object() override { return enter(place_ == Place::top ? Place::end : Place::top); }

  bool key(string_t& text) override {
    key_ = text;
    if (place_ == Place::top)
      wrong_if(!names_.insert(key_).second, "the name ", shown(key_), " is there twice");
    else if (place_ == Place::metadata)
      wrong_if(header_.metadata.count(key_) > 0, "the metadata ", shown(key_), " is there twice");
    else
      once(key_);
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::metadata)
      header_.metadata[key_] = text;
    else if (place_ == Place::entry && key_ == "dtype")
      header_.entries.back().dtype = text;
    else
      return misplaced("a string");
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::entry || key_ == "dtype") return misplaced("a list");
    return enter(Place::list);
  }

  bool end_array() override { return enter(Place::entry); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ != Place::list) return misplaced("a number");
    Entry& entry = header_.entries.back();
    auto& list = key_ == "shape" ? entry.shape : entry.offsets;
    const std::size_t limit = key_ == "shape" ? rank_limit : 2;
    wrong_if(list.size() == limit, "tensor ", shown(entry.name), ": more than ", limit, " numbers in ", key_);
    list.push_back(value);
    return true;
  }

  bool number_integer(number_integer_t) override { return misplaced("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return misplaced("a number that is not whole"); }
  bool null() override { return misplaced("null"); }
  bool boolean(bool) override { return misplaced("true or false"); }
  bool binary(binary_t&) override { return misplaced("binary data"); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail_at(position);
  }

  [[noreturn]] void fail_at(std::size_t position) const {
    fail(file_, ": the header is not JSON at byte ", position, " of it; the file is damaged or no safetensors file");
  }

 private:
  enum class Place { start, top, metadata, entry, list, end };

  bool enter(Place place) {
    place_ = place;
    return true;
  }

  template <class... Parts>
  void wrong_if(bool condition, const Parts&... parts) const {
    if (condition) fail(file_, ": ", parts...);
  }

  bool misplaced(const char* what) const {
    const char* const expected = place_ == Place::start      ? "the header must be a JSON object"
                                 : place_ == Place::top      ? "each tensor must be an object"
                                 : place_ == Place::metadata ? "metadata must be strings"
                                 : place_ == Place::list     ? "shape and data_offsets hold whole numbers from 0"
                                                             : "dtype is a string, shape and data_offsets are lists";
    std::string where = "header";
    if (place_ == Place::top || place_ == Place::metadata) where = shown(key_);
    if (place_ == Place::entry || place_ == Place::list)
      where = "tensor " + shown(header_.entries.back().name) + ", " + shown(key_);
    fail(file_, ": ", where, ": found ", what, ", but ", expected);
  }

  // A key of an entry: known, and not seen before.
  void once(const std::string& key) {
    Entry& entry = header_.entries.back();
    bool* const seen = key == "dtype"          ? &entry.has_dtype
                       : key == "shape"        ? &entry.has_shape
                       : key == "data_offsets" ? &entry.has_offsets
                                               : nullptr;
    wrong_if(!seen, "tensor ", shown(entry.name), ": unknown key ", shown(key));
    wrong_if(*seen, "tensor ", shown(entry.name), ": ", key, " is there twice");
    *seen = true;
  }

  const std::string& file_;
  Header& header_;
  Place place_ = Place::start;
  std::string key_;
  std::set<std::string> names_;
};

bool is_read(const Entry& entry) {
  return entry.dtype == "F32" || entry.dtype == "F64" || entry.dtype == "F16" || entry.dtype == "BF16";
}

// The claims of one tensor about itself. The error of a product that overflows is that of a wrong size: no file is so
// big.
void check_entry(const std::string& file, const Entry& entry) {
  const std::string tensor = file + ": tensor " + shown(entry.name);
  check(entry.has_dtype && entry.has_shape && entry.offsets.size() == 2, tensor,
        " must have a dtype, a shape and two data_offsets");
  const auto* const dtype =
      std::find_if(std::begin(dtypes), std::end(dtypes), [&](const Dtype& known) { return known.name == entry.dtype; });
  check(dtype != std::end(dtypes), tensor, ": unknown dtype ", shown(entry.dtype));

  std::uint64_t bytes = static_cast<std::uint64_t>(dtype->bytes);
  bool overflow = false;
  for (const std::uint64_t extent : entry.shape) overflow |= __builtin_mul_overflow(bytes, extent, &bytes);
  const auto [begin, end] = std::pair(entry.offsets[0], entry.offsets[1]);
  check(begin <= end, tensor, ": data_offsets end (", end, ") before they begin (", begin, ")");
  check(!overflow && bytes == end - begin, tensor, ": data_offsets span ", end - begin,
        " bytes, but its shape and dtype ", entry.dtype, " make ", overflow ? "more than 2^64" : std::to_string(bytes));
  if (!is_read(entry)) return;
  check(entry.shape.size() <= 4, tensor, " has ", entry.shape.size(), " extents, at most 4 can be read");
  for (const std::uint64_t extent : entry.shape)
    check(extent <= std::numeric_limits<int>::max(), tensor, ": an extent of ", extent, " is too large");
}

Header read_header(const fs::path& path, std::ifstream& in) {
  const std::string file = "safetensors file " + path.string();
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  check(!error, "cannot read ", path.string(), ": ", error.message());
  in.open(path, std::ios::binary);
  check(in.good(), "cannot read ", path.string(), ": ", std::strerror(errno));

  check(size >= 8, file, ": has ", size, " bytes, fewer than the 8 of the header's length; the file is cut off");
  unsigned char prefix[8] = {};
  in.read(reinterpret_cast<char*>(prefix), 8);
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | prefix[i];
  check(length <= header_limit, file, ": claims a header of ", length, " bytes, more than the ", header_limit,
        " of the format; this is no safetensors file");
  check(length <= size - 8, file, ": claims a header of ", length, " bytes, but only ", size - 8,
        " follow; the file is cut off");
  std::string text(static_cast<std::size_t>(length), '\0');
  in.read(text.data(), static_cast<std::streamsize>(length));
  check(in.good(), file, ": reading the header failed");

  Header header;
  header.data_start = 8 + length;
  HeaderReader reader(file, header);
  // nlohmann-json takes a zero byte for the end of the text and would not look at what follows.
  if (const std::size_t zero = text.find('\0'); zero != std::string::npos) reader.fail_at(zero);
  nlohmann::json::sax_parse(text, &reader);

  for (const Entry& entry : header.entries) check_entry(file, entry);
  std::sort(header.entries.begin(), header.entries.end(),
            [](const Entry& a, const Entry& b) { return a.offsets < b.offsets; });
  std::uint64_t covered = 0;
  for (const Entry& entry : header.entries) {
    check(entry.offsets[0] == covered, file, ": tensor ", shown(entry.name), " begins at ", entry.offsets[0],
          " but the ", "numbers before it end at ", covered,
          entry.offsets[0] < covered ? " (they overlap)" : " (a hole)");
    covered = entry.offsets[1];
  }
  const std::uint64_t data = size - header.data_start;
  check(covered == data, file, ": the tensors take ", covered, " bytes, but ", data, " follow the header; the file is ",
        covered > data ? "cut off" : "damaged");
  return header;
}

// bfloat16 is the upper half of a float32.
float widened_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

// IEEE half: 1 sign, 5 exponent (bias 15), 10 fraction bits -> 1, 8 (bias 127), 23. Every value of it is a float32.
float widened_float16(std::uint16_t bits) {
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 31u, fraction = bits & 1023u;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | fraction << 13);  // infinity, NaN
  if (exponent == 0) {  // zero, subnormal: fraction 2^-24
    const float value = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -value : value;
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

void read_widened(std::ifstream& in, float (*widened)(std::uint16_t), Tensor& tensor) {
  std::vector<std::uint16_t> halves(1 << 16);
  for (std::int64_t done = 0; done < tensor.count();) {
    const auto part = std::min<std::int64_t>(static_cast<std::int64_t>(halves.size()), tensor.count() - done);
    in.read(reinterpret_cast<char*>(halves.data()), part * 2);
    std::transform(halves.begin(), halves.begin() + part, tensor.f32() + done, widened);
    done += part;
  }
}

Shape shape_of(const Entry& entry) {
  const auto extent = [&](std::size_t axis) { return static_cast<int>(entry.shape[axis]); };
  switch (entry.shape.size()) {
    case 0:
      return {1};
    case 1:
      return {extent(0)};
    case 2:
      return {extent(0), extent(1)};
    case 3:
      return {extent(0), extent(1), extent(2)};
    default:
      return {extent(0), extent(1), extent(2), extent(3)};
  }
}

}  // namespace

SafetensorsFile read_safetensors(const fs::path& path) {
  std::ifstream in;
  Header header = read_header(path, in);
  SafetensorsFile file;
  for (const Entry& entry : header.entries) {
    if (!is_read(entry)) {
      file.skipped.push_back(entry.name);
      continue;
    }
    in.seekg(static_cast<std::streamoff>(header.data_start + entry.offsets[0]));
    Tensor tensor = Tensor::empty(shape_of(entry), entry.dtype == "F64" ? DType::float64 : DType::float32);
    if (entry.dtype == "F16")
      read_widened(in, widened_float16, tensor);
    else if (entry.dtype == "BF16")
      read_widened(in, widened_bfloat16, tensor);
    else
      with_scalar(tensor.dtype(), [&]<class T>() {
        in.read(reinterpret_cast<char*>(tensor.data<T>()), static_cast<std::streamsize>(tensor.bytes()));
      });
    check(in.good(), "safetensors file ", path.string(), ": reading tensor ", shown(entry.name), " failed");
    file.tensors[entry.name] = std::move(tensor);
  }
  std::sort(file.skipped.begin(), file.skipped.end());
  file.metadata = std::move(header.metadata);
  return file;
}

std::map<std::string, std::string> read_safetensors_metadata(const fs::path& path) {
  std::ifstream in;
  return read_header(path, in).metadata;
}

void write_safetensors(const fs::path& path, const SafetensorsFile& file) {
  std::vector<const Tensor*> order;  // of the numbers in the file
  nlohmann::json header = nlohmann::json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::uint64_t offset = 0;
  for (const DType dtype : {DType::float64, DType::float32}) {
    for (const auto& [name, tensor] : file.tensors) {
      check(tensor.defined(), "cannot write ", path.string(), ": tensor ", shown(name), " is undefined");
      check(name != "__metadata__", "cannot write ", path.string(), ": \"__metadata__\" is no name for a tensor");
      if (tensor.dtype() != dtype) continue;
      nlohmann::json shape = nlohmann::json::array();
      for (int axis = 0; axis < tensor.shape().rank(); ++axis) shape.push_back(tensor.shape()[axis]);
      header[name] = {{"dtype", dtype == DType::float64 ? "F64" : "F32"},
                      {"shape", shape},
                      {"data_offsets", {offset, offset + tensor.bytes()}}};
      offset += tensor.bytes();
      order.push_back(&tensor);
    }
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail("cannot write ", path.string(), ": a name or a string of the metadata is not UTF-8");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  check(text.size() <= header_limit, "cannot write ", path.string(), ": names and metadata take ", text.size(),
        " bytes, the format allows ", header_limit);

  write_file_atomically(path, [&](std::ostream& out) {
    char prefix[8];
    for (int i = 0; i < 8; ++i) prefix[i] = static_cast<char>(text.size() >> (8 * i));
    out.write(prefix, 8);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    for (const Tensor* tensor : order)
      with_scalar(tensor->dtype(), [&]<class T>() {
        out.write(reinterpret_cast<const char*>(tensor->data<T>()), static_cast<std::streamsize>(tensor->bytes()));
      });
  });
}

namespace {

// (A, B, C, D) seen as (outer, rows, columns) with the last two axes swapped.
Tensor transposed(const Tensor& x, int outer, std::int64_t rows, std::int64_t columns, const Shape& shape) {
  Tensor y = Tensor::empty(shape, x.dtype());
  with_scalar(x.dtype(), [&]<class T>() {
    for (std::int64_t o = 0; o < outer; ++o) {
      const T* from = x.data<T>() + o * rows * columns;  // (rows, columns)
      T* to = y.data<T>() + o * rows * columns;          // (columns, rows)
      for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
    }
  });
  return y;
}

}  // namespace

Tensor filter_from_file(const Tensor& w) {
  const Shape s = w.shape();
  check(s.rank() == 4, "filter_from_file: wants a filter (O, C, R, S), got shape ", s.str());
  return transposed(w, s[0], s[1], std::int64_t{s[2]} * s[3], {s[0], s[2], s[3], s[1]});
}

Tensor filter_to_file(const Tensor& w) {
  const Shape s = w.shape();
  check(s.rank() == 4, "filter_to_file: wants a filter (O, R, S, C), got shape ", s.str());
  return transposed(w, s[0], std::int64_t{s[1]} * s[2], s[3], {s[0], s[3], s[1], s[2]});
}

}  // namespace acol
