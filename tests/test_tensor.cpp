// Shape and Tensor.
#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tensor/geometry.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

using namespace acol;

namespace {

Bf16 bf16_of(std::uint32_t bits) {
  Bf16 number;
  number.bits = static_cast<std::uint16_t>(bits);
  return number;
}

// What a float must become, by arithmetic alone: the nearest number of 8 significant bits, an even one at a tie.
double nearest_of_8_bits(double x) {
  if (x == 0 || !std::isfinite(x)) return x;
  const double unit = std::ldexp(1.0, std::max(std::ilogb(x), -126) - 7);
  const double nearest = std::nearbyint(x / unit) * unit;
  return std::abs(nearest) < 0x1p128 ? nearest : std::copysign(HUGE_VAL, x);
}

}  // namespace

TEST_CASE("shape: extents, counts, text, errors") {
  const Shape shape{2, 3, 4, 5};
  CHECK(shape.rank() == 4);
  CHECK(shape[1] == 3);
  CHECK(shape.back() == 5);
  CHECK(shape.count() == 120);
  CHECK(shape.rows() == 24);
  CHECK(shape.str() == "(2, 3, 4, 5)");
  CHECK(shape == Shape{2, 3, 4, 5});
  CHECK(!(shape == Shape{2, 3, 20}));
  CHECK(!(Shape{2, 3} == Shape{2, 3, 0}));

  CHECK(Shape{}.count() == 1);
  CHECK(Shape{}.rows() == 0);
  CHECK(Shape{}.str() == "()");
  CHECK(Shape{7, 0}.count() == 0);
  CHECK(Shape{7, 0}.rows() == 0);
  CHECK(Shape{1 << 20, 1 << 20}.count() == std::int64_t{1} << 40);

  CHECK_THROWS_AS((Shape{1, 2, 3, 4, 5}), Error);
  CHECK_THROWS_AS((Shape{2, -1}), Error);
}

TEST_CASE("geometry: output sizes of PyTorch's floor mode") {
  CHECK(window_output_size(224, 3, 1, 1, 1) == 224);
  CHECK(window_output_size(224, 3, 2, 1, 1) == 112);
  CHECK(window_output_size(224, 2, 2, 0, 1) == 112);
  CHECK(window_output_size(7, 2, 2, 0, 1) == 3);
  CHECK(window_output_size(7, 3, 2, 0, 2) == 2);
  CHECK(window_output_size(3, 3, 5, 0, 1) == 1);
  CHECK(window_output_size(2, 3, 1, 0, 1) == 0);  // the window does not fit
  CHECK(window_output_size(4, 3, 1, 0, 2) == 0);
  CHECK(window_output_size(1, 3, 1, 1, 1) == 1);

  const Conv2dGeometry g{2, 224, 224, 3, 64, 3, 3, 1, 1, 1, 1, 1, 1};
  CHECK(g.y_shape() == Shape{2, 224, 224, 64});
  CHECK(g.w_shape() == Shape{64, 3, 3, 3});
  CHECK(g.macs() == std::int64_t{2} * 224 * 224 * 64 * 27);
}

TEST_CASE("tensor: making, reading, writing") {
  CHECK(!Tensor{}.defined());
  CHECK(Tensor{}.count() == 0);
  CHECK(!Tensor{}.clone().defined());

  Tensor a = Tensor::from({2, 3}, std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(a.dtype() == DType::float32);
  CHECK(a.bytes() == 24);
  CHECK(a.to_host().f32()[4] == 5);
  CHECK(a.at(5) == 6);
  a.set(5, -1.5);
  CHECK(a.at(5) == -1.5);
  CHECK(a.to_vector() == std::vector<float>{1, 2, 3, 4, 5, -1.5f});

  Tensor b = Tensor::full({3}, 0.25, DType::float64);
  CHECK(b.bytes() == 24);
  CHECK(b.data<double>()[2] == 0.25);
  b.fill(1e300);
  CHECK(b.at(0) == 1e300);

  const Tensor zeros = Tensor::zeros({5, 7});
  for (std::int64_t i = 0; i < zeros.count(); ++i) CHECK(zeros.at(i) == 0);
  CHECK(Tensor::zeros({0, 3}).count() == 0);
  CHECK(Tensor::empty({0}).defined());
}

TEST_CASE("tensor: numbers are 64-byte aligned") {
  for (const int count : {1, 3, 17, 1000})
    CHECK(reinterpret_cast<std::uintptr_t>(Tensor::empty({count}).data<float>()) % 64 == 0);
}

TEST_CASE("tensor: copies share, clones and conversions do not") {
  Tensor a = Tensor::zeros({2, 2});
  Tensor shared = a, flat = a.reshaped({4}), own = a.clone(), wide = a.to(DType::float64), same = a.to(DType::float32);
  a.set(3, 7);
  CHECK(shared.at(3) == 7);
  CHECK(flat.at(3) == 7);
  CHECK(flat.shape() == Shape{4});
  CHECK(own.at(3) == 0);
  CHECK(wide.at(3) == 0);
  CHECK(same.at(3) == 0);
  own.copy_from(a);
  CHECK(own.at(3) == 7);
  CHECK(Tensor::from({2}, std::vector<double>{0.1, 1e-320}).to(DType::float32).at(0) == 0.1f);
}

TEST_CASE("bf16: each of its numbers is a float, and back; a NaN stays one, with any bits") {
  int wrong = 0, nans = 0;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float number = bf16_of(bits);
    wrong += std::bit_cast<std::uint32_t>(number) != bits << 16;
    nans += std::isnan(number);
    wrong += std::isnan(number) ? !std::isnan(static_cast<float>(Bf16(number))) : Bf16(number).bits != bits;
  }
  CHECK(wrong == 0);
  CHECK(nans == 2 * 127);
  for (const std::uint32_t bits : {0x7f800001u, 0x7fffffffu, 0x7fff8000u, 0xff800001u, 0xffffffffu})
    CHECK(std::isnan(static_cast<float>(Bf16(std::bit_cast<float>(bits)))));
}

