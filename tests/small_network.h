// A network small enough for double precision and central differences, with nothing 0 by chance.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "acol/network/network.h"
#include "acol/train/trainer.h"
#include "tensor/random.h"
#include "tests/same_bits.h"

namespace acol::testing {

inline NetworkConfig small_config(const std::string& arch = "vgg11", Method method = Method::acol) {
  NetworkConfig config;
  config.method = method;
  config.arch = arch;
  config.width = 3.0 / 128;  // 2 3 6 12 12 channels, heads 24
  config.classes = 4;
  return config;
}

// Random weights, biases and running statistics, so that nothing is 0 by chance.
inline void randomise(Network& network, std::uint32_t seed) {
  network.initialise(Initialiser::he, seed);
  RandomStream random(seed, Purpose::test, 1);
  for (NamedParameter& parameter : network.parameters()) {
    Tensor& value = parameter.variable.value();
    if (value.shape().rank() == 4) continue;
    const double middle = parameter.name.ends_with(".weight") ? 1 : 0.1;
    for (std::int64_t i = 0; i < value.count(); ++i) value.set(i, middle + random.uniform(-0.3f, 0.3f));
  }
  for (NamedBuffer& buffer : network.buffers()) {
    const double middle = buffer.name.ends_with("var") ? 1 : 0;
    for (std::int64_t i = 0; i < buffer.tensor.count(); ++i) buffer.tensor.set(i, middle + random.uniform(-0.5f, 0.5f));
  }
}

inline Tensor random_tensor(const Shape& shape, std::uint32_t seed, DType dtype = DType::float64) {
  Tensor tensor = Tensor::empty(shape, dtype);
  RandomStream random(seed, Purpose::test, 2);
  tensor.write_on_host([&](Tensor& host) {
    for (std::int64_t i = 0; i < host.count(); ++i) host.set(i, random.normal());
  });
  return tensor;
}

inline const std::vector<int> labels{2, 0};
inline Tensor pictures(std::uint32_t seed = 1, DType dtype = DType::float64) {
  return random_tensor({2, 22, 17, 3}, seed, dtype);
}

inline StepLosses losses_of(Network& network, const Tensor& images) {
  return forward_losses(network, images, labels, EraseLabel::truth, network.has_branch_b());
}

inline Variable parameter_of(const Network& network, const std::string& name) {
  for (const NamedParameter& parameter : network.parameters())
    if (parameter.name == name) return parameter.variable;
  FAIL("no parameter ", name);
  return {};
}

}  // namespace acol::testing
