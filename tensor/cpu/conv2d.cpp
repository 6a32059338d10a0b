// Convolution: by the plan of the shape, directly, from rows of the picture or by Winograd's method.
#include <vector>

#include "tensor/cpu/conv2d_methods.h"
#include "tensor/cpu/conv2d_plan.h"
#include "tensor/cpu/kernels.h"

namespace acol::cpu {

void conv2d_forward(const Conv2dGeometry& g, const float* x, const float* w, const float* bias, bool relu, float* y) {
  const ConvPlan plan = conv2d_plan(g, ConvPass::forward);
  if (plan.method == ConvMethod::direct)
    direct::forward(g, x, w, bias, relu, y);
  else if (plan.method == ConvMethod::rows)
    rows::forward(g, x, w, bias, relu, y);
  else
    winograd::forward(g, plan, x, w, bias, relu, y);
}

bool conv2d_backward_data(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* w, const float*,
                          float* dx) {
  const ConvPlan plan = conv2d_plan(g, ConvPass::backward_data);
  if (plan.method == ConvMethod::direct)
    direct::backward_data(g, dy, relu_y, w, dx);
  else
    winograd::backward_data(g, plan, dy, relu_y, w, dx);
  return false;
}

void conv2d_backward_weights(const Conv2dGeometry& g, const float* dy, const float* relu_y, const float* x, float* dw,
                             float* db) {
  const ConvPlan plan = conv2d_plan(g, ConvPass::backward_weights);
  if (plan.method == ConvMethod::rows) {
    rows::backward_weights(g, dy, relu_y, x, dw, db);
    return;
  }
  if (plan.method == ConvMethod::direct)
    direct::backward_weights(g, dy, relu_y, x, dw);
  else
    winograd::backward_weights(g, plan, dy, relu_y, x, dw);

  if (db != nullptr) {
    std::vector<double> sums(static_cast<std::size_t>(g.out_c), 0.0);
    column_sums(std::int64_t{g.batch} * g.out_h() * g.out_w(), g.out_c, dy, relu_y, sums.data());
    for (int o = 0; o < g.out_c; ++o) db[o] += static_cast<float>(sums[static_cast<std::size_t>(o)]);
  }
}

}  // namespace acol::cpu
