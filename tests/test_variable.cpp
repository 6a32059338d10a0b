// The tape: which gradients arrive where, what is kept and what is freed.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <thread>

#include "autograd/ops.h"
#include "tensor/memory.h"
#include "tensor/random.h"

using namespace acol;

namespace {

Variable leaf(const Shape& shape, const std::vector<double>& values) {
  return Variable(Tensor::from(shape, values), true);
}

Variable number(double value) { return leaf({1}, {value}); }

// y = x, with `run` called in backward; for watching the tape.
Variable watched(const Variable& x, const std::function<void(const Tensor&, InputGradients&)>& run) {
  return Variable::record("watched", x.value().clone(), {x}, run);
}

void pass_on(const Tensor& dy, InputGradients& dx) {
  for (std::int64_t i = 0; i < dy.count(); ++i) dx[0].set(i, dx[0].at(i) + dy.at(i));
}

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the chain rule along several paths") {
  Variable a = number(3), b = number(5);
  Variable y = add(multiply(a, b), a);  // a b + a
  y.backward();
  CHECK(y.value().at(0) == 18);
  CHECK(a.grad().at(0) == 6);
  CHECK(b.grad().at(0) == 3);
}

TEST_CASE("an inner value that feeds two consumers gets the sum of their gradients, before it passes it on") {
  Variable x = number(2);
  int runs = 0;
  Variable square = multiply(x, x);
  Variable inner = watched(square, [&](const Tensor& dy, InputGradients& dx) {
    ++runs;
    CHECK(dy.at(0) == 10 + 2 * square.value().at(0));
    pass_on(dy, dx);
  });
  Variable y = add(multiply(inner, number(10)), multiply(inner, inner));  // 10 x^2 + x^4
  y.backward();
  CHECK(runs == 1);
  CHECK(x.grad().at(0) == 20 * 2 + 4 * 8);
}

TEST_CASE("one variable in both places of an operation") {
  Variable x = leaf({3}, {-2, 0.5, 3});
  const Tensor ones = Tensor::full({3}, 1, DType::float64);
  add(x, x).backward(ones);
  for (int i = 0; i < 3; ++i) CHECK(x.grad().at(i) == 2);
  x.clear_grad();
  multiply(x, x).backward(ones);
  for (int i = 0; i < 3; ++i) CHECK(x.grad().at(i) == 2 * x.value().at(i));
  x.clear_grad();
  maximum(x, x).backward(ones);
  for (int i = 0; i < 3; ++i) CHECK(x.grad().at(i) == 1);
}

TEST_CASE("leaf gradients add up over calls until they are cleared; inner ones are freed") {
  Variable x = number(4);
  CHECK(!x.grad().defined());
  for (int call = 1; call <= 3; ++call) {
    Variable y = multiply(x, x);
    y.backward();
    CHECK(x.grad().at(0) == 8 * call);
    CHECK(!y.grad().defined());
    CHECK(y.value().at(0) == 16);  // the numbers stay with whoever holds them
  }
  x.clear_grad();
  CHECK(!x.grad().defined());
  CHECK(x.grad_or_zeros().at(0) == 0);
  x.backward();  // d x / d x
  CHECK(x.grad().at(0) == 1);
}

TEST_CASE("a second backward through a graph is an Error and changes nothing") {
  Variable x = number(4);
  Variable square = multiply(x, x);
  Variable first = add(square, x), second = relu(square);
  first.backward();
  CHECK(x.grad().at(0) == 9);
  CHECK(contains(error_of([&] { first.backward(); }), "through 'add'"));
  CHECK(contains(error_of([&] { second.backward(); }), "through 'multiply'"));  // shared with the first
  CHECK(x.grad().at(0) == 9);
}

TEST_CASE("backward frees what an operation kept as soon as it is used, and a dropped graph frees it unused") {
  const auto kept = std::make_shared<int>(0);
  long owners_below = 0;
  Variable x = number(1);
  {
    Variable lower = watched(x, [&](const Tensor& dy, InputGradients& dx) {
      owners_below = kept.use_count();
      pass_on(dy, dx);
    });
    Variable upper = watched(lower, [kept](const Tensor& dy, InputGradients& dx) { pass_on(dy, dx); });
    CHECK(kept.use_count() > 1);
    upper.backward();
    CHECK(owners_below == 1);
    CHECK(kept.use_count() == 1);
    watched(x, [kept](const Tensor&, InputGradients&) {});
    CHECK(kept.use_count() == 1);
  }
  CHECK(x.grad().at(0) == 1);
}

