// Layers: names and shapes, modes, folding of batch norm, gradients through a small network.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/gradcheck.h"
#include "layers/activation.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"
#include "layers/init.h"
#include "layers/linear.h"
#include "layers/pool.h"
#include "layers/sequential.h"
#include "tensor/random.h"

using namespace acol;

namespace {

Tensor random_tensor(const Shape& shape, std::uint32_t a, float low = -1, float high = 1) {
  RandomStream stream(11, Purpose::test, a);
  Tensor x = Tensor::empty(shape);
  for (std::int64_t i = 0; i < x.count(); ++i) x.set(i, static_cast<double>(stream.uniform(low, high)));
  return x;
}

void randomise(BatchNorm& norm, std::uint32_t a) {
  const Shape shape = norm.running_mean().shape();
  norm.weight().value().copy_from(random_tensor(shape, a, -2, 2));
  norm.bias().value().copy_from(random_tensor(shape, a + 1));
  norm.running_mean().copy_from(random_tensor(shape, a + 2));
  norm.running_var().copy_from(random_tensor(shape, a + 3, 0.1f, 3));
}

double worst_difference(const Tensor& a, const Tensor& b) {
  double worst = a.shape() == b.shape() ? 0 : INFINITY;
  for (std::int64_t i = 0; i < std::min(a.count(), b.count()); ++i) {
    const double difference = std::abs(a.at(i) - b.at(i));
    worst = std::isnan(difference) ? INFINITY : std::max(worst, difference);
  }
  return worst;
}

std::vector<std::string> names_of(const Module& module) {
  std::vector<std::string> names;
  for (const auto& parameter : module.parameters()) names.push_back(parameter.name);
  for (const auto& buffer : module.buffers()) names.push_back(buffer.name);
  return names;
}

using Names = std::vector<std::string>;

// Owns its layers as a VGG does.
class Vgg : public Module {
 public:
  Vgg() : features(std::make_shared<Sequential>()) { add_child("features", features); }
  Variable forward(const Variable& x) override { return features->forward(x); }
  std::shared_ptr<Sequential> features;
};

}  // namespace

TEST_CASE("Conv2d: parts, a bias of zeros at first, forward is the operation") {
  Conv2d conv(3, 5, {3, 2}, {{2, 1}, {1, 0}, {1, 1}, false});
  CHECK(names_of(conv) == Names{"weight", "bias"});
  CHECK(conv.weight().shape() == Shape{5, 3, 2, 3});
  CHECK(conv.bias().shape() == Shape{5});
  CHECK(worst_difference(conv.bias().value(), Tensor::zeros({5})) == 0);
  he_normal(conv.weight().value(), Fan::in, 1, 0);
  conv.bias().value().copy_from(random_tensor({5}, 1));
  const Variable x(random_tensor({2, 6, 4, 3}, 2));
  const Tensor y = conv.forward(x).value();
  CHECK(y.shape() == Shape{2, 3, 3, 5});
  CHECK(worst_difference(y, conv2d(x, conv.weight(), conv.bias(), conv.options()).value()) == 0);
  conv.set_relu(true);
  CHECK(worst_difference(conv.forward(x).value(), relu(Variable(y)).value()) == 0);

  Conv2d plain(3, 5, {1, 1}, {}, false);
  CHECK(names_of(plain) == Names{"weight"});
  CHECK(!plain.bias().defined());
  CHECK(plain.forward(x).shape() == Shape{2, 6, 4, 5});
}

TEST_CASE("Linear: parts and forward") {
  Linear layer(2, 3);
  CHECK(names_of(layer) == Names{"weight", "bias"});
  layer.weight().value().copy_from(Tensor::from({3, 2}, std::vector<float>{1, 2, 3, 4, 5, 6}));
  layer.bias().value().copy_from(Tensor::from({3}, std::vector<float>{.5f, 0, -1}));
  const Variable x(Tensor::from({1, 2}, std::vector<float>{10, 1}));
  CHECK(layer.forward(x).value().to_vector() == std::vector<float>{12.5f, 34, 55});
  Linear plain(2, 3, false);
  CHECK(names_of(plain) == Names{"weight"});
  CHECK(!plain.bias().defined());
}

