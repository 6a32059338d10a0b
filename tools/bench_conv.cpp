// acol bench conv: every convolution of a network alone, forward and both gradients, by the kernels that training uses.
#include <algorithm>
#include <cmath>
#include <map>

#include "bench.h"
#include "interrupt.h"
#include "layers/conv2d.h"
#include "layers/pool.h"
#include "progress.h"
#include "tensor/kernels.h"
#include "tensor/safetensors.h"
#include "tensor/threads.h"

namespace acol {

namespace {

struct Layer {
  std::string name;  // conv1_1, ...; a1 a2 a3 and b1 b2 b3 in the classifiers
  Conv2dGeometry geometry;
  bool relu = false;
  int uses = 1;  // layers of the network with this shape
};

bool same_shape(const Layer& a, const Layer& b) {
  return a.geometry.x_shape() == b.geometry.x_shape() && a.geometry.w_shape() == b.geometry.w_shape() &&
         a.geometry.stride_h == b.geometry.stride_h && a.geometry.pad_h == b.geometry.pad_h &&
         a.geometry.dilation_h == b.geometry.dilation_h;
}

// In the order of the forward pass, of equal shapes only the first. Modules come in that order; only the trunk's pools
// and strides change the size, and both classifiers start from what the trunk ends with.
std::vector<Layer> layers_of(const BenchOptions& options) {
  Network network(options.network);
  std::vector<Layer> layers;
  int height = options.size, width = options.size, block = 1;
  std::map<std::string, int> numbers;  // of the convolutions seen in "conv1", "a", ...
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
    Layer layer;
    layer.name = group + (in_trunk ? "_" : "") + number;
    layer.relu = how.relu;
    layer.geometry = {.batch = options.batch_size,
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
    const auto twin = std::find_if(layers.begin(), layers.end(), [&](const Layer& l) { return same_shape(l, layer); });
    if (twin != layers.end())
      ++twin->uses;
    else
      layers.push_back(layer);
  });
  return layers;
}

// A layer's numbers: those that go in, and places for those that come out.
struct Data {
  explicit Data(const Layer& layer) {
    const Conv2dGeometry& g = layer.geometry;
    x = bench_numbers(g.x_shape(), 1, -1, 1);
    // The variance that keeps that of the activations, as He's initialiser has it.
    const float bound = std::sqrt(6.0f / static_cast<float>(g.taps() * g.in_c));
    w = bench_numbers(g.w_shape(), 2, -bound, bound);
    bias = bench_numbers({g.out_c}, 3, -0.1f, 0.1f);
    dy = bench_numbers(g.y_shape(), 4, -1, 1);
    y = Tensor::zeros(g.y_shape());
    dx = Tensor::zeros(g.x_shape());
    dw = Tensor::zeros(g.w_shape());
    db = Tensor::zeros({g.out_c});
  }
  Tensor x, w, bias, dy, y, dx, dw, db;
};

void forward(const Conv2dGeometry& g, bool relu, Data& data) {
  kernels<float>().conv2d_forward(g, data.x.f32(), data.w.f32(), data.bias.f32(), relu, data.y.f32());
}
// `relu`: the gradient passes where forward with `relu` left something in y.
void backward_data(const Conv2dGeometry& g, bool relu, Data& data) {
  kernels<float>().conv2d_backward_data(g, data.dy.f32(), relu ? data.y.f32() : nullptr, data.w.f32(), data.dx.f32());
}
void backward_weights(const Conv2dGeometry& g, bool relu, Data& data) {
  kernels<float>().conv2d_backward_weights(g, data.dy.f32(), relu ? data.y.f32() : nullptr, data.x.f32(), data.dw.f32(),
                                           data.db.f32());
}

// One run of each without ReLU, inputs and results in one file. Before anything is timed: gradients add up.
void save(const std::filesystem::path& folder, const Layer& layer, Data& data) {
  const Conv2dGeometry& g = layer.geometry;
  forward(g, false, data);
  backward_data(g, false, data);
  backward_weights(g, false, data);
  SafetensorsFile file;
  file.tensors = {{"x", data.x}, {"bias", data.bias}, {"dy", data.dy}, {"y", data.y}, {"dx", data.dx}, {"db", data.db}};
  file.tensors["w"] = filter_to_file(data.w);
  file.tensors["dw"] = filter_to_file(data.dw);
  file.metadata = {{"stride", std::to_string(g.stride_h)},
                   {"pad", std::to_string(g.pad_h)},
                   {"dilation", std::to_string(g.dilation_h)}};
  write_safetensors(folder / (layer.name + ".safetensors"), file);
}

std::string shape_text(const Layer& layer) {
  const Conv2dGeometry& g = layer.geometry;
  return message(g.filter_h, "x", g.filter_w, " ", g.in_c, ">", g.out_c, " on ", g.in_h, "x", g.in_w,
                 layer.uses > 1 ? message(", ", layer.uses, " times") : "");
}

}  // namespace

BenchReport bench_conv(const BenchOptions& options) {
  const std::vector<Layer> layers = layers_of(options);
  const double peak = core_peak() * threads_in_use();
  BenchReport report;
  std::map<std::string, double> sums;  // ms of the whole network, by what
  Progress progress("bench conv");
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Layer& layer = layers[i];
    const Conv2dGeometry& g = layer.geometry;
    Data data(layer);
    if (!options.save.empty()) save(options.save, layer, data);
    const auto measure = [&](const std::string& what, const std::function<void()>& body) {
      progress.update(static_cast<std::int64_t>(i), static_cast<std::int64_t>(layers.size()), layer.name + " " + what);
      BenchRow row{.what = what, .layer = layer.name, .batch = g.batch};
      row.remark = shape_text(layer);
      set_speed(row, time_repeats(options.repeats, body), static_cast<double>(g.macs()), peak);
      sums[what] += row.ms->median * layer.uses;
      report.rows.push_back(std::move(row));
    };
    measure("forward", [&] { forward(g, layer.relu, data); });
    // Nobody wants the gradient of the pictures, so the first layer has no backward_data.
    if (i > 0) measure("backward_data", [&] { backward_data(g, layer.relu, data); });
    measure("backward_weights", [&] { backward_weights(g, layer.relu, data); });
  }
  report.lines.push_back(message("All convolutions of the network, from the medians: forward ",
                                 fixed_text(sums["forward"], 1), " ms, backward_data ",
                                 fixed_text(sums["backward_data"], 1), " ms, backward_weights ",
                                 fixed_text(sums["backward_weights"], 1), " ms."));
  return report;
}

}  // namespace acol
