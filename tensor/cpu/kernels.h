// What the files of this folder give to the table in table.cpp, and to each other. The table's functions are specified
// in tensor/kernels.h; the comments name the files.
#pragma once

#include "tensor/kernels.h"

namespace acol::cpu {

// conv2d
void conv2d_forward(const Conv2dGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y);
bool conv2d_backward_data(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* w,
                          const float* relu_x, float* dx);
void conv2d_backward_weights(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* x, float* dw,
                             float* db);

// pool2d
void max_pool_forward(const Pool2dGeometry& g, const float* x, float* y, std::uint8_t* winner);
void max_pool_backward(const Pool2dGeometry& g, const float* dy, const std::uint8_t* winner, float* dx);
void avg_pool_forward(const Pool2dGeometry& g, bool count_padding, const float* x, float* y);
void avg_pool_backward(const Pool2dGeometry& g, bool count_padding, const float* dy, float* dx);
void global_avg_pool_forward(int batch, int pixels, int channels, const float* x, float* y);
void global_avg_pool_backward(int batch, int pixels, int channels, const float* dy, float* dx);

// batch_norm
void batch_norm_statistics(std::int64_t rows, int channels, const float* x, float* mean, float* variance);
void batch_norm_forward(std::int64_t rows, int channels, const float* x, const float* mean, const float* variance,
                        const float* gamma, const float* beta, float epsilon, float* y);
void batch_norm_backward(std::int64_t rows, int channels, const float* x, const float* mean, const float* variance,
                         const float* gamma, float epsilon, bool through_statistics, const float* dy, float* dx,
                         float* dgamma, float* dbeta);
void move_average(std::int64_t count, double momentum, double factor, const float* x, float* average);

// elementwise
void relu_forward(std::int64_t count, const float* x, float* y);
void relu_backward(std::int64_t count, const float* y, const float* dy, float* dx);
void add_forward(std::int64_t count, const float* a, const float* b, float* y);
void multiply_forward(std::int64_t count, const float* a, const float* b, float* y);
void multiply_backward(std::int64_t count, const float* a, const float* b, const float* dy, float* da, float* db);
void maximum_forward(std::int64_t count, const float* a, const float* b, float* y);
void maximum_backward(std::int64_t count, const float* a, const float* b, const float* dy, float* da, float* db);
void accumulate(std::int64_t count, float factor, const float* x, float* y);
void to_parameters(std::int64_t count, const float* x, float* y);
void add_parameters(std::int64_t count, const float* x, float* y);

// dropout
void dropout_forward(std::int64_t count, float rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                     const float* x, float* y);
void dropout_backward(std::int64_t count, float rate, std::uint64_t seed, std::uint32_t step, std::uint32_t layer,
                      const float* dy, float* dx);

// sgd
void sums_of_squares(int arrays, const std::int64_t* counts, const float* const* x, double* sums);
void sgd_step(int arrays, const SgdArray<float>* list, float momentum, bool nesterov, float scale);

// softmax
void softmax_cross_entropy_forward(int rows, int classes, const float* logits, const int* labels, float* probability,
                                   float* loss);
void softmax_cross_entropy_backward(int rows, int classes, const float* probability, const int* labels,
                                    const float* dloss, float* dlogits);

// resize
void resize_forward(const ResizeGeometry& g, const float* x, float* y);
void resize_backward(const ResizeGeometry& g, const float* dy, float* dx);

// erase
void class_map(int batch, int pixels, int channels, const float* x, const float* w, const float* bias,
               const int* labels, float* map);
void normalized_map(int batch, int pixels, int classes, const float* maps, const int* labels, float* heat);
void erase_forward(int batch, int pixels, int channels, const float* x, const float* heat, float threshold, float* y);
void erase_backward(int batch, int pixels, int channels, const float* heat, float threshold, const float* dy,
                    float* dx);

// batch_norm.cpp
// sums[c] += sum over the rows of x[row, c], in double, in fixed blocks of rows. With `relu_y` only where that is > 0.
void column_sums(std::int64_t rows, int channels, const float* x, const float* relu_y, double* sums);

}  // namespace acol::cpu
