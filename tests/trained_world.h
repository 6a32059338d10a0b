// For tests of the program: a tiny model, trained once for all cases of a test file, and what they do with it.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "program.h"

namespace acol {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

inline Json json_of(const std::string& path) { return Json::parse(text_of_file(path)); }

// One thread each: other tests run at the same time.
inline Output run(const Words& words) {
  const bool threads = words[0] != "synth" && words.back() != "--help" && words[0] != "info";
  return run_program(threads ? joined(words, {"--threads", "1"}) : words, {"OMP_WAIT_POLICY=passive"});
}

// The one line says `part`.
inline void check_error(const Words& words, int status, const std::string& part) {
  const Output output = run(words);
  check_one_line_error(words, output, status);
  CHECK_MESSAGE(contains(output.err, part), output.err);
}

// A trained model with its data, made once for all cases.
struct World {
  TemporaryFolder folder;
  std::string data = folder / "data", run_folder = folder / "run", model = run_folder + "/best.safetensors";
  std::string image = data + "/val/bullseye/00001.png";
  Words recipe{"--arch", "vgg11_bn", "--width",  "0.03125", "--resize",     "36",
               "--crop", "32",       "--epochs", "2",       "--batch-size", "8"};
  Output synth, train;

  World() {
    synth =
        run({"synth", "--out", data, "--classes", "3", "--train", "6", "--val", "3", "--size", "40", "--seed", "3"});
    train = run(joined({"train", "--data", data, "--out", run_folder, "--log-every", "1"}, recipe));
  }
  // A folder-layout data set with the same classes, which a case may damage.
  std::string copy_of_data(const std::string& name) const {
    const std::string copy = folder / name;
    fs::copy(data, copy, fs::copy_options::recursive);
    return copy;
  }
};

inline const World& world() {
  static const World one;
  REQUIRE_MESSAGE(one.synth.status == 0, one.synth.err);
  REQUIRE_MESSAGE(one.train.status == 0, one.train.err);
  return one;
}

}  // namespace acol
