// What the files of this folder give to the tables in table.cpp, for activations T of float and of Bf16: the files
// instantiate them for both. Each is specified in tensor/kernels.h; the comments name the files.
#pragma once

#include "tensor/kernels.h"

namespace acol::cuda {

// conv2d
template <class T>
void conv2d_forward(const Conv2dGeometry& g, const T* x, const float* w, const float* bias, bool relu, T* y);
template <class T>
bool conv2d_backward_data(const Conv2dGeometry& g, const T* dy, const T* relu_y, const float* w, const T* relu_x,
                          T* dx);
template <class T>
void conv2d_backward_weights(const Conv2dGeometry& g, const T* dy, const T* relu_y, const T* x, float* dw, float* db);

// pool2d
template <class T>
void max_pool_forward(const Pool2dGeometry& g, const T* x, T* y, std::uint8_t* winner);
template <class T>
void max_pool_backward(const Pool2dGeometry& g, const T* dy, const std::uint8_t* winner, T* dx);
template <class T>
void avg_pool_forward(const Pool2dGeometry& g, bool count_padding, const T* x, T* y);
template <class T>
void avg_pool_backward(const Pool2dGeometry& g, bool count_padding, const T* dy, T* dx);
template <class T>
void global_avg_pool_forward(int batch, int pixels, int channels, const T* x, float* y);
template <class T>
void global_avg_pool_backward(int batch, int pixels, int channels, const float* dy, T* dx);

// batch_norm
template <class T>
void batch_norm_statistics(std::int64_t rows, int channels, const T* x, float* mean, float* variance);
template <class T>
void batch_norm_forward(std::int64_t rows, int channels, const T* x, const float* mean, const float* variance,
                        const float* gamma, const float* beta, float epsilon, T* y);
template <class T>
void batch_norm_backward(std::int64_t rows, int channels, const T* x, const float* mean, const float* variance,
                         const float* gamma, float epsilon, bool through_statistics, const T* dy, T* dx, float* dgamma,
                         float* dbeta);
void move_average(std::int64_t count, double momentum, double factor, const float* x, float* average);

// elementwise
template <class T>
void relu_forward(std::int64_t count, const T* x, T* y);
template <class T>
void relu_backward(std::int64_t count, const T* y, const T* dy, T* dx);
template <class T>
void add_forward(std::int64_t count, const T* a, const T* b, T* y);
template <class T>
void multiply_forward(std::int64_t count, const T* a, const T* b, T* y);
template <class T>
void multiply_backward(std::int64_t count, const T* a, const T* b, const T* dy, T* da, T* db);
template <class T>
void maximum_forward(std::int64_t count, const T* a, const T* b, T* y);
template <class T>
void maximum_backward(std::int64_t count, const T* a, const T* b, const T* dy, T* da, T* db);
template <class T>
void accumulate(std::int64_t count, float factor, const T* x, T* y);
template <class T>
void to_parameters(std::int64_t count, const T* x, float* y);
template <class T>
void add_parameters(std::int64_t count, const float* x, T* y);

// dropout
template <class T>
void dropout_forward(std::int64_t count, float rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                     const T* x, T* y);
template <class T>
void dropout_backward(std::int64_t count, float rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                      const T* dy, T* dx);

// sgd
void sums_of_squares(int arrays, const std::int64_t* counts, const float* const* x, double* sums);
void sgd_step(int arrays, const SgdArray<float>* list, float momentum, bool nesterov, float scale);

// softmax
void softmax_cross_entropy_forward(int rows, int classes, const float* logits, const int* labels, float* probability,
                                   float* loss);
void softmax_cross_entropy_backward(int rows, int classes, const float* probability, const int* labels,
                                    const float* dloss, float* dlogits);

// resize
template <class T>
void resize_forward(const ResizeGeometry& g, const T* x, T* y);
template <class T>
void resize_backward(const ResizeGeometry& g, const T* dy, T* dx);

// erase
template <class T>
void class_map(int batch, int pixels, int channels, const T* x, const float* w, const float* bias, const int* labels,
               float* map);
void normalized_map(int batch, int pixels, int classes, const float* maps, const int* labels, float* heat);
template <class T>
void erase_forward(int batch, int pixels, int channels, const T* x, const float* heat, float threshold, T* y);
template <class T>
void erase_backward(int batch, int pixels, int channels, const float* heat, float threshold, const T* dy, T* dx);

// table.cpp
const Kernels<float>& kernels();
const Kernels<Bf16>& kernels_bf16();

}  // namespace acol::cuda
