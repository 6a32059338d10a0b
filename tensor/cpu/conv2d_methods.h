// The ways to compute a convolution, each with the three passes of tensor/kernels.h; conv2d.cpp chooses by the plan.
#pragma once

#include "tensor/cpu/conv2d_plan.h"
#include "tensor/geometry.h"

namespace acol::cpu {

// conv2d_direct.cpp: any filter, stride, padding and dilation.
namespace direct {
void forward(const Conv2dGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y);
void backward_data(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* w, float* dx);
void backward_weights(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* x, float* dw);
}  // namespace direct

// conv2d_rows.cpp: at most conv2d_few_channels input channels, no dilation across. The bias's gradient comes with the
// filters', since reading dy takes as long as the sums.
namespace rows {
void forward(const Conv2dGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y);
void backward_weights(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* x, float* dw,
                      float* db);
}  // namespace rows

// conv2d_winograd.cpp: 3x3 filters, stride 1, dilation 1.
namespace winograd {
void forward(const Conv2dGeometry& g, const ConvPlan& plan, const float* x, const float* w, const float* bias,
             bool relu, float* y);
void backward_data(const Conv2dGeometry& g, const ConvPlan& plan, const float* dy, const float* relu_y, const float* w,
                   float* dx);
void backward_weights(const Conv2dGeometry& g, const ConvPlan& plan, const float* dy, const float* relu_y,
                      const float* x, float* dw);
}  // namespace winograd

}  // namespace acol::cpu
