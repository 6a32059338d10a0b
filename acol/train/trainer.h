// Training: from a data set and a configuration to a run folder.
//
// The folder holds config.json, log.jsonl (one JSON object a logged step and one an epoch), last.safetensors (the state
// to go on from) and best.safetensors (lowest validation error of A; without optimizer state).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "acol/data/dataset.h"
#include "acol/train/config.h"
#include "acol/train/model.h"
#include "acol/train/step.h"

namespace acol {

struct StepReport {
  std::int64_t step = 0, total_steps = 0;  // steps done, of the whole run
  int epoch = 0;                           // the running one, 0 is the first
  double loss_a = 0;
  std::optional<double> loss_b;  // none while B has not joined, and for cam
  double rate = 0, gradient_norm = 0;
  double seconds = 0;  // since training started in this process
};

struct EpochReport {
  int epoch = 0, epochs = 0;
  double loss_a = 0;  // means over the epoch's images
  std::optional<double> loss_b;
  double train_error = 0;  // percent of wrong answers of A on the augmented training images, while it learned
  std::optional<double> val_error, val_error_b;  // percent; of B: with the hole cut by A's answer
  double seconds = 0;                            // since the run, or this part of it, started
  double seconds_waited = 0;                     // of this epoch's, for pictures that were not ready
  bool best = false;
};

// What the caller wants to hear; unset ones are skipped.
struct TrainEvents {
  std::function<void(const StepReport&)> on_step;
  std::function<void(const EpochReport&)> on_epoch;
  std::function<void(const std::string&)> on_note;  // one line: weights loaded, images skipped, resumed from where
  std::function<bool()> stop_requested;             // asked after every step
};

// What does not change the weights.
struct RunOptions {
  std::filesystem::path out;      // the run folder
  std::filesystem::path weights;  // a file to start from (load_pretrained()), or empty
  WeightsPreprocessing weights_preprocessing = WeightsPreprocessing::torchvision;  // what they were trained on
  bool resume = false;  // go on from out/last.safetensors; the configuration must be that file's (run_config)
  int workers = 2;      // threads that read pictures
  std::int64_t cache_bytes = std::int64_t{1} << 30;
  int log_every = 20;            // steps
  int save_every = 0;            // steps; 0: at the end of each epoch only
  std::int64_t limit_steps = 0;  // end after so many steps of the whole run; 0: never
  MemoryMode memory = MemoryMode::plain;
};

enum class TrainEnd { finished, stopped, limit };

struct TrainResult {
  TrainEnd end = TrainEnd::finished;
  std::int64_t step = 0;
  std::int64_t skipped_images = 0;
};

// `val` may be null: then the last state is also the best. Deterministic: the same configuration, data and seed give
// the same weights bit for bit, on any number of threads and however often it was killed and resumed, as long as the
// SIMD level is the same (a note says so where a run goes on with another).
// Error: settings out of range, a data set without images or of which none can be read, an existing run without
// `resume`, `resume` without a run, with other settings, classes or pictures, an unwritable folder, and a loss,
// gradient or weight that is not finite (the last checkpoint is kept, so what it holds is finite).
TrainResult train(const TrainConfig& config, const Dataset& data, const Dataset* val, const RunOptions& run,
                  const TrainEvents& events);

// The configuration of the run in `out`, for callers that resume.
TrainConfig run_config(const std::filesystem::path& out);

}  // namespace acol
