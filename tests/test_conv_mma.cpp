// Convolution on tensor cores: every pass in every precision against the reference in double, over sizes that are no
// multiples of a tile. The rounded precisions are held twice: loosely to the exact result, and as tightly as float sums
// allow to the result of rounded factors. Behind dw stands db, which is made in the same pass. Tensors of Bf16 are
// given the same numbers, rounded.
#include <cuda_runtime.h>
#include <doctest/doctest.h>

#include <cmath>

#include "cuda/conv_mma.h"
#include "cuda/runtime.h"
#include "tensor/reference.h"
#include "tests/conv2d_numbers.h"

using namespace acol;
using namespace acol::testing;

namespace {

using Precisions = std::vector<Precision>;
const Precisions precisions{Precision::fp32, Precision::tf32, Precision::bf16};

// Numbers that both the card and the host may touch, 16-byte aligned, between guard zones of NaN.
template <class T>
class CardNumbers {
 public:
  explicit CardNumbers(const Floats& values) : count_(values.size()) {
    cuda::check_cuda(cudaMallocManaged(&memory_, (count_ + 2 * guard) * sizeof(T)), "test memory");
    std::fill_n(memory_, count_ + 2 * guard, T{NAN});
    std::copy(values.begin(), values.end(), data());
  }
  ~CardNumbers() { cudaFree(memory_); }
  CardNumbers(const CardNumbers&) = delete;
  CardNumbers& operator=(const CardNumbers&) = delete;

  T* data() { return memory_ + guard; }

  // Waits for the kernels.
  Floats result() const {
    cuda::check_cuda(cudaStreamSynchronize(cuda::stream()), "test");
    for (std::size_t i = 0; i < guard; ++i)
      if (!std::isnan(float{memory_[i]}) || !std::isnan(float{memory_[guard + count_ + i]}))
        FAIL("wrote outside its buffer");
    return {memory_ + guard, memory_ + guard + count_};
  }

