// Every operation's gradient against central differences in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/gradient_check.h"

using namespace acol;
using namespace acol::testing;

TEST_CASE("conv2d") {
  struct Case {
    int n, h, w, c, o, r, s;
    Pair stride, pad, dilation;
  };
  const Case cases[] = {
      {1, 1, 1, 1, 1, 1, 1, {1, 1}, {0, 0}, {1, 1}},  // a product of two numbers
      {2, 4, 5, 3, 2, 1, 1, {1, 1}, {0, 0}, {1, 1}},  // 1x1
      {2, 5, 4, 2, 3, 3, 3, {1, 1}, {1, 1}, {1, 1}},  // VGG's
      {1, 6, 7, 2, 2, 3, 2, {2, 1}, {1, 0}, {1, 1}},  // strides and padding differ by axis
      {1, 7, 8, 2, 2, 2, 3, {1, 2}, {0, 2}, {3, 1}},  // dilation differs by axis
      {2, 8, 7, 1, 2, 3, 3, {2, 3}, {2, 3}, {2, 2}},  // everything
      {1, 5, 5, 2, 2, 1, 1, {2, 2}, {0, 0}, {1, 1}},  // pixels that no output reads: gradient 0
      {1, 2, 2, 2, 3, 3, 3, {1, 1}, {2, 2}, {1, 1}},  // outputs that see padding nearly alone
  };
  std::uint32_t seed = 10;
  for (const Case& k : cases)
    for (const bool with_bias : {false, true})
      for (const bool fused : {false, true}) {
        INFO("case ", &k - cases, ", bias ", with_bias, ", relu ", fused);
        Conv2dOptions options{k.stride, k.pad, k.dilation, false};
        const auto f = [&](const Variables& in) {
          return conv2d(in[0], in[1], with_bias ? in[2] : Variable(), options);
        };
        Draw draw(seed++);
        Variables inputs{draw.uniform({k.n, k.h, k.w, k.c}), draw.uniform({k.o, k.r, k.s, k.c})};
        if (with_bias) inputs.push_back(draw.uniform({k.o}));
        const Tensor sums = f(inputs).value();
        REQUIRE(off_kink(sums));
        CHECK(sums.shape() == Shape{k.n, window_output_size(k.h, k.r, k.stride[0], k.pad[0], k.dilation[0]),
                                    window_output_size(k.w, k.s, k.stride[1], k.pad[1], k.dilation[1]), k.o});
        options.relu = fused;
        check_gradients(f, inputs);
      }
}

TEST_CASE("conv2d: a fused ReLU is conv2d then relu; frozen inputs change nothing for the others") {
  Draw draw(2);
  const Variable x = draw.uniform({2, 5, 5, 3}), w = draw.uniform({4, 3, 3, 3}), bias = draw.uniform({4});
  Conv2dOptions options{{2, 1}, {1, 1}, {1, 1}, false};
  Variable apart = relu(conv2d(x, w, bias, options));
  const Variable upstream = draw.uniform(apart.shape());
  apart.backward(upstream.value());
  options.relu = true;
  for (int wanted = 1; wanted < 8; ++wanted) {
    CAPTURE(wanted);
    Variable parts[] = {Variable(x.value(), wanted & 1), Variable(w.value(), wanted & 2),
                        Variable(bias.value(), wanted & 4)};
    Variable y = conv2d(parts[0], parts[1], parts[2], options);
    CHECK(same_numbers(y.value(), apart.value()));
    y.backward(upstream.value());
    const Tensor* expected[] = {&x.grad(), &w.grad(), &bias.grad()};
    for (int i = 0; i < 3; ++i) {
      REQUIRE(parts[i].grad().defined() == ((wanted >> i) & 1));
      if (parts[i].grad().defined()) CHECK(same_numbers(parts[i].grad(), *expected[i]));
    }
  }
}

