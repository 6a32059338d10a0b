// The trunk: VGG (Simonyan and Zisserman, 2015) up to its last convolution, with the pools of ACoL.
//
// Layer numbers are torchvision's, so `features.0.weight` is conv1_1 and a torchvision weight file loads as it is. The
// pools differ from VGG's 2x2: all are 3x3 with padding 1; 1 to 3 have stride 2, pool4 has stride 1 (map stride 8) or 2
// (map stride 16), pool5 has stride 1. That is what the official ACoL code does; VGG weights need fine-tuning under it.
#pragma once

#include <memory>

#include "acol/network/config.h"
#include "layers/sequential.h"

namespace acol {

// Children are named by torchvision's numbers. A plain convolution applies its ReLU itself, or, as the last
// of its block, leaves it to the pool (max_pool2d() in autograd/ops.h), so that number stays empty.
std::shared_ptr<Sequential> make_vgg(const NetworkConfig& config);

// Channels that the trunk ends with: 512 x width.
int vgg_out_channels(const NetworkConfig& config);

}  // namespace acol