 private:
  static constexpr std::size_t guard = 64;
  std::size_t count_;
  T* memory_ = nullptr;
};

enum class Pass { forward, backward_data, backward_weights };
constexpr Pass passes[] = {Pass::forward, Pass::backward_data, Pass::backward_weights};

// One call; `fused`: with bias and ReLU in forward, in backward with the masks of ReLUs and the gradient of the bias.
struct Call {
  Pass pass;
  Conv2dGeometry g;
  bool fused;
};

template <class T>
std::vector<T> both(std::vector<T> first, const std::vector<T>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// T: of activations.
template <class T = float>
Floats on_card(const Call& call, Precision precision, const Numbers& numbers) {
  CardNumbers<T> x(numbers.x), dy(numbers.dy), relu_y(numbers.relu_y);
  CardNumbers<float> w(numbers.w), bias(numbers.bias);
  T* const mask = call.fused ? relu_y.data() : nullptr;
  if (call.pass == Pass::forward) {
    CardNumbers<T> y(Floats(numbers.dy.size(), NAN));
    REQUIRE(cuda::mma_forward(precision, call.g, x.data(), w.data(), call.fused ? bias.data() : nullptr, call.fused,
                              y.data()));
    return y.result();
  }
  if (call.pass == Pass::backward_data) {
    CardNumbers<T> dx(numbers.dx);
    REQUIRE(cuda::mma_backward_data(precision, call.g, dy.data(), mask, w.data(), call.fused ? x.data() : nullptr,
                                    dx.data()));
    return dx.result();
  }
  CardNumbers<float> dw(numbers.dw), db(numbers.db);
  REQUIRE(cuda::mma_backward_weights(precision, call.g, dy.data(), mask, x.data(), dw.data(),
                                     call.fused ? db.data() : nullptr));
  return both(dw.result(), db.result());
}

std::vector<double> exact(const Call& call, const Numbers& numbers) {
  const auto doubles = [](const Floats& values) { return std::vector<double>(values.begin(), values.end()); };
  const std::vector<double> x = doubles(numbers.x), w = doubles(numbers.w), bias = doubles(numbers.bias),
                            dy = doubles(numbers.dy), relu_y = doubles(numbers.relu_y);
  const Kernels<double>& kernels = reference_kernels<double>();
  const double* const mask = call.fused ? relu_y.data() : nullptr;
  if (call.pass == Pass::forward) {
    std::vector<double> y(dy.size());
    kernels.conv2d_forward(call.g, x.data(), w.data(), call.fused ? bias.data() : nullptr, call.fused, y.data());
    return y;
  }
  if (call.pass == Pass::backward_data) {
    std::vector<double> dx = doubles(numbers.dx);
    kernels.conv2d_backward_data(call.g, dy.data(), mask, w.data(), call.fused ? x.data() : nullptr, dx.data());
    return dx;
  }
  std::vector<double> dw = doubles(numbers.dw), db = doubles(numbers.db);
  kernels.conv2d_backward_weights(call.g, dy.data(), mask, x.data(), dw.data(), call.fused ? db.data() : nullptr);
  return both(dw, db);
}

// |got - want| / |want|
double relative_error(const Floats& got, const std::vector<double>& want) {
  double error = 0, norm = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double off = static_cast<double>(got[i]) - want[i];
    error += off * off, norm += want[i] * want[i];
  }
  return std::sqrt(error / norm);
}

// To `bits` significant bits; a tie goes to the even number, or away from zero. Written unlike the kernels' roundings.
float rounded(float value, int bits, bool ties_to_even) {
  int exponent = 0;
  const double scaled = std::ldexp(std::frexp(static_cast<double>(value), &exponent), bits);
  return static_cast<float>(std::ldexp(ties_to_even ? std::nearbyint(scaled) : std::round(scaled), exponent - bits));
}

float to_bf16(float value) { return rounded(value, 8, true); }

bool eights_of_channels(const Conv2dGeometry& g) { return g.in_c % 8 == 0 && g.out_c % 8 == 0; }

// Without eights of channels bf16 is TF32. What db adds up is rounded in bf16 only.
Numbers rounded_for(Precision precision, const Call& call, const Numbers& numbers) {
  if (precision == Precision::bf16 && eights_of_channels(call.g)) return numbers.with_factors(to_bf16);
  return numbers.with_factors([](float value) { return rounded(value, 11, false); });
}

// The gradients of the biases behind those of the weights are no products.
bool exact_bias(Precision precision, const Call& call) {
  return precision == Precision::tf32 || !eights_of_channels(call.g);
}

double terms_of(const Call& call) {
  const Conv2dGeometry& g = call.g;
  return call.pass == Pass::forward         ? g.taps() * g.in_c + 2
         : call.pass == Pass::backward_data ? g.taps() * g.out_c + 2
                                            : static_cast<double>(g.batch) * g.out_h() * g.out_w() + 2;
}

// got[i] is want[i] within a float sum's error and `store_error` of itself.
void check_close(const Call& call, const Floats& got, const std::vector<double>& want,
                 const std::vector<double>& magnitude, double store_error) {
  std::string wrong;
  for (std::size_t i = 0; i < want.size() && wrong.empty(); ++i) {
    const double allowed = float_error(terms_of(call), magnitude[i]) + store_error * std::abs(want[i]);
    if (!(std::abs(static_cast<double>(got[i]) - want[i]) <= allowed))
      wrong = message("index ", i, " of ", want.size(), ": got ", got[i], ", want ", want[i]);
  }
  CHECK(wrong == "");
}

// Tensors of Bf16: the precision does not matter.
void check_bf16_tensors(const Call& call, const Numbers& numbers) {
  if (!eights_of_channels(call.g)) return;
  INFO(message(describe(call.g), " pass ", static_cast<int>(call.pass), call.fused ? " fused " : " ", "Bf16"));
  Numbers given = numbers.with_factors(to_bf16);
  for (Floats* values : {&given.relu_y, &given.dx})
    std::transform(values->begin(), values->end(), values->begin(), to_bf16);
  const std::vector<double> magnitude =
      exact({call.pass, call.g, call.pass == Pass::backward_weights}, given.magnitudes());
  check_close(call, on_card<Bf16>(call, Precision::fp32, given), exact(call, given), magnitude,
              call.pass == Pass::backward_weights ? 0 : 0x1p-8);
}

void check_call(const Call& call, const Numbers& numbers, const Precisions& checked = precisions) {
  const std::vector<double> want = exact(call, numbers);
  const std::vector<double> magnitude =
      exact({call.pass, call.g, call.pass == Pass::backward_weights}, numbers.magnitudes());
  const double worst[] = {1e-6, 1e-3, 1e-2};
  for (const Precision precision : checked) {
    INFO(message(describe(call.g), " pass ", static_cast<int>(call.pass), call.fused ? " fused " : " ",
                 name_of(precision)));
    const Floats got = on_card(call, precision, numbers);
    CHECK(relative_error(got, want) <= worst[static_cast<int>(precision)]);
    std::vector<double> want_rounded =
        precision == Precision::fp32 ? want : exact(call, rounded_for(precision, call, numbers));
    if (call.pass == Pass::backward_weights && exact_bias(precision, call))
      std::copy(want.end() - call.g.out_c, want.end(), want_rounded.end() - call.g.out_c);
    check_close(call, got, want_rounded, magnitude, 0);
  }
  check_bf16_tensors(call, numbers);
}

void check_shape(const Conv2dGeometry& g, std::uint32_t number) {
  REQUIRE(g.y_shape().count() > 0);
  const Numbers numbers(g, test_stream(1, number));
  for (const Pass pass : passes)
    if (pass != Pass::backward_data || (g.stride_h == 1 && g.stride_w == 1))
      check_call({pass, g, (number + static_cast<std::uint32_t>(pass)) % 2 == 0}, numbers);
}

bool skipped() {
  if (cuda::mma_available()) return false;
  MESSAGE("skipped: the card has no compute capability 8.0");
  return true;
}

}  // namespace

