#include "acol/train/step.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "acol/evaluate/class_maps.h"
#include "autograd/ops.h"
#include "layers/activation.h"
#include "tensor/check.h"

namespace acol {

namespace {

// Updates parameters one by one as their gradients come, in whatever order, and frees the gradients. The norm adds up
// in the order of the list, as gradient_norm() does: the same bits.
class UpdateAsTheyCome {
 public:
  UpdateAsTheyCome(const Network& network, Sgd& optimizer, double rate)
      : optimizer_(optimizer), rate_(rate), parameters_(network.parameters()), squares_(parameters_.size(), 0.0) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) place_[&parameters_[i].variable.value()] = i;
  }

  void operator()(Variable& parameter) {
    const auto found = place_.find(&parameter.value());
    if (found == place_.end()) return;  // a leaf, but none of the network
    squares_[found->second] = squared_gradient(parameter);
    optimizer_.step_one(parameter, rate_);
    parameter.clear_grad();
  }

  // Those that an earlier part of the batch gave a gradient, and the last did not.
  void rest() {
    for (NamedParameter& parameter : parameters_)
      if (parameter.variable.grad().defined()) (*this)(parameter.variable);
  }

  double norm() const {
    double sum = 0;
    for (const double square : squares_) sum += square;
    return std::sqrt(sum);
  }

 private:
  Sgd& optimizer_;
  double rate_;
  std::vector<NamedParameter> parameters_;
  std::vector<double> squares_;
  std::unordered_map<const Tensor*, std::size_t> place_;
};

}  // namespace

const char* name_of(MemoryMode mode) { return mode == MemoryMode::lean ? "lean" : "plain"; }

MemoryMode parse_memory_mode(const std::string& name) {
  for (const MemoryMode mode : {MemoryMode::plain, MemoryMode::lean})
    if (name == name_of(mode)) return mode;
  fail("unknown memory mode '", name, "': plain or lean");
}

StepLosses forward_losses(Network& network, const Tensor& images, const std::vector<int>& labels,
                          EraseLabel erase_label, bool use_branch_b) {
  const Variable features = network.features(Variable(images.to_device()));
  const Variable hidden = network.hidden_a(features), logits = network.logits_a(hidden);
  StepLosses losses;
  losses.logits_a = logits.value();
  losses.loss_a = softmax_cross_entropy(logits, labels);
  losses.total = losses.loss_a;
  if (use_branch_b) {
    const std::vector<int> hole_labels = erase_label == EraseLabel::truth ? labels : answers(losses.logits_a);
    const Tensor heat = normalized_map(network.map_a(hidden.value(), hole_labels));
    losses.loss_b = softmax_cross_entropy(network.logits_b(features, heat), labels);
    losses.total = add(losses.loss_a, losses.loss_b);
  }
  return losses;
}

std::vector<ParameterGroup> parameter_groups(const Network& network, const TrainConfig& config) {
  const double head = config.head_rate_factor, bias = config.bias_rate_factor;
  std::vector<ParameterGroup> groups{{"trunk weights", {}, 1, config.weight_decay},
                                     {"trunk biases", {}, bias, config.weight_decay},
                                     {"head weights", {}, head, config.weight_decay},
                                     {"head biases", {}, head * bias, config.weight_decay}};
  for (const NamedParameter& parameter : network.parameters()) {
    const std::size_t in_head = parameter.name.starts_with("features.") ? 0 : 2;
    const std::size_t is_bias = parameter.name.ends_with(".bias") ? 1 : 0;
    groups[in_head + is_bias].parameters.push_back(parameter);
  }
  return groups;
}

StepResult train_step(Network& network, Sgd& optimizer, const TrainConfig& config, MemoryMode memory,
                      const StepInput& input) {
  const auto images = static_cast<int>(input.labels.size());
  check(images >= 1 && input.images.shape().rank() == 4 && input.images.shape()[0] == images, "train step: ", images,
        " labels for images of shape ", input.images.shape().str());
  const int part_size = config.micro_batch > 0 ? std::min(config.micro_batch, images) : images;
  // Of a full batch, so that no two steps share a draw.
  const int parts = config.micro_batch > 0 ? (config.batch_size + config.micro_batch - 1) / config.micro_batch : 1;

  network.set_lean(memory == MemoryMode::lean);
  optimizer.clear_gradients();
  UpdateAsTheyCome update(network, optimizer, input.rate);
  const bool update_early = memory == MemoryMode::lean && config.clip_norm == 0;

  StepResult result;
  for (int first = 0, part = 0; first < images; first += part_size, ++part) {
    const int count = std::min(part_size, images - first);
    const std::vector<int> labels(input.labels.begin() + first, input.labels.begin() + first + count);
    set_dropout_draw(network, config.seed, static_cast<std::uint32_t>(input.step * parts + part));
    const Tensor part_images = count == images ? input.images : input.images.rows(first, count);
    StepLosses losses = forward_losses(network, part_images, labels, config.erase_label, input.use_branch_b);

    const double share = static_cast<double>(count) / images;
    result.loss_a += share * losses.loss_a.value().at(0);
    if (input.use_branch_b) result.loss_b = result.loss_b.value_or(0) + share * losses.loss_b.value().at(0);
    const std::vector<int> predicted = answers(losses.logits_a);
    result.answers.insert(result.answers.end(), predicted.begin(), predicted.end());
    if (!std::isfinite(result.loss_a + result.loss_b.value_or(0))) {
      result.gradient_norm = std::numeric_limits<double>::quiet_NaN();
      return result;
    }

    const bool last = first + count == images;
    losses.total.backward(Tensor::full(losses.total.shape(), share, losses.total.dtype()),
                          last && update_early ? GradientHook(std::ref(update)) : GradientHook());
  }

  if (update_early) {
    update.rest();
    result.gradient_norm = update.norm();
    return result;
  }
  result.gradient_norm = gradient_norm(network.parameters());
  if (!std::isfinite(result.gradient_norm)) return result;
  optimizer.step(input.rate, config.clip_norm > 0 ? clip_factor(result.gradient_norm, config.clip_norm) : 1.0);
  return result;
}

}  // namespace acol