TEST_CASE("BatchNorm: the batch's statistics in training, the running ones in evaluation") {
  BatchNorm norm(1, 1e-5, 0.5);
  CHECK(names_of(norm) == Names{"weight", "bias", "running_mean", "running_var"});
  CHECK(norm.weight().value().at(0) == 1);
  CHECK(norm.bias().value().at(0) == 0);
  CHECK(norm.running_mean().at(0) == 0);
  CHECK(norm.running_var().at(0) == 1);
  const Variable x(Tensor::from({4, 1}, std::vector<float>{1, 3, 5, 7}));  // mean 4, variance 5, unbiased 20 / 3
  const Tensor trained = norm.forward(x).value();
  for (int i = 0; i < 4; ++i) CHECK(std::abs(trained.at(i) - (2 * i - 3) / std::sqrt(5 + 1e-5)) <= 1e-6);
  CHECK(std::abs(norm.running_mean().at(0) - 2) <= 1e-6);
  CHECK(std::abs(norm.running_var().at(0) - (0.5 + 10.0 / 3)) <= 1e-6);
  norm.set_training(false);
  const Tensor evaluated = norm.forward(x).value();
  for (int i = 0; i < 4; ++i) CHECK(std::abs(evaluated.at(i) - (2 * i - 1) / std::sqrt(0.5 + 10.0 / 3 + 1e-5)) <= 1e-6);
  CHECK(std::abs(norm.running_mean().at(0) - 2) <= 1e-6);  // did not move
}

TEST_CASE("layers: settings out of range") {
  CHECK_THROWS_AS(Conv2d(0, 1, {1, 1}), Error);
  CHECK_THROWS_AS(Conv2d(1, 0, {1, 1}), Error);
  CHECK_THROWS_AS(Conv2d(1, 1, {0, 1}), Error);
  CHECK_THROWS_AS(Conv2d(1, 1, {1, 1}, {{1, 0}, {0, 0}, {1, 1}, false}), Error);
  CHECK_THROWS_AS(Conv2d(1, 1, {1, 1}, {{1, 1}, {-1, 0}, {1, 1}, false}), Error);
  CHECK_THROWS_AS(Conv2d(1, 1, {1, 1}, {{1, 1}, {0, 0}, {1, 0}, false}), Error);
  CHECK_THROWS_AS(Linear(0, 1), Error);
  CHECK_THROWS_AS(Linear(1, -1), Error);
  CHECK_THROWS_AS(BatchNorm(0), Error);
  CHECK_THROWS_AS(BatchNorm(1, 0), Error);
  CHECK_THROWS_AS(BatchNorm(1, 1e-5, 1.5), Error);
  CHECK_THROWS_AS(Dropout(1, 0), Error);
  CHECK_THROWS_AS(Dropout(-0.1, 0), Error);
  CHECK_THROWS_AS(Dropout(NAN, 0), Error);
}

TEST_CASE("pools and ReLU") {
  const Variable x(Tensor::from({1, 2, 2, 1}, std::vector<float>{1, -2, 3, 6}));
  CHECK(MaxPool2d().forward(x).value().to_vector() == std::vector<float>{6});
  CHECK(AvgPool2d().forward(x).value().to_vector() == std::vector<float>{2});
  const Pool2dOptions padded{{3, 3}, {2, 2}, {1, 1}};
  CHECK(std::abs(AvgPool2d(padded, true).forward(x).value().at(0) - 8.0 / 9) <= 1e-6);
  CHECK(AvgPool2d(padded, false).forward(x).value().at(0) == 2);
  const Variable pooled = GlobalAvgPool().forward(x);
  CHECK(pooled.shape() == Shape{1, 1});
  CHECK(pooled.value().at(0) == 2);
  CHECK(Relu().forward(x).value().to_vector() == std::vector<float>{1, 0, 3, 6});
}

