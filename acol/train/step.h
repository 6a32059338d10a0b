// One training step: forward, backward and update; at once or in parts, with much memory or with little.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "acol/network/network.h"
#include "acol/train/config.h"
#include "layers/optimizer.h"

namespace acol {

// How much a step keeps. The weights get the same bits either way.
enum class MemoryMode {
  plain,
  // conv1_1's map is made again in backward (Network::set_lean), and each parameter is updated as soon as its gradient
  // is complete, which is then freed. The second needs the gradients one by one: with clip_norm > 0 the norm over all
  // must be known before the first update, so the gradients stay as in plain.
  lean,
};
const char* name_of(MemoryMode mode);                   // "plain", "lean"
MemoryMode parse_memory_mode(const std::string& name);  // Error for anything else

// The forward pass of a step: mean losses over the images. Means are taken before the classifiers' last convolution, so
// there are no maps but those that cut the hole (network.h).
struct StepLosses {
  Variable loss_a, loss_b;  // loss_b undefined if B took no part
  Variable total;           // what backward() runs from: CE(A) + CE(B)
  Tensor logits_a;          // (N, classes)
};
StepLosses forward_losses(Network& network, const Tensor& images, const std::vector<int>& labels,
                          EraseLabel erase_label, bool use_branch_b);

// The official code's parameter groups: trunk weights x1, trunk biases x bias factor, heads x head factor, their biases
// x both.
std::vector<ParameterGroup> parameter_groups(const Network& network, const TrainConfig& config);

struct StepInput {
  const Tensor& images;            // (N, H, W, 3), N >= 1
  const std::vector<int>& labels;  // N
  std::int64_t step = 0;           // of the run, from 0: what dropout draws from
  double rate = 0;                 // of this step; each group has a factor on it
  bool use_branch_b = true;
};

struct StepResult {
  double loss_a = 0;             // means over the batch
  std::optional<double> loss_b;  // none if B took no part
  double gradient_norm = 0;      // L2 over all parameters, before clipping
  std::vector<int> answers;      // of A, N
};

// One step of a network in training mode. `optimizer` has the network's parameters (parameter_groups()); gradients left
// in them are dropped. Of `config` it takes seed, micro_batch, batch_size, erase_label and clip_norm.
//
// With micro_batch = m > 0 the images go through in parts of m, whose losses count by their share of the images, so
// that their gradients add up to that of the mean over the batch. Dropout draws for part k of step s as if it were
// step s P + k of P parts a batch.
//
// It does not judge its result. A loss that is not finite ends the step at once, with a NaN for the norm and no update.
// A norm that is not finite means no update in plain, but lean has updated by then: the caller drops the network.
StepResult train_step(Network& network, Sgd& optimizer, const TrainConfig& config, MemoryMode memory,
                      const StepInput& input);

}  // namespace acol
