#include "network_layers.h"

#include <map>

#include "acol/network/network.h"
#include "layers/conv2d.h"
#include "layers/pool.h"

namespace acol {

std::vector<CLI::Option*> add_network_options(CLI::App& app, NetworkConfig& network, int& size) {
  network.classes = 200;
  return {app.add_option_function<std::string>(
                 "--method", [&network](const std::string& name) { network.method = parse_method(name); },
                 "acol, or cam: one branch, nothing erased")
              ->check(CLI::IsMember({"acol", "cam"}))
              ->default_str("acol"),
          app.add_option("--arch", network.arch, "trunk")
              ->capture_default_str()
              ->check(CLI::IsMember(known_architectures())),
          app.add_option("--width", network.width, "factor on all channel counts")
              ->capture_default_str()
              ->check(number("in (0, 4]", [](double value) { return value > 0 && value <= 4; })),
          app.add_option("--map-stride", network.map_stride, "input pixels a map pixel: 8, or 16 (faster)")
              ->capture_default_str()
              ->check(CLI::IsMember({8, 16})),
          app.add_option("--classes", network.classes, "classes")->capture_default_str()->check(at_least(1)),
          app.add_option("--size", size, "side of the pictures, pixels")->capture_default_str()->check(at_least(1))};
}

std::vector<ConvLayer> conv_layers(const NetworkConfig& config, int batch, int size) {
  Network network(config);
  std::vector<ConvLayer> layers;
  int height = size, width = size, block = 1;
  std::map<std::string, int> numbers;  // of the convolutions seen in "conv1", "a", ...
  // Modules come in the order of the forward pass; only the trunk's pools and strides change the size, and both
  // classifiers start from what the trunk ends with.
  network.for_each([&](const std::string& name, Module& module) {
    if (const auto* pool = dynamic_cast<const MaxPool2d*>(&module)) {
      const Pool2dOptions& how = pool->options();
      height = window_output_size(height, how.window[0], how.stride[0], how.pad[0], 1);
      width = window_output_size(width, how.window[1], how.stride[1], how.pad[1], 1);
      ++block;
    }
    auto* conv = dynamic_cast<Conv2d*>(&module);
    if (conv == nullptr) return;
    const bool in_trunk = name.starts_with("features.");
    const std::string group = in_trunk ? message("conv", block) : name.starts_with("classifier_a.") ? "a" : "b";
    const std::string number = std::to_string(++numbers[group]);
    const Shape& w = conv->weight().shape();
    const Conv2dOptions& how = conv->options();
    ConvLayer layer;
    layer.name = group + (in_trunk ? "_" : "") + number;
    layer.relu = how.relu;
    layer.geometry = {.batch = batch,
                      .in_h = height,
                      .in_w = width,
                      .in_c = w[3],
                      .out_c = w[0],
                      .filter_h = w[1],
                      .filter_w = w[2],
                      .stride_h = how.stride[0],
                      .stride_w = how.stride[1],
                      .pad_h = how.pad[0],
                      .pad_w = how.pad[1],
                      .dilation_h = how.dilation[0],
                      .dilation_w = how.dilation[1]};
    if (in_trunk) {
      height = layer.geometry.out_h();
      width = layer.geometry.out_w();
    }
    layers.push_back(layer);
  });
  return layers;
}

std::string shape_text(const Conv2dGeometry& g) {
  return message(g.filter_h, "x", g.filter_w, " ", g.in_c, ">", g.out_c, " on ", g.in_h, "x", g.in_w);
}

}  // namespace acol