TEST_CASE("bf16: a float becomes the nearest number, an even one at a tie") {
  RandomStream random(20180618, Purpose::test, 90);
  const auto is_right = [](std::uint32_t bits) {
    const float x = std::bit_cast<float>(bits), got = Bf16(x);
    return std::isnan(x) ? std::isnan(got) : got == nearest_of_8_bits(x) && std::signbit(got) == std::signbit(x);
  };
  int wrong = 0;
  for (int i = 0; i < 1000000; ++i) wrong += !is_right(random.bits());
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper)  // beside each number and beside each tie
    for (const std::uint32_t lower : {0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      wrong += !is_right(upper << 16 | lower);
  CHECK(wrong == 0);

  CHECK(Bf16(1 + 0x1p-8f).bits == 0x3f80);      // a tie, to 1
  CHECK(Bf16(1 + 3 * 0x1p-8f).bits == 0x3f82);  // a tie, to 1 + 2/128
  CHECK(Bf16(0x1.fep127f).bits == 0x7f7f);      // the largest
  CHECK(Bf16(3.4e38f).bits == 0x7f80);          // infinite
  CHECK(Bf16(-0.0f).bits == 0x8000);
  CHECK(Bf16(0x1p-133f).bits == 1);  // the smallest
  CHECK(Bf16(0x1p-134f).bits == 0);  // a tie, to 0
  double worst = 0;
  for (int i = 0; i < 100000; ++i) {
    const float x = random.uniform(1, 2);
    worst = std::max(worst, std::abs(double{static_cast<float>(Bf16(x))} / x - 1));
  }
  CHECK(worst <= 0x1p-8);
  CHECK(worst > 0.99 * 0x1p-8);
}

TEST_CASE("tensor: bfloat16 numbers") {
  Tensor a = Tensor::zeros({3, 2}, DType::bfloat16);
  CHECK(a.dtype() == DType::bfloat16);
  CHECK(a.bytes() == 12);
  CHECK(a.on_host() == (device_memory() == nullptr));
  CHECK(a.to_vector() == std::vector<float>(6, 0.0f));
  a.set(4, 1.5);
  a.set(5, 1 + 0x1p-9);  // rounded
  CHECK(a.at(4) == 1.5);
  CHECK(a.to_vector() == std::vector<float>{0, 0, 0, 0, 1.5f, 1});
  CHECK(Tensor::full({2}, -0.1, DType::bfloat16).to_vector() == std::vector<float>(2, -0.10009765625f));

  Tensor own = a.clone(), view = a.reshaped({6});
  a.fill(3);
  CHECK(own.dtype() == DType::bfloat16);
  CHECK(own.at(4) == 1.5);
  CHECK(view.at(0) == 3);
  a.copy_from(own);
  CHECK(view.at(4) == 1.5);
  CHECK(a.rows(1, 2).dtype() == DType::bfloat16);
  CHECK(a.rows(1, 2).to_vector() == std::vector<float>{0, 0, 1.5f, 1});
  CHECK(a.to_host().data<Bf16>()[4].bits == 0x3fc0);
  CHECK(a.to_host().to_device().to_vector() == own.to_vector());
  a.change_on_host([](Tensor& host) { host.data<Bf16>()[1] = -2.0f; });
  CHECK(a.at(1) == -2);
  CHECK(Tensor::empty_on_host({2}, DType::bfloat16).on_host());

  CHECK_THROWS_AS(a.data<float>(), Error);
  CHECK_THROWS_AS(Tensor::zeros({2}).data<Bf16>(), Error);
  CHECK_THROWS_AS(a.copy_from(Tensor::zeros({3, 2})), Error);
  CHECK_THROWS_AS(with_scalar(a.dtype(), []<class T>() {}), Error);
  CHECK(name_of(a.dtype()) == std::string("bfloat16"));
}

TEST_CASE("tensor: to and from bfloat16") {
  RandomStream random(20180618, Purpose::test, 91);
  std::vector<float> numbers{0, -0.0f, INFINITY, -INFINITY, 3.4e38f, 1e-40f};
  while (numbers.size() < 300) numbers.push_back(random.normal());
  const Tensor wide = Tensor::from({300}, numbers), half = wide.to(DType::bfloat16), back = half.to(DType::float32);
  CHECK(half.dtype() == DType::bfloat16);
  CHECK(half.on_host() == (device_memory() == nullptr));
  int wrong = 0, changed = 0;
  for (std::int64_t i = 0; i < 300; ++i) {
    wrong += half.at(i) != nearest_of_8_bits(wide.at(i)) || back.at(i) != half.at(i);
    changed += half.at(i) != wide.at(i);
  }
  CHECK(wrong == 0);
  CHECK(changed > 250);
  CHECK(std::isnan(Tensor::from({1}, std::vector<float>{NAN}).to(DType::bfloat16).at(0)));
  CHECK(half.to(DType::float64).at(10) == half.at(10));
  CHECK(half.to(DType::float64).to(DType::bfloat16).to_vector() == half.to_vector());
  CHECK(half.to(DType::bfloat16).data<Bf16>() != half.data<Bf16>());  // new numbers
}

TEST_CASE("tensor: which type activations have, and which their parameters") {
  CHECK(parameter_type(DType::bfloat16) == DType::float32);
  CHECK(parameter_type(DType::float32) == DType::float32);
  CHECK(parameter_type(DType::float64) == DType::float64);
  const Precision before = precision_in_use();
  for (const Precision precision : {Precision::fp32, Precision::tf32, Precision::bf16}) {
    use_precision(precision);
    const bool narrow = device_in_use() == Device::cuda && precision == Precision::bf16;
    CHECK(activation_type() == (narrow ? DType::bfloat16 : DType::float32));
  }
  use_precision(before);
}

TEST_CASE("tensor: numbers on the host and on the device") {
  const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  const Tensor here = Tensor::from({3, 2}, numbers), host = here.to_host();
  CHECK(here.on_host() == (device_memory() == nullptr));
  CHECK(host.on_host());
  CHECK(host.to_vector() == numbers);
  CHECK(host.to_device().to_vector() == numbers);
  CHECK(host.to_host().f32() == host.f32());  // nothing is copied that is there already
  CHECK(here.to_device().data<float>() == here.data<float>());
  CHECK(Tensor::empty_on_host({2}).on_host());
  CHECK(Tensor::zeros({2}, DType::float64).on_host());

  Tensor changed = here.clone(), written = Tensor::zeros({3, 2});
  changed.change_on_host([](Tensor& tensor) { tensor.f32()[1] = 9; });
  CHECK(changed.to_vector() == std::vector<float>{1, 9, 3, 4, 5, 6});
  CHECK(here.to_vector() == numbers);
  written.write_on_host([&](Tensor& tensor) { std::copy(numbers.begin(), numbers.end(), tensor.f32()); });
  CHECK(written.to_vector() == numbers);
  written.copy_from(Tensor::zeros({3, 2}).to_host());
  CHECK(written.to_vector() == std::vector<float>(6, 0.0f));

  CHECK(here.rows(1, 2).to_vector() == std::vector<float>{3, 4, 5, 6});
  CHECK(here.rows(1, 2).shape() == Shape{2, 2});
  CHECK(here.rows(3, 0).count() == 0);
  CHECK_THROWS_AS(here.rows(2, 2), Error);
  if (!here.on_host()) CHECK_THROWS_AS(here.f32(), Error);
}

TEST_CASE("tensor: errors name the shapes") {
  const auto text_of = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const auto contains = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };

  Tensor a = Tensor::zeros({2, 3});
  std::string text = text_of([] { Tensor::from({2, 3}, std::vector<float>{1, 2}); });
  CHECK(contains(text, "(2, 3)"));
  CHECK(contains(text, "got 2"));
  text = text_of([&] { a.reshaped({5}); });
  CHECK(contains(text, "(2, 3)"));
  CHECK(contains(text, "(5)"));
  CHECK_THROWS_AS(a.data<double>(), Error);
  CHECK_THROWS_AS(Tensor{}.f32(), Error);
  CHECK_THROWS_AS(a.copy_from(Tensor::zeros({3, 2})), Error);
  CHECK_THROWS_AS(a.copy_from(Tensor::zeros({2, 3}, DType::float64)), Error);
}
