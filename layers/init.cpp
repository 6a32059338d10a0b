#include "layers/init.h"

#include <algorithm>
#include <cmath>

#include "tensor/random.h"

namespace acol {

namespace {

// One value an element, in memory order.
template <class Draw>
void fill(Tensor& w, const Draw& draw) {
  w.write_on_host([&](Tensor& host) {
    with_scalar(host.dtype(), [&]<class T>() {
      std::generate_n(host.data<T>(), host.count(), [&] { return static_cast<T>(draw()); });
    });
  });
}

}  // namespace

double fan_of(const Shape& weight, Fan fan) {
  check(weight.rank() == 2 || weight.rank() == 4,
        "init: fans exist for filters (O, R, S, C) and linear weights (O, C), got shape ", weight.str());
  const double taps = weight.rank() == 4 ? static_cast<double>(weight[1]) * weight[2] : 1;
  const double count = taps * (fan == Fan::in ? weight.back() : weight[0]);
  check(count > 0, "init: weights of shape ", weight.str(), " have a fan of 0");
  return count;
}

void uniform(Tensor& w, double bound, std::uint64_t seed, std::uint32_t parameter) {
  check(std::isfinite(bound) && bound >= 0, "init: the bound must be finite and at least 0, got ", bound);
  RandomStream stream(seed, Purpose::weights, parameter);
  fill(w, [&] { return bound * (2.0 * static_cast<double>(stream.uniform()) - 1.0); });
}

void normal(Tensor& w, double deviation, std::uint64_t seed, std::uint32_t parameter) {
  check(std::isfinite(deviation) && deviation >= 0, "init: the deviation must be finite and at least 0, got ",
        deviation);
  RandomStream stream(seed, Purpose::weights, parameter);
  fill(w, [&] { return deviation * static_cast<double>(stream.normal()); });
}

void xavier_uniform(Tensor& w, std::uint64_t seed, std::uint32_t parameter) {
  uniform(w, std::sqrt(6 / (fan_of(w.shape(), Fan::in) + fan_of(w.shape(), Fan::out))), seed, parameter);
}

void xavier_normal(Tensor& w, std::uint64_t seed, std::uint32_t parameter) {
  normal(w, std::sqrt(2 / (fan_of(w.shape(), Fan::in) + fan_of(w.shape(), Fan::out))), seed, parameter);
}

void he_normal(Tensor& w, Fan fan, std::uint64_t seed, std::uint32_t parameter) {
  normal(w, std::sqrt(2 / fan_of(w.shape(), fan)), seed, parameter);
}

void he_uniform(Tensor& w, Fan fan, std::uint64_t seed, std::uint32_t parameter) {
  uniform(w, std::sqrt(6 / fan_of(w.shape(), fan)), seed, parameter);
}

}  // namespace acol