TEST_CASE("Dropout: draws of seed, step and layer; nothing in evaluation") {
  const Variable x(Tensor::full({1, 10, 10, 100}, 3));
  Dropout layer(0.25, 1);
  CHECK_THROWS_AS(layer.forward(x), Error);  // no draw
  const auto drawn = [&](Dropout& dropout, std::uint64_t seed, std::uint32_t step) {
    dropout.set_draw(seed, step);
    return dropout.forward(x).value().to_vector();
  };
  const std::vector<float> y = drawn(layer, 7, 2);
  const auto zeros = std::count(y.begin(), y.end(), 0.0f), kept = std::count(y.begin(), y.end(), 4.0f);
  CHECK(zeros + kept == 10000);
  CHECK(std::abs(zeros - 2500) <= 5 * 43.3);  // five deviations
  CHECK(drawn(layer, 7, 2) == y);
  CHECK(drawn(layer, 7, 3) != y);
  CHECK(drawn(layer, 8, 2) != y);
  Dropout other(0.25, 2);
  CHECK(drawn(other, 7, 2) != y);

  layer.set_training(false);
  CHECK(worst_difference(layer.forward(x).value(), x.value()) == 0);

  CHECK(worst_difference(Dropout(0, 1).forward(x).value(), x.value()) == 0);  // nothing to draw

  auto first = std::make_shared<Dropout>(0.5, 0);
  Vgg vgg;
  vgg.features->add("0", first).add("1", std::make_shared<Dropout>(0.5, 1));
  CHECK_THROWS_AS(vgg.forward(x), Error);
  set_dropout_draw(vgg, 7, 2);
  CHECK_NOTHROW(vgg.forward(x));
}

TEST_CASE("fold_batch_norm equals the two layers") {
  const Tensor x = random_tensor({2, 5, 5, 3}, 1);
  for (const bool bias : {true, false})
    for (const DType dtype : {DType::float32, DType::float64}) {
      Conv2d conv(3, 4, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, false}, bias);
      he_normal(conv.weight().value(), Fan::in, 1, 0);
      if (bias) conv.bias().value().copy_from(random_tensor({4}, 2));
      BatchNorm norm(4, 1e-3);
      randomise(norm, 3);
      norm.set_training(false);
      conv.convert(dtype);
      norm.convert(dtype);
      const Variable input(x.to(dtype));
      const Tensor expected = norm.forward(conv.forward(input)).value();
      fold_batch_norm(conv, norm);
      REQUIRE(conv.bias().defined());
      CHECK(names_of(conv) == Names{"weight", "bias"});
      // Sums of 27 products below 10 in size.
      CHECK(worst_difference(conv.forward(input).value(), expected) <= (dtype == DType::float32 ? 2e-5 : 1e-13));
    }
  Conv2d fused(1, 2, {1, 1}, {{1, 1}, {0, 0}, {1, 1}, true});
  CHECK_THROWS_AS(fold_batch_norm(fused, BatchNorm(2)), Error);
  Conv2d conv(1, 2, {1, 1});
  CHECK_THROWS_AS(fold_batch_norm(conv, BatchNorm(3)), Error);
}

