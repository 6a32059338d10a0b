// Files of torch.save(): those of PyTorch itself (tools/golden/make_pth.py), those that acol writes, and damaged ones.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "acol/weights/pth.h"
#include "acol/weights/weight_file.h"
#include "tests/golden_file.h"
#include "tests/program.h"

using namespace acol;
using namespace acol::testing;

namespace fs = std::filesystem;

namespace {

fs::path pth_path(const std::string& name) { return golden_path("x").parent_path() / (name + ".pth"); }

bool equal_values(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  for (std::int64_t i = 0; i < a.count(); ++i)
    if (!(a.at(i) == b.at(i))) return false;
  return true;
}

// The Error of opening it as weights; empty if there is none.
std::string refusal(const fs::path& path) {
  try {
    const WeightFile file(path);
  } catch (const Error& error) {
    const std::string line = error.what();
    CHECK_MESSAGE(contains(line, path.filename().string()), line);
    CHECK_MESSAGE(!contains(line, "\n"), line);
    return line;
  }
  return "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  REQUIRE(from.size() == to.size());
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("every format of PyTorch: types, strides, shared storages, offsets, a Parameter") {
  const SafetensorsFile values = read_safetensors(golden_path("pth_values"));
  CHECK(values.tensors.size() == 15);
  for (const char* name : {"pth_zip", "pth_zip_protocol4", "pth_legacy", "pth_legacy_protocol1"}) {
    CAPTURE(name);
    const WeightFile file(pth_path(name));
    CHECK(file.format() == (std::string(name).starts_with("pth_zip") ? "PyTorch, zip" : "PyTorch, legacy"));
    CHECK(file.notes().empty());
    REQUIRE(file.entries().size() == 16);
    CHECK(file.entries()[0].name == "f32");  // in the order of the dictionary
    CHECK(file.entries()[15].name == "parameter");
    CHECK(file.find("bf16")->dtype == "BF16");
    CHECK(file.find("f16")->dtype == "F16");
    CHECK(file.find("f64")->dtype == "F64");
    CHECK(file.find("half_filter")->shape == std::vector<std::int64_t>{2, 2, 2, 3});
    for (const auto& [tensor_name, wanted] : values.tensors) {
      const std::string shown = tensor_name;
      CAPTURE(shown);
      const WeightEntry* entry = file.find(tensor_name);
      REQUIRE(entry != nullptr);
      CHECK(entry->readable());
      // Through float32, which float64 alone is rounded to.
      const Tensor got = file.read(tensor_name);
      const Tensor rounded = tensor_name == "f64" ? wanted.to(DType::float32) : wanted;
      const Tensor scalar = wanted.reshaped(got.shape());
      CHECK(equal_values(got, tensor_name == "f64" ? rounded : scalar));
      Tensor exact = Tensor::empty(got.shape(), DType::float64);
      file.read_into(tensor_name, exact);
      CHECK(equal_values(exact, scalar));
      if (got.shape().rank() != 4) continue;
      const Shape s = got.shape();
      Tensor turned = Tensor::empty({s[0], s[2], s[3], s[1]});
      file.read_filter_into(tensor_name, turned);
      CHECK(equal_values(turned, filter_from_file(got)));
    }
    const WeightEntry* i64 = file.find("i64");
    REQUIRE(i64 != nullptr);
    CHECK_FALSE(i64->readable());
    CHECK_THROWS_WITH_AS(file.read("i64"), doctest::Contains("I64"), Error);
    CHECK_THROWS_WITH_AS(file.read("none"), doctest::Contains("none"), Error);
    Tensor wrong = Tensor::zeros({3, 2});
    CHECK_THROWS_WITH_AS(file.read_into("f32", wrong), doctest::Contains("(2, 3)"), Error);
  }
}

TEST_CASE("a training checkpoint: weights are found, wrappers go, the rest is left") {
  const WeightFile file(pth_path("pth_checkpoint"));
  CHECK(file.notes() == std::vector<std::string>{"entry 'state_dict'", "prefix 'module.' taken off"});
  REQUIRE(file.entries().size() == 7);
  CHECK(file.entries()[0].name == "features.0.weight");
  CHECK(file.entries()[0].stored_name == "module.features.0.weight");
  const Tensor variance = file.read("features.1.running_var");
  CHECK(variance.shape() == Shape{2});
  CHECK(variance.at(0) > 0.5);
  CHECK_FALSE(file.find("features.1.num_batches_tracked")->readable());
}

TEST_CASE("what acol writes is read back, to the bit; equal contents give equal bytes") {
  const TemporaryFolder folder;
  Tensor filter = Tensor::empty({2, 3, 1, 2}), bias = Tensor::empty({3});
  for (std::int64_t i = 0; i < filter.count(); ++i) filter.set(i, 0.1 * static_cast<double>(i) - 0.3);
  for (std::int64_t i = 0; i < bias.count(); ++i) bias.set(i, i == 1 ? -0.0 : std::ldexp(1.0, -149));
  const std::vector<std::pair<std::string, Tensor>> tensors{
      {"conv.weight", filter}, {"größe", bias}, {"empty", Tensor::zeros({0, 4})}};
  const fs::path path = folder / "written.pth";
  write_pth(path, tensors, {{"note.json", "{\"a\": 1}"}});
  const WeightFile file(path);
  REQUIRE(file.entries().size() == 3);
  for (const auto& [name, wanted] : tensors) {
    const Tensor got = file.read(name);
    REQUIRE(got.shape() == wanted.shape());
    CHECK(std::memcmp(got.f32(), wanted.f32(), wanted.bytes()) == 0);
  }
  const PthReader reader(path);
  CHECK(reader.extra("note.json") == "{\"a\": 1}");
  CHECK(reader.extra("other.json") == "");
  const std::string bytes = text_of_file(path);
  write_pth(path, tensors, {{"note.json", "{\"a\": 1}"}});
  CHECK(text_of_file(path) == bytes);
  CHECK_THROWS_AS(write_pth(folder / "none/x.pth", tensors), Error);
  CHECK_THROWS_WITH_AS(write_pth(path, {{"x", Tensor::zeros({1}, DType::float64)}}), doctest::Contains("float32"),
                       Error);
  CHECK(text_of_file(path) == bytes);
}

TEST_CASE("a safetensors file whose length begins as PyTorch's files do") {
  const TemporaryFolder folder;
  for (const int length : {0x180, 0x4b50}) {  // 80 01, and "PK"
    CAPTURE(length);
    std::string header = R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
    header.resize(static_cast<std::size_t>(length), ' ');
    std::string bytes{static_cast<char>(length), static_cast<char>(length >> 8)};
    bytes.append(6, '\0').append(header).append(4, '\0');
    write(folder / "odd.safetensors", bytes);
    CHECK(WeightFile(folder / "odd.safetensors").read("w").at(0) == 0);
  }
}

TEST_CASE("a checkpoint that holds itself under every name is no endless search") {
  // {"a1": 1, ..., "state_dict": itself, "model": itself, ...}
  std::string object = "\x80\x02}q\x01(";
  for (int i = 0; i < 200'000; ++i) object += std::string("U\x02zz") + "N";
  for (const char* key : {"state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights"})
    object += std::string("U") + static_cast<char>(std::strlen(key)) + key + "h\x01";
  const std::string start = text_of_file(pth_path("pth_legacy")).substr(0, 15) + "\x80\x02M\xe9\x03.";
  const TemporaryFolder folder;
  write(folder / "loop.pth", start + "\x80\x02}U\x0dlittle_endian\x88s." + object + "u.\x80\x02].");
  CHECK(contains(refusal(folder / "loop.pth"), "no tensors under names"));
}

TEST_CASE("cut off at any byte: refused in one line") {
  const TemporaryFolder folder;
  for (const char* name : {"pth_zip", "pth_legacy"}) {
    const std::string bytes = text_of_file(pth_path(name));
    const fs::path path = folder / "cut.pth";
    for (std::size_t length = 0; length < bytes.size();
         length += length < 700 || length + 700 > bytes.size() ? 1 : 13) {
      fs::remove(path);
      write(path, bytes.substr(0, length));
      CAPTURE(name);
      CAPTURE(length);
      const std::string line = refusal(path);
      CHECK_MESSAGE((contains(line, "cut off") || (length < 3 && contains(line, "neither"))), line);
    }
  }
}

TEST_CASE("bytes changed anywhere: read or refused, never worse") {
  const TemporaryFolder folder;
  const fs::path path = folder / "changed.pth";
  for (const char* name : {"pth_zip", "pth_legacy"}) {
    const std::string bytes = text_of_file(pth_path(name));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8 | 0x80));
      fs::remove(path);
      write(path, damaged);
      try {
        const WeightFile file(path);
        for (const WeightEntry& entry : file.entries())
          if (entry.readable()) (void)file.read(entry.name);
      } catch (const Error&) {
      }
    }
  }
}

