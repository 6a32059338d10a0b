// Compiled with -mavx2 -mfma: 32-byte vectors, 16 registers.
#include "tensor/simd/conv_row.inl"
#include "tensor/simd/dropout.inl"
#include "tensor/simd/kernels.h"
#include "tensor/simd/pool2d.inl"
#include "tensor/simd/transpose.inl"
#include "tensor/simd/winograd.inl"

namespace acol {

const SimdKernels& simd_kernels_avx2() {
  static constexpr GemmShape shapes[]{shape<8, 6, 2>, shape<8, 12, 1>, shape<8, 4, 3>};
  static constexpr SimdKernels kernels{{shapes, 3, strip<8, 2, 6, 4>, strip<8, 1, 12, 8>},
                                       conv_row<8, 6, 2, 9>,
                                       winograd<F2, 8>,
                                       winograd<F4, 8>,
                                       transpose<8>,
                                       pool_kernels<8>,
                                       dropout<8>,
                                       peak_loop<8>};
  return kernels;
}

}  // namespace acol
