// The tables are complete, the device in use picks one, and the judge of all sweeps (tests/compare.h) can say no.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "tests/compare.h"

using namespace acol;
using namespace acol::testing;

namespace {

template <class T>
void check_complete(const Kernels<T>& table) {
  using Pointer = void (*)();
  static_assert(sizeof(Kernels<T>) % sizeof(Pointer) == 0);
  static_assert(kernel_count<T> >= 31);
  Pointer entries[kernel_count<T>];
  std::memcpy(entries, &table, sizeof(table));
  for (int i = 0; i < kernel_count<T>; ++i) {
    INFO("entry ", i);
    const bool present = entries[i] != nullptr;
    CHECK(present);
    for (int j = 0; j < i; ++j) {
      INFO("and entry ", j);
      const bool different = entries[i] != entries[j];  // one given twice would have taken another's place
      CHECK(different);
    }
  }
}

}  // namespace

TEST_CASE("tables: no entry is null") {
  check_complete(reference_kernels<float>());
  check_complete(reference_kernels<double>());
  check_complete(cpu_kernels());
  if (device_in_use() != Device::cuda) return;
  check_complete(kernels<float>());
  check_complete(kernels<Bf16>());
}

TEST_CASE("tables: what works on parameters alone is the same in both tables of a card") {
  if (device_in_use() != Device::cuda) return;
  const Kernels<float>& single = kernels<float>();
  const Kernels<Bf16>& half = kernels<Bf16>();
  const bool same[] = {
      single.move_average == half.move_average,
      single.softmax_cross_entropy_forward == half.softmax_cross_entropy_forward,
      single.softmax_cross_entropy_backward == half.softmax_cross_entropy_backward,
      single.normalized_map == half.normalized_map,
      single.sums_of_squares == half.sums_of_squares,
      single.sgd_step == half.sgd_step,
  };
  for (const bool each : same) CHECK(each);
}

TEST_CASE("tables: the device in use picks the float table; double is always the reference") {
  const Device before = device_in_use();
  const auto check_in_use = [](Device device, const Kernels<float>& table) {
    CHECK(device_in_use() == device);
    CHECK(&kernels<float>() == &table);
    CHECK(&kernels<double>() == &reference_kernels<double>());
    if (device == Device::cuda)
      CHECK(&kernels<Bf16>() == cuda_backend().kernels_bf16);
    else
      CHECK_THROWS_WITH_AS(kernels<Bf16>(), "bfloat16 numbers are for --device cuda only", Error);
  };
  if (before == Device::cuda) {
    check_in_use(Device::cuda, *cuda_backend().kernels);
    CHECK(device_memory() == cuda_backend().memory);
  } else {
    check_in_use(Device::cpu, cpu_kernels());
  }
  use_device(Device::reference);
  check_in_use(Device::reference, reference_kernels<float>());
  CHECK(device_memory() == nullptr);
  use_device(Device::cpu);
  check_in_use(Device::cpu, cpu_kernels());
  CHECK(device_memory() == nullptr);
  use_device(before);

  for (const Device device : {Device::reference, Device::cpu, Device::cuda})
    CHECK(parse_device(name_of(device)) == device);
  CHECK_THROWS_WITH_AS(parse_device("gpu"), "unknown device 'gpu': cpu, cuda or reference", Error);
}

TEST_CASE("compare: agreement within the tolerance, and nothing else") {
  const Buffer<double> want(Floats{1, 2, 3});
  const Tolerance tolerance(3, 0.5);
  CHECK(mismatch(Buffer<float>(Floats{1, 2.5f, 3}), want, tolerance) == "");
  CHECK(mismatch(Buffer<float>(Floats{1, 2.6f, 3}), want, tolerance).find("index 1 of 3: got 2.59") == 0);
  CHECK(mismatch(Buffer<float>(Floats{1, 2, 3}), want, exactly(3)) == "");
  CHECK(mismatch(Buffer<float>(Floats{1, 2, std::nextafter(3.0f, 4.0f)}), want, exactly(3)) != "");
  CHECK(mismatch(Buffer<float>(Floats{1, 2}), want, tolerance) != "");
  CHECK(mismatch(Buffer<float>(Floats{1, 2, 3}), want, exactly(2)) != "");
}

