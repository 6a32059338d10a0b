// Convolution on tensor cores, for cards of compute capability 8.0 and later. A precision says what becomes of the
// factors of each product on their way to the tensor cores. Sums are float32.
//
//   bf16: both factors rounded to bf16 (8 significant bits), as is what the gradient of a bias adds up. Fastest. tf32
//         where channels are no multiples of 8.
//   tf32: both factors rounded to TF32 (11 significant bits).
//   fp32: as exact as float32 arithmetic, at about a third of tf32's speed (conv_mma_tile.cuh says how). Factors beyond
//         3.4e38 become infinite, and those below 1e-34 lose digits. A sum with an infinity in it gives a NaN.
//
// That is for tensors of float. Tensors of Bf16 are multiplied as they are, whatever the precision.
//
// Results have the same bits on every card and every run.
#pragma once

#include "tensor/device.h"
#include "tensor/geometry.h"

namespace acol::cuda {

// Whether the card has the instructions, and ACOL_CUDA_CONV=simt in the environment does not forbid them.
bool mma_available();

// The kernels of the same names in tensor/kernels.h; backward data does what relu_x is for. False if the card is too
// old, the shape does not suit (channels that are not multiples of 4, of 8 for Bf16, strides in backward data, tensors
// of 2^30 pixels) or a pointer is not a multiple of 16 bytes: then nothing was done.
template <class T>
bool mma_forward(Precision precision, const Conv2dGeometry& g, const T* x, const float* w, const float* bias, bool relu,
                 T* y);
template <class T>
bool mma_backward_data(Precision precision, const Conv2dGeometry& g, const T* dy, const T* relu_y, const float* w,
                       const T* relu_x, T* dx);
template <class T>
bool mma_backward_weights(Precision precision, const Conv2dGeometry& g, const T* dy, const T* relu_y, const T* x,
                          float* dw, float* db);

}  // namespace acol::cuda