TEST_CASE("conv on tensor cores: chosen shapes") {
  if (skipped()) return;
  //  N   H   W   C   O  R  S  stride  pad  dilation
  const Conv2dGeometry cases[] = {
      {1, 1, 1, 4, 4, 1, 1, 1, 1, 0, 0, 1, 1},      // the smallest
      {3, 1, 1, 20, 68, 1, 1, 1, 1, 0, 0, 1, 1},    // a linear layer
      {1, 3, 2, 4, 8, 3, 3, 1, 1, 2, 2, 1, 1},      // more padding than image
      {2, 9, 7, 8, 20, 3, 3, 1, 1, 1, 1, 1, 1},     //
      {1, 1, 2, 8, 8, 1, 1, 1, 1, 0, 0, 1, 1},      // the smallest of bf16
      {2, 9, 7, 24, 40, 3, 3, 1, 1, 1, 1, 1, 1},    //
      {1, 7, 9, 136, 72, 3, 3, 1, 1, 1, 1, 1, 1},   //
      {1, 9, 11, 20, 4, 5, 5, 1, 1, 2, 2, 1, 1},    // 25 taps
      {1, 5, 7, 64, 68, 1, 1, 1, 1, 0, 0, 1, 1},    // more than one tile of outputs
      {1, 7, 6, 132, 64, 3, 3, 1, 1, 1, 1, 1, 1},   // many steps
      {1, 4, 3, 512, 8, 3, 3, 1, 1, 1, 1, 1, 1},    // long sums
      {2, 11, 10, 4, 132, 3, 3, 1, 1, 2, 2, 2, 2},  // dilated
      {1, 12, 13, 8, 16, 3, 1, 2, 3, 1, 0, 1, 1},   // strides; a flat filter
      {3, 5, 4, 12, 36, 2, 4, 1, 1, 0, 3, 1, 1},    // even filters, unequal padding
      {1, 7, 7, 28, 40, 7, 7, 1, 1, 0, 0, 1, 1},    // the filter is the image
  };
  std::uint32_t number = 0;
  for (const Conv2dGeometry& g : cases) check_shape(g, number++);
}

TEST_CASE("conv on tensor cores: shapes that reach every tile, several rounds of copies, and splits") {
  if (skipped()) return;
  const Conv2dGeometry large{1, 131, 126, 8, 72, 3, 3, 1, 1, 1, 1, 1, 1};   // 129 wide tiles of forward
  const Conv2dGeometry turned{1, 131, 126, 72, 8, 3, 3, 1, 1, 1, 1, 1, 1};  // and of backward data
  const Numbers numbers(large, test_stream(2)), turned_numbers(turned, test_stream(3));
  check_call({Pass::forward, large, true}, numbers, {Precision::fp32, Precision::tf32});
  check_call({Pass::backward_data, turned, true}, turned_numbers, {Precision::fp32, Precision::bf16});
  check_call({Pass::forward, turned, false}, turned_numbers, {Precision::bf16});  // narrow
  check_call({Pass::backward_data, large, false}, numbers, {Precision::tf32});
  // Backward weights: wide and narrow tiles in 1, 2 and 4 splits, the last of them cut short.
  std::uint32_t number = 4;
  for (const Conv2dGeometry& g : {Conv2dGeometry{1, 22, 24, 24, 128, 3, 3, 1, 1, 1, 1, 1, 1},
                                  Conv2dGeometry{2, 23, 24, 16, 72, 3, 3, 1, 1, 1, 1, 1, 1},
                                  Conv2dGeometry{3, 26, 29, 8, 136, 3, 3, 1, 1, 1, 1, 1, 1}}) {
    check_call({Pass::backward_weights, g, number % 2 == 0}, Numbers(g, test_stream(number)));
    ++number;
  }
}

