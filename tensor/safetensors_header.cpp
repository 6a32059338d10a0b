#include "tensor/safetensors_header.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "tensor/check.h"
#include "tensor/stored_numbers.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t rank_limit = 64;  // of tensors that are skipped; the others have at most 4 extents

// Takes the header event by event. Nothing that the format does not have is ever stored, and JSON nested too deep stops
// at its first brace too many, so that a hostile header costs no more than its own length.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  HeaderReader(const std::string& file, SafetensorsHeader& header) : file_(file), header_(header) {}

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
    SafetensorsEntry& entry = header_.entries.back();
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
    SafetensorsEntry& entry = header_.entries.back();
    bool* const seen = key == "dtype"          ? &entry.has_dtype
                       : key == "shape"        ? &entry.has_shape
                       : key == "data_offsets" ? &entry.has_offsets
                                               : nullptr;
    wrong_if(!seen, "tensor ", shown(entry.name), ": unknown key ", shown(key));
    wrong_if(*seen, "tensor ", shown(entry.name), ": ", key, " is there twice");
    *seen = true;
  }

  const std::string& file_;
  SafetensorsHeader& header_;
  Place place_ = Place::start;
  std::string key_;
  std::set<std::string> names_;
};

// The claims of one tensor about itself. The error of a product that overflows is that of a wrong size: no file is so
// big.
void check_entry(const std::string& file, const SafetensorsEntry& entry) {
  const std::string tensor = file + ": tensor " + shown(entry.name);
  check(entry.has_dtype && entry.has_shape && entry.offsets.size() == 2, tensor,
        " must have a dtype, a shape and two data_offsets");
  auto bytes = static_cast<std::uint64_t>(bytes_of_dtype(entry.dtype));
  check(bytes > 0, tensor, ": unknown dtype ", shown(entry.dtype));
  bool overflow = false;
  for (const std::uint64_t extent : entry.shape) overflow |= __builtin_mul_overflow(bytes, extent, &bytes);
  const auto [begin, end] = std::pair(entry.offsets[0], entry.offsets[1]);
  check(begin <= end, tensor, ": data_offsets end (", end, ") before they begin (", begin, ")");
  check(!overflow && bytes == end - begin, tensor, ": data_offsets span ", end - begin,
        " bytes, but its shape and dtype ", entry.dtype, " make ", overflow ? "more than 2^64" : std::to_string(bytes));
  if (!is_read(entry.dtype)) return;
  check(entry.shape.size() <= 4, tensor, " has ", entry.shape.size(), " extents, at most 4 can be read");
  for (const std::uint64_t extent : entry.shape)
    check(extent <= std::numeric_limits<int>::max(), tensor, ": an extent of ", extent, " is too large");
}

}  // namespace

std::string printable(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }, '?');
  return text;
}

std::string shown(const std::string& text) {
  std::string quoted = "\"";
  quoted.append(printable(text.substr(0, 60))).append(text.size() > 60 ? "...\"" : "\"");
  return quoted;
}

SafetensorsHeader read_safetensors_header(const fs::path& path, const InputFile& in) {
  const std::string file = "safetensors file " + path.string();
  const std::uint64_t size = in.size();
  check(size >= 8, file, ": has ", size, " bytes, fewer than the 8 of the header's length; the file is cut off");
  unsigned char prefix[8] = {};
  check(in.read(0, prefix, 8), file, ": reading the header failed");
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = length << 8 | prefix[i];
  check(length <= safetensors_header_limit, file, ": claims a header of ", length, " bytes, more than the ",
        safetensors_header_limit, " of the format; this is no safetensors file");
  check(length <= size - 8, file, ": claims a header of ", length, " bytes, but only ", size - 8,
        " follow; the file is cut off");
  std::string text(static_cast<std::size_t>(length), '\0');
  check(in.read(8, text.data(), text.size()), file, ": reading the header failed");

  SafetensorsHeader header;
  header.data_start = 8 + length;
  HeaderReader reader(file, header);
  // nlohmann-json takes a zero byte for the end of the text and would not look at what follows.
  if (const std::size_t zero = text.find('\0'); zero != std::string::npos) reader.fail_at(zero);
  nlohmann::json::sax_parse(text, &reader);

  for (const SafetensorsEntry& entry : header.entries) check_entry(file, entry);
  std::sort(header.entries.begin(), header.entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) { return a.offsets < b.offsets; });
  std::uint64_t covered = 0;
  for (const SafetensorsEntry& entry : header.entries) {
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

}  // namespace acol
