// Winograd's convolution of whole layers: the method in double, every schedule, the accuracy beside direct sums.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "tensor/cpu/conv2d_methods.h"
#include "tensor/reference.h"
#include "tests/compare.h"
#include "tests/winograd_reference.h"

using namespace acol;
using namespace acol::testing;

namespace {

// Numbers for the three passes of a convolution.
struct Layer {
  Conv2dGeometry g;
  Floats x, w, bias, dy, relu_y, dx, dw;
};

Buffer<double> reference_pass(ConvPass pass, const Layer& layer, bool relu) {
  const Kernels<double>& k = reference_kernels<double>();
  const Buffer<double> x(layer.x), w(layer.w), bias(layer.bias), dy(layer.dy), relu_y(layer.relu_y);
  Buffer<double> y(layer.g.y_shape().count()), dx(layer.dx), dw(layer.dw);
  switch (pass) {
    case ConvPass::forward:
      k.conv2d_forward(layer.g, x.data(), w.data(), bias.data(), relu, y.data());
      return y;
    case ConvPass::backward_data:
      k.conv2d_backward_data(layer.g, dy.data(), relu ? relu_y.data() : nullptr, w.data(), nullptr, dx.data());
      return dx;
    case ConvPass::backward_weights:
      break;
  }
  k.conv2d_backward_weights(layer.g, dy.data(), relu ? relu_y.data() : nullptr, x.data(), dw.data(), nullptr);
  return dw;
}

Buffer<float> pass_by_plan(const ConvPlan& plan, ConvPass pass, const Layer& layer, bool relu) {
  const bool direct = plan.method == ConvMethod::direct;
  const Buffer<float> x(layer.x), w(layer.w), bias(layer.bias), dy(layer.dy), relu_y(layer.relu_y);
  const float* const mask = relu ? relu_y.data() : nullptr;
  Buffer<float> y(layer.g.y_shape().count()), dx(layer.dx), dw(layer.dw);
  switch (pass) {
    case ConvPass::forward:
      if (direct)
        cpu::direct::forward(layer.g, x.data(), w.data(), bias.data(), relu, y.data());
      else
        cpu::winograd::forward(layer.g, plan, x.data(), w.data(), bias.data(), relu, y.data());
      return y;
    case ConvPass::backward_data:
      if (direct)
        cpu::direct::backward_data(layer.g, dy.data(), mask, w.data(), dx.data());
      else
        cpu::winograd::backward_data(layer.g, plan, dy.data(), mask, w.data(), dx.data());
      return dx;
    case ConvPass::backward_weights:
      break;
  }
  if (direct)
    cpu::direct::backward_weights(layer.g, dy.data(), mask, x.data(), dw.data());
  else
    cpu::winograd::backward_weights(layer.g, plan, dy.data(), mask, x.data(), dw.data());
  return dw;
}

Layer drawn_layer(const Conv2dGeometry& g, RandomStream random) {
  const auto numbers = [&](std::int64_t count) { return uniform(random, count); };
  return {g,
          numbers(g.x_shape().count()),
          numbers(g.w_shape().count()),
          numbers(g.out_c),
          numbers(g.y_shape().count()),
          numbers(g.y_shape().count()),
          numbers(g.x_shape().count()),
          numbers(g.w_shape().count())};
}

constexpr ConvPass passes[] = {ConvPass::forward, ConvPass::backward_data, ConvPass::backward_weights};

}  // namespace

TEST_CASE("winograd: whole layers in double are the reference's") {
  const Conv2dGeometry g{2, 7, 6, 3, 5, 3, 3, 1, 1, 1, 2, 1, 1};
  const Layer layer = drawn_layer(g, test_stream(12));
  for (const int m : {2, 4}) {
    const Winograd f(m);
    const auto same = [](const Doubles& got, const Buffer<double>& want) {
      REQUIRE(static_cast<std::int64_t>(got.size()) == want.count());
      for (std::int64_t i = 0; i < want.count(); ++i)
        CHECK(std::abs(got[static_cast<std::size_t>(i)] - want[i]) < 1e-12);
    };
    Doubles y(static_cast<std::size_t>(g.y_shape().count())), dx(layer.dx.begin(), layer.dx.end()),
        dw(layer.dw.begin(), layer.dw.end());
    for (std::size_t i = 0; i < y.size(); ++i)
      y[i] = static_cast<double>(layer.bias[i % static_cast<std::size_t>(g.out_c)]);
    winograd_forward(f, g, layer.x, layer.w, y);
    same(y, reference_pass(ConvPass::forward, layer, false));
    winograd_backward_data(f, g, layer.dy, layer.w, dx);
    same(dx, reference_pass(ConvPass::backward_data, layer, false));
    winograd_backward_weights(f, g, layer.dy, layer.x, dw);
    same(dw, reference_pass(ConvPass::backward_weights, layer, false));
  }
}