TEST_CASE("conv2d of a ReLU's output, fused or not, alone and beside consumers that mask nothing") {
  Draw draw(3);
  const Variables inputs{draw.uniform({2, 5, 4, 3}), draw.uniform({4, 3, 3, 3}), draw.uniform({4}),
                         draw.uniform({4, 3, 3, 4})};
  const Conv2dOptions fused{.pad = {1, 1}, .relu = true}, plain{.pad = {1, 1}};
  const Pool2dOptions pool{.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}, .relu = true};
  REQUIRE(off_kink(conv2d(inputs[0], inputs[1], inputs[2], plain).value()));
  const Function with_relu[] = {
      [=](const Variables& in) { return conv2d(in[0], in[1], in[2], fused); },
      [=](const Variables& in) { return relu(conv2d(in[0], in[1], in[2], plain)); },
      [=](const Variables& in) { return max_pool2d(conv2d(in[0], in[1], in[2], plain), pool); },
  };
  for (const Function& inner : with_relu) {
    check_gradients([&](const Variables& in) { return conv2d(inner(in), in[3], {}, plain); }, inputs);
    check_gradients(
        [&](const Variables& in) {
          const Variable y = inner(in);
          return add(conv2d(y, in[3], {}, plain), y);
        },
        inputs);
  }
}

TEST_CASE("linear") {
  Draw draw(3);
  const auto f = [](const Variables& in) { return linear(in[0], in[1], in.size() > 2 ? in[2] : Variable()); };
  check_gradients(f, {draw.uniform({3, 5}), draw.uniform({4, 5})});
  check_gradients(f, {draw.uniform({3, 5}), draw.uniform({4, 5}), draw.uniform({4})});
  check_gradients(f, {draw.uniform({1, 1}), draw.uniform({1, 1}), draw.uniform({1})});
}

TEST_CASE("max_pool2d and avg_pool2d") {
  const Pool2dOptions cases[] = {
      {{2, 2}, {2, 2}, {0, 0}}, {{3, 3}, {2, 2}, {1, 1}},  // the paper's
      {{3, 3}, {1, 1}, {1, 1}}, {{2, 3}, {3, 1}, {1, 0}},  // pixels in no window
      {{5, 4}, {2, 3}, {2, 2}}, {{1, 1}, {1, 1}, {0, 0}},
  };
  Draw draw(4);
  for (const Pool2dOptions& options : cases) {
    CAPTURE(&options - cases);
    const Variables inputs{draw.spread({2, 6, 7, 3})};
    CHECK(max_pool2d(inputs[0], options).shape() ==
          Shape{2, window_output_size(6, options.window[0], options.stride[0], options.pad[0], 1),
                window_output_size(7, options.window[1], options.stride[1], options.pad[1], 1), 3});
    check_gradients([&](const Variables& in) { return max_pool2d(in[0], options); }, inputs);
    for (const bool count_padding : {false, true})
      check_gradients([&](const Variables& in) { return avg_pool2d(in[0], options, count_padding); }, inputs);
  }
}

TEST_CASE("avg_pool2d counts the zeros of the padding, or does not") {
  const Variable ones(Tensor::full({1, 3, 3, 1}, 1, DType::float64));
  const Pool2dOptions same{{3, 3}, {1, 1}, {1, 1}};
  CHECK(avg_pool2d(ones, same, true).value().at(0) == 4.0 / 9);
  CHECK(avg_pool2d(ones, same, false).value().at(0) == 1);
}

TEST_CASE("global_avg_pool") {
  Draw draw(5);
  const auto f = [](const Variables& in) { return global_avg_pool(in[0]); };
  check_gradients(f, {draw.uniform({2, 3, 4, 5})});
  CHECK(f({draw.uniform({2, 3, 4, 5})}).shape() == Shape{2, 5});
}