TEST_CASE("the tape does not hold values that no backward asked for") {
  Variable x(Tensor::zeros({1 << 20}), true);  // 4 MB
  Variable y = x;
  const std::size_t one = std::size_t{4} << 20, before = memory_use().bytes_in_use;
  restart_memory_peak();
  for (int i = 0; i < 40; ++i) y = add(y, x);
  // The sum so far and the one being made, each a little more than its numbers under a sanitizer; 40 if all were held.
  CHECK(memory_use().peak_bytes_in_use - before < 3 * one);
  CHECK(memory_use().bytes_in_use - before < 2 * one);
  CHECK(y.requires_grad());
}

TEST_CASE("deep graphs overflow no stack: backward, and dropping without backward") {
  const auto chain = [](const Variable& x) {
    Variable y = x;
    for (int i = 0; i < 100000; ++i) y = add(y, x);
    return y;
  };
  Variable x = number(1);
  chain(x).backward();
  CHECK(x.grad().at(0) == 100001);
  { const Variable dropped = chain(x); }
  CHECK(x.grad().at(0) == 100001);
}

TEST_CASE("every operation runs once, however many paths lead through it") {
  Variable x = number(1), y = x;
  for (int i = 0; i < 60; ++i) y = add(y, y);  // 2^60 paths
  y.backward();
  CHECK(x.grad().at(0) == std::ldexp(1.0, 60));
}

TEST_CASE("NoGrad: nothing is recorded while it lives, in its thread only") {
  const auto kept = std::make_shared<int>(0);
  Variable x = number(2);
  CHECK(grad_enabled());
  {
    const NoGrad outer;
    {
      const NoGrad inner;
      CHECK(!grad_enabled());
    }
    CHECK(!grad_enabled());
    Variable y = watched(x, [kept](const Tensor&, InputGradients&) {});
    CHECK(kept.use_count() == 1);
    CHECK(!y.requires_grad());
    CHECK(contains(error_of([&] { y.backward(); }), "NoGrad"));
    bool other_thread = false;
    std::thread([&] { other_thread = multiply(x, x).requires_grad(); }).join();
    CHECK(other_thread);
  }
  CHECK(grad_enabled());
  CHECK(multiply(x, x).requires_grad());
}

TEST_CASE("detached shares the numbers and stops the gradient") {
  Variable x = number(3);
  Variable y = multiply(x, multiply(x, x).detached());
  y.backward();
  CHECK(x.grad().at(0) == 9);  // not 27: x^2 counts as a constant
  Variable cut = x.detached();
  CHECK(!cut.requires_grad());
  cut.value().set(0, 7);
  CHECK(x.value().at(0) == 7);
}

TEST_CASE("only wanted gradients are made") {
  Variable x = number(3), constant(Tensor::full({1}, 2, DType::float64));
  CHECK(!multiply(constant, constant).requires_grad());
  const Variable y =
      Variable::record("half", x.value().clone(), {constant, x, Variable()}, [](const Tensor&, InputGradients& dx) {
        CHECK(!dx.wanted(0));
        CHECK(dx.wanted(1));
        CHECK(!dx.wanted(2));
        CHECK(dx.data<double>(0) == nullptr);
        CHECK(contains(error_of([&] { dx[0]; }), "not wanted"));
        CHECK(dx[1].at(0) == 0);
      });
  Variable(y).backward();
  CHECK(!constant.grad().defined());
  CHECK(contains(error_of([&] { constant.grad_or_zeros(); }), "requires_grad"));
  constant.clear_grad();

  // An operation that hands nothing back ends the flow: what lies before it is not run.
  Variable z = watched(multiply(x, x), [](const Tensor&, InputGradients&) {});
  x.clear_grad();
  z.backward();
  CHECK(!x.grad().defined());
}

TEST_CASE("copies are one variable; a parameter may change its shape once its gradient is cleared") {
  Variable x = leaf({2}, {1, 2});
  const Variable copy = x;
  multiply(x, x).backward(Tensor::full({2}, 1, DType::float64));
  x.value() = Tensor::full({3}, 1, DType::float64);
  CHECK(copy.shape() == Shape{3});
  const Tensor ones = Tensor::full({3}, 1, DType::float64);
  CHECK(contains(error_of([&] { multiply(copy, copy).backward(ones); }), "clear_grad"));
  x.clear_grad();
  multiply(copy, copy).backward(ones);
  CHECK(copy.grad().shape() == Shape{3});
}

TEST_CASE("backward asks for a fitting start") {
  Variable x = leaf({2}, {1, 2});
  CHECK(contains(error_of([&] { multiply(x, x).backward(); }), "one number"));
  CHECK(contains(error_of([&] { multiply(x, x).backward(Tensor::zeros({3}, DType::float64)); }), "(3)"));
  CHECK(contains(error_of([&] { multiply(x, x).backward(Tensor::zeros({2})); }), "element types"));
  CHECK(contains(error_of([&] { multiply(x, x).backward(Tensor()); }), "backward"));
  CHECK(contains(error_of([] { Variable().backward(); }), "undefined"));
  CHECK(contains(error_of([] { Variable{Tensor()}; }), "without numbers"));
}

