// Shape and Tensor.
#include <doctest/doctest.h>

#include <cstdint>

#include "tensor/geometry.h"
#include "tensor/tensor.h"

using namespace acol;

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
