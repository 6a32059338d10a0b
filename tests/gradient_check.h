// Gradients against central differences in double. Inputs of operations with kinks (ReLU, maxima, the erase's
// threshold) are drawn, or checked, to lie farther from them than the step of the differences: at a kink itself there
// is no derivative to compare with.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "tensor/random.h"

namespace acol::testing {

// Central differences with step 1e-5 err by about 1e-10 here; a wrong term is off by 1e-3 and more.
constexpr double gradient_tolerance = 1e-8;

using Variables = std::vector<Variable>;
using Function = std::function<Variable(const Variables&)>;

inline void check_gradients(const Function& f, const Variables& inputs, int max_elements = 0) {
  const GradcheckResult result = gradcheck(f, inputs, 1e-5, max_elements);
  INFO(result.where);
  CHECK(!result.where.empty());
  CHECK(result.worst_error <= gradient_tolerance);
}

// Draws variables; each has its own stream.
class Draw {
 public:
  explicit Draw(std::uint32_t seed) : random_(seed, Purpose::test, 77) {}

  Variable uniform(const Shape& shape, float low = -1, float high = 1) {
    Tensor t = Tensor::empty(shape, DType::float64);
    for (std::int64_t i = 0; i < t.count(); ++i) t.set(i, random_.uniform(low, high));
    return Variable(t, true);
  }

  // All different by at least `gap`, none nearer to 0 than half of it, in random order.
  Variable spread(const Shape& shape, double gap = 0.01) {
    Tensor t = Tensor::empty(shape, DType::float64);
    const std::int64_t n = t.count();
    for (std::int64_t i = 0; i < n; ++i) t.set(i, (static_cast<double>(i - n / 2) + 0.5) * gap);
    for (std::int64_t i = n - 1; i > 0; --i) {
      const std::int64_t j = random_.below(static_cast<int>(i + 1));
      const double swapped = t.at(i);
      t.set(i, t.at(j));
      t.set(j, swapped);
    }
    return Variable(t, true);
  }

 private:
  RandomStream random_;
};

// No number is so near 0 that the step could take it across. Exactly 0 is a sum over padding alone: nothing moves it.
inline bool off_kink(const Tensor& t) {
  for (std::int64_t i = 0; i < t.count(); ++i)
    if (t.at(i) != 0 && !(std::abs(t.at(i)) > 1e-4)) return false;
  return true;
}

inline bool same_numbers(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  for (std::int64_t i = 0; i < a.count(); ++i)
    if (!(a.at(i) == b.at(i))) return false;
  return true;
}

}  // namespace acol::testing