TEST_CASE("gradients repeat bit for bit") {
  const auto gradients = [] {
    RandomStream random(3, Purpose::test);
    const auto drawn = [&](const Shape& shape) {
      Variable v(Tensor::empty(shape), true);
      for (std::int64_t i = 0; i < shape.count(); ++i) v.value().set(i, random.uniform(-1, 1));
      return v;
    };
    Variable x = drawn({2, 6, 6, 4}), w = drawn({4, 3, 3, 4});
    Conv2dOptions same;
    same.pad = {1, 1};
    Variable y = x;
    for (int i = 0; i < 3; ++i) y = add(multiply(conv2d(y, w, {}, same), y), add(relu(y), x));
    softmax_cross_entropy(global_avg_pool(y), {0, 3}).backward();
    std::vector<float> all = x.grad().to_vector();
    for (const float g : w.grad().to_vector()) all.push_back(g);
    return all;
  };
  const std::vector<float> once = gradients(), twice = gradients();
  CHECK(std::memcmp(once.data(), twice.data(), once.size() * sizeof(float)) == 0);
  for (const float g : once) CHECK(std::isfinite(g));
}

TEST_CASE("behind a ReLU, its operation is told whether all consumers left out what it would not let through") {
  // y = x, a result that says it is a ReLU's; `masked` of its consumers say that they masked their gradient.
  const auto told = [](int consumers, int masked, bool is_relu) {
    Variable x = number(1);
    int seen = -1;
    Variable y = watched(x, [&](const Tensor& dy, InputGradients& dx) {
      seen = dx.dy_is_masked() ? 1 : 0;
      pass_on(dy, dx);
    });
    if (is_relu) y.mark_relu();
    Variable sum = y;
    for (int i = 0; i < consumers; ++i) {
      const Variable used = watched(y, [=](const Tensor& dy, InputGradients& dx) {
        CHECK(dx.is_behind_relu(0) == is_relu);
        pass_on(dy, dx);
        if (i < masked)
          for (std::int64_t k = 0; k < 2 * dy.count(); ++k) dx.masked(0);  // pass_on asks twice a number
      });
      sum = i == 0 ? used : add(sum, used);
    }
    sum.backward();
    CHECK(x.grad().at(0) == std::max(1, consumers));
    return seen;
  };
  CHECK(told(1, 1, true) == 1);
  CHECK(told(3, 3, true) == 1);
  CHECK(told(3, 2, true) == 0);
  CHECK(told(1, 0, true) == 0);
  CHECK(told(0, 0, true) == 0);  // backward starts there
  CHECK(told(1, 0, false) == 0);
}

TEST_CASE(
    "between activations and parameters: x itself where there is one type; with bf16 rounded, and so its gradient") {
  const Precision before = precision_in_use();
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    use_precision(precision);
    const bool narrow = activation_type() == DType::bfloat16;
    CAPTURE(narrow);
    const Tensor numbers = Tensor::from({3}, std::vector<float>{1, 1 + 0x1p-9f, -0.1f});
    Variable x(numbers, true), wide = Variable(numbers.to(DType::float64));
    Variable y = to_activations(x), z = to_parameters(y);
    CHECK(y.dtype() == activation_type());
    CHECK(z.dtype() == DType::float32);
    CHECK(to_activations(y).value().dtype() == activation_type());
    CHECK((&y.value() == &x.value()) == !narrow);
    CHECK((&z.value() == &x.value()) == !narrow);
    CHECK(&to_activations(y).value() == &y.value());
    CHECK(&to_parameters(x).value() == &x.value());
    CHECK(&to_activations(wide).value() == &wide.value());
    CHECK(&to_parameters(wide).value() == &wide.value());
    const std::vector<float> rounded{1, 1, -0.10009765625f};
    CHECK(z.value().to_vector() == (narrow ? rounded : numbers.to_vector()));

    // Twice on the way back, which adds up.
    add(z, to_parameters(y)).backward(Tensor::from({3}, std::vector<float>{4, 1 + 0x1p-9f, -0.1f}));
    const std::vector<float> doubled{8, 2 + 0x1p-8f, -0.2f}, doubled_rounded{8, 2, -0.2001953125f};
    CHECK(x.grad().dtype() == DType::float32);
    CHECK(x.grad().to_vector() == (narrow ? doubled_rounded : doubled));
  }
  use_precision(before);
}
