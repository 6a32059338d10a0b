#include "acol/network/network.h"

#include "acol/network/vgg.h"
#include "autograd/ops.h"
#include "layers/init.h"
#include "layers/pool.h"
#include "tensor/check.h"

namespace acol {

Network::Network(const NetworkConfig& config) : config_(config) {
  validate(config);
  add_child("features", trunk_ = make_vgg(config));
  add_child("classifier_a", head_a_ = std::make_shared<ClassifierHead>(config, 0));
  if (has_branch_b()) add_child("classifier_b", head_b_ = std::make_shared<ClassifierHead>(config, 2));
}

Variable Network::features(const Variable& x) {
  return avg_pool2d(trunk_->forward(to_activations(x)), {.window = {3, 3}, .stride = {1, 1}, .pad = {1, 1}}, true);
}

Network::Branch Network::branch_a(const Variable& features) {
  const Variable hidden = head_a_->hidden(features);
  const CamResult cam = config_.cam_form == CamForm::convolution ? cam_by_convolution(hidden, head_a_->last())
                                                                 : cam_by_fully_connected(hidden, head_a_->last());
  return {cam.maps, cam.logits};
}

Variable Network::left_for_b(const Variable& features, const Tensor& heat) const {
  check(has_branch_b(), "network: a network of method cam has no branch B");
  return erase(features, heat, config_.erase_threshold);
}

Network::Branch Network::branch_b(const Variable& features, const Tensor& heat) {
  const Variable maps = head_b_->maps(left_for_b(features, heat));
  return {maps, global_avg_pool(maps)};
}

Variable Network::hidden_a(const Variable& features) { return head_a_->hidden(features); }

Variable Network::logits_a(const Variable& hidden) { return head_a_->logits(hidden); }

Tensor Network::map_a(const Tensor& hidden, const std::vector<int>& labels) const {
  return head_a_->map_of(hidden, labels);
}

Variable Network::logits_b(const Variable& features, const Tensor& heat) {
  return head_b_->forward(left_for_b(features, heat));
}

void Network::set_lean(bool lean) {
  Conv2d* first = nullptr;
  trunk_->for_each([&](const std::string&, Module& module) {
    if (first == nullptr) first = dynamic_cast<Conv2d*>(&module);
  });
  first->set_make_again(lean && first->options().relu);
}

Variable Network::forward(const Variable& x) { return head_a_->forward(features(x)); }

void Network::initialise(Initialiser kind, std::uint64_t seed) {
  std::uint32_t number = 0;
  for (NamedParameter& parameter : parameters()) {
    Tensor& value = parameter.variable.value();
    if (value.shape().rank() == 4) {
      if (kind == Initialiser::xavier)
        xavier_uniform(value, seed, number);
      else
        he_normal(value, Fan::in, seed, number);
    } else {
      // Vectors: the weights of batch norm start at 1, every bias at 0.
      const bool scale = parameter.name.ends_with(".weight");
      value.fill(scale ? 1 : 0);
    }
    ++number;
  }
}

void Network::fold_batch_norm() { trunk_->fold_batch_norm(); }

std::int64_t Network::multiply_adds(int height, int width) {
  std::int64_t total = 0;
  int in_h = height, in_w = width;
  // Modules come in the order of the forward pass; every convolution here keeps the size of its input.
  for_each([&](const std::string&, Module& module) {
    if (auto* conv = dynamic_cast<Conv2d*>(&module))
      total += std::int64_t{in_h} * in_w * conv->weight().shape().count();
    if (const auto* pool = dynamic_cast<const MaxPool2d*>(&module)) {
      const Pool2dOptions& how = pool->options();
      in_h = window_output_size(in_h, how.window[0], how.stride[0], how.pad[0], 1);
      in_w = window_output_size(in_w, how.window[1], how.stride[1], how.pad[1], 1);
    }
  });
  return total;
}

std::int64_t parameter_count(const Module& module) {
  std::int64_t total = 0;
  for (const NamedParameter& parameter : module.parameters()) total += parameter.variable.value().count();
  return total;
}

}  // namespace acol