TEST_CASE("compare: NaN and infinity agree only with themselves") {
  const Buffer<double> want(Floats{1});
  const Tolerance wide(1, 1e30), no_number(1, NAN), endless(1, INFINITY);
  CHECK(mismatch(Buffer<float>(Floats{NAN}), want, wide) != "");
  CHECK(mismatch(Buffer<float>(std::int64_t{1}), want, wide) != "");  // an output that was never written
  CHECK(mismatch(Buffer<float>(Floats{NAN}), want, endless) != "");
  CHECK(mismatch(Buffer<float>(Floats{1}), want, no_number) != "");
  CHECK(mismatch(Buffer<float>(Floats{INFINITY}), want, wide) != "");

  const Buffer<double> odd(Floats{NAN, INFINITY, -INFINITY});
  CHECK(mismatch(Buffer<float>(Floats{NAN, INFINITY, -INFINITY}), odd, Tolerance(3, INFINITY)) == "");
  CHECK(mismatch(Buffer<float>(Floats{1, INFINITY, -INFINITY}), odd, Tolerance(3, INFINITY)) != "");
  CHECK(mismatch(Buffer<float>(Floats{NAN, INFINITY, INFINITY}), odd, Tolerance(3, INFINITY)) != "");
  CHECK(mismatch(Buffer<float>(Floats{NAN, 1, -INFINITY}), odd, Tolerance(3, INFINITY)) != "");
}

TEST_CASE("compare: a number kept as Bf16 agrees if it is one that a number within the tolerance rounds to") {
  const float up = 1 + 0x1p-7f;  // the next number after 1
  const auto agree = [](float got, float want, double allowed) {
    return mismatch(Buffer<Bf16>(Floats{got}), Buffer<double>(Floats{want}), Tolerance{allowed}) == "";
  };
  CHECK(agree(1, 1, 0));
  CHECK(!agree(up, 1, 0));
  CHECK(agree(1, 1 + 0x1p-9f, 0));
  CHECK(!agree(up, 1 + 0x1p-9f, 0));
  CHECK(agree(1, 1 + 0x1p-8f, 0));  // a tie goes to the even one
  CHECK(!agree(up, 1 + 0x1p-8f, 0));
  CHECK(agree(up, 1 + 0x1p-8f, 0x1p-20));
  CHECK(agree(1, 1 + 0x1p-8f + 0x1p-20f, 0x1p-20));
  CHECK(!agree(1, 1 + 0x1p-8f + 0x1p-19f, 0x1p-20));
  CHECK(agree(INFINITY, 3.4e38f, 0));  // beyond the largest
  CHECK(!agree(NAN, 1, INFINITY));
  CHECK(!agree(1, NAN, INFINITY));
  CHECK(agree(NAN, NAN, 0));
  CHECK(!agree(INFINITY, -INFINITY, INFINITY));
  CHECK(mismatch(Buffer<Bf16>(std::int64_t{1}), Buffer<double>(Floats{1}), Tolerance{1e30}) != "");  // never written
}

TEST_CASE("compare: the same bits") {
  const KernelOutput two = Buffer<float>(Floats{0, 2});
  CHECK(two.same_bits(Buffer<float>(Floats{0, 2})));
  CHECK(!two.same_bits(Buffer<float>(Floats{-0.0f, 2})));
  CHECK(!two.same_bits(Buffer<float>(Floats{0})));
  CHECK(!two.same_bits(Buffer<Bf16>(Floats{0, 2})));
  const KernelOutput odd = Buffer<Bf16>(Floats{NAN, INFINITY});
  CHECK(odd.same_bits(Buffer<Bf16>(Floats{NAN, INFINITY})));
  CHECK(!odd.same_bits(Buffer<Bf16>(Floats{-NAN, -INFINITY})));
}

TEST_CASE("compare: a write beside the buffer is seen") {
  const Buffer<double> want(Floats{1, 2});
  for (const int at : {-1, -60, 2, 60}) {
    Buffer<float> got(Floats{1, 2});
    CHECK(got.guards_intact());
    got.data()[at] = 0;
    CHECK(!got.guards_intact());
    CHECK(mismatch(got, want, Tolerance(2, 1.0)) == "wrote outside its buffer");
    Buffer<Bf16> half(Floats{1, 2});
    half.data()[at] = 0.0f;
    CHECK(mismatch(half, want, Tolerance(2, 1.0)) == "wrote outside its buffer");
  }
}
