// Central differences: (g(x + h) - g(x - h)) / (2 h) = g'(x) + O(h^2), with rounding noise of about 1e-16 |g| / h. In
// double with h = 1e-5 both errors are near 1e-10; in float nothing would be left to see.
#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/random.h"

namespace acol {

namespace {

double inner_product(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.count(); ++i) sum += a.at(i) * b.at(i);
  return sum;
}

}  // namespace

GradcheckResult gradcheck(const std::function<Variable(const std::vector<Variable>&)>& f, std::vector<Variable> inputs,
                          double step, int max_elements) {
  check(step > 0, "gradcheck: step must be above 0, got ", step);
  check(max_elements >= 0, "gradcheck: max_elements must be at least 0, got ", max_elements);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    check(inputs[i].requires_grad() && inputs[i].dtype() == DType::float64, "gradcheck: input ", i,
          " must be float64 and require a gradient");
    inputs[i].clear_grad();
  }

  Variable output = f(inputs);
  Tensor upstream = Tensor::empty(output.shape(), DType::float64);
  RandomStream random(1, Purpose::test);
  for (std::int64_t i = 0; i < upstream.count(); ++i) upstream.set(i, random.uniform(-1, 1));
  output.backward(upstream);

  const NoGrad no_grad;
  GradcheckResult result;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Tensor& x = inputs[i].value();
    const std::int64_t count = x.count();
    const std::int64_t moved = max_elements > 0 ? std::min<std::int64_t>(max_elements, count) : count;
    for (std::int64_t k = 0; k < moved; ++k) {
      const std::int64_t element = k * count / moved;
      const double before = x.at(element);
      x.set(element, before + step);
      const double above = inner_product(upstream, f(inputs).value());
      x.set(element, before - step);
      const double below = inner_product(upstream, f(inputs).value());
      x.set(element, before);
      const double numeric = (above - below) / (2 * step);
      const double analytic = inputs[i].grad_or_zeros().at(element);
      double error = std::abs(analytic - numeric) / std::max(1.0, std::abs(numeric));
      if (!std::isfinite(error)) error = std::numeric_limits<double>::infinity();  // NaN would pass comparisons
      if (error > result.worst_error || result.where.empty()) {
        result.worst_error = error;
        result.where = message("input ", i, ", element ", element, ": analytic ", analytic, ", numeric ", numeric);
      }
    }
  }
  return result;
}

}  // namespace acol