TEST_CASE("a legacy file with a view of a storage, as PyTorch before 0.4 could write it") {
  // By hand: no later PyTorch writes one. The tensor is the numbers 3 and 4 of six: at 1 in a view that begins at 2.
  const std::string magic = text_of_file(pth_path("pth_legacy")).substr(0, 15) + "\x80\x02M\xe9\x03.";
  const std::string machine = "\x80\x02}U\x0dlittle_endian\x88s.";
  const std::string view = "(U\x01vK\x02K\x03t";
  const std::string storage =
      "(U\x07storagectorch\nFloatStorage\nU\x01"
      "7U\x03"
      "cpuK\x06" +
      view + "tQ";
  const std::string object =
      "\x80\x02}U\x01xctorch._utils\n_rebuild_tensor\n(" + storage + "K\x01K\x02\x85K\x01\x85tRs.";
  std::string numbers("\6\0\0\0\0\0\0\0", 8);
  for (const float value : {0.f, 1.f, 2.f, 3.f, 4.f, 5.f})
    numbers.append(reinterpret_cast<const char*>(&value), sizeof value);
  const TemporaryFolder folder;
  const std::string path = folder / "view.pth", bytes = magic + machine + object +
                                                        "\x80\x02]U\x01"
                                                        "7a." +
                                                        numbers;
  write(path, bytes);
  CHECK(WeightFile(path).read("x").to_vector() == std::vector<float>{3, 4});
  write(path, bytes.substr(0, bytes.size() - 1));
  CHECK(contains(refusal(path), "ends inside storage"));
  write(path, bytes.substr(0, bytes.size() - 30));
  CHECK(contains(refusal(path), "ends before storage"));
}

