// The weight file format: what is written comes back to the bit, and every broken file gives one clear error.
#include <doctest/doctest.h>
#include <unistd.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include "tensor/file.h"
#include "tensor/safetensors.h"

using namespace acol;

namespace {

namespace fs = std::filesystem;

// A folder that goes away with the test.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("acol_test_safetensors_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  fs::path file(const std::string& name = "x.safetensors") const { return path / name; }
};

std::string length_prefix(std::uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> (8 * i));
  return bytes;
}

void write_raw(const fs::path& path, const std::string& bytes) {
  fs::remove(path);  // some file systems wait for the disk when a file is overwritten
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// A file with this header and `data` zero bytes after it.
void write_raw(const fs::path& path, const std::string& header, std::size_t data) {
  write_raw(path, length_prefix(header.size()) + header + std::string(data, '\0'));
}

template <class Body>
std::string error_of(const Body& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  return with_scalar(a.dtype(), [&]<class T>() { return std::memcmp(a.data<T>(), b.data<T>(), a.bytes()) == 0; });
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace

TEST_CASE("safetensors round trip to the bit") {
  const Folder folder;
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  SafetensorsFile file;
  file.tensors["features.0.weight"] = Tensor::from({2, 1, 2, 1}, std::vector<float>{1, -0.0f, 1e-45f, nan});
  file.tensors["features.0.bias"] = Tensor::from({3}, std::vector<float>{inf, -inf, 3.4e38f});
  file.tensors["double"] = Tensor::from({1, 3}, std::vector<double>{0.1, 1e300, 5e-324});
  file.tensors["none"] = Tensor::zeros({0, 4});
  file.metadata = {{"classes", "[\"goldfish\", \"Käse\"]"}, {"line", "a\nb\"c\\"}, {"empty", ""}};
  write_safetensors(folder.file(), file);
  const SafetensorsFile back = read_safetensors(folder.file());
  CHECK(back.metadata == file.metadata);
  CHECK(back.skipped.empty());
  REQUIRE(back.tensors.size() == file.tensors.size());
  for (const auto& [this_name, tensor] : file.tensors) {
    const auto& name = this_name;  // a message is a lambda, and Clang 14 captures no binding
    CAPTURE(name);
    REQUIRE(back.tensors.count(name) == 1);
    CHECK(same_bits(back.tensors.at(name), tensor));
  }
  CHECK(read_safetensors_metadata(folder.file()) == file.metadata);

  const std::string bytes = read_file(folder.file());
  CHECK((8 + static_cast<std::size_t>(static_cast<unsigned char>(bytes[0]))) % 8 == 0);  // the numbers are aligned
  CHECK(bytes.find(R"("double":{"data_offsets":[0,24])") != std::string::npos);          // so F64 comes first
  write_safetensors(folder.file("again"), back);
  CHECK(read_file(folder.file("again")) == bytes);
  CHECK(!fs::exists(folder.file().string() + ".partial"));
}

TEST_CASE("safetensors without tensors, and a scalar") {
  const Folder folder;
  write_safetensors(folder.file(), {});
  CHECK(read_safetensors(folder.file()).tensors.empty());
  write_raw(folder.file(), R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4);
  const Tensor scalar = read_safetensors(folder.file()).tensors.at("s");
  CHECK(scalar.shape() == Shape{1});
  CHECK(scalar.at(0) == 0);
}

TEST_CASE("safetensors widens F16 and BF16 exactly and skips whole numbers") {
  const Folder folder;
  const std::string header = R"({"bn.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                             R"("half":{"dtype":"F16","shape":[10],"data_offsets":[8,28]},)"
                             R"("mask":{"dtype":"U8","shape":[1,1,1,1,4],"data_offsets":[28,32]},)"
                             R"("brain":{"dtype":"BF16","shape":[2,2],"data_offsets":[32,40]}}  )";
  // 1, -2, largest 65504, smallest normal 2^-14, smallest subnormal 2^-24, largest subnormal, -0, inf, -inf, nan
  const std::vector<std::uint16_t> half{0x3C00, 0xC000, 0x7BFF, 0x0400, 0x0001, 0x03FF, 0x8000, 0x7C00, 0xFC00, 0x7E01};
  const std::vector<std::uint16_t> brain{0x3F80, 0xC049, 0x0001, 0x7F80};  // 1, -3.140625, 2^-133, inf
  write_raw(folder.file(), length_prefix(header.size()) + header + std::string(8, '\1') + bytes_of(half) +
                               std::string(4, '\2') + bytes_of(brain));
  const SafetensorsFile file = read_safetensors(folder.file());
  CHECK(file.skipped == std::vector<std::string>{"bn.num_batches_tracked", "mask"});
  REQUIRE(file.tensors.size() == 2);
  const Tensor& h = file.tensors.at("half");
  REQUIRE(h.dtype() == DType::float32);
  const std::vector<float> expected{1, -2, 65504, 0x1p-14f, 0x1p-24f, 1023 * 0x1p-24f, -0.0f, INFINITY, -INFINITY};
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(h.f32()[i] == expected[i]);
  CHECK(std::signbit(h.f32()[6]));
  CHECK(std::isnan(h.f32()[9]));
  const Tensor& b = file.tensors.at("brain");
  CHECK(b.shape() == Shape{2, 2});
  CHECK(b.to_vector() == std::vector<float>{1, -3.140625f, 0x1p-133f, INFINITY});
}

TEST_CASE("safetensors widens more halves than one buffer holds") {
  const Folder folder;
  const int count = (1 << 16) + 3;
  std::vector<std::uint16_t> brain(count);
  for (int i = 0; i < count; ++i) brain[static_cast<std::size_t>(i)] = static_cast<std::uint16_t>(i % 30000);
  const std::string header = R"({"b":{"dtype":"BF16","shape":[65539],"data_offsets":[0,131078]}})";
  write_raw(folder.file(), length_prefix(header.size()) + header + bytes_of(brain));
  const Tensor b = read_safetensors(folder.file()).tensors.at("b");
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    std::uint32_t bits = 0;
    std::memcpy(&bits, b.f32() + i, 4);
    wrong += bits != static_cast<std::uint32_t>(i % 30000) << 16;
  }
  CHECK(wrong == 0);
}

TEST_CASE("filters change their order between file and memory") {
  // w[o, c, r, s] = 1000 o + 100 c + 10 r + s.
  const int O = 2, C = 3, R = 2, S = 4;
  Tensor in_file = Tensor::empty({O, C, R, S}), in_memory = Tensor::empty({O, R, S, C}, DType::float64);
  for (int o = 0, i = 0; o < O; ++o)
    for (int c = 0; c < C; ++c)
      for (int r = 0; r < R; ++r)
        for (int s = 0; s < S; ++s, ++i) {
          in_file.set(i, 1000 * o + 100 * c + 10 * r + s);
          in_memory.set(((o * R + r) * S + s) * C + c, 1000 * o + 100 * c + 10 * r + s);
        }
  CHECK(same_bits(filter_from_file(in_file), in_memory.to(DType::float32)));
  CHECK(same_bits(filter_to_file(in_memory), in_file.to(DType::float64)));
  CHECK_THROWS_AS(filter_from_file(Tensor::zeros({2, 3})), Error);
  CHECK_THROWS_AS(filter_to_file(Tensor::zeros({2, 3, 4})), Error);
}

TEST_CASE("safetensors reader: tensors straight to where they belong, any type, in pieces and threads") {
  const Folder folder;
  // Filters of 7 x 9 taps a row of channels: many to a piece. One row of the large one is more than a piece.
  const Shape small{401, 7, 3, 3}, large{3, 2000, 3, 3};
  const auto count = static_cast<int>(small.count() + large.count());
  for (const auto& [this_dtype, bytes] :
       std::vector<std::pair<std::string, int>>{{"F32", 4}, {"F64", 8}, {"BF16", 2}}) {
    const auto& dtype = this_dtype;  // a message is a lambda, and Clang 14 captures no binding
    CAPTURE(dtype);
    // Whole numbers of at most eight bits, which each type has.
    std::vector<float> values(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 37 % 251) - 125;
    std::string data;
    for (const float value : values) {
      const double wide = value;
      const auto half = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
      data.append(dtype == "F64"    ? reinterpret_cast<const char*>(&wide)
                  : dtype == "BF16" ? reinterpret_cast<const char*>(&half)
                                    : reinterpret_cast<const char*>(&value),
                  static_cast<std::size_t>(bytes));
    }
    const auto entry = [&](const Shape& shape, std::int64_t begin) {
      return message(R"({"dtype":")", dtype, R"(","shape":[)", shape[0], ",", shape[1], ",", shape[2], ",", shape[3],
                     R"(],"data_offsets":[)", begin * bytes, ",", (begin + shape.count()) * bytes, "]}");
    };
    const std::string header = R"({"small":)" + entry(small, 0) + R"(,"large":)" + entry(large, small.count()) + "}";
    write_raw(folder.file(), length_prefix(header.size()) + header + data);

    const SafetensorsReader reader(folder.file());
    CHECK(reader.names() == std::vector<std::string>{"large", "small"});
    CHECK(reader.shape("large") == large);
    CHECK(reader.contains("small"));
    CHECK_FALSE(reader.contains("medium"));
    for (const DType wanted : {DType::float32, DType::float64})
      for (const std::string name : {"small", "large"}) {
        const Shape shape = reader.shape(name);
        const float* const first = values.data() + (name == "large" ? small.count() : 0);
        const Tensor in_file = Tensor::from(shape, std::vector<float>(first, first + shape.count())).to(wanted);
        Tensor plain = Tensor::full(shape, std::numeric_limits<double>::quiet_NaN(), wanted);
        reader.read_into(name, plain);
        CHECK(same_bits(plain, in_file));
        Tensor filter = Tensor::full({shape[0], shape[2], shape[3], shape[1]}, NAN, wanted);
        reader.read_filter_into(name, filter);
        CHECK(same_bits(filter, filter_from_file(in_file)));
        CHECK(same_bits(reader.read(name).to(wanted), in_file));
      }
  }
}

TEST_CASE("safetensors reader: what is missing, of another shape, cut off or replaced once it is open") {
  const Folder folder;
  SafetensorsFile file;
  file.tensors["w"] = Tensor::full({64, 32, 3, 3}, 1.5);
  file.tensors["b"] = Tensor::full({64}, 2.5);
  write_safetensors(folder.file(), file);
  const SafetensorsReader reader(folder.file());
  const auto says = [&](const auto& call, const char* part) {
    const std::string text = error_of(call);
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
    CHECK(text.find("x.safetensors") != std::string::npos);
  };
  Tensor b = Tensor::zeros({64}), w = Tensor::zeros({64, 3, 3, 32}), other = Tensor::zeros({64, 3, 32, 3});
  says([&] { reader.read("c"); }, "tensor c is missing");
  says([&] { reader.shape("c"); }, "tensor c is missing");
  says([&] { reader.read_into("b", w); }, "tensor b has shape");
  says([&] { reader.read_filter_into("w", other); }, "tensor w has shape");
  says([&] { reader.read_filter_into("b", w); }, "tensor b has shape");
  CHECK_THROWS_AS(reader.read_filter_into("b", b), Error);

  // Training goes on and saves: who reads keeps the file that was opened.
  file.tensors["b"] = Tensor::full({64}, -1);
  write_safetensors(folder.file(), file);
  reader.read_into("b", b);
  CHECK(b.at(63) == 2.5);

  const SafetensorsReader shortened(folder.file());
  fs::resize_file(folder.file(), fs::file_size(folder.file()) - 5000);
  says([&] { shortened.read_filter_into("w", w); }, "reading tensor \"w\" failed");
  says([&] { shortened.read("w"); }, "reading tensor \"w\" failed");
}

TEST_CASE("safetensors: what cannot be written") {
  const Folder folder;
  write_raw(folder.file(), "old");
  const auto write = [&](const std::string& name, const Tensor& tensor, const std::string& metadata = "") {
    return error_of([&] { write_safetensors(folder.file(), {{{name, tensor}}, {{"key", metadata}}, {}}); });
  };
  CHECK(write("w", Tensor()).find("undefined") != std::string::npos);
  CHECK(write("__metadata__", Tensor::zeros({1})).find("no name for a tensor") != std::string::npos);
  CHECK(write("\xFF", Tensor::zeros({1})).find("UTF-8") != std::string::npos);
  CHECK(write("w", Tensor::zeros({1}), "\xC3").find("UTF-8") != std::string::npos);
  CHECK(read_file(folder.file()) == "old");
  CHECK(error_of([&] { write_safetensors(folder.path / "missing" / "x", {}); }).find("cannot write") == 0);
}

TEST_CASE("safetensors: files that are no such file") {
  const Folder folder;
  const auto error = [&](const std::string& bytes) {
    write_raw(folder.file(), bytes);
    const std::string text = error_of([&] { read_safetensors(folder.file()); });
    CHECK(text == error_of([&] { read_safetensors_metadata(folder.file()); }));
    CHECK(text.find("x.safetensors") != std::string::npos);
    return text;
  };
  const auto says = [&](const std::string& bytes, const char* part) {
    const std::string text = error(bytes);
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  says("", "has 0 bytes");
  says("1234567", "has 7 bytes");
  says(length_prefix(0), "not JSON");
  says(length_prefix(3) + "{}", "claims a header of 3 bytes, but only 2 follow");
  says(length_prefix(100'000'001) + "{}", "more than the 100000000");
  says(length_prefix(~std::uint64_t{0}) + "{}", "more than the 100000000");
  says(length_prefix(2) + "{}x", "1 follow the header");
  CHECK(error_of([&] { read_safetensors(folder.file("missing")); }).find("cannot read") == 0);
  CHECK(error_of([&] { read_safetensors(folder.path); }).find("cannot read") == 0);
}

TEST_CASE("safetensors: hostile headers") {
  struct Case {
    std::string header;
    std::size_t data;
    std::string part;  // of the message
  };
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return R"({"w":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const std::string good = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  const std::string f32 = "\"F32\"";
  const std::vector<Case> cases = {
      // no JSON
      {"hello", 0, "not JSON"},
      {"{\"w\":", 0, "not JSON"},
      {"{} {}", 0, "not JSON"},
      {std::string("{}\0", 3), 0, "not JSON at byte 2"},
      {std::string("{}\0{}", 5), 0, "not JSON at byte 2"},
      {"{\"\xFF\":1}", 0, "not JSON"},
      {entry(f32, "[1e999]", "[0,4]"), 4, "not JSON"},
      // nested too deep: refused at the first step too many, not at the end
      {std::string(100'000, '['), 0, "the header must be a JSON object"},
      {"{\"a\":" + std::string(100'000, '['), 0, "each tensor must be an object"},
      {[] {
         std::string deep;
         for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
         return deep;
       }(),
       0, "unknown key"},
      {entry(f32, std::string(100'000, '['), "[0,4]"), 4, "hold whole numbers"},
      {R"({"__metadata__":{"a":{"b":"c"}}})", 0, "metadata must be strings"},
      // wrong types
      {"[]", 0, "the header must be a JSON object"},
      {"3", 0, "the header must be a JSON object"},
      {"null", 0, "the header must be a JSON object"},
      {R"({"w":7})", 0, "each tensor must be an object"},
      {R"({"__metadata__":{"a":1}})", 0, "metadata must be strings"},
      {R"({"__metadata__":"a"})", 0, "each tensor must be an object"},
      {entry("32", "[1]", "[0,4]"), 4, "dtype is a string"},
      {entry("[]", "[1]", "[0,4]"), 4, "dtype is a string"},
      {entry(f32, "1", "[0,4]"), 4, "are lists"},
      {entry(f32, "\"1\"", "[0,4]"), 4, "are lists"},
      {entry(f32, "{}", "[0,4]"), 4, "are lists"},
      {entry(f32, "[true]", "[0,4]"), 4, "whole numbers"},
      {entry(f32, "[\"1\"]", "[0,4]"), 4, "whole numbers"},
      {entry(f32, "[1.0]", "[0,4]"), 4, "not whole"},
      {entry(f32, "[1]", "[0,4.5]"), 4, "not whole"},
      // missing, unknown, twice
      {R"({"w":{}})", 0, "must have a dtype"},
      {R"({"w":{"shape":[1],"data_offsets":[0,4]}})", 4, "must have a dtype"},
      {R"({"w":{"dtype":"F32","data_offsets":[0,4]}})", 4, "must have a dtype"},
      {R"({"w":{"dtype":"F32","shape":[1]}})", 4, "must have a dtype"},
      {R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4, "unknown key \"x\""},
      {R"({"w":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4, "dtype is there twice"},
      {R"({"w":)" + good + R"(,"w":)" + good + "}", 4, "\"w\" is there twice"},
      {R"({"__metadata__":{},"__metadata__":{}})", 0, "\"__metadata__\" is there twice"},
      {R"({"__metadata__":{"a":"1","a":"2"}})", 0, "\"a\" is there twice"},
      // shapes and dtypes
      {entry("\"F31\"", "[1]", "[0,4]"), 4, "unknown dtype \"F31\""},
      {entry("\"f32\"", "[1]", "[0,4]"), 4, "unknown dtype \"f32\""},
      {entry(f32, "[-1]", "[0,4]"), 4, "a negative number"},
      {entry(f32, "[4294967296,4294967296]", "[0,0]"), 0, "more than 2^64"},  // product 2^64 = 0
      {entry(f32, "[4611686018427387905]", "[0,4]"), 4, "more than 2^64"},    // times 4 = 4 modulo 2^64
      {entry(f32, "[18446744073709551616]", "[0,4]"), 4, "not whole"},        // 2^64 is read as a float
      {entry(f32, "[0,3000000000]", "[0,0]"), 0, "an extent of 3000000000 is too large"},
      {entry(f32, "[1,1,1,1,1]", "[0,4]"), 4, "has 5 extents"},
      {entry("\"I8\"",
             "[1" + std::string([] {
               std::string s;
               for (int i = 0; i < 64; ++i) s += ",1";
               return s;
             }()) +
                 "]",
             "[0,1]"),
       1, "more than 64 numbers in shape"},
      // offsets
      {entry(f32, "[1]", "[0]"), 4, "two data_offsets"},
      {entry(f32, "[1]", "[0,4,8]"), 4, "more than 2 numbers in data_offsets"},
      {entry(f32, "[1]", "[-4,0]"), 4, "a negative number"},
      {entry(f32, "[1]", "[4,0]"), 4, "end (0) before they begin (4)"},
      {entry(f32, "[2]", "[0,4]"), 4, "span 4 bytes, but its shape and dtype F32 make 8"},
      {entry("\"F64\"", "[1]", "[0,4]"), 4, "make 8"},
      {entry("\"I64\"", "[3]", "[0,8]"), 8, "make 24"},  // skipped ones are checked as well
      {entry(f32, "[1000000000]", "[0,4000000000]"), 4, "cut off"},
      {entry(f32, "[1]", "[18446744073709551612,18446744073709551616]"), 4, "not whole"},
      {entry(f32, "[1]", "[18446744073709551611,18446744073709551615]"), 4, "a hole"},
      {entry(f32, "[1]", "[4,8]"), 8, "a hole"},
      {entry(f32, "[1]", "[0,4]"), 8, "8 follow the header"},
      {entry(f32, "[1]", "[0,4]"), 3, "cut off"},
      {R"({"v":)" + good + R"(,"w":)" + good + "}", 4, "overlap"},
      {R"({"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       8, "overlap"},
      // a name that would break the line, or fill the screen
      {R"({"a\nb":1})", 0, "\"a?b\""},
      {"{\"" + std::string(1000, 'x') + "\":1}", 0, "\"" + std::string(60, 'x') + "...\""},
  };
  const Folder folder;
  for (const Case& test : cases) {
    const std::string start = test.header.substr(0, 120);
    CAPTURE(start);
    write_raw(folder.file(), test.header, test.data);
    const std::string text = error_of([&] { read_safetensors(folder.file()); });
    CAPTURE(text);
    CHECK(text.find(test.part) != std::string::npos);
    CHECK(text.find("x.safetensors") != std::string::npos);
    CHECK(text.find('\n') == std::string::npos);
    CHECK(text == error_of([&] { read_safetensors_metadata(folder.file()); }));
  }
  // The good one of which the bad ones are made.
  write_raw(folder.file(), entry(f32, "[1]", "[0,4]"), 4);
  CHECK(read_safetensors(folder.file()).tensors.size() == 1);
}

TEST_CASE("safetensors: a file cut off anywhere, or with a bit flipped in its header, is an error or a whole file") {
  const Folder folder;
  SafetensorsFile file;
  file.tensors["a.weight"] = Tensor::full({2, 3}, 1);
  file.tensors["a.bias"] = Tensor::full({2}, 2);
  file.metadata["step"] = "7";
  write_safetensors(folder.file(), file);
  const std::string bytes = read_file(folder.file());
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    write_raw(folder.file(), bytes.substr(0, length));
    CHECK_THROWS_AS(read_safetensors(folder.file()), Error);
  }
  for (std::size_t i = 0; i < bytes.size() - 32; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = bytes;
      flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
      write_raw(folder.file(), flipped);
      try {
        const SafetensorsFile back = read_safetensors(folder.file());  // a letter of a name has changed
        CHECK(back.tensors.size() + back.skipped.size() == 2);
      } catch (const Error&) {
        continue;  // anything else would end the test
      }
    }
  }
}
