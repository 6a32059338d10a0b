#include "layers/sequential.h"

#include "layers/activation.h"
#include "layers/batch_norm.h"
#include "layers/conv2d.h"

namespace acol {

namespace {

// Layer `i` if there is one and it is of this kind, else null.
template <class Layer, class Layers>
Layer* layer_as(const Layers& layers, std::size_t i) {
  return i < layers.size() ? dynamic_cast<Layer*>(layers[i].second.get()) : nullptr;
}

}  // namespace

Sequential& Sequential::add(std::string name, std::shared_ptr<Module> layer) {
  add_child(std::move(name), std::move(layer));
  return *this;
}

Variable Sequential::forward(const Variable& x) {
  Variable y = x;
  for (const auto& [name, layer] : children()) y = layer->forward(y);
  return y;
}

void Sequential::fold_batch_norm() {
  for_each([](const std::string&, Module& module) {
    if (auto* sequential = dynamic_cast<Sequential*>(&module)) sequential->fold_own_layers();
  });
}

void Sequential::fold_own_layers() {
  check(!training(),
        "fold_batch_norm: the model is in training mode, where batch norm uses the batch's statistics; call ",
        "set_training(false) first");
  for (std::size_t i = 0; i < size(); ++i) {
    auto* conv = layer_as<Conv2d>(children(), i);
    const auto* norm = layer_as<BatchNorm>(children(), i + 1);
    if (!conv || !norm) continue;
    acol::fold_batch_norm(*conv, *norm);
    remove_child(std::string(children()[i + 1].first));
    if (layer_as<Relu>(children(), i + 1)) {
      conv->set_relu(true);
      remove_child(std::string(children()[i + 1].first));
    }
  }
}

}  // namespace acol
