// Every operation's gradient against central differences in double, and then those of a whole small ACoL.
//
// Inputs of operations with kinks (ReLU, maxima, the erase's threshold) are drawn, or checked, to lie farther from them
// than the step of the differences: at a kink itself there is no derivative to compare with.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "tensor/random.h"

using namespace acol;

namespace {

// Central differences with step 1e-5 err by about 1e-10 here; a wrong term is off by 1e-3 and more.
constexpr double tolerance = 1e-8;

using Variables = std::vector<Variable>;
using Function = std::function<Variable(const Variables&)>;

void check_gradients(const Function& f, const Variables& inputs, int max_elements = 0) {
  const GradcheckResult result = gradcheck(f, inputs, 1e-5, max_elements);
  INFO(result.where);
  CHECK(!result.where.empty());
  CHECK(result.worst_error <= tolerance);
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
bool off_kink(const Tensor& t) {
  for (std::int64_t i = 0; i < t.count(); ++i)
    if (t.at(i) != 0 && !(std::abs(t.at(i)) > 1e-4)) return false;
  return true;
}

bool same_numbers(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  for (std::int64_t i = 0; i < a.count(); ++i)
    if (!(a.at(i) == b.at(i))) return false;
  return true;
}

}  // namespace

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

namespace {

// A small ACoL (Zhang et al. 2018, figure 2): trunk, head A, erase by A's map, head B, CE(A) + CE(B).
struct SmallAcol {
  static constexpr int classes = 3;
  std::vector<int> labels{2, 0};
  double threshold = 0.6;
  mutable Tensor mean, variance;

  // Input 0 is the batch, the others are parameters in order of use.
  static Variables drawn(std::uint32_t seed) {
    Draw draw(seed);
    Variables v{draw.uniform({2, 9, 8, 3}), draw.uniform({4, 3, 3, 3}), draw.uniform({4}, 0.5, 1.5),
                draw.uniform({4}),          draw.uniform({5, 3, 3, 4}), draw.uniform({5})};
    for (int head = 0; head < 2; ++head)
      for (const Shape& shape : {Shape{6, 3, 3, 5}, Shape{6}, Shape{classes, 1, 1, 6}, Shape{classes}})
        v.push_back(draw.uniform(shape));
    return v;
  }

  struct Result {
    Variable loss_a, loss_b;
    Tensor heat;
  };

  Result run(const Variables& v) const {
    Conv2dOptions plain, fused;
    plain.pad = fused.pad = {1, 1};
    fused.relu = true;
    mean = Tensor::zeros({4}, v[0].dtype());
    variance = Tensor::full({4}, 1, v[0].dtype());
    Variable y = relu(batch_norm(conv2d(v[0], v[1], {}, plain), v[2], v[3], mean, variance, {true, 0.1, 1e-3}));
    y = max_pool2d(y, {{3, 3}, {2, 2}, {1, 1}});
    y = conv2d(y, v[4], v[5], fused);
    const Variable features = avg_pool2d(y, {{3, 3}, {1, 1}, {1, 1}});
    const auto head = [&](const Variable& x, std::size_t first) {
      return conv2d(conv2d(x, v[first], v[first + 1], fused), v[first + 2], v[first + 3]);
    };
    const Variable maps_a = head(features, 6);
    Result result;
    result.heat = normalized_map(maps_a.value(), labels);
    const Variable maps_b = head(erase(features, result.heat, threshold), 10);
    result.loss_a = softmax_cross_entropy(global_avg_pool(maps_a), labels);
    result.loss_b = softmax_cross_entropy(global_avg_pool(maps_b), labels);
    return result;
  }

  Variable loss(const Variables& v) const {
    const Result result = run(v);
    return add(result.loss_a, result.loss_b);
  }
};

}  // namespace

TEST_CASE("a whole small ACoL") {
  const SmallAcol net;
  Variables v = SmallAcol::drawn(101);
  const Tensor heat = net.run(v).heat;
  int erased = 0;
  for (std::int64_t i = 0; i < heat.count(); ++i) {
    REQUIRE(std::abs(heat.at(i) - net.threshold) > 1e-3);
    erased += heat.at(i) >= net.threshold;
  }
  REQUIRE(erased >= 2);
  REQUIRE(erased < heat.count() / 2);
  check_gradients([&](const Variables& in) { return net.loss(in); }, v, 60);

  // Head A learns from its own loss alone: B's does not reach it through the mask.
  for (Variable& one : v) one.clear_grad();
  net.loss(v).backward();
  Variables both;
  for (const Variable& one : v) both.push_back(Variable(one.grad()));
  for (Variable& one : v) one.clear_grad();
  net.run(v).loss_a.backward();
  for (std::size_t i = 6; i < 10; ++i) CHECK(same_numbers(v[i].grad(), both[i].value()));
  for (std::size_t i = 10; i < 14; ++i) CHECK(!v[i].grad().defined());
  CHECK(!same_numbers(v[1].grad(), both[1].value()));  // the trunk learns from both
}

TEST_CASE("a whole small ACoL in float, on every device, has the gradients of the one in double") {
  const SmallAcol net;
  Variables v = SmallAcol::drawn(101);
  net.loss(v).backward();
  for (const Device device : {Device::reference, Device::cpu}) {
    use_device(device);
    Variables f;
    for (const Variable& one : v) f.push_back(Variable(one.value().to(DType::float32), true));
    net.loss(f).backward();
    for (std::size_t i = 0; i < v.size(); ++i) {
      double largest = 0, worst = 0;
      for (std::int64_t k = 0; k < v[i].value().count(); ++k) {
        largest = std::max(largest, std::abs(v[i].grad().at(k)));
        const double off = std::abs(f[i].grad().at(k) - v[i].grad().at(k));
        if (!(off <= worst)) worst = std::isnan(off) ? std::numeric_limits<double>::infinity() : off;
      }
      CAPTURE(i);
      CHECK(largest > 0);
      CHECK(worst <= 1e-5 * std::max(largest, 0.1));
    }
  }
  use_device(Device::cpu);
}
