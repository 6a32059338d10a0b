// The state of a training run in one file: a model file (model.h) with the optimizer's velocities as tensors
// "optimizer.<parameter>" and the position in the run as JSON in "acol_training".
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "acol/train/model.h"
#include "layers/optimizer.h"

namespace acol {

// Sums over the images of the running epoch.
struct EpochSums {
  std::int64_t images = 0, wrong = 0, images_b = 0;
  double loss_a = 0, loss_b = 0;  // of means times images
  friend bool operator==(const EpochSums&, const EpochSums&) = default;
};

// Where a run stands: `step` steps are done, the next batch is `batch` of `epoch`.
struct TrainState {
  std::int64_t step = 0;
  int epoch = 0, batch = 0;
  EpochSums sums;
  std::optional<double> best_error;  // percent, lowest validation error so far
  std::string data;                  // fingerprint of the training pictures: a resumed run must see the same
  std::string simd;                  // SIMD level, or the device if not the CPU, the run began with; another may round differently
  friend bool operator==(const TrainState&, const TrainState&) = default;
};

std::string to_json(const TrainState& state);

// Written beside and renamed: a kill at any moment leaves the old state or the new one.
void save_checkpoint(const std::filesystem::path& path, Model& model, Sgd& optimizer, const TrainState& state);

struct Checkpoint {
  Model model;
  TrainState state;
  SafetensorsReader file;  // open: the velocities are still in it
};
// Error naming the file: missing, damaged, or a model without training state (best.safetensors has none to resume
// from).
Checkpoint load_checkpoint(const std::filesystem::path& path);
void restore_velocities(Sgd& optimizer, const Checkpoint& checkpoint, const std::filesystem::path& path);

}  // namespace acol
