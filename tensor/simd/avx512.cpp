// Compiled with -mavx512f -mavx512vl: 64-byte vectors, 32 registers. The last shape, for at most 8 columns, is of
// 32-byte vectors.
#include "tensor/simd/conv_row.inl"
#include "tensor/simd/dropout.inl"
#include "tensor/simd/kernels.h"
#include "tensor/simd/pool2d.inl"
#include "tensor/simd/transpose.inl"
#include "tensor/simd/winograd.inl"

namespace acol {

const SimdKernels& simd_kernels_avx512() {
  static constexpr GemmShape shapes[]{shape<16, 14, 2>, shape<16, 28, 1>, shape<16, 8, 3>, shape<8, 28, 1>};
  static constexpr SimdKernels kernels{{shapes, 4, strip<16, 2, 14, 8>, strip<16, 1, 14, 8>},
                                       conv_row<16, 14, 2, 28>,
                                       winograd<F2, 16>,
                                       winograd<F4, 16>,
                                       transpose<16>,
                                       pool_kernels<16>,
                                       dropout<16>,
                                       peak_loop<16>};
  return kernels;
}

}  // namespace acol
