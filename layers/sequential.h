// Layers one after the other.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "layers/module.h"

namespace acol {

// Names are the caller's, as in PyTorch: a VGG adds "0", "1", ... and its own owner calls it "features", which makes
// "features.0.weight". Names need not be consecutive: what has no parameters may be left out or fused.
class Sequential : public Module {
 public:
  // Error: no layer, or a name that is taken, empty or has a dot.
  Sequential& add(std::string name, std::shared_ptr<Module> layer);
  std::size_t size() const { return children().size(); }

  Variable forward(const Variable& x) override;

  // Merges each Conv2d directly followed by a BatchNorm, and by a Relu after it, into the one Conv2d with fused ReLU:
  // the same function within rounding, with a third of the memory traffic. Also in every Sequential below. The names of
  // the others stay; the batch norms' parameters are gone, so this is for running a model, not for saving or training
  // it. Error: in training mode.
  void fold_batch_norm();

 private:
  void fold_own_layers();
};

}  // namespace acol
