// Baseline instructions of the target: 16-byte vectors, 16 registers.
#include "tensor/simd/conv_row.inl"
#include "tensor/simd/dropout.inl"
#include "tensor/simd/kernels.h"
#include "tensor/simd/pool2d.inl"
#include "tensor/simd/transpose.inl"
#include "tensor/simd/winograd.inl"

namespace acol {

const SimdKernels& simd_kernels_scalar() {
  static constexpr GemmShape shapes[]{shape<4, 4, 2>, shape<4, 8, 1>};
  static constexpr SimdKernels kernels{{shapes, 2, strip<4, 2, 4, 4>, strip<4, 1, 8, 8>},
                                       conv_row<4, 4, 2, 9>,
                                       winograd<F2, 4>,
                                       winograd<F4, 4>,
                                       transpose<4>,
                                       pool_kernels<4>,
                                       dropout<4>,
                                       peak_loop<4>};
  return kernels;
}

}  // namespace acol