TEST_CASE("other files, and files of torch.save() that cannot be read, get a sentence of their own") {
  const TemporaryFolder folder;
  const auto refused = [&](const std::string& content, const std::string& part, const std::string& name = "odd.pth") {
    write(folder / name, content);
    const std::string line = refusal(folder / name);
    CHECK_MESSAGE(contains(line, part), "wanted: ", part, "; got: ", line);
  };
  const std::string zip = text_of_file(pth_path("pth_zip")), legacy = text_of_file(pth_path("pth_legacy"));
  refused("", "neither");
  refused("a text that is long enough", "neither");
  refused("\x89HDF\r\n\x1a\n", "neither");
  refused(std::string(257, '\0') + "ustar" + std::string(300, '\0'), "tar");
  refused("PK\3\4", "zip archive");
  refused(std::string("PK\5\6") + std::string(18, '\0'), "zip archive");  // an empty archive
  refused(replaced(zip, "little", "bigger"), "big endian");
  refused("\x80\x02}.", "torch.save()");
  refused(replaced(legacy, "\x8a\x0a\x6c", "\x8a\x0a\x6d"), "torch.save()");
  refused(replaced(legacy, "M\xe9\x03", "M\xea\x03"), "1001");
  refused(replaced(legacy, "little_endianq\x02\x88", "little_endianq\x02\x89"), "big endian");
  // The same text in the archive's list, which is what counts, and not in front of the data.
  const std::size_t list = zip.rfind("pth_zip/data/3");
  refused(std::string(zip).replace(list, 14, "pth_zip/data/X"), "storage \"3\" are missing");
  CHECK(contains(refusal(folder / "none.pth"), "No such file"));
  // Pickles of torch.save(), but no weights.
  const TemporaryFolder other;
  write_pth(other / "empty.pth", {});
  CHECK(contains(refusal(other / "empty.pth"), "no tensors under names"));
  // Only the pickle is looked at before its storages are: what it asks for is named, whatever else is wrong.
  const std::string evil = replaced(zip, "torch._utils\n_rebuild_tensor_v2", "subprocess\ncheck_output_quietly");
  refused(evil, "subprocess.check_output_quietly");
}