TEST_CASE("conv on tensor cores: a NaN or an infinity reaches the outputs that read it, and no other") {
  if (skipped()) return;
  const Conv2dGeometry g{2, 7, 6, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1};
  const Numbers tame(g, test_stream(20));
  for (const float bad : {NAN, INFINITY, -INFINITY})
    for (const Pass pass : passes) {
      Numbers numbers = tame;
      (pass == Pass::backward_data ? numbers.dy : numbers.x)[101] = bad;
      const Call call{pass, g, pass == Pass::forward && std::isnan(bad)};  // ReLU hides minus infinity
      const std::vector<double> want = exact(call, numbers);
      for (const Precision precision : precisions) {
        INFO(message(bad, " pass ", static_cast<int>(pass), " ", name_of(precision)));
        const Floats got = on_card(call, precision, numbers), before = on_card(call, precision, tame);
        int spoiled = 0, wrong = 0;
        for (std::size_t i = 0; i < want.size(); ++i) {
          // In the weights' gradient, all taps of the channel.
          const bool may_spoil = pass == Pass::backward_weights && i % 8 == 101 % 8;
          const bool finite = std::isfinite(want[i]);
          spoiled += !finite;
          wrong += finite ? !may_spoil && got[i] != before[i] : std::isfinite(got[i]);
        }
        CHECK(spoiled > 0);
        CHECK(wrong == 0);
      }
    }
}

TEST_CASE("conv on tensor cores: the same bits every time") {
  if (skipped()) return;
  const Conv2dGeometry g{2, 23, 24, 16, 72, 3, 3, 1, 1, 1, 1, 1, 1};
  const Numbers numbers(g, test_stream(21));
  for (const Precision precision : precisions)
    for (const Pass pass : passes)
      CHECK(on_card({pass, g, true}, precision, numbers) == on_card({pass, g, true}, precision, numbers));
}

TEST_CASE("conv on tensor cores: what it leaves to others, it leaves alone") {
  if (skipped()) return;
  CardNumbers<float> a(Floats(4096, 1.0f)), b(Floats(4096, 1.0f)), c(Floats(4096, 7.0f));
  const auto all_refuse = [&](const Conv2dGeometry& g, int off_a, int off_b, int off_c) {
    const float *const in = a.data() + off_a, *const other = b.data() + off_b;
    float* const out = c.data() + off_c;
    return !cuda::mma_forward<float>(Precision::bf16, g, in, other, nullptr, false, out) &&
           !cuda::mma_backward_data<float>(Precision::bf16, g, in, nullptr, other, nullptr, out) &&
           !cuda::mma_backward_weights<float>(Precision::bf16, g, in, nullptr, other, out, nullptr);
  };
  const Conv2dGeometry good{1, 4, 4, 8, 8, 1, 1, 1, 1, 0, 0, 1, 1};
  Conv2dGeometry odd_inputs = good, odd_outputs = good, strided = good;
  odd_inputs.in_c = 6, odd_outputs.out_c = 9, strided.stride_w = 2;
  CHECK(all_refuse(odd_inputs, 0, 0, 0));
  CHECK(all_refuse(odd_outputs, 0, 0, 0));
  CHECK(all_refuse(good, 1, 0, 0));
  CHECK(all_refuse(good, 0, 2, 0));
  CHECK(all_refuse(good, 0, 0, 3));
  CHECK(!cuda::mma_forward<float>(Precision::tf32, good, a.data(), b.data(), b.data() + 1, false, c.data()));
  CHECK(!cuda::mma_backward_data<float>(Precision::tf32, good, a.data(), b.data() + 1, b.data(), nullptr, c.data()));
  CHECK(!cuda::mma_backward_data<float>(Precision::fp32, good, a.data(), nullptr, b.data(), b.data() + 1, c.data()));
  CHECK(!cuda::mma_backward_data<float>(Precision::fp32, strided, a.data(), nullptr, b.data(), nullptr, c.data()));
  CHECK(c.result() == Floats(4096, 7.0f));
  CHECK(cuda::mma_backward_data<float>(Precision::fp32, good, a.data(), nullptr, b.data(), nullptr, c.data()));
  CHECK(c.result() != Floats(4096, 7.0f));
}
