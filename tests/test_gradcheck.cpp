// The checker itself: it must not pass what is wrong.
#include <doctest/doctest.h>

#include <cmath>

#include "autograd/gradcheck.h"

using namespace acol;

namespace {

// y = 3 x, whose gradient is claimed to be `claimed` (and only of the elements before `elements`).
auto tripled(double claimed, std::int64_t elements = 100) {
  return [=](const std::vector<Variable>& in) {
    Tensor y = in[0].value().clone();
    for (std::int64_t i = 0; i < y.count(); ++i) y.set(i, 3 * y.at(i));
    return Variable::record("tripled", y, {in[0]}, [=](const Tensor& dy, InputGradients& dx) {
      for (std::int64_t i = 0; i < dy.count() && i < elements; ++i) dx[0].set(i, claimed * dy.at(i));
    });
  };
}

std::vector<Variable> inputs() { return {Variable(Tensor::from({5}, std::vector<double>{1, -2, 0.5, 3, 0.25}), true)}; }

}  // namespace

TEST_CASE("gradcheck passes the right gradient and leaves the inputs as they were") {
  const std::vector<Variable> x = inputs();
  CHECK(gradcheck(tripled(3), x).worst_error <= 1e-9);
  for (int i = 0; i < 5; ++i) CHECK(x[0].value().at(i) == inputs()[0].value().at(i));
}

TEST_CASE("gradcheck sees a gradient that is slightly wrong, missing, partly missing or NaN") {
  CHECK(gradcheck(tripled(3.001), inputs()).worst_error > 1e-4);
  CHECK(gradcheck(tripled(0), inputs()).worst_error > 0.1);
  CHECK(gradcheck(tripled(3, 0), inputs()).worst_error > 0.1);
  CHECK(gradcheck(tripled(3, 4), inputs()).worst_error > 0.1);
  CHECK(gradcheck(tripled(3, 4), inputs()).where.rfind("input 0, element 4: analytic 0, numeric ", 0) == 0);
  CHECK(std::isinf(gradcheck(tripled(std::nan("")), inputs()).worst_error));
}

TEST_CASE("gradcheck wants float64 variables with gradients") {
  CHECK_THROWS_AS(gradcheck(tripled(3), {Variable(Tensor::zeros({5}), true)}), Error);
  CHECK_THROWS_AS(gradcheck(tripled(3), {Variable(Tensor::zeros({5}, DType::float64))}), Error);
  CHECK_THROWS_AS(gradcheck(tripled(3), inputs(), 0), Error);
}
