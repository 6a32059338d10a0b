// What `acol bench` and `acol info --plan` share: the options that choose a network, and its convolutions with shapes.
#pragma once

#include <string>
#include <vector>

#include "acol/network/config.h"
#include "command.h"
#include "tensor/geometry.h"

namespace acol {

// --method, --arch, --width, --map-stride, --classes (default here: CUB-200-2011's 200), --size. Their defaults are
// what `network` and `size` hold. Returns the options, for rules on their use.
std::vector<CLI::Option*> add_network_options(CLI::App& app, NetworkConfig& network, int& size);

struct ConvLayer {
  std::string name;  // conv1_1, ...; a1 a2 a3 and b1 b2 b3 in the classifiers
  Conv2dGeometry geometry;
  bool relu = false;
};

// All convolutions for a batch of size x size pictures, in the order of the forward pass. Error: a setting out of
// range.
std::vector<ConvLayer> conv_layers(const NetworkConfig& network, int batch, int size);

// "3x3 64>128 on 112x112"
std::string shape_text(const Conv2dGeometry& g);

}  // namespace acol
