#include "tensor/kernels.h"

#include <atomic>

namespace acol {

namespace {
std::atomic<Device> current{Device::cpu};
}

void use_device(Device device) { current = device; }
Device device_in_use() { return current; }

template <>
const Kernels<float>& kernels<float>() {
  return current == Device::cpu ? cpu_kernels() : reference_kernels<float>();
}

template <>
const Kernels<double>& kernels<double>() {
  return reference_kernels<double>();
}

}  // namespace acol
