// From a data set to batches: reads, resizes, cuts and normalises pictures in threads, ahead of the network.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "acol/data/dataset.h"
#include "acol/data/resize.h"
#include "acol/data/transform.h"
#include "tensor/tensor.h"

namespace acol {

struct Batch {
  Tensor images;                    // (N, crop, crop, 3) float32; not defined if N = 0
  std::vector<int> labels;          // N
  std::vector<int> samples;         // N indices into Dataset::samples
  std::vector<Size> sizes;          // N sizes of the stored pictures, to which boxes refer
  std::vector<Image> crop_sources;  // with LoaderOptions::crop_source: N resized pictures to cut more crops from
};

struct LoaderOptions {
  Preprocessing how;
  int batch_size = 32;
  bool training = false;  // shuffled and cut at random (train_input); else in order, as test_input cuts them
  TestInput input = TestInput::warp;       // not in training
  std::optional<TestInput> crop_source{};  // not in training: each picture also resized for this input, not yet cut
  std::uint64_t seed = 1;
  int workers = 2;                                   // threads; 0: next() does the work itself
  std::int64_t cache_bytes = std::int64_t{1} << 30;  // for decoded and resized pictures, kept between epochs
};

// Batch b of epoch e is a function of the data, the options (but workers and cache_bytes) and (e, b): the order is a
// Fisher-Yates shuffle drawn from (seed, epoch), a crop and mirror from (seed, epoch, index of the sample).
//
// A picture that cannot be read is left out of its batch, with a warning. Such a batch is smaller, even N = 0, but
// still counts as a batch: otherwise a broken file would move all that come after it.
class Loader {
 public:
  // Error: no samples, batch_size < 1, a negative number of workers or bytes, preprocessing out of range.
  Loader(const Dataset& dataset, LoaderOptions options);
  ~Loader();  // stops the threads, at any time
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Batches of an epoch; the last may be smaller.
  int batches() const;

  // Begins an epoch at a batch, whatever was under way. Error: negative, or first_batch > batches().
  void start_epoch(int epoch, int first_batch = 0);

  // The next batch of the epoch, in order; false at its end. Error if no epoch was started. Throws what a thread threw.
  bool next(Batch& batch);

  // Files that could not be read, among the batches that next() gave: how many, and `path: reason` of those that are
  // new since the last call. A file counts once, however many epochs meet it.
  std::int64_t skipped() const;
  std::vector<std::string> take_warnings();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace acol
