// Stochastic gradient descent with momentum, Nesterov's variant, weight decay and parameter groups, as PyTorch's SGD:
//
//   g = scale dw + decay w        decay: the group's; scale: see gradient clipping below
//   v = momentum v + g            v = 0 before the first step
//   w = w - rate factor (nesterov ? g + momentum v : v)      rate: of this step; factor: the group's
//
// I. Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013, with the rate
// outside of v, so that a change of the rate takes effect at once.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "layers/module.h"

namespace acol {

// Parameters that share settings. ACoL's are: trunk weights 1x, trunk biases 2x, head weights 10x, head biases 20x.
struct ParameterGroup {
  std::string name;  // for messages and logs
  std::vector<NamedParameter> parameters;
  double rate_factor = 1;   // >= 0; 0 freezes the group
  double weight_decay = 0;  // >= 0, factor of the L2 penalty decay / 2 |w|^2
};

struct SgdOptions {
  double momentum = 0.9;  // in [0, 1); with 0 Nesterov's variant is plain descent
  bool nesterov = true;
};

class Sgd {
 public:
  // Error: settings out of range; a parameter that is undefined, wants no gradient, or is in twice (by name or itself).
  Sgd(std::vector<ParameterGroup> groups, SgdOptions options = {});

  // One step with learning rate `rate` >= 0. A parameter without a gradient is left as it is, weight decay and velocity
  // included, as in PyTorch. Error: a rate or scale that is not finite or is negative.
  void step(double rate, double gradient_scale = 1);
  // The same for one parameter, so that its gradient can be freed before the others are there (see GradientHook in
  // autograd/variable.h). All parameters one by one, in any order, is a step(). Error: also if it is not in a group.
  void step_one(const Variable& parameter, double rate, double gradient_scale = 1);
  void clear_gradients();

  // The v of every parameter, under the parameter's name, in the order of the groups. The tensors share their numbers
  // with the optimizer: writing to them (Tensor::copy_from) restores a checkpoint.
  std::vector<std::pair<std::string, Tensor>> velocities();
  const std::vector<ParameterGroup>& groups() const { return groups_; }
  const SgdOptions& options() const { return options_; }

 private:
  struct Place {
    std::size_t group, parameter;
  };
  void update(const std::vector<Place>& places, double rate, double gradient_scale);
  // Those whose numbers are of this type.
  template <class T>
  void update_all(const std::vector<Place>& places, double rate, double gradient_scale);

  std::vector<ParameterGroup> groups_;
  SgdOptions options_;
  std::vector<std::vector<Tensor>> velocities_;      // as groups_[i].parameters
  std::unordered_map<const Tensor*, Place> places_;  // by the parameter's value()
};

// Sum of the squares of a parameter's gradient, in double; 0 if it has none.
double squared_gradient(const Variable& parameter);

// L2 norm over the gradients of all parameters together; those without one count as 0. Summed in double, in the order
// of the list, so that its bits do not depend on threads.
double gradient_norm(const std::vector<NamedParameter>& parameters);

// Gradient clipping by norm (R. Pascanu et al., "On the difficulty of training recurrent neural networks", ICML 2013,
// algorithm 1): the gradient_scale for Sgd::step, min(1, max_norm / (norm + 1e-6)), as PyTorch's clip_grad_norm_.
// Error: max_norm not above 0 (infinity never clips); a norm that is not finite: the gradients are spoilt, and no scale
// repairs them.
double clip_factor(double norm, double max_norm);

}  // namespace acol