TEST_CASE("relu, add, multiply, maximum, reshape") {
  Draw draw(6);
  check_gradients([](const Variables& in) { return relu(in[0]); }, {draw.spread({3, 4, 5})});
  check_gradients([](const Variables& in) { return reshape(in[0], {5, 12}); }, {draw.spread({3, 4, 5})});
  const Variables two{draw.spread({4, 5}), draw.spread({4, 5}, 0.011)};  // differ by multiples of 0.0005, but for 0
  for (std::int64_t i = 0; i < 20; ++i) REQUIRE(std::abs(two[0].value().at(i) - two[1].value().at(i)) > 1e-4);
  check_gradients([](const Variables& in) { return add(in[0], in[1]); }, two);
  check_gradients([](const Variables& in) { return multiply(in[0], in[1]); }, two);
  check_gradients([](const Variables& in) { return maximum(in[0], in[1]); }, two);
  check_gradients([](const Variables& in) { return multiply(add(in[0], in[0]), multiply(in[0], in[1])); }, two);
}

TEST_CASE("batch_norm, in training and with running statistics") {
  Draw draw(7);
  for (const Shape& shape : {Shape{2, 3, 4, 3}, Shape{5, 3}, Shape{2, 1}})
    for (const bool training : {false, true}) {
      INFO("shape ", shape.str(), ", training ", training);
      const int channels = shape.back();
      Tensor mean = draw.uniform({channels}).value(), variance = draw.uniform({channels}, 0.5, 2).value();
      const auto f = [&](const Variables& in) {
        return batch_norm(in[0], in[1], in[2], mean, variance, {training, 0.1, 1e-2});
      };
      check_gradients(f, {draw.uniform(shape), draw.uniform({channels}, 0.5, 2), draw.uniform({channels})});
    }
}

TEST_CASE("batch_norm moves its running statistics in training only, the variance unbiased") {
  const Variable x(Tensor::from({2, 1}, std::vector<double>{1, 3})), one(Tensor::full({1}, 1, DType::float64), true);
  Tensor mean = Tensor::zeros({1}, DType::float64), variance = Tensor::full({1}, 1, DType::float64);
  batch_norm(x, one, one, mean, variance, {false, 0.1, 1e-5});
  CHECK(mean.at(0) == 0);
  CHECK(variance.at(0) == 1);
  const Variable y = batch_norm(x, one, one, mean, variance, {true, 0.1, 1e-5});
  CHECK(std::abs(mean.at(0) - 0.2) <= 1e-15);      // 0.9 * 0 + 0.1 * 2
  CHECK(std::abs(variance.at(0) - 1.1) <= 1e-15);  // 0.9 * 1 + 0.1 * 2; the biased variance is 1
  CHECK(std::abs(y.value().at(1) - (1 + 1 / std::sqrt(1 + 1e-5))) <= 1e-12);

  // Backward uses the statistics of its forward pass even if they have moved since.
  Variable input(x.value(), true);
  Variable z = batch_norm(input, one, one, mean, variance, {false, 0.1, 1e-5});
  const double expected = 1 / std::sqrt(variance.at(0) + 1e-5);
  variance.fill(100);
  z.backward(Tensor::full({2, 1}, 1, DType::float64));
  CHECK(std::abs(input.grad().at(0) - expected) <= 1e-12);
}

TEST_CASE("dropout") {
  Draw draw(8);
  for (const double rate : {0.0, 0.25, 0.9}) {
    const Variable x = draw.uniform({7, 9});
    check_gradients([rate](const Variables& in) { return dropout(in[0], rate, {5, 6, 7}); }, {x});
  }
  // Gradient and value share one draw.
  Variable x(Tensor::full({1000}, 1, DType::float64), true);
  Variable y = dropout(x, 0.5, {1, 2, 3});
  y.backward(Tensor::full({1000}, 1, DType::float64));
  CHECK(same_numbers(y.value(), x.grad()));
  CHECK(!same_numbers(y.value(), dropout(x, 0.5, {1, 3, 3}).value()));
}

