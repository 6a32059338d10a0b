// How a convolution of a given shape is computed: the method and the sizes of its blocks. A rule of the shape and the
// pass, and of nothing else: so that results repeat bit for bit on any machine of the same SIMD level.
#pragma once

#include <cstdint>
#include <string>

#include "tensor/geometry.h"

namespace acol {

enum class ConvPass : std::uint8_t { forward, backward_data, backward_weights };

enum class ConvMethod : std::uint8_t {
  direct,     // a matrix product over patches
  rows,       // of rows of a picture with few channels
  winograd2,  // F(2x2, 3x3)
  winograd4,  // F(4x4, 3x3)
};

// What `winograd2` and `winograd4` work on at a time. "Inputs" and "outputs" are channels, in the direction of the
// pass: backward data has dy's channels as inputs.
struct ConvPlan {
  ConvMethod method = ConvMethod::direct;
  int tiles = 0;        // image tiles
  int inputs = 0;       // input channels
  int outputs = 0;      // output channels
  bool shared = false;  // threads share the transformed tiles; else each transforms its own
  int slices = 1;       // backward weights: parts of the tiles with sums of their own
};

// Input channels that method `rows` takes at most.
constexpr int conv2d_few_channels = 4;

ConvPlan conv2d_plan(const Conv2dGeometry& g, ConvPass pass);

// "forward", "backward data", "backward weights"; "direct", "rows", "F(2x2,3x3)", "F(4x4,3x3)".
const char* name_of(ConvPass pass);
const char* name_of(ConvMethod method);
// One line: "F(4x4,3x3), blocks of 112 tiles x 128 -> 128 channels, shared".
std::string describe(const ConvPlan& plan);

}  // namespace acol
