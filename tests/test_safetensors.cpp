// The weight file format: what is written comes back to the bit. test_safetensors_damaged has the broken files.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/file.h"
#include "tensor/safetensors.h"
#include "tests/safetensors_file.h"
#include "tests/same_bits.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

namespace {

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
    const auto entry = [&, type = dtype, size = bytes](const Shape& shape, std::int64_t begin) {
      return message(R"({"dtype":")", type, R"(","shape":[)", shape[0], ",", shape[1], ",", shape[2], ",", shape[3],
                     R"(],"data_offsets":[)", begin * size, ",", (begin + shape.count()) * size, "]}");
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
