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
  if (device_in_use() == Device::cuda) check_complete(kernels<float>());
}

TEST_CASE("tables: the device in use picks the float table; double is always the reference") {
  const Device before = device_in_use();
  const auto check_in_use = [](Device device, const Kernels<float>& table) {
    CHECK(device_in_use() == device);
    CHECK(&kernels<float>() == &table);
    CHECK(&kernels<double>() == &reference_kernels<double>());
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

TEST_CASE("compare: a write beside the buffer is seen") {
  const Buffer<double> want(Floats{1, 2});
  for (const int at : {-1, -60, 2, 60}) {
    Buffer<float> got(Floats{1, 2});
    CHECK(got.guards_intact());
    got.data()[at] = 0;
    CHECK(!got.guards_intact());
    CHECK(mismatch(got, want, Tolerance(2, 1.0)) == "wrote outside its buffer");
  }
}