TEST_CASE("Sequential: PyTorch's names, and folding in place") {
  Vgg vgg;
  const Conv2dOptions same{{1, 1}, {1, 1}, {1, 1}, false};
  auto inner = std::make_shared<Sequential>();
  inner->add("0", std::make_shared<Conv2d>(3, 3, Pair{1, 1})).add("1", std::make_shared<BatchNorm>(3));
  vgg.features->add("0", std::make_shared<Conv2d>(2, 4, Pair{3, 3}, same))
      .add("1", std::make_shared<BatchNorm>(4))
      .add("2", std::make_shared<Relu>())
      .add("3", std::make_shared<MaxPool2d>())
      .add("4", std::make_shared<BatchNorm>(4))  // after no convolution: stays
      .add("5", std::make_shared<Conv2d>(4, 3, Pair{3, 3}, same, false))
      .add("6", std::make_shared<BatchNorm>(3))
      .add("7", std::make_shared<Conv2d>(3, 3, Pair{3, 3}, same))  // no batch norm: stays
      .add("8", std::make_shared<Relu>())
      .add("9", inner);
  CHECK(vgg.features->size() == 10);
  const Names names = names_of(vgg);
  CHECK(names[0] == "features.0.weight");
  CHECK(names[2] == "features.1.weight");
  CHECK(std::count(names.begin(), names.end(), "features.1.running_mean") == 1);
  CHECK(std::count(names.begin(), names.end(), "features.9.1.running_var") == 1);
  std::uint32_t i = 0;
  vgg.for_each([&](const std::string&, Module& module) {
    if (auto* conv = dynamic_cast<Conv2d*>(&module)) he_normal(conv->weight().value(), Fan::in, 2, i++);
    if (auto* norm = dynamic_cast<BatchNorm*>(&module)) randomise(*norm, 20 + 4 * i++);
  });

  CHECK_THROWS_AS(vgg.features->fold_batch_norm(), Error);  // in training
  vgg.set_training(false);
  const Variable x(random_tensor({2, 6, 6, 2}, 1));
  const Tensor expected = vgg.forward(x).value();
  double largest = 0;
  for (std::int64_t j = 0; j < expected.count(); ++j) largest = std::max(largest, std::abs(expected.at(j)));
  CHECK(largest > 0.1);  // or there is nothing to compare
  vgg.features->fold_batch_norm();
  CHECK(vgg.features->size() == 7);
  CHECK(names_of(vgg) == Names{"features.0.weight", "features.0.bias", "features.4.weight", "features.4.bias",
                               "features.5.weight", "features.5.bias", "features.7.weight", "features.7.bias",
                               "features.9.0.weight", "features.9.0.bias", "features.4.running_mean",
                               "features.4.running_var"});
  CHECK(worst_difference(vgg.forward(x).value(), expected) <= 1e-5 * largest);
  vgg.features->fold_batch_norm();  // nothing left to do
  CHECK(vgg.features->size() == 7);
  CHECK_THROWS_AS(vgg.features->add("0", std::make_shared<Relu>()), Error);
  CHECK_THROWS_AS(vgg.features->add("10", nullptr), Error);
}

TEST_CASE("an empty Sequential is the identity") {
  const Variable x(random_tensor({1, 2, 2, 1}, 1));
  CHECK(worst_difference(Sequential().forward(x).value(), x.value()) == 0);
}

TEST_CASE("gradients of a small network in double") {
  for (const bool training : {true, false}) {
    auto conv = std::make_shared<Conv2d>(2, 3, Pair{3, 3}, Conv2dOptions{{1, 1}, {1, 1}, {1, 1}, false}, false);
    auto norm = std::make_shared<BatchNorm>(3);
    auto dropout = std::make_shared<Dropout>(0.3, 0);
    auto head = std::make_shared<Linear>(3, 4);
    Sequential net;
    net.add("conv", conv)
        .add("norm", norm)
        .add("relu", std::make_shared<Relu>())
        .add("pool", std::make_shared<AvgPool2d>());
    net.add("drop", dropout).add("gap", std::make_shared<GlobalAvgPool>()).add("head", head);
    he_normal(conv->weight().value(), Fan::in, 1, 0);
    xavier_uniform(head->weight().value(), 1, 1);
    randomise(*norm, 5);
    dropout->set_draw(1, 2);
    net.convert(DType::float64);
    net.set_training(training);

    // gradcheck moves its inputs' numbers, which are the module's own: the nodes are shared.
    std::vector<Variable> inputs{Variable(random_tensor({2, 4, 4, 2}, 9).to(DType::float64), true)};
    for (const auto& parameter : net.parameters()) inputs.push_back(parameter.variable);
    REQUIRE(inputs.size() == 6);
    const GradcheckResult result = gradcheck(
        [&](const std::vector<Variable>& v) {
          return softmax_cross_entropy(net.forward(v[0]), {3, 1});
        },
        inputs);
    CAPTURE(result.where);
    CHECK(result.worst_error <= 1e-7);
  }
}
