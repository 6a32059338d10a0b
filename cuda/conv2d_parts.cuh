// The second half of a sum over pixels that was cut into parts: each part is a gradient of its own, and here they are
// added up in their order.
#pragma once

#include "cuda/index.cuh"

namespace acol::cuda {

// total[i] += sum over the parts of partial[part, i].
template <class T>
__global__ void add_parts_kernel(int parts, std::int64_t count, const T* partial, T* total) {
  for_each_index(count, [&](std::int64_t i) {
    T sum = 0;
#pragma unroll 8
    for (int part = 0; part < parts; ++part) sum += partial[part * count + i];
    total[i] += sum;
  });
}

inline void add_parts(const char* name, int parts, std::int64_t count, const float* partial, float* total) {
  launch(name, add_parts_kernel<float>, grid_for(count), parts, count, partial, total);
}

}  // namespace acol::cuda
