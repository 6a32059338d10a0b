// The leak probe. In training the hole is cut where the map of the image's *label* is high, so branch B could read the
// label off the shape of the hole instead of looking at what is left. This measures it on images that were not trained
// on.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "acol/data/dataset.h"
#include "acol/data/transform.h"
#include "acol/network/network.h"

namespace acol {

// Percent of the images.
struct ProbeResult {
  std::int64_t images = 0;
  double a_acc = 0;            // A is right
  double b_acc_truth = 0;      // B is right, hole cut by the true label
  double b_acc_predicted = 0;  // ... by A's answer
  double b_acc_wrong = 0;      // ... by a label drawn among the wrong ones
  double b_follows_wrong = 0;  // and then B answers that wrong label
};

struct ProbeOptions {
  int batch_size = 32;
  int workers = 2;
  std::uint64_t seed = 1;  // of the wrong labels: image i draws from stream i
  std::function<void(std::int64_t done, std::int64_t total)> progress;
  std::function<bool()> stop_requested;
};

// Error for a network without branch B or a data set with one class.
ProbeResult probe(Network& network, const Preprocessing& preprocessing, const Dataset& data,
                  const ProbeOptions& options);

// {"n", "a_acc", "b_acc_truth", "b_acc_predicted", "b_acc_wrong", "b_follows_wrong", "chance"}
std::string to_json(const ProbeResult& result, int classes, int indent = 2);

}  // namespace acol