TEST_CASE("softmax_cross_entropy") {
  Draw draw(9);
  const auto f = [](const Variables& in) { return softmax_cross_entropy(in[0], {2, 0, 4}); };
  check_gradients(f, {draw.uniform({3, 5}, -3, 3)});
  Variable far = draw.uniform({3, 5}, -3, 3);
  far.value().set(0, 2000);  // exp() of this is infinite
  check_gradients(f, {far});
  Variable even(Tensor::full({3, 5}, 7, DType::float64), true);
  CHECK(f({even}).shape() == Shape{1});
  CHECK(std::abs(f({even}).value().at(0) - std::log(5.0)) <= 1e-12);
}

TEST_CASE("resize") {
  Draw draw(10);
  const std::array<int, 4> cases[] = {{3, 4, 7, 9}, {5, 6, 2, 3}, {4, 4, 4, 4}, {1, 1, 3, 2}, {2, 7, 8, 3}};
  for (const std::array<int, 4>& k : cases)
    for (const Interpolation how : {Interpolation::bilinear, Interpolation::bicubic})
      check_gradients([&](const Variables& in) { return resize(in[0], k[2], k[3], how); },
                      {draw.uniform({2, k[0], k[1], 2})});
  const Variable step(Tensor::from({1, 1, 2, 1}, std::vector<double>{0, 1}));
  for (const Interpolation interpolation : {Interpolation::bilinear, Interpolation::bicubic}) {
    const double second = resize(step, 1, 4, interpolation).value().at(1);
    CHECK((second == 0.25) == (interpolation == Interpolation::bilinear));
  }
}

TEST_CASE("erase: the gradient passes where the features were kept, and is exactly 0 through the hole") {
  Draw draw(11);
  const Variable x = draw.uniform({2, 3, 4, 5});
  const Tensor heat = draw.uniform({2, 3, 4}, 0, 1).value();
  for (const double threshold : {0.0, 0.5, 1.0}) {
    CAPTURE(threshold);
    const auto f = [&](const Variables& in) { return erase(in[0], heat, threshold); };
    check_gradients(f, {x});
    Variable in(x.value(), true);
    const Tensor upstream = draw.uniform(x.shape(), 0.5, 1).value();
    f({in}).backward(upstream);
    for (std::int64_t i = 0; i < upstream.count(); ++i)
      CHECK(in.grad().at(i) == (heat.at(i / 5) >= threshold ? 0 : upstream.at(i)));
  }
}

TEST_CASE("erase: a heat map made from the same features adds no gradient") {
  Draw draw(12);
  const Variable w = draw.uniform({3, 1, 1, 5}), x = draw.uniform({2, 4, 4, 5});
  const std::vector<int> labels{2, 0};
  const auto heat_of = [&](const Variables& in) {
    return normalized_map(class_map(in[0].value(), in[1].value(), {}, labels));
  };
  const Tensor fixed = heat_of({x, w});
  const Tensor by_maps = normalized_map(conv2d(x, w, {}).value(), labels);
  for (std::int64_t i = 0; i < fixed.count(); ++i) REQUIRE(std::abs(fixed.at(i) - by_maps.at(i)) <= 1e-13);
  for (std::int64_t i = 0; i < fixed.count(); ++i) REQUIRE(std::abs(fixed.at(i) - 0.6) > 1e-3);
  const auto moving = [&](const Variables& in) { return erase(in[0], heat_of(in), 0.6); };

  const Tensor upstream = draw.uniform(x.shape()).value();
  Variable a(x.value(), true), b(x.value(), true), filters(w.value(), true);
  erase(a, fixed, 0.6).backward(upstream);
  moving({b, filters}).backward(upstream);
  CHECK(same_numbers(a.grad(), b.grad()));
  CHECK(!filters.grad().defined());
  // That is the true gradient, too: a small move of the features moves no pixel over the threshold.
  check_gradients(moving, {x, w});
}
