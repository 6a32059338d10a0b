// acol bench conv: every convolution of a network alone, forward and both gradients, by the kernels that training uses.
#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "autograd/ops.h"
#include "bench.h"
#include "interrupt.h"
#include "layers/conv2d.h"
#include "network_layers.h"
#include "progress.h"
#include "tensor/kernels.h"
#include "tensor/safetensors.h"
#include "tensor/threads.h"

namespace acol {

namespace {

struct Layer : ConvLayer {
  int uses = 1;  // layers of the network with this shape
};

bool same_shape(const Conv2dGeometry& a, const Conv2dGeometry& b) {
  return a.x_shape() == b.x_shape() && a.w_shape() == b.w_shape() && a.stride_h == b.stride_h && a.pad_h == b.pad_h &&
         a.dilation_h == b.dilation_h;
}

// Of equal shapes only the first.
std::vector<Layer> layers_of(const BenchOptions& options) {
  std::vector<Layer> layers;
  for (const ConvLayer& layer : conv_layers(options.network, options.batch_size, options.size)) {
    const auto twin = std::find_if(layers.begin(), layers.end(),
                                   [&](const Layer& l) { return same_shape(l.geometry, layer.geometry); });
    if (twin != layers.end())
      ++twin->uses;
    else
      layers.push_back({layer});
  }
  return layers;
}

// A layer's numbers: those that go in, and places for those that come out. x, y and their gradients have the type of
// activations.
struct Data {
  Data(const Layer& layer, int sets) {
    const Conv2dGeometry& g = layer.geometry;
    for (int i = 0; i < sets; ++i) {
      const auto number = static_cast<std::uint32_t>(4 * i);
      const auto activations = [](const Tensor& numbers) { return to_activations(Variable(numbers)).value(); };
      inputs.emplace_back(activations(bench_numbers(g.x_shape(), number + 1, -1, 1)),
                          activations(bench_numbers(g.y_shape(), number + 4, -1, 1)));
    }
    next_inputs();
    // The variance that keeps that of the activations, as He's initialiser has it.
    const float bound = std::sqrt(6.0f / static_cast<float>(g.taps() * g.in_c));
    w = bench_numbers(g.w_shape(), 2, -bound, bound);
    bias = bench_numbers({g.out_c}, 3, -0.1f, 0.1f);
    y = Tensor::zeros(g.y_shape(), activation_type());
    dx = Tensor::zeros(g.x_shape(), activation_type());
    dw = Tensor::zeros(g.w_shape());
    db = Tensor::zeros({g.out_c});
  }
  // The next set of inputs becomes x and dy.
  void next_inputs() { std::tie(x, dy) = inputs[turn++ % inputs.size()]; }

  std::vector<std::pair<Tensor, Tensor>> inputs;  // x, dy
  std::size_t turn = 0;
  Tensor x, w, bias, dy, y, dx, dw, db;
};

void forward(const Conv2dGeometry& g, bool relu, Data& data) {
  with_activation(data.x.dtype(), [&]<class T>() {
    using P = ParameterOf<T>;
    kernels<T>().conv2d_forward(g, data.x.data<T>(), data.w.data<P>(), data.bias.data<P>(), relu, data.y.data<T>());
  });
}
// `relu`: the gradient passes where forward with `relu` left something in y.
void backward_data(const Conv2dGeometry& g, bool relu, Data& data) {
  with_activation(data.x.dtype(), [&]<class T>() {
    kernels<T>().conv2d_backward_data(g, data.dy.data<T>(), relu ? data.y.data<T>() : nullptr,
                                      data.w.data<ParameterOf<T>>(), nullptr, data.dx.data<T>());
  });
}
void backward_weights(const Conv2dGeometry& g, bool relu, Data& data) {
  with_activation(data.x.dtype(), [&]<class T>() {
    using P = ParameterOf<T>;
    kernels<T>().conv2d_backward_weights(g, data.dy.data<T>(), relu ? data.y.data<T>() : nullptr, data.x.data<T>(),
                                         data.dw.data<P>(), data.db.data<P>());
  });
}

// One run of each without ReLU, inputs and results in one file. Before anything is timed: gradients add up.
void save(const std::filesystem::path& folder, const Layer& layer, Data& data) {
  const Conv2dGeometry& g = layer.geometry;
  forward(g, false, data);
  backward_data(g, false, data);
  backward_weights(g, false, data);
  SafetensorsFile file;
  file.tensors = {{"bias", data.bias}, {"db", data.db}};
  for (const auto& [name, numbers] :
       {std::pair{"x", data.x}, std::pair{"dy", data.dy}, std::pair{"y", data.y}, std::pair{"dx", data.dx}})
    file.tensors[name] = to_parameters(Variable(numbers)).value();
  file.tensors["w"] = filter_to_file(data.w);
  file.tensors["dw"] = filter_to_file(data.dw);
  file.metadata = {{"stride", std::to_string(g.stride_h)},
                   {"pad", std::to_string(g.pad_h)},
                   {"dilation", std::to_string(g.dilation_h)}};
  write_safetensors(folder / (layer.name + ".safetensors"), file);
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
    Data data(layer, options.input_sets);
    if (!options.save.empty()) save(options.save, layer, data);
    const auto measure = [&](const std::string& what, const std::function<void()>& body) {
      progress.update(static_cast<std::int64_t>(i), static_cast<std::int64_t>(layers.size()), layer.name + " " + what);
      BenchRow row{.what = what, .layer = layer.name, .batch = g.batch};
      row.remark = shape_text(g) + (layer.uses > 1 ? message(", ", layer.uses, " times") : "");
      if (device_memory() != nullptr) row.conv = {g, layer.relu, layer.uses};
      measure_row(row, options, static_cast<double>(g.macs()), peak, [&] {
        data.next_inputs();
        body();
      });
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