// Plans that conv2d_plan() makes for large layers only: here with small blocks, so that a small layer has many.
TEST_CASE("winograd: every schedule, with several blocks of tiles, inputs and outputs") {
  const Conv2dGeometry cases[] = {
      {2, 13, 15, 33, 70, 3, 3, 1, 1, 1, 1, 1, 1},  // tails everywhere
      {1, 7, 9, 40, 7, 3, 3, 1, 1, 0, 2, 1, 1},     // narrow; unequal padding
      {3, 6, 5, 5, 100, 3, 3, 1, 1, 3, 0, 1, 1},    // a border of padding alone
      {1, 2, 3, 64, 32, 3, 3, 1, 1, 1, 1, 1, 1},    // one tile
  };
  std::uint32_t number = 0;
  for (const Conv2dGeometry& g : cases)
    for (const ConvPass pass : passes)
      for (const int m : {2, 4}) {
        const Layer layer = drawn_layer(g, test_stream(16, number));
        const bool relu = number++ % 2 == 1;
        const Buffer<double> want = reference_pass(pass, layer, relu);
        const Tolerance tolerance = winograd_tolerance(m, pass, g, layer);
        for (const bool shared : {false, true})
          for (const int tiles : {1, 5, 30, 196}) {
            ConvPlan plan;
            plan.method = m == 4 ? ConvMethod::winograd4 : ConvMethod::winograd2;
            plan.tiles = tiles, plan.shared = shared;
            plan.inputs = pass == ConvPass::backward_weights || tiles == 5 ? 32 : 16;
            plan.outputs = pass == ConvPass::backward_weights ? 16 : tiles == 30 ? 64 : 32;
            if (pass == ConvPass::backward_weights && shared) plan.slices = tiles == 30 ? 2 : 3;
            INFO(message(name_of(pass), " x ", g.x_shape().str(), " w ", g.w_shape().str(), " ", describe(plan)));
            Outputs results;
            for_each_cpu_table(
                [&](const std::string& table, const Kernels<float>&) {
                  INFO(table);
                  results.push_back(pass_by_plan(plan, pass, layer, relu));
                  CHECK(mismatch(results.back(), want, tolerance) == "");
                  if (results.size() % 2 == 0) CHECK(results.back().same_bits(results[results.size() - 2]));
                },
                {1, 3});
          }
      }
}

TEST_CASE("winograd: the error of a layer against float64") {
  const Conv2dGeometry cases[] = {
      {1, 14, 14, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1},
      {1, 28, 28, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1},
      {1, 14, 14, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1},
      {1, 28, 28, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1},
  };
  const bool print = std::getenv("ACOL_TEST_PRINT") != nullptr;
  std::uint32_t number = 0;
  for (const Conv2dGeometry& g : cases)
    for (const bool after_relu : {false, true}) {
      RandomStream random = test_stream(17, number++);
      Layer layer = drawn_layer(g, random);
      for (Floats* const values : {&layer.x, &layer.dy})
        for (float& value : *values) value = random.normal();
      for (float& value : layer.w) value = random.normal() * std::sqrt(2.0f / static_cast<float>(9 * g.in_c));
      if (after_relu)
        for (float& value : layer.x) value = std::max(value, 0.0f);
      for (Floats* const values : {&layer.bias, &layer.dx, &layer.dw}) std::fill(values->begin(), values->end(), 0.0f);
      for (const ConvPass pass : passes) {
        if (after_relu && pass == ConvPass::backward_data) continue;  // does not read x
        const Buffer<double> want = reference_pass(pass, layer, false);
        for (const ConvMethod method : {ConvMethod::direct, ConvMethod::winograd2, ConvMethod::winograd4}) {
          ConvPlan plan = conv2d_plan(g, pass);
          REQUIRE(plan.method == ConvMethod::winograd4);
          plan.method = method;
          for_each_cpu_table(
              [&](const std::string& table, const Kernels<float>&) {
                const Buffer<float> got = pass_by_plan(plan, pass, layer, false);
                double squares = 0, errors = 0;
                for (std::int64_t i = 0; i < want.count(); ++i) {
                  squares += want[i] * want[i];
                  errors += (static_cast<double>(got[i]) - want[i]) * (static_cast<double>(got[i]) - want[i]);
                }
                const double error = std::sqrt(errors / squares);
                INFO(message(table, ": ", name_of(pass), " ", name_of(method), " x ", g.x_shape().str(),
                             after_relu ? " after ReLU" : "", ": ", error));
                CHECK(error <= (pass == ConvPass::backward_weights ? 6e-6 : 1e-6));
                if (print)
                  std::printf("%-20s %-16s %-10s %dx%d c%d relu %d: %.3g\n", table.c_str(), name_of(pass),
                              name_of(method), g.in_h, g.in_w, g.in_c, after_relu, error);
              },
              {2});
        }
      }
    }
}
