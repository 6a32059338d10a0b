// A run that takes milliseconds, for tests of training.
#pragma once

#include <filesystem>
#include <string>

#include "acol/train/trainer.h"
#include "tests/tiny_set.h"

namespace acol::testing {

// Two classes, six pictures each to train on: three batches of four an epoch.
inline const TinySet& set() {
  static const TinySet one({.classes = 2, .train = 6, .val = 2, .size = 32, .seed = 5});
  return one;
}

inline TrainConfig tiny_config() {
  TrainConfig config = preset_config(Preset::scratch);
  config.network.arch = "vgg11_bn";
  config.network.width = 0.03;
  config.network.map_stride = 8;
  config.preprocessing.resize = 36;
  config.preprocessing.crop = 32;
  config.epochs = 2;
  config.batch_size = 4;
  return config;
}

inline RunOptions into(const std::filesystem::path& out, bool resume = false, std::int64_t limit = 0) {
  RunOptions run;
  run.out = out;
  run.workers = 1;
  run.log_every = 1;
  run.resume = resume;
  run.limit_steps = limit;
  return run;
}

// A folder for the runs of one case.
struct Runs {
  TemporaryFolder folder;
  std::filesystem::path operator()(const std::string& name) const { return folder / name; }
};

}  // namespace acol::testing
