// What a training step with little memory is made of: values that are made again, leaves that are told of, and pools
// that do ReLU. Each must give the bits of the plain way.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "tensor/random.h"
#include "tests/same_bits.h"

using namespace acol;
using acol::testing::same_bits;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

Tensor drawn(const Shape& shape, std::uint32_t a, DType dtype = DType::float32) {
  RandomStream random(12, Purpose::test, a);
  Tensor x = Tensor::empty(shape, dtype);
  for (std::int64_t i = 0; i < x.count(); ++i) x.set(i, static_cast<double>(random.uniform(-1, 1)));
  return x;
}

Variable number(double value) { return Variable(Tensor::full({1}, value, DType::float64), true); }

// y = x, keeping what x says to keep; `seen` gets the value in backward.
Variable keeping(const Variable& x, std::vector<double>& seen) {
  return Variable::record("keeping", x.value().clone(), {x},
                          [kept = x.saved(), &seen](const Tensor& dy, InputGradients& dx) {
                            seen.push_back(kept.value().at(0));
                            dx[0].set(0, dx[0].at(0) + dy.at(0));
                          });
}

}  // namespace

TEST_CASE("a saved value is the tensor itself, or made once, shared and let go") {
  CHECK(!Saved().value().defined());
  const Variable plain = number(3);
  CHECK(plain.saved().value().data<double>() == plain.value().data<double>());

  Variable x = number(3), y = multiply(x, x);
  int made = 0;
  std::weak_ptr<int> alive;
  {
    const auto token = std::make_shared<int>(0);
    alive = token;
    y.save_as(Saved([&made, token] {
      ++made;
      return Tensor::full({1}, 77, DType::float64);
    }));
  }
  std::vector<double> seen;
  const Variable first = keeping(y, seen), second = keeping(y, seen), other = keeping(number(1), seen);
  Variable z = add(add(first, second), other);
  y = Variable();
  CHECK(made == 0);  // nobody has asked
  CHECK(!alive.expired());
  z.backward();
  CHECK(made == 1);
  CHECK(seen == std::vector<double>{1, 77, 77});
  CHECK(alive.expired());
  CHECK(x.grad().at(0) == 12);
  CHECK_THROWS_AS(Variable().saved(), Error);
  CHECK_THROWS_AS(Variable().save_as(Saved()), Error);
}

TEST_CASE("a convolution whose map is made again has the bits of one whose map is kept") {
  for (const bool relu : {false, true})
    for (const DType dtype : {DType::float32, DType::float64}) {
      CAPTURE(relu);
      const auto gradients = [&](bool make_again) {
        Variable x(drawn({2, 9, 7, 3}, 1, dtype), true);
        Variable w(drawn({5, 3, 3, 3}, 2, dtype), true), b(drawn({5}, 3, dtype), true);
        Variable w2(drawn({4, 3, 3, 5}, 4, dtype), true);
        Variable y = conv2d(x, w, b, {.stride = {2, 1}, .pad = {1, 1}, .relu = relu, .make_again = make_again});
        Variable z = conv2d(y, w2, {}, {.pad = {1, 1}, .relu = true, .make_again = make_again});
        y = Variable();
        z.backward(drawn(z.shape(), 5, dtype));
        return std::vector<Tensor>{z.value(), x.grad(), w.grad(), b.grad(), w2.grad()};
      };
      const std::vector<Tensor> kept = gradients(false), again = gradients(true);
      for (std::size_t i = 0; i < kept.size(); ++i) CHECK(same_bits(kept[i], again[i]));
    }
  const auto f = [](const std::vector<Variable>& in) {
    return conv2d(in[0], in[1], {}, {.relu = true, .make_again = true});
  };
  const auto leaf = [](const Shape& shape, std::uint32_t a) { return Variable(drawn(shape, a, DType::float64), true); };
  CHECK(gradcheck(f, {leaf({2, 4, 4, 2}, 6), leaf({3, 3, 3, 2}, 7)}).worst_error <= 1e-7);
}

