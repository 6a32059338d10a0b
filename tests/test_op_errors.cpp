// What each operation says about bad input: its own name, what it expected and what came.
#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tests/error_of.h"

using namespace acol;
using acol::testing::error_of;

namespace {}  // namespace

TEST_CASE("every operation names itself, what it expected and what came") {
  const Variable image(Tensor::zeros({2, 4, 4, 3})), filters(Tensor::zeros({5, 3, 3, 3})), row(Tensor::zeros({2, 3})),
      three(Tensor::zeros({3})), five(Tensor::zeros({5})), none;
  const Variable image64(Tensor::zeros({2, 4, 4, 3}, DType::float64));
  Tensor mean = Tensor::zeros({3}), variance = Tensor::full({3}, 1), wrong = Tensor::zeros({4});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto norm = [&](const Variable& x, const Variable& gamma, Tensor& m, BatchNormOptions options) {
    return batch_norm(x, gamma, three, m, variance, options);
  };
  const auto pool = [](Pair window, Pair stride, Pair pad) { return Pool2dOptions{window, stride, pad}; };
  const auto conv = [](Pair stride, Pair pad, Pair dilation) { return Conv2dOptions{stride, pad, dilation, false}; };

  struct Case {
    const char* operation;
    const char* part;  // of the message
    std::function<void()> run;
  };
  const std::vector<Case> cases = {
      {"conv2d", "(N, H, W, C), got (2, 3)", [&] { conv2d(row, filters, none); }},
      {"conv2d", "w is undefined", [&] { conv2d(image, none, none); }},
      {"conv2d", "(O, R, S, C), got (2, 3)", [&] { conv2d(image, row, none); }},
      {"conv2d", "3 channels",
       [&] {
         conv2d(image, Variable(Tensor::zeros({5, 3, 3, 4})), none);
       }},
      {"conv2d", "bias must be (5), got (3)", [&] { conv2d(image, filters, three); }},
      {"conv2d", "w is float32 but x is float64", [&] { conv2d(image64, filters, none); }},
      {"conv2d", "stride",
       [&] {
         conv2d(image, filters, none, conv({0, 1}, {0, 0}, {1, 1}));
       }},
      {"conv2d", "pad",
       [&] {
         conv2d(image, filters, none, conv({1, 1}, {0, -1}, {1, 1}));
       }},
      {"conv2d", "dilation",
       [&] {
         conv2d(image, filters, none, conv({1, 1}, {0, 0}, {1, 0}));
       }},
      {"conv2d", "do not fit",
       [&] {
         conv2d(image, filters, none, conv({1, 1}, {0, 0}, {2, 1}));
       }},
      {"conv2d", "empty",
       [&] {
         conv2d(Variable(Tensor::zeros({0, 4, 4, 3})), filters, none);
       }},
      {"linear", "(N, C), got (2, 4, 4, 3)", [&] { linear(image, row, none); }},
      {"linear", "3 features",
       [&] {
         linear(row, Variable(Tensor::zeros({5, 4})), none);
       }},
      {"linear", "bias must be (2), got (5)", [&] { linear(row, row, five); }},
      {"max_pool2d", "got (2, 3)", [&] { max_pool2d(row, {}); }},
      {"max_pool2d", "half the window",
       [&] {
         max_pool2d(image, pool({2, 2}, {1, 1}, {2, 0}));
       }},
      {"max_pool2d", "256",
       [&] {
         max_pool2d(image, pool({17, 17}, {1, 1}, {8, 8}));
       }},
      {"avg_pool2d", "stride",
       [&] {
         avg_pool2d(image, pool({2, 2}, {1, 0}, {0, 0}));
       }},
      {"avg_pool2d", "window",
       [&] {
         avg_pool2d(image, pool({0, 2}, {1, 1}, {0, 0}));
       }},
      {"avg_pool2d", "does not fit",
       [&] {
         avg_pool2d(image, pool({5, 2}, {1, 1}, {0, 0}));
       }},
      {"avg_pool2d", "ReLU", [&] { avg_pool2d(image, {.relu = true}); }},
      {"global_avg_pool", "got (3)", [&] { global_avg_pool(three); }},
      {"relu", "undefined", [&] { relu(none); }},
      {"add", "(2, 3) and b (3)", [&] { add(row, three); }},
      {"add", "element type", [&] { add(image, image64); }},
      {"multiply", "(3) and b (5)", [&] { multiply(three, five); }},
      {"multiply", "b is undefined", [&] { multiply(three, none); }},
      {"maximum", "(3) and b (5)", [&] { maximum(three, five); }},
      {"batch_norm", "gamma must be (3), got (5)", [&] { norm(image, five, mean, {}); }},
      {"batch_norm", "running_mean must be (3), got (4)", [&] { norm(image, three, wrong, {}); }},
      {"batch_norm", "got (3)", [&] { norm(three, three, mean, {}); }},
      {"batch_norm", "float32 but x is float64", [&] { norm(image64, three, mean, {}); }},
      {"batch_norm", "epsilon",
       [&] {
         norm(image, three, mean, {true, 0.1, 0});
       }},
      {"batch_norm", "momentum",
       [&] {
         norm(image, three, mean, {true, nan, 1e-5});
       }},
      {"batch_norm", "more than one",
       [&] {
         norm(Variable(Tensor::zeros({1, 3})), three, mean, {true, 0.1, 1e-5});
       }},
      {"dropout", "[0, 1), got 1", [&] { dropout(image, 1, {}); }},
      {"dropout", "got nan", [&] { dropout(image, nan, {}); }},
      {"reshape", "(2, 3)", [&] { reshape(row, {7}); }},
      {"softmax_cross_entropy", "(N, K)",
       [&] {
         softmax_cross_entropy(image, {0, 1});
       }},
      {"softmax_cross_entropy", "1 labels for 2", [&] { softmax_cross_entropy(row, {0}); }},
      {"softmax_cross_entropy", "label 3 of image 1 is outside [0, 3)",
       [&] {
         softmax_cross_entropy(row, {0, 3});
       }},
      {"softmax_cross_entropy", "label -1",
       [&] {
         softmax_cross_entropy(row, {-1, 0});
       }},
      {"resize", "at least 1, got 0", [&] { resize(image, 0, 3, Interpolation::bilinear); }},
      {"resize", "got (2, 3)", [&] { resize(row, 2, 2, Interpolation::bicubic); }},
      {"class_map", "got (2, 3)",
       [&] {
         class_map(row.value(), Tensor::zeros({4, 1, 1, 3}), {}, {0, 0});
       }},
      {"class_map", "(4, 3, 3, 3) must be (4, 1, 1, 3)",
       [&] {
         class_map(image.value(), Tensor::zeros({4, 3, 3, 3}), {}, {0, 0});
       }},
      {"class_map", "(4, 1, 1, 2) must be (4, 1, 1, 3)",
       [&] {
         class_map(image.value(), Tensor::zeros({4, 1, 1, 2}), {}, {0, 0});
       }},
      {"class_map", "bias must be (4), got (3)",
       [&] {
         class_map(image.value(), Tensor::zeros({4, 1, 1, 3}), Tensor::zeros({3}), {0, 0});
       }},
      {"class_map", "w is float64 but x is float32",
       [&] {
         class_map(image.value(), Tensor::zeros({4, 1, 1, 3}, DType::float64), {}, {0, 0});
       }},
      {"class_map", "label 4 of image 1 is outside [0, 4)",
       [&] {
         class_map(image.value(), Tensor::zeros({4, 1, 1, 3}), {}, {0, 4});
       }},
      {"class_map", "1 labels for 2",
       [&] {
         class_map(image.value(), Tensor::zeros({4, 1, 1, 3}), {}, {0});
       }},
      {"normalized_map", "map must be (N, H, W), got (2, 3)", [&] { normalized_map(row.value()); }},
      {"normalized_map", "label 3 of image 0",
       [&] {
         normalized_map(image.value(), {3, 0});
       }},
      {"normalized_map", "got (2, 3)",
       [&] {
         normalized_map(row.value(), {0, 0});
       }},
      {"erase", "heat (2, 4, 3) must be (2, 4, 4)",
       [&] {
         erase(image, Tensor::zeros({2, 4, 3}), 0.5);
       }},
      {"erase", "heat is float64 but x is float32",
       [&] {
         erase(image, Tensor::zeros({2, 4, 4}, DType::float64), 0.5);
       }},
      {"erase", "[0, 1], got 1.5",
       [&] {
         erase(image, Tensor::zeros({2, 4, 4}), 1.5);
       }},
      {"erase", "got -0.1",
       [&] {
         erase(image, Tensor::zeros({2, 4, 4}), -0.1);
       }},
      {"erase", "got nan",
       [&] {
         erase(image, Tensor::zeros({2, 4, 4}), nan);
       }},
  };
  for (const Case& one : cases) {
    const std::string said = error_of(one.run);
    INFO(one.operation, ", expected \"", one.part, "\", said \"", said, "\"");
    CHECK(said.rfind(std::string(one.operation) + ": ", 0) == 0);
    CHECK(said.find(one.part) != std::string::npos);
  }
}
