// Weight files that break the format: every one gives one clear error.
#include <doctest/doctest.h>

#include "tensor/file.h"
#include "tensor/safetensors.h"
#include "tests/safetensors_file.h"

using namespace acol;
using namespace acol::testing;

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
