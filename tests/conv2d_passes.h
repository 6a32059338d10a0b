// The passes of a convolution, of every table, against the reference in double.
#pragma once

#include <string>
#include <vector>

#include "tensor/cpu/conv2d_plan.h"
#include "tensor/reference.h"
#include "tests/conv2d_numbers.h"
#include "tests/winograd_reference.h"

namespace acol::testing {

constexpr ConvPass passes[] = {ConvPass::forward, ConvPass::backward_data, ConvPass::backward_weights};

template <class T>
Outputs forward(const Kernels<T>& kernels, const Conv2dGeometry& g, const Numbers& numbers, bool bias, bool relu) {
  const Buffer<T> x(numbers.x);
  const Buffer<ParameterOf<T>> w(numbers.w), b(numbers.bias);
  Buffer<T> y(g.y_shape().count());
  kernels.conv2d_forward(g, x.data(), w.data(), bias ? b.data() : nullptr, relu, y.data());
  return {y};
}

// `behind_relu`: without what a ReLU that made x would drop, which the table leaves out or not.
template <class T>
Outputs backward_data(const Kernels<T>& kernels, const Conv2dGeometry& g, const Numbers& numbers, bool relu,
                      bool behind_relu = false) {
  const Buffer<T> dy(numbers.dy), relu_y(numbers.relu_y), x(numbers.x), before(numbers.dx);
  const Buffer<ParameterOf<T>> w(numbers.w);
  Buffer<T> dx(numbers.dx);
  const bool left_out = kernels.conv2d_backward_data(g, dy.data(), relu ? relu_y.data() : nullptr, w.data(),
                                                     behind_relu ? x.data() : nullptr, dx.data());
  CHECK((behind_relu || !left_out));
  if (behind_relu && !left_out)
    for (std::int64_t i = 0; i < dx.count(); ++i) dx.data()[i] = x[i] > 0 ? dx[i] : before[i];
  return {dx};
}

template <class T>
Outputs backward_weights(const Kernels<T>& kernels, const Conv2dGeometry& g, const Numbers& numbers, bool bias,
                         bool relu) {
  const Buffer<T> dy(numbers.dy), relu_y(numbers.relu_y), x(numbers.x);
  Buffer<ParameterOf<T>> dw(numbers.dw), db(numbers.db);
  kernels.conv2d_backward_weights(g, dy.data(), relu ? relu_y.data() : nullptr, x.data(), dw.data(),
                                  bias ? db.data() : nullptr);
  return {dw, db};
}

// Tile side of the method that the fast table uses, 0 if direct.
inline int tile_side(const Conv2dGeometry& g, ConvPass pass) {
  const ConvMethod method = conv2d_plan(g, pass).method;
  return method == ConvMethod::winograd4 ? 4 : method == ConvMethod::winograd2 ? 2 : 0;
}

// Direct sums, and all of a card's, err with the magnitudes of their own terms, `direct`; Winograd's with those of
// their tile.
inline Tolerance tolerance_of(const Conv2dGeometry& g, ConvPass pass, const Numbers& numbers, double terms,
                              const KernelOutput& direct) {
  const int side = device_in_use() == Device::cuda ? 0 : tile_side(g, pass);
  return side == 0 ? float_errors(terms, direct) : winograd_tolerance(side, pass, g, numbers.magnitudes());
}

inline Tolerance forward_tolerance(const Conv2dGeometry& g, const Numbers& numbers, bool bias) {
  const auto direct = forward(reference_kernels<double>(), g, numbers.magnitudes(), bias, false);
  return tolerance_of(g, ConvPass::forward, numbers, g.taps() * g.in_c + 2, direct[0]);
}

inline Tolerance backward_data_tolerance(const Conv2dGeometry& g, const Numbers& numbers) {
  const auto direct = backward_data(reference_kernels<double>(), g, numbers.magnitudes(), false);
  return tolerance_of(g, ConvPass::backward_data, numbers, g.taps() * g.out_c + 2, direct[0]);
}

inline std::vector<Tolerance> backward_weights_tolerances(const Conv2dGeometry& g, const Numbers& numbers, bool bias) {
  const auto direct = backward_weights(reference_kernels<double>(), g, numbers.magnitudes(), bias, false);
  const double terms = static_cast<double>(g.batch) * g.out_h() * g.out_w() + 2;
  return {tolerance_of(g, ConvPass::backward_weights, numbers, terms, direct[0]), float_errors(terms, direct[1])};
}

inline void check_forward(const Conv2dGeometry& g, const Numbers& numbers, bool bias, bool relu,
                          const std::vector<int>& threads = {1, 2, 3, 5}) {
  const auto run = [&]<class T>(const Kernels<T>& k) { return forward(k, g, numbers, bias, relu); };
  check_tables(message("forward ", describe(g), bias ? " bias" : "", relu ? " relu" : ""), run,
               {forward_tolerance(g, numbers, bias)}, threads);
}

inline void check_backward_data(const Conv2dGeometry& g, const Numbers& numbers, bool relu, bool behind_relu,
                                const std::vector<int>& threads) {
  const auto run = [&]<class T>(const Kernels<T>& k) { return backward_data(k, g, numbers, relu, behind_relu); };
  check_tables("backward data " + describe(g), run, {backward_data_tolerance(g, numbers)}, threads);
}

inline void check_backward_weights(const Conv2dGeometry& g, const Numbers& numbers, bool bias, bool relu,
                                   const std::vector<int>& threads) {
  const auto run = [&]<class T>(const Kernels<T>& k) { return backward_weights(k, g, numbers, bias, relu); };
  check_tables(message("backward weights ", describe(g), bias ? " bias" : ""), run,
               backward_weights_tolerances(g, numbers, bias), threads);
}

// `number` picks bias and ReLU, so that neighbours in a list differ.
inline void check_all(const Conv2dGeometry& g, std::uint32_t number, const std::vector<int>& threads = {1, 2, 3, 5}) {
  REQUIRE(g.y_shape().count() > 0);
  const Numbers numbers(g, test_stream(1, number));
  check_forward(g, numbers, number % 2 == 0, number / 2 % 2 == 0, threads);
  check_backward_data(g, numbers, number % 2 == 0, number % 3 == 1, threads);
  check_backward_weights(g, numbers, number % 3 != 0, number % 2 == 1, threads);
}

}  // namespace acol::testing
