// Gradients against central differences, in double: the first link of the chain of trust.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace acol {

struct GradcheckResult {
  double worst_error = 0;  // largest |analytic - numeric| / max(1, |numeric|) over all inputs
  std::string where;       // "input 1, element 17: analytic 0.5, numeric 0.25"
};

// `f` maps the inputs (float64 variables that require gradients) to one variable of any shape. Its gradient for a fixed
// random upstream gradient is compared with (g(x + step) - g(x - step)) / (2 step), g = <upstream, f>. With
// `max_elements` > 0 only that many evenly spread elements of each input are moved.
GradcheckResult gradcheck(const std::function<Variable(const std::vector<Variable>&)>& f, std::vector<Variable> inputs,
                          double step = 1e-5, int max_elements = 0);

}  // namespace acol
