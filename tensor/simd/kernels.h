// What is compiled once for every SIMD level. Included by files with -m flags: nothing here has inline functions.
#pragma once

#include "tensor/simd/conv_row.h"
#include "tensor/simd/dropout.h"
#include "tensor/simd/gemm_tile.h"
#include "tensor/simd/pool2d.h"
#include "tensor/simd/winograd.h"

namespace acol {

struct SimdKernels {
  GemmTiles gemm;
  ConvRowKernels conv_row;
  WinogradTransforms winograd2, winograd4;
  // out[j * out_stride + i] = in[i * in_stride + j], i in [0, rows), j in [0, columns).
  void (*transpose)(const float* in, long in_stride, int rows, int columns, float* out, long out_stride);
  PoolKernels pool;
  DropoutKernel dropout;
  PeakLoop peak_loop;
};

// Of the level in use (level.h).
const SimdKernels& simd_kernels();

const SimdKernels& simd_kernels_scalar();
#if defined(ACOL_HAVE_X86_LEVELS)
const SimdKernels& simd_kernels_avx2();
const SimdKernels& simd_kernels_avx512();
#endif

}  // namespace acol
