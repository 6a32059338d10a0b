#include "acol/network/heads.h"

#include "acol/network/vgg.h"
#include "autograd/ops.h"

namespace acol {

namespace {

// w mean(f) + b: the last layer on pictures of one pixel.
Variable logits_of_mean(const Variable& hidden, Conv2d& last) {
  const int images = hidden.shape()[0], channels = hidden.shape().back();
  const Variable pixel = reshape(global_avg_pool(hidden), {images, 1, 1, channels});
  return reshape(last.forward(pixel), {images, last.weight().shape()[0]});
}

}  // namespace

ClassifierHead::ClassifierHead(const NetworkConfig& config, std::uint32_t first_dropout_layer) {
  const int in = vgg_out_channels(config), hidden = scaled_channels(1024, config.width);
  const Conv2dOptions same{.pad = {1, 1}, .relu = true};
  add_child("0", first_ = std::make_shared<Conv2d>(in, hidden, Pair{3, 3}, same));
  add_child("2", second_ = std::make_shared<Conv2d>(hidden, hidden, Pair{3, 3}, same));
  add_child("4", last_ = std::make_shared<Conv2d>(hidden, config.classes, Pair{1, 1}));
  add_child("dropout0", first_dropout_ = std::make_shared<Dropout>(config.dropout, first_dropout_layer));
  add_child("dropout2", second_dropout_ = std::make_shared<Dropout>(config.dropout, first_dropout_layer + 1));
}

Variable ClassifierHead::hidden(const Variable& features) {
  const Variable first = first_dropout_->forward(first_->forward(features));
  return second_dropout_->forward(second_->forward(first));
}

Variable ClassifierHead::maps(const Variable& features) { return last_->forward(to_parameters(hidden(features))); }

Variable ClassifierHead::logits(const Variable& hidden) { return logits_of_mean(hidden, *last_); }

Tensor ClassifierHead::map_of(const Tensor& hidden, const std::vector<int>& labels) const {
  return class_map(hidden, last_->weight().value(), last_->bias().value(), labels);
}

Variable ClassifierHead::forward(const Variable& features) { return logits(hidden(features)); }

CamResult cam_by_convolution(const Variable& hidden, Conv2d& last) {
  const Variable maps = last.forward(to_parameters(hidden));
  return {maps, global_avg_pool(maps)};
}

CamResult cam_by_fully_connected(const Variable& hidden, Conv2d& last) {
  const Shape& shape = hidden.shape();
  const int classes = last.weight().shape()[0], channels = shape.back();
  const Variable weights = reshape(last.weight(), {classes, channels});
  const Variable pixels = reshape(to_parameters(hidden), {static_cast<int>(shape.rows()), channels});
  const Variable maps = reshape(linear(pixels, weights, last.bias()), {shape[0], shape[1], shape[2], classes});
  return {maps, logits_of_mean(hidden, last)};
}

}  // namespace acol
