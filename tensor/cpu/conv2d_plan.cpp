#include "tensor/cpu/conv2d_plan.h"
#include "tensor/cpu/parts.h"

#include <algorithm>
#include <iterator>
#include <sstream>

namespace acol {

namespace {

// Channels: of the micro-kernel's blocks, of its widest tile, and of its longest sum. Input channels come in multiples
// of that, so that sums are put together from the same parts whatever the blocks.
constexpr int block = 16, panel = 32, longest_sum = 64;

// The size of parts that are about equal, none above `most`.
int even_part(std::int64_t count, int most) { return static_cast<int>(parts(count, parts(count, most))); }

struct Map {
  int batch, height, width;  // of what the pass makes tiles of
};

// Multiply-adds of one input and one output channel for a batch of eight, with the transform of a filter counted by the
// time that it takes: where tiles are few, it is what costs. Always of eight, since the method must not depend on the
// batch: a picture gets the same bits in any company.
constexpr double usual_batch = 8;
struct Cost {
  ConvMethod method;
  double value;
};
Cost direct_cost(const Map& map) { return {ConvMethod::direct, 9 * usual_batch * map.height * map.width}; }
Cost winograd_cost(ConvMethod method, int side, double filter, const Map& map) {
  const double tiles = usual_batch * ((map.height + side - 1) / side) * ((map.width + side - 1) / side);
  return {method, tiles * (side + 2) * (side + 2) + filter};
}

int outputs_of(ConvMethod method) { return method == ConvMethod::winograd4 ? 4 : 2; }

}  // namespace

ConvPlan conv2d_plan(const Conv2dGeometry& g, ConvPass pass) {
  ConvPlan plan;
  // The filters should stay in the first-level cache, and a row should fill half a tile of 14 pixels.
  constexpr int longest_filter = 256, shortest_row = 8;
  if (pass != ConvPass::backward_data && g.in_c <= conv2d_few_channels && g.dilation_w == 1 &&
      g.taps() * g.in_c <= longest_filter && g.out_w() >= shortest_row) {
    plan.method = ConvMethod::rows;
    return plan;
  }
  if (g.filter_h != 3 || g.filter_w != 3 || g.stride_h != 1 || g.stride_w != 1 || g.dilation_h != 1 ||
      g.dilation_w != 1)
    return plan;
  const bool to_input = pass == ConvPass::backward_data;
  const Map map{g.batch, to_input ? g.in_h : g.out_h(), to_input ? g.in_w : g.out_w()};
  const Cost costs[]{direct_cost(map), winograd_cost(ConvMethod::winograd2, 2, 100, map),
                     winograd_cost(ConvMethod::winograd4, 4, 250, map)};
  plan.method = std::min_element(std::begin(costs), std::end(costs), [](const Cost& a, const Cost& b) {
                  return a.value < b.value;
                })->method;
  if (plan.method == ConvMethod::direct) return plan;

  // What follows was measured (acol bench conv) on cores with 1 MB of second-level cache, two to a third level of 32
  // MB; the rates are flat around it.
  const int in = to_input ? g.out_c : g.in_c, out = to_input ? g.in_c : g.out_c, side = outputs_of(plan.method);
  const std::int64_t tiles = std::int64_t{map.batch} * parts(map.height, side) * parts(map.width, side);
  if (pass == ConvPass::backward_weights) {
    constexpr int most_channels = 256;
    const bool small = std::int64_t{in} * out <= 128 * 128;
    const int enough_tasks = small ? 16 : 8;  // a slice of a large layer is megabytes of sums
    plan.tiles = even_part(tiles, small ? 56 : 196);
    plan.inputs = rounded_up(even_part(in, most_channels), panel);
    plan.outputs = rounded_up(even_part(out, most_channels), block);
    const std::int64_t blocks = parts(in, plan.inputs) * parts(out, plan.outputs);
    plan.slices = static_cast<int>(std::clamp<std::int64_t>(enough_tasks / blocks, 1, parts(tiles, plan.tiles)));
    return plan;
  }
  constexpr int filters_in_cache = 256 * 256, few_tiles = 400;
  plan.shared = std::int64_t{in} * out > filters_in_cache || tiles < few_tiles;
  if (plan.shared) {
    plan.tiles = even_part(tiles, 196);
    const bool large = plan.tiles >= 150;
    plan.inputs = rounded_up(even_part(in, large ? 128 : 256), longest_sum);
    plan.outputs = large ? 2 * panel : panel;
  } else {
    plan.tiles = even_part(tiles, 28);
    plan.inputs = rounded_up(even_part(in, 256), longest_sum);
    plan.outputs = rounded_up(even_part(out, 128), panel);
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
    case ConvMethod::rows:
      return "rows";
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
  if (plan.tiles == 0) return out.str();
  out << ", blocks of " << plan.tiles << " tiles x " << plan.inputs << " -> " << plan.outputs << " channels";
  if (plan.shared) out << ", shared";
  if (plan.slices > 1) out << ", " << plan.slices << " slices";
  return out.str();
}

}  // namespace acol
