// The classifier on top of the trunk; ACoL has two of them, A and B (paper, section 3.2 and figure 3).
#pragma once

#include <memory>
#include <vector>

#include "acol/network/config.h"
#include "layers/activation.h"
#include "layers/conv2d.h"

namespace acol {

// Three convolutions, numbered as in the official code's Sequential: 0: 3x3, 1024, ReLU; 2: 3x3, 1024, ReLU; 4: 1x1,
// one channel a class. The class channels are the localization maps, their means the logits.
class ClassifierHead : public Module {
 public:
  // `first_dropout_layer`: number of the first of its two dropouts, so that all of a network draw apart.
  ClassifierHead(const NetworkConfig& config, std::uint32_t first_dropout_layer);

  // (N, P, Q, C) -> (N, P, Q, 1024 width): what the last layer sees.
  Variable hidden(const Variable& features);
  // (N, P, Q, C) -> (N, P, Q, classes): the maps.
  Variable maps(const Variable& features);

  // Without the maps of all classes, from hidden features (N, P, Q, 1024 width). The mean of w f + b over the pixels is
  // w mean(f) + b: the last layer on a picture of one pixel gives the logits (N, classes).
  Variable logits(const Variable& hidden);
  // The map of labels[n] in image n: (N, P, Q). A plain tensor: no gradient.
  Tensor map_of(const Tensor& hidden, const std::vector<int>& labels) const;

  // (N, P, Q, C) -> (N, classes): the logits, without maps.
  Variable forward(const Variable& features) override;

  Conv2d& last() { return *last_; }

 private:
  std::shared_ptr<Conv2d> first_, second_, last_;
  std::shared_ptr<Dropout> first_dropout_, second_dropout_;
};

// Both forms of CAM on hidden features (N, P, Q, C) with the last layer's weights (K, 1, 1, C) and bias (K).
struct CamResult {
  Variable maps;    // (N, P, Q, K)
  Variable logits;  // (N, K)
};
// maps = w f + b, logits = mean of the maps.
CamResult cam_by_convolution(const Variable& hidden, Conv2d& last);
// logits = w mean(f) + b by a linear layer; then, as CAM's second step, maps = w f + b with that layer's weights.
CamResult cam_by_fully_connected(const Variable& hidden, Conv2d& last);

}  // namespace acol
