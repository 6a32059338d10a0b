#include "tensor/cpu/conv2d_plan.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace acol {

namespace {

int env(const char* n, int d) { const char* v = std::getenv(n); return v ? std::atoi(v) : d; }

int rounded_up(int value, int step) { return (value + step - 1) / step * step; }

// Parts of about equal size, none above `most`.
int even_part(std::int64_t count, int most) {
  const std::int64_t parts = std::max<std::int64_t>(1, (count + most - 1) / most);
  return static_cast<int>((count + parts - 1) / parts);
}

}  // namespace

ConvPlan conv2d_plan(const Conv2dGeometry& g, ConvPass pass) {
  ConvPlan plan;
  const bool fits = g.filter_h == 3 && g.filter_w == 3 && g.stride_h == 1 && g.stride_w == 1 && g.dilation_h == 1 &&
                    g.dilation_w == 1;
  if (!fits || g.in_c < 8 || g.out_c < 8) return plan;

  const bool to_input = pass == ConvPass::backward_data;
  const int in = to_input ? g.out_c : g.in_c, out = to_input ? g.in_c : g.out_c;
  const int height = to_input ? g.in_h : g.out_h(), width = to_input ? g.in_w : g.out_w();
  plan.method = env("W_F2", 0) ? ConvMethod::winograd2 : ConvMethod::winograd4;
  const int m = plan.method == ConvMethod::winograd4 ? 4 : 2;
  const std::int64_t tiles = std::int64_t{g.batch} * ((height + m - 1) / m) * ((width + m - 1) / m);
  if (pass == ConvPass::backward_weights) {
    plan.tiles = even_part(tiles, env("W_BT", 112));
    plan.inputs = rounded_up(even_part(in, env("W_BI", 256)), 32);
    plan.outputs = even_part(out, env("W_BO", 256));
    const std::int64_t blocks = std::int64_t{(in + plan.inputs - 1) / plan.inputs} * ((out + plan.outputs - 1) / plan.outputs);
    const std::int64_t chunks = (tiles + plan.tiles - 1) / plan.tiles;
    plan.slices = static_cast<int>(std::clamp<std::int64_t>(env("W_BS", 16) / blocks, 1, chunks));
    return plan;
  }
  plan.shared = std::int64_t{in} * out > env("W_PRIV", 256 * 256) || tiles < env("W_FEW", 400);
  if (plan.shared) {
    plan.tiles = even_part(tiles, env("W_ST", 196));
    plan.inputs = rounded_up(even_part(in, env("W_SI", 256)), 16);
    plan.outputs = env("W_SO", 32);
  } else {
    plan.tiles = even_part(tiles, env("W_T", 56));
    plan.inputs = rounded_up(even_part(in, env("W_I", 256)), 16);
    plan.outputs = rounded_up(even_part(out, env("W_O", 128)), 32);
  }
  return plan;
}

const char* name_of(ConvPass pass) {
  switch (pass) {
    case ConvPass::backward_data:
      return "backward data";
    case ConvPass::backward_weights:
      return "backward weights";
    case ConvPass::forward:
      break;
  }
  return "forward";
}

const char* name_of(ConvMethod method) {
  switch (method) {
    case ConvMethod::winograd2:
      return "F(2x2,3x3)";
    case ConvMethod::winograd4:
      return "F(4x4,3x3)";
    case ConvMethod::direct:
      break;
  }
  return "direct";
}

std::string describe(const ConvPlan& plan) {
  std::ostringstream out;
  out << name_of(plan.method);
  if (plan.method == ConvMethod::direct) return out.str();
  out << ", blocks of " << plan.tiles << " tiles x " << plan.inputs << " -> " << plan.outputs << " channels";
  if (plan.shared) out << ", shared";
  if (plan.slices > 1) out << ", " << plan.slices << " slices";
  return out.str();
}

}  // namespace acol
