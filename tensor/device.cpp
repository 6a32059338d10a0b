#include "tensor/device.h"

#include <atomic>

#include "tensor/check.h"
#include "tensor/kernels.h"

namespace acol {

namespace {

std::atomic<Device> current{Device::cpu};
std::atomic<Precision> precision_now{Precision::fp32};

constexpr Device devices[] = {Device::reference, Device::cpu, Device::cuda};
constexpr Precision precisions[] = {Precision::fp32, Precision::tf32, Precision::bf16};

}  // namespace

const char* name_of(Device device) {
  return device == Device::reference ? "reference" : device == Device::cpu ? "cpu" : "cuda";
}

Device parse_device(const std::string& name) {
  for (const Device device : devices)
    if (name == name_of(device)) return device;
  fail("unknown device '", name, "': cpu, cuda or reference");
}

void use_device(Device device) {
  if (device == Device::cuda) cuda_backend();
  current = device;
}

Device device_in_use() { return current; }

const char* name_of(Precision precision) {
  return precision == Precision::fp32 ? "fp32" : precision == Precision::tf32 ? "tf32" : "bf16";
}

Precision parse_precision(const std::string& name) {
  for (const Precision precision : precisions)
    if (name == name_of(precision)) return precision;
  fail("unknown precision '", name, "': fp32, tf32 or bf16");
}

void use_precision(Precision precision) { precision_now = precision; }
Precision precision_in_use() { return precision_now; }

const DeviceMemory* device_memory() { return current == Device::cuda ? cuda_backend().memory : nullptr; }

template <>
const Kernels<float>& kernels<float>() {
  switch (current) {
    case Device::cuda:
      return *cuda_backend().kernels;
    case Device::reference:
      return reference_kernels<float>();
    default:
      return cpu_kernels();
  }
}

template <>
const Kernels<Bf16>& kernels<Bf16>() {
  check(current == Device::cuda, "bfloat16 numbers are for --device cuda only");
  return *cuda_backend().kernels_bf16;
}

template <>
const Kernels<double>& kernels<double>() {
  return reference_kernels<double>();
}

}  // namespace acol