TEST_CASE("backward tells of each leaf once, as soon as its last user has run") {
  Variable early = number(2), late = number(3), other = number(5), constant(Tensor::full({1}, 7, DType::float64));
  // late is used at both ends of the graph, so it is complete only with its first use.
  const Variable lower = multiply(multiply(late, early), constant), upper = multiply(late, other);
  Variable y = multiply(lower, upper);
  std::vector<std::string> told;
  const auto name = [&](const Variable& leaf) {
    if (&leaf.value() == &early.value()) return "early";
    if (&leaf.value() == &late.value()) return "late";
    return &leaf.value() == &other.value() ? "other" : "?";
  };
  std::vector<double> gradients;
  y.backward(Tensor::full({1}, 1, DType::float64), [&](Variable& leaf) {
    told.push_back(name(leaf));
    gradients.push_back(leaf.grad().at(0));
    leaf.value().set(0, 1e6);  // too late to spoil what comes after
    leaf.clear_grad();
  });
  CHECK(told == std::vector<std::string>{"other", "late", "early"});
  CHECK(gradients == std::vector<double>{3 * 2 * 7 * 3, 2 * 3 * 2 * 7 * 5, 3 * 7 * 3 * 5});
  for (const Variable* leaf : {&early, &late, &other}) CHECK(!leaf->grad().defined());
}

TEST_CASE("leaves without a gradient, without an owner, and the start itself") {
  std::vector<const Tensor*> told;
  const GradientHook hook = [&](Variable& leaf) { told.push_back(&leaf.value()); };
  const Tensor one = Tensor::full({1}, 1, DType::float64);
  Variable x = number(2), behind_a_wall = number(3);
  const Variable wall = Variable::record("wall", one, {behind_a_wall}, [](const Tensor&, InputGradients&) {});
  Variable y;
  {
    const Variable unowned = number(4);
    y = multiply(x, add(wall, unowned));
  }
  y.backward(one, hook);
  CHECK(told == std::vector<const Tensor*>{&x.value()});
  told.clear();
  x.backward(one, hook);
  CHECK(told == std::vector<const Tensor*>{&x.value()});
  told.clear();
  add(x, x).backward(one, hook);  // both places of one operation
  CHECK(told == std::vector<const Tensor*>{&x.value()});
}

TEST_CASE("max_pool2d with ReLU has the bits of the pool of ReLU, gradients included") {
  const auto compare = [](const Tensor& x, const Pool2dOptions& window) {
    Pool2dOptions with_relu = window;
    with_relu.relu = true;
    Variable a(x.clone(), true), b(x.clone(), true);
    Variable fused = max_pool2d(a, with_relu), apart = max_pool2d(relu(b), window);
    CHECK(same_bits(fused.value(), apart.value()));
    const Tensor dy = drawn(fused.shape(), 3, x.dtype());
    fused.backward(dy);
    apart.backward(dy);
    CHECK(same_bits(a.grad(), b.grad()));
  };
  for (const DType dtype : {DType::float32, DType::float64})
    for (const Pool2dOptions& window : {Pool2dOptions{{3, 3}, {2, 2}, {1, 1}}, Pool2dOptions{{3, 3}, {1, 1}, {1, 1}},
                                        Pool2dOptions{}, Pool2dOptions{{16, 16}, {1, 1}, {8, 8}}}) {
      for (const double shift : {0.0, -0.7, -2.0}) {  // some, most, all below 0
        Tensor x = drawn({2, 9, 8, 5}, 1, dtype);
        for (std::int64_t i = 0; i < x.count(); ++i) x.set(i, x.at(i) + shift);
        compare(x, window);
        // Few values, so that windows are full of ties, at 0 too; and now and then a NaN or an infinity.
        for (std::int64_t i = 0; i < x.count(); ++i) x.set(i, std::round(2 * x.at(i)) + 0.0);
        compare(x, window);
        for (std::int64_t i = 0; i < x.count(); i += 31) x.set(i, i % 2 ? not_a_number : INFINITY);
        for (std::int64_t i = 7; i < x.count(); i += 43) x.set(i, -INFINITY);
        compare(x, window);
      }
      const auto f = [&](const std::vector<Variable>& in) {
        Pool2dOptions with_relu = window;
        with_relu.relu = true;
        return max_pool2d(in[0], with_relu);
      };
      if (dtype == DType::float64)
        CHECK(gradcheck(f, {Variable(drawn({1, 5, 8, 2}, 2, dtype), true)}).worst_error <= 1e-7);
    }
}
