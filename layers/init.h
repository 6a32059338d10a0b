// First values of weights. Every initialiser is a function of (seed, parameter number) and the shape alone.
//
// Fans, the number of inputs of an output and the number of outputs of an input:
//   filters (O, R, S, C): fan_in = R S C, fan_out = R S O;   linear weights (O, C): fan_in = C, fan_out = O.
// Elements are filled in memory order (O, R, S, C), from RandomStream(seed, Purpose::weights, parameter): one draw each
// for uniform values, two for normal ones. float32 holds the float64 values, rounded. Error: a rank other than 2 or 4,
// a fan of 0.
#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace acol {

enum class Fan { in, out };
double fan_of(const Shape& weight, Fan fan);

// X. Glorot, Y. Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010, eq.
// 16: uniform in [-a, a), a = sqrt(6 / (fan_in + fan_out)).
void xavier_uniform(Tensor& w, std::uint64_t seed, std::uint32_t parameter);
// The same variance, normal: deviation = sqrt(2 / (fan_in + fan_out)).
void xavier_normal(Tensor& w, std::uint64_t seed, std::uint32_t parameter);

// K. He et al., "Delving deep into rectifiers", ICCV 2015, section 2.2, for layers that feed a ReLU. Fan::in keeps the
// variance of the activations (eq. 10), Fan::out that of the gradients (eq. 14): deviation = sqrt(2 / fan).
void he_normal(Tensor& w, Fan fan, std::uint64_t seed, std::uint32_t parameter);
// The same variance, uniform in [-a, a), a = sqrt(6 / fan).
void he_uniform(Tensor& w, Fan fan, std::uint64_t seed, std::uint32_t parameter);

// What the others are made of; any shape. uniform: [-bound, bound), bound >= 0. normal: mean 0, deviation >= 0.
void uniform(Tensor& w, double bound, std::uint64_t seed, std::uint32_t parameter);
void normal(Tensor& w, double deviation, std::uint64_t seed, std::uint32_t parameter);

}  // namespace acol
